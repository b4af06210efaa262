/* Kernel entries: their names and launch bounds come from kernels.def. */
#pragma once
#include "args.h"

namespace leet {
namespace gpu {

#define LEET_KERNEL(module, name, threads_, blocks_, dynamic_, shared_, registers_) \
  struct Row_##name {                                                               \
    enum { threads = threads_, blocks = blocks_, dynamic = dynamic_ };              \
  };
#include "kernels.def"
#undef LEET_KERNEL

}  // namespace gpu
}  // namespace leet

/* LEET_ENTRY(name) { body; } defines kernel leet_<name> with its Args as `a`. */
#define LEET_ENTRY(name)                                                                                      \
  extern "C" __global__ void __launch_bounds__(leet::gpu::Row_##name::threads, leet::gpu::Row_##name::blocks) \
      leet_##name(const __grid_constant__ leet::gpu::Args a)

/* The three storage types of a kernel whose body is template name<D>(a). */
#define LEET_ENTRIES(name, body)                      \
  LEET_ENTRY(name##_f32) { body<leet::gpu::F32>(a); } \
  LEET_ENTRY(name##_f16) { body<leet::gpu::F16>(a); } \
  LEET_ENTRY(name##_bf16) { body<leet::gpu::BF16>(a); }
