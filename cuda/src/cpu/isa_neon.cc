/* Advanced SIMD: every AArch64 processor. */
#include <math.h>

#include "kernels.h"
#include "workspace.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define LEET_ISA neon
#define LEET_VEC_HEADER "../vec_neon.h"
#include "kernels/kernels.inc"

namespace leet {
const CpuKernels *const cpu_kernels_neon = &neon::table;
}
#else
namespace leet {
const CpuKernels *const cpu_kernels_neon = nullptr;
}
#endif
