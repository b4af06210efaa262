/* How each storage type feeds the tensor cores: shared-memory tiles and fragments of D[16][8] += A B.
 *
 *   Bf16Operand  bfloat16 products; the state and the scores are rounded to bfloat16 as operands
 *   F16Operand   float16 inputs as tf32, which holds them exactly and has the range that a state needs
 *   F32Operand   float32 as the sum of two tf32, three products of four: about float32 accuracy
 *
 * A tile is [rows][kWidth] of elements whose 16-byte pieces are permuted within a row so that fragment loads meet no
 * bank twice. kTerms is the k of one step. `Left` and `Right` are A and B fragments of one step, `Values` the fragment
 * of V that serves as both: A[dv 16][tokens] and B[tokens][dv 8] twice. */
#pragma once
#include "decay.cuh"
#include "mma.cuh"

namespace leet {
namespace gpu {

/* Element offset of (row, column) in a tile of 16-bit elements. */
template <int kWidth>
__device__ __forceinline__ int tile16(int row, int column) {
  constexpr int kPieces = kWidth / 8;
  const int turn = kPieces >= 8 ? row & 7 : row >> 1 & 3;
  return row * kWidth + ((column >> 3 ^ turn) << 3) + (column & 7);
}

/* The same for 32-bit elements. */
template <int kWidth>
__device__ __forceinline__ int tile32(int row, int column) {
  return row * kWidth + ((column >> 2 ^ (row & 3) << 1) << 2) + (column & 3);
}

/* The lane, read anew: what is computed from it is not kept in registers across this point. */
__device__ __forceinline__ int lane_now() {
  int lane;
  asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
  return lane;
}

/* True when one of the two 16-bit elements has all exponent bits set. */
__device__ __forceinline__ bool any_wild(uint32_t pair, uint32_t exponent) {
  return (pair & exponent) == exponent || (pair >> 16 & exponent) == exponent;
}

/* Loads that Bf16Operand and F16Operand share: both move 16-bit elements. */
struct Operand16 {
  typedef uint16_t T;
  static const int kTerms = 16;
  static const int kTurn = 8; /* rows until the permutation within a row repeats */
  struct Values {
    uint32_t r[4]; /* tokens 2t.. / 2t+8.. of columns g, g+8: (2t,g) (2t,g+8) (2t+8,g) (2t+8,g+8) */
  };

  template <int kWidth>
  static __device__ __forceinline__ int offset(int row, int column) {
    return tile16<kWidth>(row, column);
  }
  /* A[16][16] from rows row0.. and columns k0.. */
  template <int kWidth>
  static __device__ __forceinline__ void load_left(int lane, uint32_t (&r)[4], const T *tile, int row0, int k0) {
    load_matrices(r, shared_address_of(tile + tile16<kWidth>(row0 + lane % 16, k0 + lane / 16 * 8)));
  }
  /* B[16][8] twice from rows n0.. (the columns of B) and columns k0.. : r0 r1 of the first, r2 r3 of the second. */
  template <int kWidth>
  static __device__ __forceinline__ void load_right(int lane, uint32_t (&r)[4], const T *tile, int n0, int k0) {
    load_matrices(r, shared_address_of(tile + tile16<kWidth>(n0 + lane % 8 + lane / 16 * 8, k0 + lane / 8 % 2 * 8)));
  }
  /* B[16][8] twice from rows k0.. and columns n0.. : r0 r1 of the first, r2 r3 of the second. */
  template <int kWidth>
  static __device__ __forceinline__ void load_right_by_rows(int lane, uint32_t (&r)[4], const T *tile, int k0, int n0) {
    load_matrices_transposed(r, shared_address_of(tile + tile16<kWidth>(k0 + lane % 16, n0 + lane / 16 * 8)));
  }
  template <int kWidth>
  static __device__ __forceinline__ void load_values(int lane, Values &v, const T *tile, int k0, int n0) {
    load_matrices_transposed(
        v.r, shared_address_of(tile + tile16<kWidth>(k0 + lane % 8 + lane / 16 * 8, n0 + lane / 8 % 2 * 8)));
  }
};

struct Bf16Operand : Operand16 {
  typedef BF16 Storage;
  typedef uint16_t Score; /* how weighted scores are kept in shared memory */
  static const bool kCarry = false;
  static const int kRun = 1 << 20; /* steps per running sum */
  struct Left {
    uint32_t r[4];
  };
  struct Right {
    uint32_t r[2];
  };

