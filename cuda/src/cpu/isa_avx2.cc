/* AVX2 with FMA and F16C: Intel since Haswell (2013), AMD since Excavator (2015). */
#include <math.h>

#include "kernels.h"
#include "workspace.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi2")
#define LEET_ISA avx2
#define LEET_VEC_HEADER "../vec_avx2.h"
#include "kernels/kernels.inc"
#pragma GCC pop_options

namespace leet {
const CpuKernels *const cpu_kernels_avx2 = &avx2::table;
}
#else
namespace leet {
const CpuKernels *const cpu_kernels_avx2 = nullptr;
}
#endif
