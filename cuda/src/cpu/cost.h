/* What a method costs on the CPU: counts of work, and seconds from rates measured once. */
#ifndef LEET_CPU_COST_H
#define LEET_CPU_COST_H

#include "../backend.h"
#include "kernels.h"

namespace leet {

/* Everything but workspace. */
Cost cpu_cost(const Problem &problem, const CpuKernels &kernels, int threads);

}  // namespace leet
#endif
