/* flash: chunkwise with tensor cores, one pass over memory, the state in registers.
 *
 *   P = (Q K^T) * weights        [C][C]     through shared memory, since every warp needs all of it
 *   O = in * (Q S) + P V         [C][dv]
 *   S = total * S + (out * V)^T K           kept as S^T: accumulators [dv][dk] are at once the B operand of Q S
 *
 * A block owns 64 or 128 columns of dv of one segment of a head, a warp 16 of them; with dk over 128 two warps share
 * the columns and have half the rows of S each. Q, K and V of the next chunk travel while this one is computed. When
 * heads and column tiles do not fill the machine, a head is cut in segments along time: flash_states first finds what
 * each segment adds to the state, flash_scan makes the state before each of it, and every segment starts from that.
 * Chunk states are never in memory.
 *
 * After Yang et al., GLA, arXiv 2312.06635, section 4; Sun et al., RetNet, arXiv 2307.08621, eq. 7. */
#pragma once
#include "entry.cuh"
#include "head.cuh"
#include "flash_products.cuh"

namespace leet {
namespace gpu {

/* The chunk from which on anything of a constant decay is left at the end of chunk `end`, in float32. */
template <class Shape>
__device__ __forceinline__ int64_t first_alive(const Decay &decay, int64_t begin, int64_t end) {
  float log2_decay = 0.0f;
  if (decay.form == kDecayFactor) log2_decay = decay.base > 0.0 ? log2f((float)decay.base) : -160.0f;
  if (decay.form == kDecayLog) log2_decay = (float)decay.base;
  if (!(log2_decay < -1e-6f)) return begin;
  const int64_t alive = end - 1 - (int64_t)(160.0f / -log2_decay) / Shape::C - 1;
  return alive > begin ? alive : begin;
}

/* Grid: heads x segments x column tiles. With kOutputs false the last segment of a head is left out, and what each of
 * the others adds to a state of zero goes to the slot of the next in Args::states, its decay to Args::totals. */
template <class Shape, bool kOutputs>
__device__ __forceinline__ void flash(const Args &a) {
  typedef typename Shape::Operand Operand;
  typedef typename Operand::Storage Storage;
  constexpr int C = Shape::C;
  extern __shared__ __align__(128) unsigned char shared_memory[];
  const FlashMemory<Shape> memory = {shared_memory};
  const int warp = threadIdx.x / 32, row0 = warp / Shape::kColumnWarps * Shape::kRows;
  const int tiles = (a.dv + Shape::kColumns - 1) / Shape::kColumns, tile0 = (int)(blockIdx.x % tiles) * Shape::kColumns;
  const int own = warp % Shape::kColumnWarps * 16, column0 = tile0 + own; /* the warp's columns in the tile and in dv */
  const int64_t segments = kOutputs ? a.segments : a.segments - 1;
  const int64_t segment = blockIdx.x / tiles % segments, head = blockIdx.x / tiles / segments;
  const Head<Storage> h(a, head);
  const int64_t chunks = (h.N + C - 1) / C, per_segment = (chunks + a.segments - 1) / a.segments;
  int64_t chunk = segment * per_segment;
  const int64_t end = chunk + per_segment < chunks ? chunk + per_segment : chunks;
  const bool gated = h.decay.gates != nullptr;
  const int64_t state_size = (int64_t)a.dk * a.dv;
  /* The last segment may end before the first reads the initial state, so flash_scan keeps a copy of it. */
  const bool in_place = a.segments > 1 && h.state_in != nullptr && h.state_in == h.state_out;

  FlashState<Shape> state;
  state.clear();
  if (kOutputs) {
    const float *initial = segment > 0 || in_place ? a.states + (head * a.segments + segment) * state_size : h.state_in;
    if (initial) {
      for_state<Shape>(lane_now(), a, row0, column0, [&](int n, int e, int64_t at) { state.s[n][e] = initial[at]; });
    }
  } else {
    chunk = first_alive<Shape>(h.decay, chunk, end);
  }

  const auto start_fetch = [&](int64_t c, int stage) {
    const int64_t first = c * C;
    const int L = h.N - first < C ? (int)(h.N - first) : C;
    if (kOutputs) fetch<Shape, Shape::DK>(memory.q(stage), h.q + first * h.q_step, h.q_step, L, a.dk, a.aligned);
    fetch<Shape, Shape::DK>(memory.k(stage), h.k + first * h.k_step, h.k_step, L, a.dk, a.aligned);
    fetch<Shape, Shape::kColumns>(memory.v(stage), h.v + first * h.v_step + tile0, h.v_step, L, a.dv - tile0,
                                  a.aligned);
    copy_async_commit();
  };

  double segment_total = 1.0;
  int known = 0, stage = 0;
  if (Shape::kStages == 2 && chunk < end) start_fetch(chunk, 0);
  for (; chunk < end; chunk++) {
    const int64_t first = chunk * C;
    const int L = h.N - first < C ? (int)(h.N - first) : C;
    if (Shape::kStages == 1) {
      start_fetch(chunk, 0);
    }
    chunk_decay(memory.decay(), h.decay, first, L, threadIdx.x, known);
    copy_async_wait<0>();
    __syncthreads(); /* this chunk is here, and all are done with the one before */
    if (Shape::kStages == 2 && chunk + 1 < end) start_fetch(chunk + 1, stage ^ 1);

    /* Dozens of addresses follow from the lane, cheaper to compute again than to keep. */
    const int lane = lane_now(), lane_g = lane / 4, lane_t = lane % 4;
    typename Operand::Values values[C / Operand::kTerms];
    const auto load_values = [&]() {
#pragma unroll
      for (int step = 0; step < C / Operand::kTerms; step++) {
        Operand::template load_values<Shape::kColumns>(lane, values[step], memory.v(stage), step * Operand::kTerms,
                                                       own);
      }
    };
    if constexpr (!kOutputs) load_values();
    if constexpr (kOutputs) {
      float out[C / 16][2][4];
      flash_scores(lane, memory, stage, warp, gated);
      flash_before(lane, out, memory, stage, state, row0);
      float *part = memory.parts() + warp % Shape::kColumnWarps * C * Shape::kPartRow;
      if (Shape::kSplit > 1 && warp >= Shape::kColumnWarps) {
#pragma unroll
        for (int m = 0; m < C / 16; m++) {
#pragma unroll
          for (int n = 0; n < 2; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
              part[(m * 16 + lane_g + e / 2 * 8) * Shape::kPartRow + n * 8 + 2 * lane_t + e % 2] = out[m][n][e];
            }
          }
        }
      }
      __syncthreads(); /* the scores of all warps are here */
      load_values();
      if (Shape::kSplit == 1 || warp < Shape::kColumnWarps) {
#pragma unroll
        for (int m = 0; m < C / 16; m++) {
#pragma unroll
          for (int n = 0; n < 2; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
              const int token = m * 16 + lane_g + e / 2 * 8;
              float sum = out[m][n][e];
              if (Shape::kSplit > 1) sum += part[token * Shape::kPartRow + n * 8 + 2 * lane_t + e % 2];
              out[m][n][e] = weigh(token < L ? memory.decay().in[token] : 0.0f, sum);
            }
          }
        }
        flash_within<Shape>(lane, out, memory, stage, values, own);
#pragma unroll
        for (int m = 0; m < C / 16; m++) {
#pragma unroll
          for (int row = 0; row < 2; row++) {
            const int token = m * 16 + lane_g + row * 8;
            const float row_out[4] = {out[m][0][2 * row] * a.scale, out[m][0][2 * row + 1] * a.scale,
                                      out[m][1][2 * row] * a.scale, out[m][1][2 * row + 1] * a.scale};
            store_row<Operand>(lane_t, h.o + (first + token) * h.o_step + column0, row_out, a.dv - column0, token < L);
          }
        }
      }
    }
    flash_update<Shape>(lane_now(), state, memory, stage, values, row0);
    segment_total *= (double)memory.decay().total_high + (double)memory.decay().total_low;
    if (Shape::kStages == 2) stage ^= 1;
    __syncthreads(); /* before the decay and the scores are written anew */
  }

