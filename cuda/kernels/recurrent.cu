/* recurrent: token by token, the state in registers.
 *
 *   S_t = a_t S_{t-1} + k_t v_t^T,  o_t = scale q_t^T S_t          Katharopoulos et al., arXiv 2006.16236, section 3.4
 *
 * Eight rows of a column of S belong to one thread, the dk / 8 threads of a column are neighbours in a warp. A float32
 * sum over many tokens drifts (65,536 equal terms lose ten bits), so terms gather in `recent` and join the long-lived
 * `past` once per chunk. */
#include "entry.cuh"
#include "head.cuh"

namespace leet {
namespace gpu {

const int kRows = 8;    /* of S per thread */
const int kColumns = 4; /* of S per thread */
const int kWarps = 4;

template <class D, int DK>
__device__ __forceinline__ void recurrent(const Args &a) {
  constexpr int kLanes = DK / kRows; /* threads per column */
  constexpr int kTile = kWarps * (32 / kLanes) * kColumns;
  __shared__ ChunkDecay<kChunk> decay;
  const int tiles = (a.dv + kTile - 1) / kTile, thread = threadIdx.x;
  const Head<D> h(a, blockIdx.x / tiles);
  const int row = thread % kLanes * kRows;
  const int column = (int)(blockIdx.x % tiles) * kTile + thread / kLanes * kColumns;
  float past[kRows][kColumns], carry[kRows][kColumns], recent[kRows][kColumns];
#pragma unroll
  for (int r = 0; r < kRows; r++) {
#pragma unroll
    for (int n = 0; n < kColumns; n++) {
      const bool inside = row + r < a.dk && column + n < a.dv;
      past[r][n] = h.state_in && inside ? h.state_in[(row + r) * a.dv + column + n] : 0.0f;
      carry[r][n] = 0.0f;
    }
  }
  int known = 0;
  for (int64_t first = 0; first < h.N; first += kChunk) {
    const int L = h.N - first < kChunk ? (int)(h.N - first) : kChunk;
    __syncthreads();
    chunk_decay(decay, h.decay, first, L, thread, known);
    __syncthreads();
#pragma unroll
    for (int r = 0; r < kRows; r++) {
#pragma unroll
      for (int n = 0; n < kColumns; n++) recent[r][n] = 0.0f;
    }
    for (int t = 0; t < L; t++) {
      const typename D::T *k = h.k + (first + t) * h.k_step, *q = h.q + (first + t) * h.q_step;
      const typename D::T *v = h.v + (first + t) * h.v_step;
      float value[kColumns], fresh[kColumns], old[kColumns];
#pragma unroll
      for (int n = 0; n < kColumns; n++) {
        value[n] = column + n < a.dv ? D::get(v[column + n]) : 0.0f;
        fresh[n] = old[n] = 0.0f;
      }
      const float step = decay.step[t];
#pragma unroll
      for (int r = 0; r < kRows; r++) {
        const bool inside = row + r < a.dk;
        const float key = inside ? D::get(k[row + r]) : 0.0f, query = inside ? D::get(q[row + r]) : 0.0f;
#pragma unroll
        for (int n = 0; n < kColumns; n++) {
          recent[r][n] = fmaf(step, recent[r][n], key * value[n]);
          fresh[n] = fmaf(query, recent[r][n], fresh[n]);
          old[n] = fmaf(query, past[r][n], old[n]);
        }
      }
      const float in = decay.in[t];
#pragma unroll
      for (int n = 0; n < kColumns; n++) {
        float sum = fmaf(in, old[n], fresh[n]);
#pragma unroll
        for (int other = 1; other < kLanes; other *= 2) sum += __shfl_xor_sync(~0u, sum, other);
        if (row == 0 && column + n < a.dv) h.o[(first + t) * h.o_step + column + n] = D::put(sum * a.scale);
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; r++) {
#pragma unroll
      for (int n = 0; n < kColumns; n++) {
        merge_state(past[r][n], carry[r][n], recent[r][n], decay.total_high, decay.total_low);
      }
    }
  }
  if (h.state_out == nullptr) return;
#pragma unroll
  for (int r = 0; r < kRows; r++) {
#pragma unroll
    for (int n = 0; n < kColumns; n++) {
      if (row + r < a.dk && column + n < a.dv) h.state_out[(row + r) * a.dv + column + n] = past[r][n];
    }
  }
}

template <class D>
__device__ __forceinline__ void recurrent_32(const Args &a) {
  recurrent<D, 32>(a);
}
template <class D>
__device__ __forceinline__ void recurrent_64(const Args &a) {
  recurrent<D, 64>(a);
}
template <class D>
__device__ __forceinline__ void recurrent_128(const Args &a) {
  recurrent<D, 128>(a);
}
template <class D>
__device__ __forceinline__ void recurrent_256(const Args &a) {
  recurrent<D, 256>(a);
}

}  // namespace gpu
}  // namespace leet

LEET_ENTRIES(recurrent_k32, leet::gpu::recurrent_32)
LEET_ENTRIES(recurrent_k64, leet::gpu::recurrent_64)
LEET_ENTRIES(recurrent_k128, leet::gpu::recurrent_128)
LEET_ENTRIES(recurrent_k256, leet::gpu::recurrent_256)
