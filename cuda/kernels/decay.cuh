/* All decay arithmetic of the kernels. Products of factors only, never a quotient: every exponent is <= 0. */
#pragma once
#include "args.h"

namespace leet {
namespace gpu {

/* LEET_DECAY_* of leet.h. */
enum { kDecayNone = 0, kDecayFactor = 1, kDecayLog = 2, kDecayLogGates = 3 };

/* Where the factors a_t of one head come from. */
struct Decay {
  int form;
  double base;        /* factor: a; log: log2 a */
  const float *gates; /* log gates: of the head's first token, else nullptr */
  int64_t gate_step;
};

const double kLog2E = 1.4426950408889634;
const double kSmallestLog = -20000.0; /* stands for -inf: its factor is 0 and its sums stay exact */

__device__ __forceinline__ Decay decay_of(const Args &a, int64_t h, int64_t gate) {
  Decay d = {a.decay_form, 1.0, nullptr, a.gate_step.time};
  if (a.decay_form == kDecayFactor) d.base = (double)a.decay[h];
  if (a.decay_form == kDecayLog) d.base = fmax((double)a.decay[h] * kLog2E, kSmallestLog);
  if (a.decay_form == kDecayLogGates) d.gates = a.decay + gate;
  return d;
}

/* 2^e, -126 <= e <= 127 */
__device__ __forceinline__ float power_of_two(int e) { return __int_as_float((e + 127) << 23); }

/* 2^(n + f), |f| <= 0.5 or a little more, n >= -160: the Taylor polynomial of degree 7, error 5e-9. */
__device__ __forceinline__ float exp2_parts(int n, float f) {
  float y = 1.5252733804059841e-5f;
  y = fmaf(y, f, 1.5403530393381609e-4f);
  y = fmaf(y, f, 1.3333558146428443e-3f);
  y = fmaf(y, f, 9.6181291076284772e-3f);
  y = fmaf(y, f, 5.5504108664821580e-2f);
  y = fmaf(y, f, 2.4022650695910072e-1f);
  y = fmaf(y, f, 6.9314718055994531e-1f);
  y = fmaf(y, f, 1.0f);
  const int half = n / 2;
  return y * power_of_two(half) * power_of_two(n - half);
}

/* 2^x for x <= 0, correct to about one unit in the last place, 0 below the range of floats. */
__device__ __forceinline__ float exp2_of(double x) {
  const double clamped = x > -160.0 ? x : -160.0;
  const double shifted = clamped + 0x1.8p52; /* rounds to an integer in the low bits */
  const double whole = shifted - 0x1.8p52;
  return exp2_parts((int)whole, (float)(clamped - whole));
}

/* The same to 2^-50, 0 below 2^-160. */
__device__ __forceinline__ double exp2_double(double x) {
  if (x < -160.0) return 0.0;
  const double whole = (x + 0x1.8p52) - 0x1.8p52, f = (x - whole) * 0.69314718055994531;
  double y = 1.0 / 479001600.0;
  y = fma(y, f, 1.0 / 39916800.0);
  y = fma(y, f, 1.0 / 3628800.0);
  y = fma(y, f, 1.0 / 362880.0);
  y = fma(y, f, 1.0 / 40320.0);
  y = fma(y, f, 1.0 / 5040.0);
  y = fma(y, f, 1.0 / 720.0);
  y = fma(y, f, 1.0 / 120.0);
  y = fma(y, f, 1.0 / 24.0);
  y = fma(y, f, 1.0 / 6.0);
  y = fma(y, f, 0.5);
  y = fma(y, f, 1.0);
  y = fma(y, f, 1.0);
  return y * __longlong_as_double((int64_t)(1023 + (int)whole) << 52);
}

/* a^n of a constant decay, n >= 0. a^0 = 1 even for a = 0. */
__device__ __forceinline__ double constant_power(const Decay &d, int n) {
  if (d.form == kDecayNone) return 1.0;
  if (d.form == kDecayLog) return exp2_double(n * d.base);
  double power = 1.0, square = d.base;
  for (int left = n; left > 0; left >>= 1) {
    if (left & 1) power *= square;
    square *= square;
  }
  return power;
}

/* Decay inside one chunk of L <= C tokens. Lives in shared memory. */
template <int C>
struct ChunkDecay {
  float step[C];         /* a_i */
  float in[C];           /* a_0 .. a_i: from the state before the chunk to token i */
  float out[C];          /* a_{j+1} .. a_{L-1}: from token j to the state after the chunk; some number from L on */
  float weight[C + 1];   /* constant decay: a^n */
  float high[C], low[C]; /* gates: log2 of a_0 .. a_i as the sum of two floats */
  float total_high, total_low; /* a_0 .. a_{L-1} as the sum of two floats: one float would drift over many chunks */
};

template <int C>
__device__ __forceinline__ void set_total(ChunkDecay<C> &d, double total) {
  d.total_high = (float)total;
  d.total_low = (float)(total - (double)d.total_high);
}

/* Fills d for the L tokens from `first` on. All threads of the block call it; a barrier must lie before (readers of the
 * last chunk) and after. `known`: the L that a constant decay is filled for, 0 at first. */
template <int C>
__device__ __forceinline__ void chunk_decay(ChunkDecay<C> &d, const Decay &source, int64_t first, int L, int thread,
                                            int &known) {
  if (source.gates) {
    constexpr int kPer = C / 32;
    if (thread >= 32) return;
    double x[kPer], sum[kPer], running = 0;
#pragma unroll
    for (int n = 0; n < kPer; n++) {
      const int i = thread * kPer + n;
      x[n] = i < L ? fmax((double)source.gates[(first + i) * source.gate_step] * kLog2E, kSmallestLog) : 0.0;
      running += x[n];
      sum[n] = running;
    }
    double before = running; /* inclusive sum over the lanes so far */
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      const double other = __shfl_up_sync(~0u, before, distance);
      if (thread >= distance) before += other;
    }
    const double total = __shfl_sync(~0u, before, 31);
    before -= running;
#pragma unroll
    for (int n = 0; n < kPer; n++) {
      const int i = thread * kPer + n;
      const double s = before + sum[n];
      d.high[i] = (float)s;
      d.low[i] = (float)(s - (double)d.high[i]);
      d.step[i] = exp2_of(x[n]);
      d.in[i] = exp2_of(s);
      d.out[i] = exp2_of(fmin(total - s, 0.0));
    }
    if (thread == 0) set_total(d, exp2_double(total));
    return;
  }
  if (known == L) return;
  known = L;
  for (int n = thread; n <= C; n += blockDim.x) {
    const double power = constant_power(source, n);
    d.weight[n] = (float)power;
    if (n > 0) d.in[n - 1] = (float)power;
    if (n < L) d.out[L - 1 - n] = (float)power;
    if (n >= L && n < C) d.out[n] = 0.0f;
    if (n < C) d.step[n] = (float)constant_power(source, 1);
    if (n == L) set_total(d, power);
  }
}

/* Weight of token j at token i, j <= i. */
template <int C>
__device__ __forceinline__ float pair_weight(const ChunkDecay<C> &d, bool gated, int i, int j) {
  if (!gated) return d.weight[i - j];
  const float a = d.high[i], b = d.high[j], x = a - b;
  if (!(x > -160.0f)) return 0.0f;
  const float t = x - a, lost = (a - (x - t)) - (b + t); /* x + lost = a - b exactly */
  const float whole = rintf(x);
  return exp2_parts((int)whole, (x - whole) + (lost + (d.low[i] - d.low[j])));
}

/* A factor times what it weighs: 0 where the factor is 0, even if the other is not a number. */
__device__ __forceinline__ float weigh(float factor, float x) { return factor != 0.0f ? factor * x : 0.0f; }

/* S' = a S + u with a = high + low; what rounding loses is kept in `carry`, so that a state of a million chunks is as
 * exact as one of ten. */
__device__ __forceinline__ void merge_state(float &state, float &carry, float u, float high, float low) {
  const float kept = isfinite(carry) ? carry : 0.0f;
  const float y = fmaf(high, kept, isfinite(state) ? fmaf(low, state, u) : u); /* 0 times infinity is not a number */
  const float next = fmaf(high, state, y);
  carry = fmaf(high, state, -next) + y;
  state = next;
}

}  // namespace gpu
}  // namespace leet
