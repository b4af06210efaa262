/* The exported functions for device memory: check, find the backend, call. */
#include <stdio.h>

#include "backend.h"
#include "check.h"
#include "jobs.h"

using namespace leet;

namespace {

/* Where the reason of a failure goes; no text where the caller wants none. */
struct Message {
  char *text;
  int32_t bytes;

  void write(const char *from) const {
    if (text != nullptr && bytes > 0) snprintf(text, (size_t)bytes, "%s", from);
  }
};

const DeviceMemory *find_memory() {
  for (const Backend *b : backends) {
    if (b->memory != nullptr) return b->memory;
  }
  return nullptr;
}

leet_status needed(leet_params *p, const void *pointer, const char *name) {
  return pointer ? LEET_OK : refuse(p, LEET_INVALID_POINTER, "%s: expected an address, got NULL", name);
}

/* Runs body(p, memory) and hands the message over. */
template <class Body>
leet_status with_memory(int32_t index, Message message, const Body &body) {
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
  message.write(status == LEET_OK ? "" : p.message);
  return status;
}

/* A copy between host and device, either way; the work of a job. */
struct Copy {
  int32_t index;
  uint64_t address;
  void *host;
  uint64_t bytes;
  bool to_device;
  Message message;

  leet_status check(leet_params *p) const {
    return bytes > 0 ? needed(p, host, to_device ? "from" : "to") : (leet_status)LEET_OK;
  }

  leet_status run() const {
    return with_memory(index, message, [&](leet_params *p, const DeviceMemory &memory) {
      const leet_status status = check(p);
      if (status != LEET_OK) return status;
      return to_device ? memory.write(p, index, address, host, bytes) : memory.read(p, index, host, address, bytes);
    });
  }

  leet_status start(uint64_t *job) const {
    if (job != nullptr) *job = 0;
    return with_memory(index, message, [&](leet_params *p, const DeviceMemory &) {
      leet_status status = needed(p, job, "job");
      if (status == LEET_OK) status = check(p);
      return status == LEET_OK ? start_job(p, *this, job) : status;
    });
  }
};

}  // namespace

extern "C" leet_status leet_device_alloc(int32_t device_index, uint64_t bytes, uint64_t *address, char *message,
                                         int32_t message_bytes) {
  return with_memory(device_index, {message, message_bytes}, [&](leet_params *p, const DeviceMemory &memory) {
    const leet_status status = needed(p, address, "address");
    return status == LEET_OK ? memory.alloc(p, device_index, bytes, address) : status;
  });
}

extern "C" leet_status leet_device_free(int32_t device_index, uint64_t address, char *message, int32_t message_bytes) {
  return with_memory(device_index, {message, message_bytes},
                     [&](leet_params *p, const DeviceMemory &memory) { return memory.free(p, device_index, address); });
}

extern "C" leet_status leet_device_write(int32_t device_index, uint64_t address, const void *from, uint64_t bytes,
                                         char *message, int32_t message_bytes) {
  return Copy{device_index, address, (void *)from, bytes, true, {message, message_bytes}}.run();
}

extern "C" leet_status leet_device_read(int32_t device_index, void *to, uint64_t address, uint64_t bytes, char *message,
                                        int32_t message_bytes) {
  return Copy{device_index, address, to, bytes, false, {message, message_bytes}}.run();
}

extern "C" leet_status leet_device_write_start(int32_t device_index, uint64_t address, const void *from, uint64_t bytes,
                                               char *message, int32_t message_bytes, uint64_t *job) {
  return Copy{device_index, address, (void *)from, bytes, true, {message, message_bytes}}.start(job);
}

extern "C" leet_status leet_device_read_start(int32_t device_index, void *to, uint64_t address, uint64_t bytes,
                                              char *message, int32_t message_bytes, uint64_t *job) {
  return Copy{device_index, address, to, bytes, false, {message, message_bytes}}.start(job);
}

extern "C" leet_status leet_device_memory(int32_t device_index, uint64_t *allocated, uint64_t *free_bytes,
                                          uint64_t *total_bytes, char *message, int32_t message_bytes) {
  return with_memory(device_index, {message, message_bytes}, [&](leet_params *p, const DeviceMemory &memory) {
    leet_status status = needed(p, allocated, "allocated");
    if (status == LEET_OK) status = needed(p, free_bytes, "free_bytes");
    if (status == LEET_OK) status = needed(p, total_bytes, "total_bytes");
    return status == LEET_OK ? memory.usage(p, device_index, allocated, free_bytes, total_bytes) : status;
  });
}
