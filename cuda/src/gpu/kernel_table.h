/* kernels.def and modules.def as tables. */
#ifndef LEET_GPU_KERNEL_TABLE_H
#define LEET_GPU_KERNEL_TABLE_H

namespace leet {
namespace gpu {

enum Module {
#define LEET_MODULE(name) kModule_##name,
#include "../../kernels/modules.def"
#undef LEET_MODULE
  kModules
};

enum Kernel {
#define LEET_KERNEL(module, name, threads, blocks, dynamic, shared, registers) k_##name,
#include "../../kernels/kernels.def"
#undef LEET_KERNEL
  kKernels
};

struct KernelRow {
  Module module;
  const char *symbol;
  int threads;       /* per block */
  int dynamic_bytes; /* of shared memory at launch */
};

extern const KernelRow kernel_rows[kKernels];

}  // namespace gpu
}  // namespace leet
#endif
