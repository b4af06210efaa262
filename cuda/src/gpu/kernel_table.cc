#include "kernel_table.h"

namespace leet {
namespace gpu {

const KernelRow kernel_rows[kKernels] = {
#define LEET_KERNEL(module, name, threads, blocks, dynamic, shared, registers) \
  {kModule_##module, "leet_" #name, threads, dynamic},
#include "../../kernels/kernels.def"
#undef LEET_KERNEL
};

}  // namespace gpu
}  // namespace leet