  if (!kOutputs) {
    const int64_t slot = head * a.segments + segment + 1;
    float *to = a.states + slot * state_size;
    for_state<Shape>(lane_now(), a, row0, column0, [&](int n, int e, int64_t at) { to[at] = state.s[n][e]; });
    if (tile0 == 0 && threadIdx.x == 0) {
      a.totals[slot * 2] = (float)segment_total;
      a.totals[slot * 2 + 1] = (float)(segment_total - (double)(float)segment_total);
    }
  } else if (h.state_out && segment == a.segments - 1) {
    for_state<Shape>(lane_now(), a, row0, column0, [&](int n, int e, int64_t at) { h.state_out[at] = state.s[n][e]; });
  }
}

}  // namespace gpu
}  // namespace leet

/* Both kernels of a shape, and the check that kernels.def states its shared memory. `k` is what its name says: k64, or
 * wide_k64 for 128 columns. */
#define LEET_FLASH(type, k, ...)                                                                                \
  LEET_ENTRY(flash_##k##_##type) { leet::gpu::flash<leet::gpu::FlashShape<__VA_ARGS__>, true>(a); }             \
  LEET_ENTRY(flash_states_##k##_##type) { leet::gpu::flash<leet::gpu::FlashShape<__VA_ARGS__>, false>(a); }     \
  static_assert(                                                                                                \
      (int)leet::gpu::FlashShape<__VA_ARGS__>::kBytes == (int)leet::gpu::Row_flash_##k##_##type::dynamic &&     \
          (int)leet::gpu::FlashShape<__VA_ARGS__>::kThreads == (int)leet::gpu::Row_flash_##k##_##type::threads, \
      "kernels.def: flash_" #k "_" #type);
