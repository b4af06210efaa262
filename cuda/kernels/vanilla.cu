/* vanilla: masked (Q K^T) V, quadratic in N: the definition.
 *
 * A block owns 64 queries and 64 columns and walks over the keys from its own chunk back to the first, so that the
 * decay across the chunks in between is a running product. */
#include "entry.cuh"
#include "tile.cuh"

namespace leet {
namespace gpu {

/* total + lost grows by x, exactly but for the last bits of `lost`. */
__device__ __forceinline__ void add_exactly(float &total, float &lost, float x) {
  const float sum = total + x, part = sum - total;
  const float error = (total - (sum - part)) + (x - part);
  lost += isfinite(error) ? error : 0.0f;
  total = sum;
}

/* Grid: heads x chunks x column tiles. */
template <class D>
__device__ __forceinline__ void vanilla_outputs(const Args &a) {
  __shared__ Tile tile;
  __shared__ float in[kChunk];
  const int tiles = (a.dv + 63) / 64, c0 = (int)(blockIdx.x % tiles) * 64;
  const int64_t c = blockIdx.x / tiles % a.chunks;
  const Head<D> h(a, blockIdx.x / tiles / a.chunks);
  const int L = h.length(c);
  if (L == 0) return;
  const bool gated = h.decay.gates != nullptr;
  float total[4][4], lost[4][4], part[4][4];
  clear(total);
  clear(lost);
  double between = 1.0; /* decay across the chunks after the keys and before the queries */
  int known = 0;
  for (int64_t keys = c; keys >= 0; keys--) {
    const int M = h.length(keys);
    __syncthreads();
    chunk_decay(tile.decay, h.decay, keys * kChunk, M, threadIdx.x, known);
    __syncthreads();
    clear(part);
    if (keys == c) {
      if (threadIdx.x < kChunk) in[threadIdx.x] = tile.decay.in[threadIdx.x];
      scores(tile, h, c * kChunk, L, keys * kChunk, M, a.dk,
             [&](int i, int j) { return j <= i ? pair_weight(tile.decay, gated, i, j) : 0.0f; });
      values<D, 4, true>(part, tile, h, keys * kChunk, M, a.dv, c0);
    } else {
      const float middle = (float)between;
      scores(tile, h, c * kChunk, L, keys * kChunk, M, a.dk,
             [&](int i, int j) { return in[i] * middle * tile.decay.out[j]; });
      values<D, 4, false>(part, tile, h, keys * kChunk, M, a.dv, c0);
      between *= (double)tile.decay.total_high + (double)tile.decay.total_low;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
      for (int n = 0; n < 4; n++) add_exactly(total[i][n], lost[i][n], part[i][n]);
    }
  }
  if (h.state_in) {
    from_state<D, 4>(part, tile, h, c * kChunk, L, h.state_in, a.dk, a.dv, c0);
  } else {
    clear(part);
  }
  const float middle = (float)between;
  for_inside<4>(L, a.dv - c0, [&](int i, int n, int row, int column) {
    const float y = (weigh(in[row] * middle, part[i][n]) + (total[i][n] + lost[i][n])) * a.scale;
    h.o[(c * kChunk + row) * h.o_step + c0 + column] = D::put(y);
  });
}

/* The state after the last token. Grid: heads x row tiles x column tiles. */
template <class D>
__device__ __forceinline__ void vanilla_state(const Args &a) {
  __shared__ Tile tile;
  const int row_tiles = (a.dk + kChunk - 1) / kChunk, column_tiles = (a.dv + 63) / 64;
  const int c0 = (int)(blockIdx.x % column_tiles) * 64;
  const int r0 = (int)(blockIdx.x / column_tiles % row_tiles) * kChunk;
  const Head<D> h(a, blockIdx.x / column_tiles / row_tiles);
  float state[4][4], carry[4][4], u[4][4];
  clear(state);
  clear(carry);
  const auto at = [&](int row, int column) { return (int64_t)(r0 + row) * a.dv + c0 + column; };
  if (h.state_in) {
    for_inside<4>(a.dk - r0, a.dv - c0,
                  [&](int i, int n, int row, int column) { state[i][n] = h.state_in[at(row, column)]; });
  }
  int known = 0;
  for (int64_t first = 0; first < h.N; first += kChunk) {
    const int L = h.N - first < kChunk ? (int)(h.N - first) : kChunk;
    __syncthreads();
    chunk_decay(tile.decay, h.decay, first, L, threadIdx.x, known);
    __syncthreads();
    state_product<D, 4>(u, tile, h, first, L, a.dk, a.dv, r0, c0);
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
      for (int n = 0; n < 4; n++) {
        merge_state(state[i][n], carry[i][n], u[i][n], tile.decay.total_high, tile.decay.total_low);
      }
    }
  }
  for_inside<4>(a.dk - r0, a.dv - c0,
                [&](int i, int n, int row, int column) { h.state_out[at(row, column)] = state[i][n]; });
}

}  // namespace gpu
}  // namespace leet

LEET_ENTRIES(vanilla_outputs, leet::gpu::vanilla_outputs)
LEET_ENTRIES(vanilla_state, leet::gpu::vanilla_state)
