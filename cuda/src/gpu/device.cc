#include "device.h"

#include <pthread.h>
#include <stdio.h>

#include "../check.h"

/* What the build embedded, one image per module: PTX text or a fatbin. */
#define LEET_MODULE(name) extern "C" __attribute__((visibility("hidden"))) const char leet_image_##name[];
#include "../../kernels/modules.def"
#undef LEET_MODULE

namespace leet {
namespace gpu {

namespace {

const char *const images[kModules] = {
#define LEET_MODULE(name) leet_image_##name,
#include "../../kernels/modules.def"
#undef LEET_MODULE
};

const int kMostDevices = 64;

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the table and, in each device, modules and functions */
Device devices[kMostDevices];

leet_status ask(leet_params *p, Device *d) {
  const Driver &driver = *d->driver;
  size_t memory = 0;
  LEET_TRY_DRIVER(p, driver, "looking up the device", cuDeviceGet, &d->handle, d->index);
  LEET_TRY_DRIVER(p, driver, "asking for the device's name", cuDeviceGetName, d->name, (int)sizeof d->name, d->handle);
  const struct {
    int attribute;
    int *value;
  } wanted[] = {{kAttributeMultiprocessors, &d->multiprocessors},
                {kAttributeMajor, &d->major},
                {kAttributeMinor, &d->minor},
                {kAttributeSharedOptIn, &d->shared_bytes},
                {kAttributeSharedTotal, &d->shared_total}};
  for (const auto &w : wanted) {
    LEET_TRY_DRIVER(p, driver, "asking for the device's limits", cuDeviceGetAttribute, w.value, w.attribute, d->handle);
  }
  LEET_TRY_DRIVER(p, driver, "asking for the device's memory", cuDeviceTotalMem_v2, &memory, d->handle);
  d->memory = memory;
  return LEET_OK;
}

leet_status open_locked(leet_params *p, Device *d) {
  const leet_status status = ask(p, d);
  if (status != LEET_OK) return status;
  if (d->major < 8) {
    return refuse(p, LEET_UNSUPPORTED_DEVICE,
                  "device: expected a GPU of compute capability 8.0 or later, got %d.%d (%.64s)", d->major, d->minor,
                  d->name);
  }
  /* For the life of the process: what one try got is kept for the next where it failed to get the rest. */
  if (d->context == nullptr) {
    LEET_TRY_DRIVER(p, *d->driver, "opening the device", cuDevicePrimaryCtxRetain, &d->context, d->handle);
  }
  const Current current(*d);
  const leet_status made_current = current.status(p);
  if (made_current != LEET_OK) return made_current;
  CUstream *const streams[] = {&d->stream, &d->inward, &d->outward};
  for (CUstream *stream : streams) {
    if (*stream != nullptr) continue;
    LEET_TRY_DRIVER(p, *d->driver, "opening the device", cuStreamCreate, stream, kStreamNonBlocking);
  }
  d->open = true;
  return LEET_OK;
}

leet_status find_locked(leet_params *p, Device *d, Kernel kernel) {
  const Driver &driver = *d->driver;
  const KernelRow &row = kernel_rows[kernel];
  CUmodule *module = &d->modules[row.module];
  if (row.dynamic_bytes > d->shared_bytes) {
    return refuse(p, LEET_UNSUPPORTED_SHAPE, "%s: needs %d bytes of shared memory, %.64s has %d", row.symbol,
                  row.dynamic_bytes, d->name, d->shared_bytes);
  }
  if (*module == nullptr) {
    CUmodule loaded = nullptr;
    LEET_TRY_DRIVER(p, driver, "loading kernels", cuModuleLoadData, &loaded, images[row.module]);
    *module = loaded;
  }
  CUfunction function = nullptr;
  LEET_TRY_DRIVER(p, driver, row.symbol, cuModuleGetFunction, &function, *module, row.symbol);
  if (row.dynamic_bytes > 0) {
    LEET_TRY_DRIVER(p, driver, row.symbol, cuFuncSetAttribute, function, kFunctionDynamicShared, row.dynamic_bytes);
    /* As many blocks as fit: left to itself the driver may keep the memory for the first-level cache. */
    LEET_TRY_DRIVER(p, driver, row.symbol, cuFuncSetAttribute, function, kFunctionSharedCarveout, 100);
  }
  d->functions[kernel] = function;
  return LEET_OK;
}

}  // namespace

int device_count() {
  leet_params unheard = {};
  const Driver *driver;
  int count = 0;
  if (load_driver(&unheard, &driver) != LEET_OK || driver->cuDeviceGetCount(&count) != 0) return 0;
  return count < kMostDevices ? count : kMostDevices;
}

leet_status open_device(leet_params *p, int index, Device **device) {
  const Driver *driver;
  leet_status status = load_driver(p, &driver);
  if (status != LEET_OK) return status;
  int count = 0;
  LEET_TRY_DRIVER(p, *driver, "counting devices", cuDeviceGetCount, &count);
  if (count == 0) return refuse(p, LEET_NO_DEVICE, "device: the CUDA driver lists no device");
  if (index >= count || index >= kMostDevices) {
    return refuse(p, LEET_UNSUPPORTED_DEVICE, "device_index: expected below %d for cuda, got %d", count, index);
  }
  Device *d = &devices[index];
  pthread_mutex_lock(&mutex);
  if (!d->open) {
    d->driver = driver;
    d->index = index;
    status = open_locked(p, d);
  }
  pthread_mutex_unlock(&mutex);
  *device = d;
  return status;
}

leet_status find_kernel(leet_params *p, Device *d, Kernel kernel, CUfunction *function) {
  pthread_mutex_lock(&mutex);
  const leet_status status = d->functions[kernel] ? LEET_OK : find_locked(p, d, kernel);
  *function = d->functions[kernel];
  pthread_mutex_unlock(&mutex);
  return status;
}

Current::Current(const Device &device)
    : driver_(*device.driver), before_(nullptr), code_(0), function_("cuCtxGetCurrent") {
  code_ = driver_.cuCtxGetCurrent(&before_);
  if (code_ != 0) return;
  function_ = "cuCtxSetCurrent";
  code_ = driver_.cuCtxSetCurrent(device.context);
}

Current::~Current() {
  if (code_ == 0) driver_.cuCtxSetCurrent(before_);
}

leet_status Current::status(leet_params *p) const {
  return code_ == 0 ? LEET_OK : driver_failed(p, driver_, code_, function_, "making the device current");
}

}  // namespace gpu
}  // namespace leet
