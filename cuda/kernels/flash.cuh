/* flash: chunkwise with tensor cores, one pass over memory, the state in registers.
 *
 *   P = (Q K^T) * weights        [C][C]     through shared memory, since every warp needs all of it
 *   O = in * (Q S) + P V         [C][dv]
 *   S = total * S + (out * V)^T K           kept as S^T: accumulators [dv][dk] are at once the B operand of Q S
 *
 * A block owns 64 columns of dv of one segment of a head, a warp 16 of them; with dk over 128 two warps share the
 * columns and have half the rows of S each. Q, K and V of the next chunk travel while this one is computed. When heads
 * and column tiles do not fill the machine, a head is cut in segments along time: flash_states first finds what each
 * segment adds to the state, and every segment then starts from the segments before it, added in order. Chunk states
 * are never in memory.
 *
 * After Yang et al., GLA, arXiv 2312.06635, section 4; Sun et al., RetNet, arXiv 2307.08621, eq. 7. */
#pragma once
#include "entry.cuh"
#include "head.cuh"
#include "operand.cuh"

namespace leet {
namespace gpu {

const int kFlashColumns = 64; /* of dv per block */

/* C tokens per chunk, DK rows of the state, kStages chunks in shared memory at once. */
template <class Operand_, int DK_, int C_, int kStages_>
struct FlashShape {
  typedef Operand_ Operand;
  typedef typename Operand::T T;
  enum {
    DK = DK_,
    C = C_,
    kStages = kStages_,
    kSplit = DK > 128 ? 2 : 1, /* warps that share the columns of dv */
    kRows = DK / kSplit,       /* rows of S per warp */
    kWarps = 4 * kSplit,
    kThreads = 32 * kWarps,
    kQueries = C * DK,
    kStage = 2 * kQueries + C * kFlashColumns, /* elements of one stage: Q, K, V */
    kScoreBytes = C * (C + Operand::kScorePad) * (int)sizeof(typename Operand::Score),
    kPartRow = 18, /* floats per token of a warp's part of Q S */
    kPartBytes = kSplit > 1 ? 4 * C *kPartRow * 4 : 0,
    kStageBytes = kStage * (int)sizeof(T),
    kBytes = kStages * kStageBytes + kScoreBytes + kPartBytes + (int)sizeof(ChunkDecay<C>)
  };
};

template <class Shape>
struct FlashMemory {
  typedef typename Shape::T T;
  unsigned char *base;
  __device__ __forceinline__ T *stage(int n) const { return (T *)(base + n * Shape::kStageBytes); }
  __device__ __forceinline__ T *q(int n) const { return stage(n); }
  __device__ __forceinline__ T *k(int n) const { return stage(n) + Shape::kQueries; }
  __device__ __forceinline__ T *v(int n) const { return stage(n) + 2 * Shape::kQueries; }
  __device__ __forceinline__ typename Shape::Operand::Score *scores() const {
    return (typename Shape::Operand::Score *)(base + Shape::kStages * Shape::kStageBytes);
  }
  __device__ __forceinline__ float *parts() const {
    return (float *)(base + Shape::kStages * Shape::kStageBytes + Shape::kScoreBytes);
  }
  __device__ __forceinline__ ChunkDecay<Shape::C> &decay() const {
    return *(ChunkDecay<Shape::C> *)(base + Shape::kStages * Shape::kStageBytes + Shape::kScoreBytes +
                                     Shape::kPartBytes);
  }
};

/* A tile of L rows and d columns of x, zero beyond, on its way to shared memory. */
template <class Shape, int kWidth>
__device__ __forceinline__ void fetch(typename Shape::T *tile, const typename Shape::T *x, int64_t step, int L, int d,
                                      bool aligned) {
  typedef typename Shape::Operand Operand;
  constexpr int kPer = 16 / (int)sizeof(typename Shape::T), kPieces = kWidth / kPer;
  constexpr int kRowsAtOnce = Shape::kThreads / kPieces; /* a thread keeps its column and goes down the rows */
  static_assert(Shape::kThreads % kPieces == 0 && kRowsAtOnce % Operand::kTurn == 0 && Shape::C % kRowsAtOnce == 0,
                "the permutation within a row must come round");
  if (aligned) {
    const int column = threadIdx.x % kPieces * kPer, row0 = threadIdx.x / kPieces, left = d - column;
    const int bytes = (left < 0 ? 0 : left < kPer ? left : kPer) * (int)sizeof(typename Shape::T);
    const typename Shape::T *from = bytes > 0 ? x + row0 * step + column : x;
    uint32_t to = shared_address_of(tile + Operand::template offset<kWidth>(row0, column));
#pragma unroll
    for (int down = 0; down < Shape::C; down += kRowsAtOnce) {
      const bool inside = row0 + down < L;
      copy_async(to, inside ? from : x, inside ? bytes : 0);
      from += kRowsAtOnce * step;
      to += kRowsAtOnce * kWidth * (int)sizeof(typename Shape::T);
    }
    return;
  }
#pragma unroll 1
  for (int at = threadIdx.x; at < Shape::C * kWidth; at += Shape::kThreads) {
    const int row = at / kWidth, column = at % kWidth;
    tile[Operand::template offset<kWidth>(row, column)] =
        row < L && column < d ? x[row * step + column] : (typename Shape::T)0;
  }
}

/* x as the sum of a bfloat16 in the low and one in the high half of `pair`, for the two floats of a carry. */
__device__ __forceinline__ float low_carry(uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high_carry(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

/* The part of S^T that a warp holds: 16 columns of dv, kRows rows of dk in accumulators of eight. */
template <class Shape>
struct FlashState {
  float s[Shape::kRows / 8][4];
  uint32_t carry[Shape::Operand::kCarry ? Shape::kRows / 8 : 1][2]; /* what rounding lost, in bfloat16 */

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int n = 0; n < Shape::kRows / 8; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) s[n][e] = 0.0f;
    }
#pragma unroll
    for (int n = 0; n < (Shape::Operand::kCarry ? Shape::kRows / 8 : 1); n++) carry[n][0] = carry[n][1] = 0;
  }

