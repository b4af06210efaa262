/* One CUDA device: its primary context, its streams, the kernels loaded so far. */
#ifndef LEET_GPU_DEVICE_H
#define LEET_GPU_DEVICE_H

#include "driver.h"
#include "kernel_table.h"

namespace leet {
namespace gpu {

struct Device {
  const Driver *driver;
  int index;
  CUdevice handle;
  CUcontext context;        /* the primary one, which every framework shares */
  CUstream stream;          /* the library's own: kernels, and copies that nothing is to overlap with */
  CUstream inward, outward; /* copies beside the kernels: to the device, to the host */
  int multiprocessors, major, minor;
  int shared_bytes; /* most shared memory of a block */
  int shared_total; /* shared memory of a multiprocessor, bytes */
  uint64_t memory;  /* bytes */
  char name[128];
  CUmodule modules[kModules];
  CUfunction functions[kKernels];
  bool open;
};

/* Devices that the driver lists, 0 without a driver. */
int device_count();

/* The device, opened on first use and for good, or a refusal. */
leet_status open_device(leet_params *p, int index, Device **device);

/* Loads the kernel's module and the kernel if they are not yet. The device's context is current. */
leet_status find_kernel(leet_params *p, Device *device, Kernel kernel, CUfunction *function);

/* Makes the device's context current for its lifetime, then the caller's again. */
class Current {
 public:
  explicit Current(const Device &device);
  ~Current();
  Current(const Current &) = delete;
  Current &operator=(const Current &) = delete;
  /* LEET_OK, or why not. */
  leet_status status(leet_params *p) const;

 private:
  const Driver &driver_;
  CUcontext before_;
  CUresult code_;
  const char *function_;
};

}  // namespace gpu
}  // namespace leet
#endif
