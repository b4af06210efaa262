#include "cost.h"

namespace leet {

namespace {

/* Floating point operations per head of N tokens. */
typedef double (*Flops)(double N, double dk, double dv);

double linear_flops(double N, double dk, double dv) { return 4 * N * dk * dv; }

double square_flops(double N, double dk, double dv) { return N * (N + 1) * (dk + dv); }

/* Chunks of C tokens: half a square of scores and values inside, the state outside. */
template <int C>
double chunk_flops(double N, double dk, double dv) {
  const double tokens = N < C ? N : C;
  return linear_flops(N, dk, dv) + N * (tokens + 1) * (dk + dv);
}

double recursion_flops(double N, double dk, double dv) {
  double levels = 0;
  for (double n = N; n > 64; n /= 2) levels += 1;
  return chunk_flops<64>(N, dk, dv) + levels * linear_flops(N, dk, dv) / 2;
}

struct MethodCost {
  Flops flops;
  double flops_per_cycle_lane; /* operations per vector lane and nanosecond that one thread reaches */
};

const MethodCost kCosts[kMethods] = {
    {square_flops, 4.0}, {linear_flops, 1.2}, {chunk_flops<64>, 6.0}, {recursion_flops, 5.0},
    {chunk_flops<64>, 5.0}, {linear_flops, 0.5}, {chunk_flops<32>, 8.0},
};

}  // namespace

Cost cpu_cost(const Problem &x, const CpuKernels &, int threads) {
  const MethodCost &method = kCosts[x.method - 1];
  const double tokens = (double)x.B * (double)x.N, heads = (double)head_count(x);
  const double length = heads > 0 ? tokens * (double)x.H / heads : 0;
  const double states = heads * (double)(x.dk * x.dv) * 4 * ((x.initial_state ? 1 : 0) + 1);
  Cost c;
  c.flops = heads * method.flops(length, (double)x.dk, (double)x.dv);
  c.bytes = tokens * dtype_bytes(x.dtype) *
                (double)(x.H * (x.dk + x.dv) + x.Hkv * (x.dk + x.dv)) + states;
  c.workspace = 0;
  c.seconds = c.flops / (method.flops_per_cycle_lane * 16e9 * threads);
  return c;
}

}  // namespace leet
