/* Bf16Operand and F16Operand: see operand.cuh. */
#pragma once
#include "element.cuh"
#include "operand.cuh"

namespace leet {
namespace gpu {

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

}  // namespace gpu
}  // namespace leet
