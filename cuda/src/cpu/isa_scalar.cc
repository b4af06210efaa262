/* The compiler's baseline: runs on every processor. */
#include <math.h>

#include "kernels.h"
#include "workspace.h"

#define LEET_ISA scalar
#define LEET_VEC_HEADER "../vec_scalar.h"
#include "kernels/kernels.inc"

namespace leet {
const CpuKernels *const cpu_kernels_scalar = &scalar::table;
}
