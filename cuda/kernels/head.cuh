/* One query head of one sequence: the unit of every method. */
#pragma once
#include "args.h"
#include "decay.cuh"
#include "element.cuh"

namespace leet {
namespace gpu {

template <class D>
struct Head {
  typedef typename D::T T;
  const T *q, *k, *v; /* its first token */
  T *o;
  int64_t q_step, k_step, v_step, o_step; /* elements from token to token */
  int64_t N;
  int64_t first;         /* its first token in the batch row */
  int64_t row;           /* its first token in Args::outputs, [H][tokens] */
  int64_t slot;          /* its first chunk slot in Args::states, [H][slots] */
  const float *state_in; /* [dk,dv] or nullptr */
  float *state_out;      /* [dk,dv] or nullptr */
  Decay decay;

  /* Head number i of sequences x H, heads of one sequence side by side. */
  __device__ __forceinline__ Head(const Args &a, int64_t i) {
    const int64_t s = i / a.H, h = i % a.H, hkv = h / (a.H / a.Hkv);
    const int64_t batch = a.cu ? 0 : s;
    first = a.cu ? a.cu[s] : 0;
    N = a.cu ? a.cu[s + 1] - first : a.N;
    row = h * a.tokens + (a.cu ? first : s * a.N);
    /* Ragged: chunks start anew with each sequence, so sequence s takes at most one slot more than its tokens fill. */
    slot = h * a.slots + (a.cu ? first / kChunk + s : s * a.chunks);
    q = (const T *)a.q + batch * a.q_step.batch + h * a.q_step.head + first * a.q_step.time;
    k = (const T *)a.k + batch * a.k_step.batch + hkv * a.k_step.head + first * a.k_step.time;
    v = (const T *)a.v + batch * a.v_step.batch + hkv * a.v_step.head + first * a.v_step.time;
    o = (T *)a.o + batch * a.o_step.batch + h * a.o_step.head + first * a.o_step.time;
    q_step = a.q_step.time;
    k_step = a.k_step.time;
    v_step = a.v_step.time;
    o_step = a.o_step.time;
    const int64_t state = i * a.dk * a.dv;
    state_in = a.state_in ? a.state_in + state : nullptr;
    state_out = a.state_out ? a.state_out + state : nullptr;
    const int64_t gate = batch * a.gate_step.batch + h * a.gate_step.head + first * a.gate_step.time;
    decay = decay_of(a, h, gate);
  }

  /* Tokens of chunk c; 0 past the end. */
  __device__ __forceinline__ int length(int64_t c) const {
    const int64_t left = N - c * kChunk;
    return left <= 0 ? 0 : left < kChunk ? (int)left : kChunk;
  }
};

}  // namespace gpu
}  // namespace leet
