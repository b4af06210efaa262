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

}  // namespace gpu
}  // namespace leet
