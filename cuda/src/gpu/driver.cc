#include "driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../check.h"

namespace leet {
namespace gpu {

namespace {

/* cuModuleLoadData takes PTX of the toolkit this was built with; 11.0 is the first driver that knows sm_80. */
const int kOldestDriver = 11000;

const CUresult kNoDevice = 100;

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
Driver table;
bool ready;
leet_status final_status = LEET_OK; /* not LEET_OK: no later call can end otherwise */
char final_message[sizeof(leet_params::message)];

leet_status refuse_for_good(leet_params *p, leet_status status) {
  final_status = status;
  snprintf(final_message, sizeof final_message, "%s", p->message);
  return status;
}

leet_status find_functions(leet_params *p) {
  const char *path = getenv("LEET_CUDA_DRIVER");
  if (path == nullptr || path[0] == 0) path = "libcuda.so.1";
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char *reason = dlerror();
    return refuse_for_good(
        p, refuse(p, LEET_NO_DRIVER, "device: expected a CUDA driver for cuda, and found none: %.180s", reason));
  }
  const struct {
    const char *name;
    void **slot;
  } functions[] = {
#define LEET_DRIVER(name, parameters) {#name, (void **)&table.name},
#include "driver.def"
#undef LEET_DRIVER
  };
  for (const auto &f : functions) {
    *f.slot = dlsym(library, f.name);
    if (*f.slot == nullptr) {
      return refuse_for_good(
          p, refuse(p, LEET_DRIVER_TOO_OLD, "device: the CUDA driver %.120s has no function %s", path, f.name));
    }
  }
  return LEET_OK;
}

leet_status start(leet_params *p) {
  const CUresult code = table.cuInit(0);
  if (code != 0) {
    const leet_status status = driver_failed(p, table, code, "cuInit", "starting the driver");
    return code == kNoDevice ? refuse_for_good(p, status) : status;
  }
  int version = 0;
  LEET_TRY_DRIVER(p, table, "asking for the driver's version", cuDriverGetVersion, &version);
  if (version < kOldestDriver) {
    return refuse_for_good(
        p, refuse(p, LEET_DRIVER_TOO_OLD, "device: expected a CUDA driver for CUDA %d.%d or later, got %d.%d",
                  kOldestDriver / 1000, kOldestDriver % 1000 / 10, version / 1000, version % 1000 / 10));
  }
  ready = true;
  return LEET_OK;
}

/* How the driver's codes map to ours: a code up to `last` that no earlier row took. */
const struct {
  CUresult first, last;
  leet_status status;
} kStatusOfCode[] = {
    {2, 2, LEET_DEVICE_OUT_OF_MEMORY},
    {3, 4, LEET_DEVICE_UNAVAILABLE},   /* not initialised, shutting down */
    {34, 34, LEET_NO_DRIVER},          /* a stub library */
    {35, 35, LEET_DRIVER_TOO_OLD},     /* insufficient driver */
    {36, 36, LEET_DRIVER_TOO_OLD},     /* call requires a newer driver */
    {46, 46, LEET_DEVICE_UNAVAILABLE}, /* busy */
    {100, 101, LEET_NO_DEVICE},
    {200, 200, LEET_BAD_KERNEL_IMAGE},
    {201, 201, LEET_DEVICE_UNAVAILABLE}, /* invalid context */
    {209, 209, LEET_BAD_KERNEL_IMAGE},   /* no binary for this GPU */
    {214, 214, LEET_LAUNCH_FAILED},      /* uncorrectable memory error */
    {218, 218, LEET_BAD_KERNEL_IMAGE},
    {221, 221, LEET_BAD_KERNEL_IMAGE},
    {222, 222, LEET_DRIVER_TOO_OLD}, /* PTX newer than the driver */
    {300, 302, LEET_BAD_KERNEL_IMAGE},
    {500, 500, LEET_BAD_KERNEL_IMAGE}, /* no such kernel */
    {700, 719, LEET_LAUNCH_FAILED},
    {802, 802, LEET_DEVICE_UNAVAILABLE},
    {803, 803, LEET_DRIVER_TOO_OLD},
};

}  // namespace

leet_status driver_failed(leet_params *p, const Driver &driver, CUresult code, const char *function,
                          const char *doing) {
  leet_status status = LEET_DRIVER_ERROR;
  for (const auto &row : kStatusOfCode) {
    if (code >= row.first && code <= row.last) status = row.status;
  }
  const char *name = nullptr, *text = nullptr;
  if (driver.cuGetErrorName(code, &name) != 0 || name == nullptr) name = "an unknown code";
  if (driver.cuGetErrorString(code, &text) != 0 || text == nullptr) text = "no text";
  return refuse(p, status, "%s: %s returned %s (%d, %.80s)", doing, function, name, code, text);
}

leet_status load_driver(leet_params *p, const Driver **driver) {
  pthread_mutex_lock(&mutex);
  leet_status status = final_status;
  if (status != LEET_OK) {
    refuse(p, status, "%s", final_message);
  } else if (!ready) {
    if (table.cuInit == nullptr) status = find_functions(p);
    if (status == LEET_OK) status = start(p);
  }
  pthread_mutex_unlock(&mutex);
  *driver = &table;
  return status;
}

}  // namespace gpu
}  // namespace leet
