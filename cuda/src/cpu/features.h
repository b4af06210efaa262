/* Which instruction set to use: the best of this processor, or what LEET_CPU_ISA asks for. */
#ifndef LEET_CPU_FEATURES_H
#define LEET_CPU_FEATURES_H

#include "kernels.h"

namespace leet {

/* The kernels in use, chosen at the first call. nullptr when LEET_CPU_ISA names a set that is unknown, not in this
 * build or not on this processor; `wanted` is then set to its value. */
const CpuKernels *active_kernels(const char **wanted);

/* The sets in this build, such as "scalar,avx2,avx512". */
void describe_sets(char *text, int bytes);

}  // namespace leet
#endif
