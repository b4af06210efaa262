#include "../backend.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "cost.h"
#include "features.h"
#include "workspace.h"

namespace leet {

namespace {

int count() { return 1; }

void describe(char *text, int bytes) {
  char sets[64];
  describe_sets(sets, sizeof sets);
  snprintf(text, (size_t)bytes, "cpu(%s)", sets);
}

int threads_of(const Problem &x) { return x.threads > 0 ? x.threads : processors(); }

/* The processor's own name where the system tells it, else its kind. */
void processor_name(char *text, size_t bytes) {
#if defined(__x86_64__)
  snprintf(text, bytes, "x86-64 processor");
#else
  snprintf(text, bytes, "AArch64 processor");
#endif
  FILE *file = fopen("/proc/cpuinfo", "re");
  if (file == nullptr) return;
  char line[256];
  while (fgets(line, sizeof line, file)) {
    const char *value = strstr(line, ": ");
    if (strncmp(line, "model name", 10) != 0 || value == nullptr) continue;
    snprintf(text, bytes, "%s", value + 2);
    text[strcspn(text, "\n")] = 0;
    break;
  }
  fclose(file);
}

leet_status info(int index, leet_device_info *info) {
  const char *wanted = nullptr;
  const CpuKernels *kernels = active_kernels(&wanted);
  info->device = LEET_DEVICE_CPU;
  info->device_index = index;
  info->units = processors();
  info->memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
  processor_name(info->name, sizeof info->name);
  snprintf(info->isa, sizeof info->isa, "%s", kernels ? kernels->isa : "none");
  return LEET_OK;
}

leet_status supports(leet_params *p, const Problem &, int) {
  const char *wanted = nullptr;
  if (active_kernels(&wanted)) return LEET_OK;
  char sets[64];
  describe_sets(sets, sizeof sets);
  return refuse(p, LEET_UNSUPPORTED_ISA, "LEET_CPU_ISA: expected one of %s that this processor has, got '%.32s'", sets,
                wanted);
}

Cost cost(const Problem &x, int) {
  const char *wanted = nullptr;
  const CpuKernels *kernels = active_kernels(&wanted);
  Cost c = cpu_cost(x, *kernels, threads_of(x));
  c.workspace = kernels->methods[x.method - 1].workspace(x, threads_of(x));
  return c;
}

leet_status run(leet_params *p, const Problem &x, int) {
  if ((x.B == 0 || x.N == 0) && x.final_state == nullptr) return LEET_OK; /* nothing to write, in however many rows */
  const char *wanted = nullptr;
  const CpuKernels *kernels = active_kernels(&wanted);
  if (kernels->methods[x.method - 1].run(x, threads_of(x))) return LEET_OK;
  return refuse(p, LEET_OUT_OF_MEMORY, "no memory for %.0f bytes of scratch",
                kernels->methods[x.method - 1].workspace(x, threads_of(x)));
}

}  // namespace

const Backend cpu_backend = {LEET_DEVICE_CPU,        "cpu",  describe, count, info, supports, cost, run, workspace_kept,
                             workspace_release_kept, nullptr};

}  // namespace leet