  /* S' = total S + u for accumulator n. */
  __device__ __forceinline__ void merge(int n, const float (&u)[4], float high, float low) {
    if constexpr (Shape::Operand::kCarry) {
#pragma unroll
      for (int pair = 0; pair < 2; pair++) {
        float x = low_carry(carry[n][pair]), y = high_carry(carry[n][pair]);
        merge_state(s[n][2 * pair], x, u[2 * pair], high, low);
        merge_state(s[n][2 * pair + 1], y, u[2 * pair + 1], high, low);
        carry[n][pair] = pack_bf16(x, y);
      }
    } else {
#pragma unroll
      for (int e = 0; e < 4; e++) s[n][e] = fmaf(high, s[n][e], u[e]);
    }
  }
};

/* Calls f(n, e, offset in [dk][dv]) for the warp's elements of the state that exist. */
template <class Shape, class F>
__device__ __forceinline__ void for_state(int lane, const Args &a, int row0, int column0, const F &f) {
  const int g = lane / 4, t = lane % 4;
#pragma unroll
  for (int n = 0; n < Shape::kRows / 8; n++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int row = row0 + n * 8 + 2 * t + e % 2, column = column0 + g + e / 2 * 8;
      if (row < a.dk && column < a.dv) f(n, e, (int64_t)row * a.dv + column);
    }
  }
}

/* Weighted scores of one chunk, in 16 x 16 units on and below the diagonal, shared out among the warps. */
template <class Shape>
__device__ __forceinline__ void flash_scores(int lane, const FlashMemory<Shape> &memory, int stage, int warp,
                                             bool gated) {
  typedef typename Shape::Operand Operand;
  constexpr int kBlocks = Shape::C / 16, kUnits = kBlocks * (kBlocks + 1) / 2;
  const int g = lane / 4, t = lane % 4;
  for (int unit = warp; unit < kUnits; unit += Shape::kWarps) {
    const int block = unit >= 6 ? 3 : unit >= 3 ? 2 : unit >= 1 ? 1 : 0;
    const int i0 = block * 16, j0 = (unit - block * (block + 1) / 2) * 16;
    float sum[2][4] = {};
#pragma unroll
    for (int k0 = 0; k0 < Shape::DK; k0 += Operand::kTerms * Operand::kRun) {
      float part[2][4] = {};
#pragma unroll
      for (int k = k0; k < Shape::DK && k < k0 + Operand::kTerms * Operand::kRun; k += Operand::kTerms) {
        typename Operand::Left left;
        typename Operand::Right right[2];
        Operand::template left<Shape::DK>(lane, left, memory.q(stage), i0, k);
        Operand::template right<Shape::DK>(lane, right, memory.k(stage), j0, k);
        Operand::mma_inputs(part[0], left, right[0]);
        Operand::mma_inputs(part[1], left, right[1]);
      }
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) sum[n][e] += part[n][e];
      }
    }
