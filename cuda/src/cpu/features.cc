#include "features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace leet {

namespace {

bool always() { return true; }

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
         __builtin_cpu_supports("bmi2");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
#endif

struct Set {
  const CpuKernels *const *kernels;
  bool (*present)();
};

/* Best last. */
const Set kSets[] = {
    {&cpu_kernels_scalar, always},
    {&cpu_kernels_neon, always},
    {&cpu_kernels_avx2, has_avx2},
    {&cpu_kernels_avx512, has_avx512},
};

const CpuKernels *choose(const char *wanted) {
  const CpuKernels *best = nullptr;
  for (const Set &set : kSets) {
    const CpuKernels *kernels = *set.kernels;
    if (kernels == nullptr || !set.present()) continue;
    if (wanted == nullptr || strcmp(wanted, kernels->isa) == 0) best = kernels;
  }
  return best;
}

}  // namespace

const CpuKernels *active_kernels(const char **wanted) {
  static const CpuKernels *chosen; /* every thread that races here stores the same value */
  const CpuKernels *kernels = __atomic_load_n(&chosen, __ATOMIC_ACQUIRE);
  if (kernels) return kernels;
  const char *forced = getenv("LEET_CPU_ISA");
  if (forced && forced[0] == 0) forced = nullptr;
  kernels = choose(forced);
  if (kernels) {
    __atomic_store_n(&chosen, kernels, __ATOMIC_RELEASE);
  } else {
    *wanted = forced;
  }
  return kernels;
}

void describe_sets(char *text, int bytes) {
  int used = 0;
  for (const Set &set : kSets) {
    if (*set.kernels == nullptr || used >= bytes) continue;
    used += snprintf(text + used, (size_t)(bytes - used), "%s%s", used ? "," : "", (*set.kernels)->isa);
  }
}

}  // namespace leet