  template <int kWidth>
  static __device__ __forceinline__ void left(int lane, Left &a, const T *tile, int row0, int k0) {
    load_left<kWidth>(lane, a.r, tile, row0, k0);
  }
  template <int kWidth>
  static __device__ __forceinline__ void right(int lane, Right (&b)[2], const T *tile, int n0, int k0) {
    uint32_t r[4];
    load_right<kWidth>(lane, r, tile, n0, k0);
    b[0] = {{r[0], r[1]}};
    b[1] = {{r[2], r[3]}};
  }
  template <int kWidth>
  static __device__ __forceinline__ void right_by_rows(int lane, Right (&b)[2], const T *tile, int k0, int n0) {
    uint32_t r[4];
    load_right_by_rows<kWidth>(lane, r, tile, k0, n0);
    b[0] = {{r[0], r[1]}};
    b[1] = {{r[2], r[3]}};
  }
  static __device__ __forceinline__ void mma(float (&d)[4], const Left &a, const Right &b) {
    mma_bf16(d, a.r, b.r[0], b.r[1]);
  }
  /* Scores are products of inputs as they are. */
  static __device__ __forceinline__ void mma_inputs(float (&d)[4], const Left &a, const Right &b) { mma(d, a, b); }

  static __device__ __forceinline__ bool wild(const Values &v) {
    return any_wild(v.r[0], 0x7f80) || any_wild(v.r[1], 0x7f80) || any_wild(v.r[2], 0x7f80) || any_wild(v.r[3], 0x7f80);
  }
  static __device__ __forceinline__ void right_of(Right (&b)[2], const Values &v) {
    b[0] = {{v.r[0], v.r[2]}};
    b[1] = {{v.r[1], v.r[3]}};
  }
  /* V^T times the tokens' weights as high + low: one bfloat16 would cost the state three digits. */
  static const int kLefts = 2;
  static __device__ __forceinline__ void lefts_of(int lane, Left (&a)[2], const Values &v, const float *weight) {
    const int t = lane % 4;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int token = 2 * t + (i >= 2 ? 8 : 0);
      const float x = weigh(weight[token], __uint_as_float(v.r[i] << 16));
      const float y = weigh(weight[token + 1], __uint_as_float(v.r[i] & 0xffff0000u));
      const uint32_t high = pack_bf16(x, y);
      const float x_left = x - __uint_as_float(high << 16), y_left = y - __uint_as_float(high & 0xffff0000u);
      a[0].r[i] = high;
      a[1].r[i] = pack_bf16(isfinite(x_left) ? x_left : 0.0f, isfinite(y_left) ? y_left : 0.0f);
    }
  }
  /* The state rows of one step as B: s0, s1 are the 16 x 8 accumulators [dv][dk] of the step's two halves. */
  static const int kStateTiles = 2; /* of 8 rows per step */
  static __device__ __forceinline__ void right_of_state(Right (&b)[2], const float (*s)[4]) {
    b[0] = {{pack_bf16(s[0][0], s[0][1]), pack_bf16(s[1][0], s[1][1])}};
    b[1] = {{pack_bf16(s[0][2], s[0][3]), pack_bf16(s[1][2], s[1][3])}};
  }

  template <int C>
  static __device__ __forceinline__ int score_offset(int i, int j) {
    return tile16<C>(i, j);
  }
  static const int kScorePad = 0; /* elements between rows of scores */
  static __device__ __forceinline__ void put_score(Score *p, float x) { *p = BF16::put(x); }
  static __device__ __forceinline__ float get_score(Score x) { return BF16::get(x); }
  template <int C>
  static __device__ __forceinline__ void left_of_scores(int lane, Left &a, const Score *p, int i0, int j0) {
    load_left<C>(lane, a.r, p, i0, j0);
  }
};

__device__ __forceinline__ float low_f16(uint32_t pair) { return F16::get((uint16_t)pair); }
__device__ __forceinline__ float high_f16(uint32_t pair) { return F16::get((uint16_t)(pair >> 16)); }

/* A tf32 step has the k of half a 16-bit step; which k a lane holds may be chosen as long as A and B agree, so the pair
 * that a 16-bit register holds serves as k = t and k = t + 4. */
struct F16Operand : Operand16 {
  typedef F16 Storage;
  typedef float Score;
  static const bool kCarry = false;
  static const int kRun = 1 << 20;
  struct Left {
    uint32_t r[2][4], packed[4];
  };
  struct Right {
    uint32_t r[2][2], packed[2];
  };

