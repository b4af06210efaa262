/* Measures what every CPU method costs on this processor and prints src/cpu/rates.def, the constants of the cost model:
 * for each method the non-negative factors of the terms in src/cpu/cost_terms.h that fit its single-thread times best,
 * in relative error, over a grid of shapes. Run it once per instruction set, with LEET_CPU_ISA, on an idle machine:
 * `make -C cuda rates`. */
#include <math.h>

#include "bench.h"
#include "../src/cpu/cost_terms.h"

using leet::kCostTerms;

namespace {

/* Least of the times of one head in `repeats` calls of `heads` heads each: neighbours only ever make a call slower. */
double time_of(int method, long N, long d, float *arrays[4], float *states) {
  leet_params p = {};
  p.struct_size = sizeof p;
  p.method = method;
  p.decay_form = LEET_DECAY_FACTOR;
  p.threads = 1;
  p.scale = 1;
  p.B = p.N = 1;
  p.N = N;
  p.H = p.Hkv = 4;
  p.dk = p.dv = d;
  const float decay[4] = {0.97f, 0.98f, 0.99f, 0.999f};
  double best = 1e9, spent = 0;
  for (int r = 0; r < 200 && (r < 3 || spent < 0.03); r++) {
    const double start = seconds();
    if (leet_forward(&p, arrays[0], arrays[1], arrays[2], decay, nullptr, states, arrays[3], states) != LEET_OK) {
      fprintf(stderr, "rates: %s\n", p.message);
      exit(1);
    }
    const double time = (seconds() - start) / (double)p.H;
    spent += time * (double)p.H;
    if (r > 0 && time < best) best = time;
  }
  return best;
}

/* Non-negative x that minimises sum over rows of (terms . x / time - 1)^2, by coordinate descent. */
void fit(const double (*terms)[kCostTerms], const double *times, int rows, double x[kCostTerms]) {
  for (int i = 0; i < kCostTerms; i++) x[i] = 0;
  for (int turn = 0; turn < 200000; turn++) {
    const int i = turn % kCostTerms;
    double slope = 0, curvature = 0;
    for (int r = 0; r < rows; r++) {
      double sum = 0;
      for (int k = 0; k < kCostTerms; k++) sum += terms[r][k] * x[k];
      const double scaled = terms[r][i] / times[r];
      slope += scaled * (sum / times[r] - 1);
      curvature += scaled * scaled;
    }
    const double next = x[i] - slope / curvature;
    x[i] = next > 0 ? next : 0;
  }
}

}  // namespace

int main() {
  const long lengths[] = {1, 2, 4, 8, 16, 32, 64, 128, 512, 2048}, dims[] = {16, 32, 64, 128, 256};
  const int kRows = 50;
  const size_t most = 4 * 2048 * 256;
  float *arrays[4], *states = (float *)calloc(4 * 256 * 256, sizeof(float));
  for (auto &array : arrays) {
    array = (float *)malloc(most * sizeof(float));
    if (!array || !states) return 1;
    for (size_t i = 0; i < most; i++) array[i] = (float)((i * 2654435761u >> 8) & 0xffff) / 65536.0f - 0.5f;
  }
  leet_device_info cpu = {};
  cpu.struct_size = sizeof cpu;
  if (leet_device_get(0, &cpu) != LEET_OK) return 1;
  printf("/* %s on %s */\n", cpu.isa, cpu.name);
  for (int index = 0;; index++) {
    leet_method_info method = {};
    method.struct_size = sizeof method;
    if (leet_method_get(index, &method) != LEET_OK) break;
    double terms[kRows][kCostTerms], times[kRows], x[kCostTerms], worst = 0;
    int rows = 0;
    for (long d : dims) {
      for (long N : lengths) {
        leet::cost_terms((double)N, (double)d, (double)d, terms[rows]);
        times[rows++] = time_of(method.method, N, d, arrays, states);
      }
    }
    fit(terms, times, rows, x);
    for (int r = 0; r < rows; r++) {
      double sum = 0;
      for (int k = 0; k < kCostTerms; k++) sum += terms[r][k] * x[k];
      const double off = fabs(log(sum / times[r]));
      if (off > worst) worst = off;
    }
    printf("LEET_RATE(%s, %s", cpu.isa, method.name);
    for (int k = 0; k < kCostTerms; k++) printf(", %.3g", x[k] * 1e9);
    printf(") /* worst misfit %.2fx */\n", exp(worst));
  }
  return 0;
}
