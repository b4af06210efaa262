#include "cost.h"

#include <string.h>

#include "cost_terms.h"

namespace leet {

namespace {

struct Rates {
  const char *isa, *method;
  double nanoseconds[kCostTerms]; /* per unit of each term, one thread */
};

const Rates kRates[] = {
#define LEET_RATE(isa, method, ...) {#isa, #method, {__VA_ARGS__}},
#include "rates.def"
#undef LEET_RATE
};

/* The measured rates of a method; an instruction set that was not measured has those of the first one listed, so that
 * comparisons between methods still mean something. */
const Rates &rates_of(const char *isa, const char *method) {
  const Rates *found = nullptr;
  for (const Rates &r : kRates) {
    if (strcmp(r.method, method) != 0) continue;
    if (found == nullptr || strcmp(r.isa, isa) == 0) found = &r;
  }
  return *found;
}

/* Floating point operations per head. */
double square_flops(double N, double dk, double dv) { return N * (N + 1) * (dk + dv); }
double linear_flops(double N, double dk, double dv) { return 4 * N * dk * dv; }
double chunk_flops(double N, double dk, double dv) { /* chunks of 32 tokens: half a square inside, the state outside */
  return linear_flops(N, dk, dv) + N * ((N < 32 ? N : 32) + 1) * (dk + dv);
}
double recursion_flops(double N, double dk, double dv) { /* each level adds the products of its right halves */
  double levels = 0;
  for (double n = N; n > 32; n /= 2) levels += 1;
  return chunk_flops(N, dk, dv) + levels * N * dk * dv;
}

typedef double (*Flops)(double N, double dk, double dv);
const Flops kFlops[kMethods] = {square_flops, linear_flops, chunk_flops, recursion_flops,
                                chunk_flops,  linear_flops, chunk_flops};

/* How many times the work of one head the busiest thread does. flash also shares out a head's columns and time, at a
 * cost of some 15 %; the other methods go by whole heads. */
double busiest(int method, double heads, int threads) {
  const double rounds = ceil(heads / threads);
  const double shared = 1.15 * heads / threads;
  return method == LEET_METHOD_FLASH && shared < rounds ? shared : rounds;
}

}  // namespace

Cost cpu_cost(const Problem &x, const CpuKernels &kernels, int threads) {
  const MethodName &method = methods[x.method - 1];
  const double heads = (double)head_count(x), dk = (double)x.dk, dv = (double)x.dv;
  const double tokens = (double)x.B * (double)x.N; /* of all sequences, per query head */
  const double N = x.sequences > 0 ? tokens / (double)x.sequences : 0;
  double terms[kCostTerms], nanoseconds = 0;
  cost_terms(N, dk, dv, terms);
  const Rates &rates = rates_of(kernels.isa, method.name);
  for (int i = 0; i < kCostTerms; i++) nanoseconds += rates.nanoseconds[i] * terms[i];
  Cost c;
  c.flops = heads * kFlops[x.method - 1](N, dk, dv);
  c.bytes = tokens * dtype_bytes(x.dtype) * (double)(x.H + x.Hkv) * (dk + dv) +
            heads * dk * dv * 4; /* one state, read or written */
  c.workspace = 0;
  c.seconds = nanoseconds * 1e-9 * busiest(x.method, heads, threads);
  return c;
}

}  // namespace leet
