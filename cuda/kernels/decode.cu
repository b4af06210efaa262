/* decode: one token for every sequence, the state read once and written once, in place when both are the same array.
 *
 * A block owns 32 columns of one head's state and all of its rows, so that a small batch still fills the machine and no
 * sum crosses blocks. Eight neighbouring threads cover the columns of a row, four each; sixteen rows go at a time. */
#include "entry.cuh"
#include "head.cuh"

namespace leet {
namespace gpu {

const int kColumns = 32, kPer = 4, kThreads = 128;
const int kRowsAtOnce = kThreads / (kColumns / kPer);

__device__ __forceinline__ void load_four(float (&x)[kPer], const float *from, int left, bool whole) {
  if (whole) {
    const float4 all = *(const float4 *)from;
    x[0] = all.x;
    x[1] = all.y;
    x[2] = all.z;
    x[3] = all.w;
    return;
  }
#pragma unroll
  for (int n = 0; n < kPer; n++) x[n] = n < left ? from[n] : 0.0f;
}

__device__ __forceinline__ void store_four(float *to, const float (&x)[kPer], int left, bool whole) {
  if (whole) {
    *(float4 *)to = make_float4(x[0], x[1], x[2], x[3]);
    return;
  }
#pragma unroll
  for (int n = 0; n < kPer; n++) {
    if (n < left) to[n] = x[n];
  }
}

template <class D>
__device__ __forceinline__ void decode(const Args &a) {
  __shared__ float partial[kThreads / 32][kColumns];
  const int tiles = (a.dv + kColumns - 1) / kColumns, thread = threadIdx.x;
  const Head<D> h(a, blockIdx.x / tiles);
  const int column = (int)(blockIdx.x % tiles) * kColumns + thread % (kColumns / kPer) * kPer;
  const int left = a.dv - column;
  const bool whole = a.dv % kPer == 0 && left >= kPer &&
                     (((uintptr_t)h.state_in | (uintptr_t)h.state_out) & 15) == 0; /* four columns in one access */
  float factor = 1.0f;
  if (h.decay.form == kDecayFactor) factor = (float)h.decay.base;
  if (h.decay.form == kDecayLog) factor = exp2_of(h.decay.base);
  if (h.decay.form == kDecayLogGates) factor = exp2_of(fmax((double)h.decay.gates[0] * kLog2E, kSmallestLog));
  float value[kPer], sum[kPer];
#pragma unroll
  for (int n = 0; n < kPer; n++) {
    value[n] = n < left ? D::get(h.v[column + n]) : 0.0f;
    sum[n] = 0.0f;
  }
#pragma unroll 4
  for (int row = thread / (kColumns / kPer); row < a.dk; row += kRowsAtOnce) {
    const float key = D::get(h.k[row]), query = D::get(h.q[row]);
    const int64_t at = (int64_t)row * a.dv + column;
    float s[kPer] = {};
    if (h.state_in) load_four(s, h.state_in + at, left, whole);
#pragma unroll
    for (int n = 0; n < kPer; n++) {
      s[n] = fmaf(factor, s[n], key * value[n]);
      sum[n] = fmaf(query, s[n], sum[n]);
    }
    if (h.state_out) store_four(h.state_out + at, s, left, whole);
  }
#pragma unroll
  for (int n = 0; n < kPer; n++) {
    sum[n] += __shfl_xor_sync(~0u, sum[n], 8);
    sum[n] += __shfl_xor_sync(~0u, sum[n], 16);
    if (thread % 32 < kColumns / kPer) partial[thread / 32][thread % 32 * kPer + n] = sum[n];
  }
  __syncthreads();
  if (thread >= kColumns) return;
  const int to = (int)(blockIdx.x % tiles) * kColumns + thread;
  if (to >= a.dv) return;
  const float total = (partial[0][thread] + partial[1][thread]) + (partial[2][thread] + partial[3][thread]);
  h.o[to] = D::put(total * a.scale);
}

}  // namespace gpu
}  // namespace leet

LEET_ENTRIES(decode, leet::gpu::decode)
