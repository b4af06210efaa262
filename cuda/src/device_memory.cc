/* The exported functions for device memory: check, find the backend, call. */
#include <stdio.h>

#include "backend.h"
#include "check.h"

using namespace leet;

namespace {

const DeviceMemory *find_memory() {
  for (const Backend *b : backends) {
    if (b->memory != nullptr) return b->memory;
  }
  return nullptr;
}

/* Runs body(p, memory) and hands the message over. */
template <class Body>
leet_status with_memory(int32_t index, char *message, int32_t message_bytes, const Body &body) {
  leet_params p = {};
  const DeviceMemory *memory = find_memory();
  leet_status status;
  if (memory == nullptr) {
    status = refuse(&p, LEET_UNSUPPORTED_DEVICE,
                    "this libleet.so was built for the CPU only; cuda needs one built with nvcc");
  } else if (index < 0) {
    status = refuse(&p, LEET_INVALID_DEVICE, "device_index: expected >= 0, got %d", index);
  } else {
    status = body(&p, *memory);
  }
  if (message != nullptr && message_bytes > 0) {
    snprintf(message, (size_t)message_bytes, "%s", status == LEET_OK ? "" : p.message);
  }
  return status;
}

leet_status needed(leet_params *p, const void *pointer, const char *name) {
  return pointer ? LEET_OK : refuse(p, LEET_INVALID_POINTER, "%s: expected an address, got NULL", name);
}

}  // namespace

extern "C" leet_status leet_device_alloc(int32_t device_index, uint64_t bytes, uint64_t *address, char *message,
                                         int32_t message_bytes) {
  return with_memory(device_index, message, message_bytes, [&](leet_params *p, const DeviceMemory &memory) {
    const leet_status status = needed(p, address, "address");
    return status == LEET_OK ? memory.alloc(p, device_index, bytes, address) : status;
  });
}

extern "C" leet_status leet_device_free(int32_t device_index, uint64_t address, char *message, int32_t message_bytes) {
  return with_memory(device_index, message, message_bytes,
                     [&](leet_params *p, const DeviceMemory &memory) { return memory.free(p, device_index, address); });
}

extern "C" leet_status leet_device_write(int32_t device_index, uint64_t address, const void *from, uint64_t bytes,
                                         char *message, int32_t message_bytes) {
  return with_memory(device_index, message, message_bytes, [&](leet_params *p, const DeviceMemory &memory) {
    const leet_status status = bytes > 0 ? needed(p, from, "from") : (leet_status)LEET_OK;
    return status == LEET_OK ? memory.write(p, device_index, address, from, bytes) : status;
  });
}

extern "C" leet_status leet_device_read(int32_t device_index, void *to, uint64_t address, uint64_t bytes, char *message,
                                        int32_t message_bytes) {
  return with_memory(device_index, message, message_bytes, [&](leet_params *p, const DeviceMemory &memory) {
    const leet_status status = bytes > 0 ? needed(p, to, "to") : (leet_status)LEET_OK;
    return status == LEET_OK ? memory.read(p, device_index, to, address, bytes) : status;
  });
}

extern "C" leet_status leet_device_memory(int32_t device_index, uint64_t *allocated, uint64_t *free_bytes,
                                          uint64_t *total_bytes, char *message, int32_t message_bytes) {
  return with_memory(device_index, message, message_bytes, [&](leet_params *p, const DeviceMemory &memory) {
    leet_status status = needed(p, allocated, "allocated");
    if (status == LEET_OK) status = needed(p, free_bytes, "free_bytes");
    if (status == LEET_OK) status = needed(p, total_bytes, "total_bytes");
    return status == LEET_OK ? memory.usage(p, device_index, allocated, free_bytes, total_bytes) : status;
  });
}