#pragma unroll
    for (int n = 0; n < 2; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int i = i0 + g + e / 2 * 8, j = j0 + n * 8 + 2 * t + e % 2;
        const float weight = j <= i ? pair_weight(memory.decay(), gated, i, j) : 0.0f;
        Operand::put_score(memory.scores() + Operand::template score_offset<Shape::C>(i, j), weigh(weight, sum[n][e]));
      }
    }
  }
}

/* before[m] = 16 tokens of Q S over the warp's rows of S. */
template <class Shape>
__device__ __forceinline__ void flash_before(int lane, float (&before)[Shape::C / 16][2][4],
                                             const FlashMemory<Shape> &memory, int stage,
                                             const FlashState<Shape> &state, int row0) {
  typedef typename Shape::Operand Operand;
#pragma unroll
  for (int m = 0; m < Shape::C / 16; m++) {
#pragma unroll
    for (int n = 0; n < 2; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) before[m][n][e] = 0.0f;
    }
  }
#pragma unroll
  for (int k0 = 0; k0 < Shape::kRows; k0 += Operand::kTerms * Operand::kRun) {
    float part[Shape::C / 16][2][4] = {};
#pragma unroll
    for (int k = k0; k < Shape::kRows && k < k0 + Operand::kTerms * Operand::kRun; k += Operand::kTerms) {
      typename Operand::Right right[2];
      Operand::right_of_state(right, state.s + k / 8);
#pragma unroll
      for (int m = 0; m < Shape::C / 16; m++) {
        typename Operand::Left left;
        Operand::template left<Shape::DK>(lane, left, memory.q(stage), m * 16, row0 + k);
        Operand::mma(part[m][0], left, right[0]);
        Operand::mma(part[m][1], left, right[1]);
      }
    }
#pragma unroll
    for (int m = 0; m < Shape::C / 16; m++) {
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) before[m][n][e] += part[m][n][e];
      }
    }
  }
}

/* out[m] += P V for the warp's columns. Where a value is not finite, term by term: weight 0 times infinity must not
 * reach the tokens before it. */
template <class Shape>
__device__ __forceinline__ void flash_within(
    int lane, float (&out)[Shape::C / 16][2][4], const FlashMemory<Shape> &memory, int stage,
    const typename Shape::Operand::Values (&values)[Shape::C / Shape::Operand::kTerms], int column0) {
  typedef typename Shape::Operand Operand;
  bool wild = false;
#pragma unroll
  for (int step = 0; step < Shape::C / Operand::kTerms; step++) wild = wild || Operand::wild(values[step]);
  if (!__any_sync(~0u, wild)) {
#pragma unroll
    for (int m = 0; m < Shape::C / 16; m++) {
      float part[2][4] = {};
#pragma unroll
      for (int step = 0; step < Shape::C / Operand::kTerms; step++) {
        if (step * Operand::kTerms >= (m + 1) * 16) continue;
        typename Operand::Left left;
        typename Operand::Right right[2];
        Operand::template left_of_scores<Shape::C>(lane, left, memory.scores(), m * 16, step * Operand::kTerms);
        Operand::right_of(right, values[step]);
        Operand::mma(part[0], left, right[0]);
        Operand::mma(part[1], left, right[1]);
      }
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) out[m][n][e] += part[n][e];
      }
    }
    return;
  }
  const int g = lane / 4, t = lane % 4;
#pragma unroll
  for (int m = 0; m < Shape::C / 16; m++) {
#pragma unroll
    for (int n = 0; n < 2; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int i = m * 16 + g + e / 2 * 8, column = column0 + n * 8 + 2 * t + e % 2;
        float sum = 0.0f;
#pragma unroll 1
        for (int j = 0; j <= i; j++) {
          const float score = Operand::get_score(memory.scores()[Operand::template score_offset<Shape::C>(i, j)]);
          const typename Shape::T value = memory.v(stage)[Operand::template offset<kFlashColumns>(j, column)];
          sum = fmaf(score, Operand::Storage::get(value), sum);
        }
        out[m][n][e] += sum;
      }
    }
  }
}

