/* F32Operand: see operand.cuh. */
#pragma once
#include "element.cuh"
#include "operand.cuh"

namespace leet {
namespace gpu {

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
