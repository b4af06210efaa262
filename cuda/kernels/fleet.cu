/* fleet: discounted cumulative sums rank by rank.
 *
 *   c_t = a_t c_{t-1} + k_t[r] v_t,   o_t = scale sum_r q_t[r] c_t       for every rank r
 *
 * Wang et al., LeetDecoding, arXiv 2501.02573, FleetAttention. Kernel fleet_ranks runs groups of ranks in parallel,
 * each with sums of its own in Args::outputs; fleet_sum adds the groups in a fixed order. The cumulative sums are plain
 * sums, so signed inputs are as good as positive ones. */
#include "entry.cuh"
#include "head.cuh"

namespace leet {
namespace gpu {

const int kRanks = 32;   /* per thread */
const int kColumns = 64; /* of dv per block, one per thread */

/* Grid: heads x rank groups x column tiles. */
template <class D>
__device__ __forceinline__ void fleet_ranks(const Args &a) {
  __shared__ float key[kChunk][kRanks], query[kChunk][kRanks];
  __shared__ ChunkDecay<kChunk> decay;
  const int tiles = (a.dv + kColumns - 1) / kColumns, groups = (a.dk + kRanks - 1) / kRanks;
  const int column = (int)(blockIdx.x % tiles) * kColumns + threadIdx.x;
  const int group = (int)(blockIdx.x / tiles % groups), r0 = group * kRanks;
  const Head<D> h(a, blockIdx.x / tiles / groups);
  const bool inside = column < a.dv;
  float past[kRanks], carry[kRanks], recent[kRanks];
#pragma unroll
  for (int r = 0; r < kRanks; r++) {
    past[r] = h.state_in && inside && r0 + r < a.dk ? h.state_in[(int64_t)(r0 + r) * a.dv + column] : 0.0f;
    carry[r] = 0.0f;
  }
  float *out = a.outputs + ((int64_t)group * a.H * a.tokens + h.row) * a.dv + column;
  int known = 0;
  for (int64_t first = 0; first < h.N; first += kChunk) {
    const int L = h.N - first < kChunk ? (int)(h.N - first) : kChunk;
    __syncthreads();
    chunk_decay(decay, h.decay, first, L, threadIdx.x, known);
    for (int at = threadIdx.x; at < L * kRanks; at += kColumns) {
      const int t = at / kRanks, r = at % kRanks;
      const bool rank = r0 + r < a.dk;
      key[t][r] = rank ? D::get(h.k[(first + t) * h.k_step + r0 + r]) : 0.0f;
      query[t][r] = rank ? D::get(h.q[(first + t) * h.q_step + r0 + r]) : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int r = 0; r < kRanks; r++) recent[r] = 0.0f;
    for (int t = 0; t < L; t++) {
      const float value = inside ? D::get(h.v[(first + t) * h.v_step + column]) : 0.0f, step = decay.step[t];
      float fresh = 0.0f, old = 0.0f;
#pragma unroll
      for (int r = 0; r < kRanks; r++) {
        recent[r] = fmaf(step, recent[r], key[t][r] * value);
        fresh = fmaf(query[t][r], recent[r], fresh);
        old = fmaf(query[t][r], past[r], old);
      }
      if (inside) out[(first + t) * a.dv] = fmaf(decay.in[t], old, fresh);
    }
#pragma unroll
    for (int r = 0; r < kRanks; r++) merge_state(past[r], carry[r], recent[r], decay.total_high, decay.total_low);
  }
  if (h.state_out == nullptr || !inside) return;
#pragma unroll
  for (int r = 0; r < kRanks; r++) {
    if (r0 + r < a.dk) h.state_out[(int64_t)(r0 + r) * a.dv + column] = past[r];
  }
}

/* Grid: heads x chunks. */
template <class D>
__device__ __forceinline__ void fleet_sum(const Args &a) {
  const int64_t c = blockIdx.x % a.chunks;
  const Head<D> h(a, blockIdx.x / a.chunks);
  const int L = h.length(c), groups = (a.dk + kRanks - 1) / kRanks;
  for (int at = threadIdx.x; at < L * a.dv; at += blockDim.x) {
    const int64_t t = c * kChunk + at / a.dv;
    const float *part = a.outputs + (h.row + t) * a.dv + at % a.dv;
    float sum = 0.0f;
    for (int group = 0; group < groups; group++) sum += part[(int64_t)group * a.H * a.tokens * a.dv];
    h.o[t * h.o_step + at % a.dv] = D::put(sum * a.scale);
  }
}

}  // namespace gpu
}  // namespace leet

LEET_ENTRIES(fleet_ranks, leet::gpu::fleet_ranks)
LEET_ENTRIES(fleet_sum, leet::gpu::fleet_sum)
