/* AVX-512 F, BW, DQ, VL: Intel servers since Skylake (2017), AMD since Zen 4 (2022). */
#include <math.h>

#include "kernels.h"
#include "workspace.h"

#if defined(__x86_64__)
/* GCC 12 takes the deliberately undefined sources of its own intrinsics for a mistake (GCC bug 105593). */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi2")
#define LEET_ISA avx512
#define LEET_VEC_HEADER "../vec_avx512.h"
#include "kernels/kernels.inc"
#pragma GCC pop_options

namespace leet {
const CpuKernels *const cpu_kernels_avx512 = &avx512::table;
}
#else
namespace leet {
const CpuKernels *const cpu_kernels_avx512 = nullptr;
}
#endif
