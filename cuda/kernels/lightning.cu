/* lightning: one block per head and 32 columns of dv goes over the chunks in order with its part of the state on chip.
 *
 * Qin et al., Lightning Attention-2, arXiv 2401.04658, algorithm 1. */
#include "entry.cuh"
#include "tile.cuh"

namespace leet {
namespace gpu {

const int kColumns = 32; /* of dv per block */
const int kStateRow = kColumns + 4;

/* DK: dk rounded up to whole tiles of 64 rows. The state lives in shared memory, where all threads read it; what its
 * rounding loses lives in the registers of the thread that updates it. */
template <class D, int DK>
__device__ __forceinline__ void lightning(const Args &a) {
  extern __shared__ float memory[];
  float *state = memory; /* [DK][kStateRow] */
  Tile &tile = *(Tile *)(memory + DK * kStateRow);
  constexpr int kTiles = DK / 64;
  const int tiles = (a.dv + kColumns - 1) / kColumns, c0 = (int)(blockIdx.x % tiles) * kColumns;
  const Head<D> h(a, blockIdx.x / tiles);
  const bool gated = h.decay.gates != nullptr;
  float carry[kTiles][4][2];
#pragma unroll
  for (int tile_at = 0; tile_at < kTiles; tile_at++) clear(carry[tile_at]);
  for (int at = threadIdx.x; at < DK * kColumns; at += kThreads) {
    const int row = at / kColumns, column = at % kColumns;
    const bool inside = row < a.dk && c0 + column < a.dv;
    state[row * kStateRow + column] = h.state_in && inside ? h.state_in[(int64_t)row * a.dv + c0 + column] : 0.0f;
  }
  int known = 0;
  for (int64_t first = 0; first < h.N; first += kChunk) {
    const int L = h.N - first < kChunk ? (int)(h.N - first) : kChunk;
    __syncthreads();
    chunk_decay(tile.decay, h.decay, first, L, threadIdx.x, known);
    scores(tile, h, first, L, first, L, a.dk,
           [&](int i, int j) { return j <= i ? pair_weight(tile.decay, gated, i, j) : 0.0f; });
    float before[4][2], within[4][2];
    clear(before);
    for (int r0 = 0; r0 < a.dk; r0 += kSlab) {
      __syncthreads();
      load_transposed<D>(tile.a, h.q, h.q_step, first, L, a.dk, r0);
      __syncthreads();
      float part[4][2];
      clear(part);
      accumulate<2>(part, tile.a[0], state + r0 * kStateRow, kStateRow, kSlab);
      add(before, part);
    }
    clear(within);
    values<D, 2, true>(within, tile, h, first, L, a.dv, c0);
    for_inside<2>(L, a.dv - c0, [&](int i, int n, int row, int column) {
      const float y = (weigh(tile.decay.in[row], before[i][n]) + within[i][n]) * a.scale;
      h.o[(first + row) * h.o_step + c0 + column] = D::put(y);
    });
#pragma unroll
    for (int tile_at = 0; tile_at < kTiles; tile_at++) {
      if (tile_at * 64 >= a.dk) break;
      float u[4][2];
      state_product<D, 2>(u, tile, h, first, L, a.dk, a.dv, tile_at * 64, c0);
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int n = 0; n < 2; n++) {
          float *s = state + (tile_at * 64 + tile_row() + i) * kStateRow + tile_column<2>() + n;
          merge_state(*s, carry[tile_at][i][n], u[i][n], tile.decay.total_high, tile.decay.total_low);
        }
      }
    }
  }
  if (h.state_out == nullptr) return;
  __syncthreads();
  for (int at = threadIdx.x; at < DK * kColumns; at += kThreads) {
    const int row = at / kColumns, column = at % kColumns;
    if (row < a.dk && c0 + column < a.dv) {
      h.state_out[(int64_t)row * a.dv + c0 + column] = state[row * kStateRow + column];
    }
  }
}

template <class D>
__device__ __forceinline__ void lightning_64(const Args &a) {
  lightning<D, 64>(a);
}
template <class D>
__device__ __forceinline__ void lightning_128(const Args &a) {
  lightning<D, 128>(a);
}
template <class D>
__device__ __forceinline__ void lightning_256(const Args &a) {
  lightning<D, 256>(a);
}

static_assert(sizeof(Tile) + 64 * kStateRow * 4 == Row_lightning_k64_f32::dynamic, "kernels.def: lightning_k64");
static_assert(sizeof(Tile) + 128 * kStateRow * 4 == Row_lightning_k128_f32::dynamic, "kernels.def: lightning_k128");
static_assert(sizeof(Tile) + 256 * kStateRow * 4 == Row_lightning_k256_f32::dynamic, "kernels.def: lightning_k256");

}  // namespace gpu
}  // namespace leet

LEET_ENTRIES(lightning_k64, leet::gpu::lightning_64)
LEET_ENTRIES(lightning_k128, leet::gpu::lightning_128)
LEET_ENTRIES(lightning_k256, leet::gpu::lightning_256)