/* S^T += (out * V)^T K over the chunk. */
template <class Shape>
__device__ __forceinline__ void flash_update(
    int lane, FlashState<Shape> &state, const FlashMemory<Shape> &memory, int stage,
    const typename Shape::Operand::Values (&values)[Shape::C / Shape::Operand::kTerms], int row0) {
  typedef typename Shape::Operand Operand;
  constexpr int kSteps = Shape::C / Operand::kTerms;
  const ChunkDecay<Shape::C> &decay = memory.decay();
  typename Operand::Left lefts[kSteps][Operand::kLefts];
#pragma unroll
  for (int step = 0; step < kSteps; step++) {
    Operand::lefts_of(lane, lefts[step], values[step], decay.out + step * Operand::kTerms);
  }
  const float high = decay.total_high, low = decay.total_low;
#pragma unroll
  for (int n = 0; n < Shape::kRows / 16; n++) {
    float u[2][4] = {};
#pragma unroll
    for (int step = 0; step < kSteps; step++) {
      typename Operand::Right right[2];
      Operand::template right_by_rows<Shape::DK>(lane, right, memory.k(stage), step * Operand::kTerms, row0 + n * 16);
#pragma unroll
      for (int part = Operand::kLefts - 1; part >= 0; part--) {
        Operand::mma(u[0], lefts[step][part], right[0]);
        Operand::mma(u[1], lefts[step][part], right[1]);
      }
    }
    state.merge(2 * n, u[0], high, low);
    state.merge(2 * n + 1, u[1], high, low);
  }
}

/* Two neighbours of a row, the second only if it exists. */
template <class Operand>
__device__ __forceinline__ void store_pair(typename Operand::T *to, float x, float y, int left) {
  typedef typename Operand::Storage Storage;
  typename Operand::T both[2] = {Storage::put(x), Storage::put(y)};
  if (left >= 2 && ((uintptr_t)to & (2 * sizeof(typename Operand::T) - 1)) == 0) {
    if constexpr (sizeof(typename Operand::T) == 2) {
      *(uint32_t *)to = (uint32_t)both[0] | (uint32_t)both[1] << 16;
    } else {
      *(float2 *)to = make_float2(both[0], both[1]);
    }
    return;
  }
  if (left >= 1) to[0] = both[0];
  if (left >= 2) to[1] = both[1];
}

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
 * the others adds to a state of zero goes to Args::states, its decay to Args::totals. */