  static __device__ __forceinline__ void unpack(Left &a) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const uint32_t top = a.packed[2 * half], bottom = a.packed[2 * half + 1];
      a.r[half][0] = __float_as_uint(low_f16(top));
      a.r[half][1] = __float_as_uint(low_f16(bottom));
      a.r[half][2] = __float_as_uint(high_f16(top));
      a.r[half][3] = __float_as_uint(high_f16(bottom));
    }
  }
  static __device__ __forceinline__ void unpack(Right &b) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      b.r[half][0] = __float_as_uint(low_f16(b.packed[half]));
      b.r[half][1] = __float_as_uint(high_f16(b.packed[half]));
    }
  }

  template <int kWidth>
  static __device__ __forceinline__ void left(int lane, Left &a, const T *tile, int row0, int k0) {
    load_left<kWidth>(lane, a.packed, tile, row0, k0);
    unpack(a);
  }
  template <int kWidth>
  static __device__ __forceinline__ void right(int lane, Right (&b)[2], const T *tile, int n0, int k0) {
    uint32_t r[4];
    load_right<kWidth>(lane, r, tile, n0, k0);
#pragma unroll
    for (int n = 0; n < 2; n++) {
      b[n].packed[0] = r[2 * n];
      b[n].packed[1] = r[2 * n + 1];
    }
  }
  template <int kWidth>
  static __device__ __forceinline__ void right_by_rows(int lane, Right (&b)[2], const T *tile, int k0, int n0) {
    uint32_t r[4];
    load_right_by_rows<kWidth>(lane, r, tile, k0, n0);
#pragma unroll
    for (int n = 0; n < 2; n++) {
      b[n].packed[0] = r[2 * n];
      b[n].packed[1] = r[2 * n + 1];
      unpack(b[n]);
    }
  }
  static __device__ __forceinline__ void mma(float (&d)[4], const Left &a, const Right &b) {
    mma_tf32(d, a.r[0], b.r[0][0], b.r[0][1]);
    mma_tf32(d, a.r[1], b.r[1][0], b.r[1][1]);
  }
  static __device__ __forceinline__ void mma_inputs(float (&d)[4], const Left &a, const Right &b) {
    mma_f16(d, a.packed, b.packed[0], b.packed[1]);
  }

  static __device__ __forceinline__ bool wild(const Values &v) {
    return any_wild(v.r[0], 0x7c00) || any_wild(v.r[1], 0x7c00) || any_wild(v.r[2], 0x7c00) || any_wild(v.r[3], 0x7c00);
  }
  static __device__ __forceinline__ void right_of(Right (&b)[2], const Values &v) {
#pragma unroll
    for (int n = 0; n < 2; n++) {
      b[n].packed[0] = v.r[n];
      b[n].packed[1] = v.r[n + 2];
      unpack(b[n]);
    }
  }
  static const int kLefts = 1;
  static __device__ __forceinline__ void lefts_of(int lane, Left (&a)[1], const Values &v, const float *weight) {
    const int t = lane % 4;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const float even = weight[8 * half + 2 * t], odd = weight[8 * half + 2 * t + 1];
#pragma unroll
      for (int n = 0; n < 2; n++) {
        a[0].r[half][n] = to_tf32(weigh(even, low_f16(v.r[2 * half + n])));
        a[0].r[half][n + 2] = to_tf32(weigh(odd, high_f16(v.r[2 * half + n])));
      }
    }
  }
  static const int kStateTiles = 2;
  static __device__ __forceinline__ void right_of_state(Right (&b)[2], const float (*s)[4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
      for (int n = 0; n < 2; n++) {
        b[n].r[half][0] = to_tf32(s[half][2 * n]);
        b[n].r[half][1] = to_tf32(s[half][2 * n + 1]);
      }
    }
  }

  static const int kScorePad = 8;
  template <int C>
  static __device__ __forceinline__ int score_offset(int i, int j) {
    return i * (C + kScorePad) + j;
  }
  static __device__ __forceinline__ void put_score(Score *p, float x) { *p = __uint_as_float(to_tf32(x)); }
  static __device__ __forceinline__ float get_score(Score x) { return x; }
  template <int C>
  static __device__ __forceinline__ void left_of_scores(int lane, Left &a, const Score *p, int i0, int j0) {
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const float2 top = *(const float2 *)(p + score_offset<C>(i0 + g, j0 + 8 * half + 2 * t));
      const float2 bottom = *(const float2 *)(p + score_offset<C>(i0 + g + 8, j0 + 8 * half + 2 * t));
      a.r[half][0] = __float_as_uint(top.x);
      a.r[half][1] = __float_as_uint(bottom.x);
      a.r[half][2] = __float_as_uint(top.y);
      a.r[half][3] = __float_as_uint(bottom.y);
    }
  }
};

/* Along dk a lane holds k = 2t and 2t + 1, which lie side by side in memory and in accumulators; along tokens k = t and
 * t + 4. */
