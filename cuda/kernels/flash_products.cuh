/* The four products of a flash chunk, and the state that a warp holds. Every warp calls each of them. */
#pragma once
#include "flash_shape.cuh"

namespace leet {
namespace gpu {

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
#pragma unroll 1
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
          const typename Shape::T value = memory.v(stage)[Operand::template offset<Shape::kColumns>(j, column)];
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

}  // namespace gpu
}  // namespace leet
