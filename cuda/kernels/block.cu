/* block: the states of all chunks in memory, in three passes.
 *
 *   block_states    U_c = (out * K_c)^T V_c                       every chunk by itself
 *   block_scan      S_{c+1} = total_c S_c + U_c                   over the chunks of a head
 *   block_outputs   O_c = scale (in * (Q_c S_c) + P_c V_c)        every chunk by itself
 *
 * Lingle, Transformer-VQ, arXiv 2309.16354, section 3; Sun et al., RetNet, arXiv 2307.08621, eq. 7. */
#include "entry.cuh"
#include "tile.cuh"

namespace leet {
namespace gpu {

/* Grid: heads x chunks x row tiles x column tiles. */
template <class D>
__device__ __forceinline__ void block_states(const Args &a) {
  __shared__ Tile tile;
  const int row_tiles = (a.dk + kChunk - 1) / kChunk, column_tiles = (a.dv + 63) / 64;
  int64_t at = blockIdx.x;
  const int c0 = (int)(at % column_tiles) * 64;
  at /= column_tiles;
  const int r0 = (int)(at % row_tiles) * kChunk;
  at /= row_tiles;
  const int64_t c = at % a.chunks;
  const Head<D> h(a, at / a.chunks);
  const int L = h.length(c);
  if (L == 0) return;
  int known = 0;
  chunk_decay(tile.decay, h.decay, c * kChunk, L, threadIdx.x, known);
  __syncthreads();
  float sum[4][4];
  state_product<D, 4>(sum, tile, h, c * kChunk, L, a.dk, a.dv, r0, c0);
  float *state = a.states + (h.slot + c) * a.dk * a.dv;
  for_inside<4>(a.dk - r0, a.dv - c0, [&](int i, int n, int row, int column) {
    state[(int64_t)(r0 + row) * a.dv + c0 + column] = sum[i][n];
  });
  if (r0 == 0 && c0 == 0 && threadIdx.x == 0) {
    a.totals[(h.slot + c) * 2] = tile.decay.total_high;
    a.totals[(h.slot + c) * 2 + 1] = tile.decay.total_low;
  }
}

/* Turns the U of each slot into the state before its chunk. Grid: heads x ceil(dk dv / 256), a thread per element. */
__device__ __forceinline__ void block_scan(const Args &a) {
  const int elements = a.dk * a.dv, tiles = (elements + kThreads - 1) / kThreads;
  const Head<F32> h(a, blockIdx.x / tiles);
  const int at = (int)(blockIdx.x % tiles) * kThreads + threadIdx.x;
  if (at >= elements) return;
  float state = h.state_in ? h.state_in[at] : 0.0f, carry = 0.0f;
  const int64_t chunks = (h.N + kChunk - 1) / kChunk;
  for (int64_t c = 0; c < chunks; c++) {
    float *slot = a.states + (h.slot + c) * elements + at;
    const float u = *slot;
    *slot = state;
    merge_state(state, carry, u, a.totals[(h.slot + c) * 2], a.totals[(h.slot + c) * 2 + 1]);
  }
  if (h.state_out) h.state_out[at] = state;
}

/* Grid: heads x chunks x column tiles. */
template <class D>
__device__ __forceinline__ void block_outputs(const Args &a) {
  __shared__ Tile tile;
  const int tiles = (a.dv + 63) / 64, c0 = (int)(blockIdx.x % tiles) * 64;
  const int64_t c = blockIdx.x / tiles % a.chunks;
  const Head<D> h(a, blockIdx.x / tiles / a.chunks);
  const int L = h.length(c);
  if (L == 0) return;
  const int64_t first = c * kChunk;
  int known = 0;
  chunk_decay(tile.decay, h.decay, first, L, threadIdx.x, known);
  const bool gated = h.decay.gates != nullptr;
  scores(tile, h, first, L, first, L, a.dk,
         [&](int i, int j) { return j <= i ? pair_weight(tile.decay, gated, i, j) : 0.0f; });
  float sum[4][4], within[4][4];
  from_state<D, 4>(sum, tile, h, first, L, a.states + (h.slot + c) * a.dk * a.dv, a.dk, a.dv, c0);
  clear(within);
  values<D, 4, true>(within, tile, h, first, L, a.dv, c0);
  for_inside<4>(L, a.dv - c0, [&](int i, int n, int row, int column) {
    const float y = (weigh(tile.decay.in[row], sum[i][n]) + within[i][n]) * a.scale;
    h.o[(first + row) * h.o_step + c0 + column] = D::put(y);
  });
}

}  // namespace gpu
}  // namespace leet

LEET_ENTRIES(block_states, leet::gpu::block_states)
LEET_ENTRY(block_scan) { leet::gpu::block_scan(a); }
LEET_ENTRIES(block_outputs, leet::gpu::block_outputs)