struct F32Operand {
  typedef F32 Storage;
  typedef float T;
  typedef float Score;
  static const int kTerms = 8;
  static const int kTurn = 4;
  static const bool kCarry = true;
  static const int kRun = 4; /* tensor cores truncate their sums: every 32 terms join by a rounded addition */
  struct Left {
    uint32_t high[4], low[4];
  };
  struct Right {
    uint32_t high[2], low[2];
  };
  struct Values {
    float r[4]; /* (t,g) (t,g+8) (t+4,g) (t+4,g+8) */
  };

  template <int kWidth>
  static __device__ __forceinline__ int offset(int row, int column) {
    return tile32<kWidth>(row, column);
  }
  static __device__ __forceinline__ void split(uint32_t &high, uint32_t &low, float x) {
    high = to_tf32(x);
    const float left = x - __uint_as_float(high);
    low = to_tf32(isfinite(left) ? left : 0.0f);
  }
  template <int kWidth>
  static __device__ __forceinline__ float2 pair(const T *tile, int row, int column) {
    return *(const float2 *)(tile + tile32<kWidth>(row, column));
  }

  template <int kWidth>
  static __device__ __forceinline__ void left(int lane, Left &a, const T *tile, int row0, int k0) {
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float2 x = pair<kWidth>(tile, row0 + g + 8 * i, k0 + 2 * t);
      split(a.high[i], a.low[i], x.x);
      split(a.high[i + 2], a.low[i + 2], x.y);
    }
  }
  template <int kWidth>
  static __device__ __forceinline__ void right(int lane, Right (&b)[2], const T *tile, int n0, int k0) {
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int n = 0; n < 2; n++) {
      const float2 x = pair<kWidth>(tile, n0 + 8 * n + g, k0 + 2 * t);
      split(b[n].high[0], b[n].low[0], x.x);
      split(b[n].high[1], b[n].low[1], x.y);
    }
  }
  template <int kWidth>
  static __device__ __forceinline__ void right_by_rows(int lane, Right (&b)[2], const T *tile, int k0, int n0) {
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int n = 0; n < 2; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        split(b[n].high[i], b[n].low[i], tile[tile32<kWidth>(k0 + t + 4 * i, n0 + 8 * n + g)]);
      }
    }
  }
  static __device__ __forceinline__ void mma(float (&d)[4], const Left &a, const Right &b) {
    mma_tf32(d, a.low, b.high[0], b.high[1]);
    mma_tf32(d, a.high, b.low[0], b.low[1]);
    mma_tf32(d, a.high, b.high[0], b.high[1]);
  }
  static __device__ __forceinline__ void mma_inputs(float (&d)[4], const Left &a, const Right &b) { mma(d, a, b); }

  template <int kWidth>
  static __device__ __forceinline__ void load_values(int lane, Values &v, const T *tile, int k0, int n0) {
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int i = 0; i < 4; i++) v.r[i] = tile[tile32<kWidth>(k0 + t + i / 2 * 4, n0 + g + i % 2 * 8)];
  }
  static __device__ __forceinline__ bool wild(const Values &v) {
    return !(isfinite(v.r[0]) && isfinite(v.r[1]) && isfinite(v.r[2]) && isfinite(v.r[3]));
  }
  static __device__ __forceinline__ void right_of(Right (&b)[2], const Values &v) {
#pragma unroll
    for (int n = 0; n < 2; n++) {
      split(b[n].high[0], b[n].low[0], v.r[n]);
      split(b[n].high[1], b[n].low[1], v.r[n + 2]);
    }
  }
  static const int kLefts = 1;
  static __device__ __forceinline__ void lefts_of(int lane, Left (&a)[1], const Values &v, const float *weight) {
    const int t = lane % 4;
#pragma unroll
    for (int i = 0; i < 4; i++) split(a[0].high[i], a[0].low[i], weigh(weight[t + i / 2 * 4], v.r[i]));
  }
  static const int kStateTiles = 1;
  static __device__ __forceinline__ void right_of_state(Right (&b)[2], const float (*s)[4]) {
#pragma unroll
    for (int n = 0; n < 2; n++) {
      split(b[n].high[0], b[n].low[0], s[0][2 * n]);
      split(b[n].high[1], b[n].low[1], s[0][2 * n + 1]);
    }
  }

  static const int kScorePad = 4;
  template <int C>
  static __device__ __forceinline__ int score_offset(int i, int j) {
    return i * (C + kScorePad) + j;
  }
  static __device__ __forceinline__ void put_score(Score *p, float x) { *p = x; }
  static __device__ __forceinline__ float get_score(Score x) { return x; }
  template <int C>
  static __device__ __forceinline__ void left_of_scores(int lane, Left &a, const Score *p, int i0, int j0) {
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      split(a.high[i], a.low[i], p[score_offset<C>(i0 + g + i % 2 * 8, j0 + t + i / 2 * 4)]);
    }
  }
};

}  // namespace gpu
}  // namespace leet
