/* Block-wide matrix products in float32 for the methods that do not use tensor cores: 256 threads as a 16 x 16 grid,
 * each with a 4 x N corner of the result. Operands pass through shared memory in slabs of kSlab terms. */
#pragma once
#include "head.cuh"

namespace leet {
namespace gpu {

const int kThreads = 256;
const int kSlab = 32; /* terms per running sum: rounding errors of equal terms add up, so long sums are sums of sums */
const int kRow = 68;  /* floats from row to row of a 64-wide slab */

struct Tile {
  float a[kSlab][kRow];  /* left operand, term-major */
  float b[kSlab][kRow];  /* right operand, term-major */
  float p[kChunk][kRow]; /* weighted scores, p[j][i] */
  ChunkDecay<kChunk> decay;
};

template <int N>
__device__ __forceinline__ void clear(float (&x)[4][N]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int n = 0; n < N; n++) x[i][n] = 0.0f;
  }
}

template <int N>
__device__ __forceinline__ void add(float (&x)[4][N], const float (&y)[4][N]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int n = 0; n < N; n++) x[i][n] += y[i][n];
  }
}

__device__ __forceinline__ int tile_row() { return threadIdx.x / 16 * 4; }
template <int N>
__device__ __forceinline__ int tile_column() {
  return threadIdx.x % 16 * N;
}

/* sum[i][n] += a[t][row + i] b[t][column + n] for t < terms. With kCausal, only where first_term + t <= row + i: the
 * others must not count even if b is not a number there. */
template <int N, bool kCausal = false>
__device__ __forceinline__ void accumulate(float (&sum)[4][N], const float *a, const float *b, int b_row, int terms,
                                           int first_term = 0) {
  a += tile_row();
  b += tile_column<N>();
#pragma unroll 4
  for (int t = 0; t < terms; t++) {
    float left[4], right[N];
#pragma unroll
    for (int i = 0; i < 4; i++) left[i] = a[t * kRow + i];
#pragma unroll
    for (int n = 0; n < N; n++) right[n] = b[t * b_row + n];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (kCausal && first_term + t > tile_row() + i) continue;
#pragma unroll
      for (int n = 0; n < N; n++) sum[i][n] = fmaf(left[i], right[n], sum[i][n]);
    }
  }
}

/* to[r][t] = x[first + t][r0 + r], zero beyond L tokens and dk. */
template <class D>
__device__ __forceinline__ void load_transposed(float (*to)[kRow], const typename D::T *x, int64_t step, int64_t first,
                                                int L, int dk, int r0) {
  const int r = threadIdx.x % kSlab;
  for (int t = threadIdx.x / kSlab; t < kChunk; t += kThreads / kSlab) {
    to[r][t] = t < L && r0 + r < dk ? D::get(x[(first + t) * step + r0 + r]) : 0.0f;
  }
}

/* to[t][c] = x[first + t][c0 + c] times weight[t] where given, for kSlab tokens and `width` columns, zero beyond L
 * tokens and d columns. */
template <class D>
__device__ __forceinline__ void load_rows(float (*to)[kRow], const typename D::T *x, int64_t step, int64_t first, int L,
                                          int d, int c0, int width, const float *weight) {
  for (int at = threadIdx.x; at < kSlab * width; at += kThreads) {
    const int t = at / width, c = at % width;
    float y = t < L && c0 + c < d ? D::get(x[(first + t) * step + c0 + c]) : 0.0f;
    if (weight && t < L) y = weigh(weight[t], y);
    to[t][c] = y;
  }
}

/* tile.p = weighted scores of the L queries from token i0 on with the M keys from j0 on; weight(i, j) counts within the
 * chunks. Ends with a barrier. */
template <class D, class Weight>
__device__ __forceinline__ void scores(Tile &tile, const Head<D> &h, int64_t i0, int L, int64_t j0, int M, int dk,
                                       const Weight &weight) {
  float sum[4][4], part[4][4];
  clear(sum);
  for (int r0 = 0; r0 < dk; r0 += kSlab) {
    __syncthreads();
    load_transposed<D>(tile.a, h.q, h.q_step, i0, L, dk, r0);
    load_transposed<D>(tile.b, h.k, h.k_step, j0, M, dk, r0);
    __syncthreads();
    clear(part);
    accumulate<4>(part, tile.a[0], tile.b[0], kRow, kSlab);
    add(sum, part);
  }
#pragma unroll
  for (int n = 0; n < 4; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int row = tile_row() + i, column = tile_column<4>() + n;
      const float w = row < L && column < M ? weight(row, column) : 0.0f;
      tile.p[column][row] = weigh(w, sum[i][n]);
    }
  }
  __syncthreads();
}

/* sum[i][n] += tile.p times the M values from token j0 on, columns c0 .. c0+16N-1. */
template <class D, int N, bool kCausal>
__device__ __forceinline__ void values(float (&sum)[4][N], Tile &tile, const Head<D> &h, int64_t j0, int M, int dv,
                                       int c0) {
  float part[4][N];
  for (int t0 = 0; t0 < M; t0 += kSlab) {
    __syncthreads();
    load_rows<D>(tile.b, h.v, h.v_step, j0 + t0, M - t0, dv, c0, 16 * N, nullptr);
    __syncthreads();
    clear(part);
    accumulate<N, kCausal>(part, tile.p[t0], tile.b[0], kRow, kSlab, t0);
    add(sum, part);
  }
}

/* sum[i][n] = Q S of the L queries from token i0 on, S [dk][dv] in global memory. */
template <class D, int N>
__device__ __forceinline__ void from_state(float (&sum)[4][N], Tile &tile, const Head<D> &h, int64_t i0, int L,
                                           const float *state, int dk, int dv, int c0) {
  float part[4][N];
  clear(sum);
  for (int r0 = 0; r0 < dk; r0 += kSlab) {
    __syncthreads();
    load_transposed<D>(tile.a, h.q, h.q_step, i0, L, dk, r0);
    load_rows<F32>(tile.b, state, dv, r0, dk - r0, dv, c0, 16 * N, nullptr);
    __syncthreads();
    clear(part);
    accumulate<N>(part, tile.a[0], tile.b[0], kRow, kSlab);
    add(sum, part);
  }
}

/* sum[i][n] = rows r0 .. r0+63 and columns c0 .. of (out * K)^T V over the L tokens from `first` on. */
template <class D, int N>
__device__ __forceinline__ void state_product(float (&sum)[4][N], Tile &tile, const Head<D> &h, int64_t first, int L,
                                              int dk, int dv, int r0, int c0) {
  float part[4][N];
  clear(sum);
  for (int t0 = 0; t0 < L; t0 += kSlab) {
    __syncthreads();
    load_rows<D>(tile.a, h.k, h.k_step, first + t0, L - t0, dk, r0, kChunk, tile.decay.out + t0);
    load_rows<D>(tile.b, h.v, h.v_step, first + t0, L - t0, dv, c0, 16 * N, nullptr);
    __syncthreads();
    clear(part);
    accumulate<N>(part, tile.a[0], tile.b[0], kRow, kSlab);
    add(sum, part);
  }
}

/* Calls f(i, n, row, column) for the thread's elements inside [rows, columns]. */
template <int N, class F>
__device__ __forceinline__ void for_inside(int rows, int columns, const F &f) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
      const int row = tile_row() + i, column = tile_column<N>() + n;
      if (row < rows && column < columns) f(i, n, row, column);
    }
  }
}

}  // namespace gpu
}  // namespace leet
