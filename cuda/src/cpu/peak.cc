/* leet_machine_peak: what this processor can compute and move at most, for rooflines. */
#include <time.h>

#include "../alloc.h"
#include "features.h"
#include "pool.h"

namespace leet {

namespace {

const int kMaxThreads = 1024; /* as leet_params.threads */
const int kPieces = 8;        /* tasks for each thread: one that is held up passes its share on */
const int kPasses = 7;
const int64_t kTurns = 100000;                   /* a task of some 0.3 ms */
const int64_t kStreamFloats = (int64_t)32 << 20; /* 128 MiB: more than the caches of a few cores hold */
const int64_t kSliceFloats = (int64_t)256 << 10; /* 1 MiB */

double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Work per second in the median of kPasses passes: what can be kept up, as the timings that it is compared with. */
template <class Pass>
double median_rate(const Pass &pass) {
  double rates[kPasses];
  for (int i = 0; i < kPasses; i++) {
    const double start = seconds(), work = pass(), rate = work / (seconds() - start);
    int at = i;
    for (; at > 0 && rates[at - 1] > rate; at--) rates[at] = rates[at - 1];
    rates[at] = rate;
  }
  return rates[kPasses / 2];
}

double fma_rate(const CpuKernels &kernels, int threads) {
  alignas(64) float own[16];
  return median_rate([&] {
    double operations = 0;
    const int64_t tasks = (int64_t)threads * kPieces;
    parallel(threads, tasks, sizeof own, own, [&](int64_t i, float *scratch) {
      scratch[0] = 0.9999999f;
      scratch[1] = 1e-9f;
      const double done = kernels.multiply_add_chains(kTurns, scratch);
      if (i == 0) operations = done * (double)tasks;
    });
    return operations;
  });
}

double stream_rate(const CpuKernels &kernels, int threads, float *x) {
  alignas(64) float own[16];
  const auto pass = [&](auto &&slice) {
    parallel(threads, kStreamFloats / kSliceFloats, sizeof own, own,
             [&](int64_t i, float *) { slice(x + i * kSliceFloats); });
    return 2.0 * (double)kStreamFloats * (double)sizeof(float);
  };
  pass([](float *slice) { __builtin_memset(slice, 0, (size_t)kSliceFloats * sizeof(float)); });
  return median_rate([&] { return pass([&](float *slice) { kernels.scale_in_place(slice, kSliceFloats, 1.0f); }); });
}

}  // namespace

}  // namespace leet

using namespace leet;

extern "C" leet_status leet_machine_peak(int32_t threads, double *flops_per_s, double *bytes_per_s) {
  if (flops_per_s == nullptr || bytes_per_s == nullptr) return LEET_INVALID_POINTER;
  if (threads < 0 || threads > kMaxThreads) return LEET_INVALID_THREADS;
  const char *wanted = nullptr;
  const CpuKernels *kernels = active_kernels(&wanted);
  if (kernels == nullptr) return LEET_UNSUPPORTED_ISA;
  float *x = (float *)allocate((size_t)kStreamFloats * sizeof(float));
  if (x == nullptr) return LEET_OUT_OF_MEMORY;
  const int used = threads > 0 ? threads : processors();
  *flops_per_s = fma_rate(*kernels, used);
  *bytes_per_s = stream_rate(*kernels, used, x);
  release(x);
  return LEET_OK;
}
