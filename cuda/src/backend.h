/* The seam between the C ABI and the devices. Nothing above it knows which device it talks to. */
#ifndef LEET_BACKEND_H
#define LEET_BACKEND_H

#include "problem.h"

namespace leet {

struct Cost {
  double flops, bytes, workspace, seconds;
};

/* Memory of a device that the caller holds by address. */
struct DeviceMemory {
  leet_status (*alloc)(leet_params *p, int index, uint64_t bytes, uint64_t *address);
  leet_status (*free)(leet_params *p, int index, uint64_t address);
  leet_status (*write)(leet_params *p, int index, uint64_t address, const void *from, uint64_t bytes);
  leet_status (*read)(leet_params *p, int index, void *to, uint64_t address, uint64_t bytes);
  leet_status (*usage)(leet_params *p, int index, uint64_t *allocated, uint64_t *free_bytes, uint64_t *total_bytes);
};

/* The index of an H100 that is not there, for supports and cost of the CUDA device. */
const int kModelledDevice = -1;

struct Backend {
  int device;       /* LEET_DEVICE_* */
  const char *name; /* for messages and leet_version */
  /* Writes what was built in, such as "cpu(scalar,avx2)". */
  void (*describe)(char *text, int bytes);
  int (*count)();
  leet_status (*info)(int index, leet_device_info *info);
  /* LEET_OK, or why not with a sentence in p->message. Called before run. */
  leet_status (*supports)(leet_params *p, const Problem &problem, int index);
  /* What the problem costs with problem.method. */
  Cost (*cost)(const Problem &problem, int index);
  /* Runs problem.method; the pointers are checked. */
  leet_status (*run)(leet_params *p, const Problem &problem, int index);
  /* Bytes of scratch kept for later calls, and giving them back. */
  uint64_t (*kept)();
  void (*release_kept)();
  const DeviceMemory *memory; /* nullptr: it works on host memory */
};

extern const Backend cpu_backend;
extern const Backend cuda_backend;

/* All backends of this build, in order of preference for LEET_DEVICE_AUTO last to first; the CPU is number 0.
 * LEET_CUDA_IMAGES names the GPU kernels that the build embeds, such as "ptx_80". */
#if defined(LEET_CUDA_IMAGES)
const int kBackends = 2;
#else
const int kBackends = 1;
#endif
extern const Backend *const backends[kBackends];

}  // namespace leet
#endif
