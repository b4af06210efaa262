/* recursion: divide and conquer over time. The second half of a span attends to the first half through its state, both
 * halves are treated alike, down to single chunks. Run from the bottom up, one launch per level:
 *
 *   recursion_chunks   U_c of every chunk is block_states; outputs within every chunk
 *   recursion_cross    outputs of every second half from the state of its first half
 *   recursion_merge    the state of both halves together into the slot of the first
 *   recursion_reach    the decay that goes with it
 *   recursion_finish   the initial state, the scale, the storage type
 *   recursion_state    the final state
 *
 * Han et al., HyperAttention, arXiv 2310.05869, section 3. Outputs gather in float32 in Args::outputs. */
#include "entry.cuh"
#include "tile.cuh"

namespace leet {
namespace gpu {

/* Decay from the end of chunk `from` - 1 to the start of chunk `to`. */
__device__ __forceinline__ double decay_between(const Args &a, int64_t slot, int64_t from, int64_t to) {
  double product = 1.0;
  for (int64_t c = from; c < to; c++) {
    product *= (double)a.totals[(slot + c) * 2] + (double)a.totals[(slot + c) * 2 + 1];
  }
  return product;
}

/* Grid: heads x chunks x column tiles. */
template <class D>
__device__ __forceinline__ void recursion_chunks(const Args &a) {
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
  float sum[4][4];
  clear(sum);
  values<D, 4, true>(sum, tile, h, first, L, a.dv, c0);
  for_inside<4>(L, a.dv - c0, [&](int i, int n, int row, int column) {
    a.outputs[(h.row + first + row) * a.dv + c0 + column] = sum[i][n];
  });
  if (c0 == 0 && threadIdx.x < 2) a.reach[(h.slot + c) * 2 + threadIdx.x] = a.totals[(h.slot + c) * 2 + threadIdx.x];
}

/* Grid: heads x chunks x column tiles; chunks that are in no second half leave. */
template <class D>
__device__ __forceinline__ void recursion_cross(const Args &a) {
  __shared__ Tile tile;
  const int tiles = (a.dv + 63) / 64, c0 = (int)(blockIdx.x % tiles) * 64;
  const int64_t c = blockIdx.x / tiles % a.chunks;
  const Head<D> h(a, blockIdx.x / tiles / a.chunks);
  const int L = h.length(c);
  if (L == 0 || (c / a.span) % 2 == 0) return;
  const int64_t half = c / a.span * a.span, first = c * kChunk;
  int known = 0;
  chunk_decay(tile.decay, h.decay, first, L, threadIdx.x, known);
  __syncthreads();
  const float before = (float)decay_between(a, h.slot, half, c);
  float sum[4][4];
  from_state<D, 4>(sum, tile, h, first, L, a.states + (h.slot + half - a.span) * a.dk * a.dv, a.dk, a.dv, c0);
  for_inside<4>(L, a.dv - c0, [&](int i, int n, int row, int column) {
    a.outputs[(h.row + first + row) * a.dv + c0 + column] += weigh(tile.decay.in[row] * before, sum[i][n]);
  });
}

/* Grid: heads x pairs of halves x ceil(dk dv / 256), a thread per element. */
__device__ __forceinline__ void recursion_merge(const Args &a) {
  const int elements = a.dk * a.dv, tiles = (elements + kThreads - 1) / kThreads;
  const int64_t pairs = (a.chunks + 2 * a.span - 1) / (2 * a.span);
  const int at = (int)(blockIdx.x % tiles) * kThreads + threadIdx.x;
  const int64_t left = blockIdx.x / tiles % pairs * 2 * a.span, right = left + a.span;
  const Head<F32> h(a, blockIdx.x / tiles / pairs);
  if (at >= elements || right * kChunk >= h.N) return;
  const float *from = a.reach + (h.slot + right) * 2;
  float *state = a.states + (h.slot + left) * elements + at, ignored = 0.0f;
  merge_state(*state, ignored, a.states[(h.slot + right) * elements + at], from[0], from[1]);
}

/* The decay that goes with recursion_merge, after it. Grid: heads x pairs, one thread. */
__device__ __forceinline__ void recursion_reach(const Args &a) {
  const int64_t pairs = (a.chunks + 2 * a.span - 1) / (2 * a.span);
  const int64_t left = blockIdx.x % pairs * 2 * a.span, right = left + a.span;
  const Head<F32> h(a, blockIdx.x / pairs);
  if (threadIdx.x != 0 || right * kChunk >= h.N) return;
  float *to = a.reach + (h.slot + left) * 2;
  const float *by = a.reach + (h.slot + right) * 2;
  const double product = ((double)to[0] + (double)to[1]) * ((double)by[0] + (double)by[1]);
  to[0] = (float)product;
  to[1] = (float)(product - (double)to[0]);
}

/* Grid: heads x chunks x column tiles. */
template <class D>
__device__ __forceinline__ void recursion_finish(const Args &a) {
  __shared__ Tile tile;
  const int tiles = (a.dv + 63) / 64, c0 = (int)(blockIdx.x % tiles) * 64;
  const int64_t c = blockIdx.x / tiles % a.chunks;
  const Head<D> h(a, blockIdx.x / tiles / a.chunks);
  const int L = h.length(c);
  if (L == 0) return;
  const int64_t first = c * kChunk;
  int known = 0;
  chunk_decay(tile.decay, h.decay, first, L, threadIdx.x, known);
  __syncthreads();
  float sum[4][4];
  clear(sum);
  float before = 0.0f;
  if (h.state_in) {
    before = (float)decay_between(a, h.slot, 0, c);
    from_state<D, 4>(sum, tile, h, first, L, h.state_in, a.dk, a.dv, c0);
  }
  for_inside<4>(L, a.dv - c0, [&](int i, int n, int row, int column) {
    const float within = a.outputs[(h.row + first + row) * a.dv + c0 + column];
    const float y = (weigh(tile.decay.in[row] * before, sum[i][n]) + within) * a.scale;
    h.o[(first + row) * h.o_step + c0 + column] = D::put(y);
  });
}

/* After recursion_finish, since the final state may lie where the initial one is. Grid: heads x ceil(dk dv / 256). */
__device__ __forceinline__ void recursion_state(const Args &a) {
  const int elements = a.dk * a.dv, tiles = (elements + kThreads - 1) / kThreads;
  const Head<F32> h(a, blockIdx.x / tiles);
  const int at = (int)(blockIdx.x % tiles) * kThreads + threadIdx.x;
  if (at >= elements) return;
  float state = h.state_in ? h.state_in[at] : 0.0f, ignored = 0.0f;
  if (h.N > 0) {
    const float *reach = a.reach + h.slot * 2;
    merge_state(state, ignored, a.states[h.slot * elements + at], reach[0], reach[1]);
  }
  h.state_out[at] = state;
}

}  // namespace gpu
}  // namespace leet

LEET_ENTRIES(recursion_chunks, leet::gpu::recursion_chunks)
LEET_ENTRIES(recursion_cross, leet::gpu::recursion_cross)
LEET_ENTRY(recursion_merge) { leet::gpu::recursion_merge(a); }
LEET_ENTRY(recursion_reach) { leet::gpu::recursion_reach(a); }
LEET_ENTRIES(recursion_finish, leet::gpu::recursion_finish)
LEET_ENTRY(recursion_state) { leet::gpu::recursion_state(a); }
