/* Device memory that the caller holds by address: the backend's side of leet_device_*. */
#include "../backend.h"
#include "memory.h"

namespace leet {
namespace gpu {

namespace {

/* Opens the device, makes it current, runs body(device). */
template <class Body>
leet_status with_device(leet_params *p, int index, const Body &body) {
  Device *device;
  leet_status status = open_device(p, index, &device);
  if (status != LEET_OK) return status;
  const Current current(*device);
  status = current.status(p);
  return status == LEET_OK ? body(device) : status;
}

leet_status alloc(leet_params *p, int index, uint64_t bytes, uint64_t *address) {
  return with_device(p, index, [&](Device *device) { return allocate_named(p, device, bytes, address); });
}

leet_status free_address(leet_params *p, int index, uint64_t address) {
  return with_device(p, index, [&](Device *device) { return free_named(p, device, address); });
}

leet_status write(leet_params *p, int index, uint64_t address, const void *from, uint64_t bytes) {
  return with_device(p, index, [&](Device *device) -> leet_status {
    if (bytes == 0) return LEET_OK;
    const Driver &driver = *device->driver;
    LEET_TRY_DRIVER(p, driver, "copying to the device", cuMemcpyHtoDAsync_v2, address, from, bytes, device->stream);
    LEET_TRY_DRIVER(p, driver, "copying to the device", cuStreamSynchronize, device->stream);
    return LEET_OK;
  });
}

leet_status read(leet_params *p, int index, void *to, uint64_t address, uint64_t bytes) {
  return with_device(p, index, [&](Device *device) -> leet_status {
    if (bytes == 0) return LEET_OK;
    const Driver &driver = *device->driver;
    LEET_TRY_DRIVER(p, driver, "copying from the device", cuMemcpyDtoHAsync_v2, to, address, bytes, device->stream);
    LEET_TRY_DRIVER(p, driver, "copying from the device", cuStreamSynchronize, device->stream);
    return LEET_OK;
  });
}

leet_status usage(leet_params *p, int index, uint64_t *allocated, uint64_t *free_bytes, uint64_t *total_bytes) {
  return with_device(p, index, [&](Device *device) -> leet_status {
    size_t unused = 0, total = 0;
    LEET_TRY_DRIVER(p, *device->driver, "asking for free memory", cuMemGetInfo_v2, &unused, &total);
    *allocated = named_bytes(index);
    *free_bytes = unused;
    *total_bytes = total;
    return LEET_OK;
  });
}

}  // namespace

const DeviceMemory device_memory = {alloc, free_address, write, read, usage};

}  // namespace gpu
}  // namespace leet