template <class Shape, bool kOutputs>
__device__ __forceinline__ void flash(const Args &a) {
  typedef typename Shape::Operand Operand;
  typedef typename Operand::Storage Storage;
  constexpr int C = Shape::C;
  extern __shared__ __align__(128) unsigned char shared_memory[];
  const FlashMemory<Shape> memory = {shared_memory};
  const int warp = threadIdx.x / 32, row0 = warp / 4 * Shape::kRows;
  const int tiles = (a.dv + kFlashColumns - 1) / kFlashColumns, tile0 = (int)(blockIdx.x % tiles) * kFlashColumns;
  const int own = warp % 4 * 16, column0 = tile0 + own; /* the warp's columns in the tile and in dv */
  const int64_t segments = kOutputs ? a.segments : a.segments - 1;
  const int64_t segment = blockIdx.x / tiles % segments, head = blockIdx.x / tiles / segments;
  const Head<Storage> h(a, head);
  const int64_t chunks = (h.N + C - 1) / C, per_segment = (chunks + a.segments - 1) / a.segments;
  int64_t chunk = segment * per_segment;
  const int64_t end = chunk + per_segment < chunks ? chunk + per_segment : chunks;
  const bool gated = h.decay.gates != nullptr;
  const int64_t state_size = (int64_t)a.dk * a.dv;
  /* The last segment may end before another reads the initial state, so that goes to the slot it has no use for. */
  const bool in_place = a.segments > 1 && h.state_in != nullptr && h.state_in == h.state_out;

  int lane = lane_now(), lane_g = lane / 4, lane_t = lane % 4;
  FlashState<Shape> state;
  state.clear();
  if (kOutputs) {
    const float *initial = in_place ? a.states + (head * a.segments + a.segments - 1) * state_size : h.state_in;
    if (initial) {
      for_state<Shape>(lane, a, row0, column0, [&](int n, int e, int64_t at) { state.s[n][e] = initial[at]; });
    }
    for (int64_t before = 0; before < segment; before++) {
      const int64_t slot = head * a.segments + before;
      const float *add = a.states + slot * state_size, high = a.totals[slot * 2], low = a.totals[slot * 2 + 1];
      const int t = lane_t, g = lane_g;
#pragma unroll
      for (int n = 0; n < Shape::kRows / 8; n++) {
        float u[4];
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const int row = row0 + n * 8 + 2 * t + e % 2, column = column0 + g + e / 2 * 8;
          u[e] = row < a.dk && column < a.dv ? add[(int64_t)row * a.dv + column] : 0.0f;
        }
        state.merge(n, u, high, low);
      }
    }
  } else {
    chunk = first_alive<Shape>(h.decay, chunk, end);
    if (in_place && segment == 0) {
      float *copy = a.states + (head * a.segments + a.segments - 1) * state_size;
      for_state<Shape>(lane, a, row0, column0, [&](int, int, int64_t at) { copy[at] = h.state_in[at]; });
    }
  }

  const auto start_fetch = [&](int64_t c, int stage) {
    const int64_t first = c * C;
    const int L = h.N - first < C ? (int)(h.N - first) : C;
    if (kOutputs) fetch<Shape, Shape::DK>(memory.q(stage), h.q + first * h.q_step, h.q_step, L, a.dk, a.aligned);
    fetch<Shape, Shape::DK>(memory.k(stage), h.k + first * h.k_step, h.k_step, L, a.dk, a.aligned);
    fetch<Shape, kFlashColumns>(memory.v(stage), h.v + first * h.v_step + tile0, h.v_step, L, a.dv - tile0, a.aligned);
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

    lane = lane_now(); /* dozens of addresses follow from it, cheaper to compute again than to keep */
    lane_g = lane / 4;
    lane_t = lane % 4;
    typename Operand::Values values[C / Operand::kTerms];
#pragma unroll
    for (int step = 0; step < C / Operand::kTerms; step++) {
      Operand::template load_values<kFlashColumns>(lane, values[step], memory.v(stage), step * Operand::kTerms, own);
    }
    if constexpr (kOutputs) {
      float out[C / 16][2][4];
      flash_scores(lane, memory, stage, warp, gated);
      flash_before(lane, out, memory, stage, state, row0);
      float *part = memory.parts() + warp % 4 * C * Shape::kPartRow;
      if (Shape::kSplit > 1 && warp >= 4) {
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
      if (Shape::kSplit == 1 || warp < 4) {
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
            if (token >= L) continue;
#pragma unroll
            for (int n = 0; n < 2; n++) {
              const int column = column0 + n * 8 + 2 * lane_t;
              store_pair<Operand>(h.o + (first + token) * h.o_step + column, out[m][n][2 * row] * a.scale,
                                  out[m][n][2 * row + 1] * a.scale, a.dv - column);
            }
          }
        }
      }
    }
    flash_update<Shape>(lane, state, memory, stage, values, row0);
    segment_total *= (double)memory.decay().total_high + (double)memory.decay().total_low;
    if (Shape::kStages == 2) stage ^= 1;
    __syncthreads(); /* before the decay and the scores are written anew */
  }

  if (!kOutputs) {
    const int64_t slot = head * a.segments + segment;
    float *to = a.states + slot * state_size;
    for_state<Shape>(lane, a, row0, column0, [&](int n, int e, int64_t at) { to[at] = state.s[n][e]; });
    if (tile0 == 0 && threadIdx.x == 0) {
      a.totals[slot * 2] = (float)segment_total;
      a.totals[slot * 2 + 1] = (float)(segment_total - (double)(float)segment_total);
    }
  } else if (h.state_out && segment == a.segments - 1) {
    for_state<Shape>(lane, a, row0, column0, [&](int n, int e, int64_t at) { h.state_out[at] = state.s[n][e]; });
  }
}

}  // namespace gpu
}  // namespace leet

/* Both kernels of a shape, and the check that kernels.def states its shared memory. */
#define LEET_FLASH(type, k, Operand, DK, C, stages)                                            \
  LEET_ENTRY(flash_k##k##_##type) {                                                            \
    leet::gpu::flash<leet::gpu::FlashShape<leet::gpu::Operand, DK, C, stages>, true>(a);       \
  }                                                                                            \
  LEET_ENTRY(flash_states_k##k##_##type) {                                                     \
    leet::gpu::flash<leet::gpu::FlashShape<leet::gpu::Operand, DK, C, stages>, false>(a);      \
  }                                                                                            \
  static_assert((int)leet::gpu::FlashShape<leet::gpu::Operand, DK, C, stages>::kBytes ==       \
                        (int)leet::gpu::Row_flash_k##k##_##type::dynamic &&                    \
                    (int)leet::gpu::FlashShape<leet::gpu::Operand, DK, C, stages>::kThreads == \
                        (int)leet::gpu::Row_flash_k##k##_##type::threads,                      \
                "kernels.def: flash_k" #k "_" #type);
