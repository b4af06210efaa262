/* The sizes of a flash kernel, its shared memory, and what goes in and out of it. */
#pragma once
#include "operand.cuh"

namespace leet {
namespace gpu {

/* C tokens per chunk, DK rows of the state, kColumns of dv per block, kStages chunks in shared memory at once. */
template <class Operand_, int DK_, int C_, int kStages_, int kColumns_>
struct FlashShape {
  typedef Operand_ Operand;
  typedef typename Operand::T T;
  enum {
    DK = DK_,
    C = C_,
    kStages = kStages_,
    kColumns = kColumns_,
    kColumnWarps = kColumns / 16,
    kSplit = DK > 128 ? 2 : 1, /* warps that share the columns of dv */
    kRows = DK / kSplit,       /* rows of S per warp */
    kWarps = kColumnWarps * kSplit,
    kThreads = 32 * kWarps,
    kQueries = C * DK,
    kStage = 2 * kQueries + C * kColumns, /* elements of one stage: Q, K, V */
    kScoreBytes = C * (C + Operand::kScorePad) * (int)sizeof(typename Operand::Score),
    kPartRow = 18, /* floats per token of a warp's part of Q S */
    kPartBytes = kSplit > 1 ? kColumnWarps *C *kPartRow * 4 : 0,
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

/* Sixteen columns of one row from the four lanes of a quad, of which lane t holds x[0..1] = columns 2t, 2t+1 and
 * x[2..3] = columns 8+2t, 9+2t; only the first `left` exist. All lanes of the warp call it; `inside`: the row exists.
 */
template <class Operand>
__device__ __forceinline__ void store_row(int t, typename Operand::T *to, const float (&x)[4], int left, bool inside) {
  typedef typename Operand::T T;
  typedef typename Operand::Storage Storage;
  if constexpr (sizeof(T) == 2) {
    /* Whole 32-byte sectors in one store: lane t takes columns 4t .. 4t+3. */
    const uint32_t first = (uint32_t)Storage::put(x[0]) | (uint32_t)Storage::put(x[1]) << 16;
    const uint32_t second = (uint32_t)Storage::put(x[2]) | (uint32_t)Storage::put(x[3]) << 16;
    const uint32_t far = __shfl_xor_sync(~0u, t < 2 ? second : first, 2);
    const uint32_t low = t < 2 ? first : far, high = t < 2 ? far : second;
    const uint32_t near = __shfl_xor_sync(~0u, t & 1 ? low : high, 1);
    const uint32_t pair[2] = {t & 1 ? near : low, t & 1 ? high : near};
    if (!inside) return;
    if (left >= 4 * t + 4 && ((uintptr_t)to & 7) == 0) {
      *(uint2 *)(to + 4 * t) = make_uint2(pair[0], pair[1]);
      return;
    }
#pragma unroll
    for (int n = 0; n < 4; n++) {
      if (4 * t + n < left) to[4 * t + n] = (T)(pair[n / 2] >> n % 2 * 16);
    }
  } else {
    if (!inside) return;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int column = 8 * half + 2 * t;
      if (left >= column + 2 && ((uintptr_t)to & 7) == 0) {
        *(float2 *)(to + column) = make_float2(x[2 * half], x[2 * half + 1]);
        continue;
      }
      if (left > column) to[column] = x[2 * half];
      if (left > column + 1) to[column + 1] = x[2 * half + 1];
    }
  }
}

}  // namespace gpu
}  // namespace leet
