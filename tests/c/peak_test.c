/* leet_machine_peak: plausible figures, refusals that write nothing. */
#include <math.h>

#include "../../cuda/include/leet.h"
#include "harness.h"

static void plausible_figures(void) {
  current_test = "figures";
  for (int threads = 0; threads <= 2; threads++) {
    double flops = NAN, bytes = NAN;
    const leet_status status = leet_machine_peak(threads, &flops, &bytes);
    expect(status == LEET_OK, "%d threads gave %d", threads, status);
    /* From a slow core without SIMD, emulated, to a server of today. */
    expect(flops >= 1e7 && flops <= 1e15, "%d threads: %g operations per second", threads, flops);
    expect(bytes >= 1e7 && bytes <= 1e14, "%d threads: %g bytes per second", threads, bytes);
  }
}

/* A chain of multiply-adds cannot beat 64 operations a cycle and unit at 10 GHz, so a loop that the compiler removed
 * shows. */
static void nothing_was_removed(void) {
  current_test = "one thread";
  double flops = 0, bytes = 0;
  expect(leet_machine_peak(1, &flops, &bytes) == LEET_OK && flops < 2e12, "%g operations per second", flops);
  expect(bytes < 2e12, "%g bytes per second", bytes);
}

static void refusals(void) {
  current_test = "refusals";
  double flops = 7, bytes = 8;
  expect(leet_machine_peak(-1, &flops, &bytes) == LEET_INVALID_THREADS, "-1 threads");
  expect(leet_machine_peak(1025, &flops, &bytes) == LEET_INVALID_THREADS, "1025 threads");
  expect(leet_machine_peak(1, NULL, &bytes) == LEET_INVALID_POINTER, "NULL flops_per_s");
  expect(leet_machine_peak(1, &flops, NULL) == LEET_INVALID_POINTER, "NULL bytes_per_s");
  expect(flops == 7 && bytes == 8, "a refusal wrote %g, %g", flops, bytes);
}

int main(void) {
  start_tests();
  plausible_figures();
  nothing_was_removed();
  refusals();
  return finish_tests();
}
