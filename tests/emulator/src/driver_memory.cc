// Device memory, pinned host memory, copies.
#include <cstdlib>
#include <cstring>

#include "config.h"
#include "driver.h"
#include "memory.h"

namespace leetemu {
namespace {

Allocation &rangeOf(CUdeviceptr address, size_t bytes, const char *what) {
  Allocation *a = deviceMemory().find(address);
  require(a && a->holds(address, bytes), CUDA_ERROR_INVALID_VALUE,
          format("%s of %zu bytes: %s", what, bytes, deviceMemory().describe(address).c_str()));
  require(a->device == currentContext()->device, CUDA_ERROR_INVALID_VALUE,
          format("%s: memory of another device", what));
  return *a;
}

const PinnedBlock *pinnedBlock(const void *p) {
  u64 address = reinterpret_cast<u64>(p);
  auto it = driver().pinned.upper_bound(address);
  if (it == driver().pinned.begin()) return nullptr;
  --it;
  return address - it->first < it->second.bytes ? &it->second : nullptr;
}

// Counts a queued copy for as long as it waits.
std::shared_ptr<void> holdPinned(const PinnedBlock *block) {
  ++*block->queued;
  return std::shared_ptr<void>(nullptr, [queued = block->queued](void *) { --*queued; });
}

void copyIn(CUdeviceptr to, const u8 *from, size_t bytes) {
  Allocation &a = rangeOf(to, bytes, "copy to the device");
  memcpy(a.at(to), from, bytes);
  a.markWritten(to, bytes);
}

void copyOut(u8 *to, CUdeviceptr from, size_t bytes) {
  Allocation &a = rangeOf(from, bytes, "copy from the device");
  u64 unwritten = config().checkHostInit ? a.firstUnwritten(from, bytes) : ~0ull;
  require(unwritten == ~0ull, CUDA_ERROR_ILLEGAL_ADDRESS,
          "copy from the device of bytes that were never written: " + deviceMemory().describe(unwritten));
  memcpy(to, a.at(from), bytes);
}

void copyWithin(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  Allocation &source = rangeOf(from, bytes, "copy within the device");
  Allocation &target = rangeOf(to, bytes, "copy within the device");
  memmove(target.at(to), source.at(from), bytes);
  if (source.allWritten()) return target.markWritten(to, bytes);
  for (u64 k = 0; k < bytes; ++k) {
    bool written = source.firstUnwritten(from + k, 1) == ~0ull;
    if (written) target.markWritten(to + k, 1);
    else if (!target.allWritten())
      target.written[(to + k - target.base) >> 3] &= static_cast<u8>(~(1u << ((to + k - target.base) & 7)));
  }
}

}  // namespace
}  // namespace leetemu

using namespace leetemu;

LEETEMU_API CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  return call("cuMemAlloc_v2", Needs::context, [&] {
    require(address && bytes, CUDA_ERROR_INVALID_VALUE, "null pointer or 0 bytes");
    *address = deviceMemory().allocate(bytes, currentContext()->device, config().memoryBytes).base;
  });
}

LEETEMU_API CUresult cuMemFree_v2(CUdeviceptr address) {
  return call("cuMemFree_v2", Needs::context, [&] {
    if (!address) return;
    drainContext(currentContext());
    Allocation *a = deviceMemory().find(address);
    require(a && a->base == address && a->name.empty(), CUDA_ERROR_INVALID_VALUE,
            "free of " + deviceMemory().describe(address));
    deviceMemory().free(address);
  });
}

LEETEMU_API CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  return call("cuMemGetInfo_v2", Needs::context, [&] {
    require(free && total, CUDA_ERROR_INVALID_VALUE, "null pointer");
    *total = config().memoryBytes;
    *free = *total - deviceMemory().used(currentContext()->device);
  });
}

LEETEMU_API CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned flags) {
  return call("cuMemHostAlloc", Needs::context, [&] {
    require(p && bytes && flags < 8, CUDA_ERROR_INVALID_VALUE, "bad arguments");
    u8 *data = static_cast<u8 *>(aligned_alloc(4096, roundUp(bytes, 4096)));
    require(data, CUDA_ERROR_OUT_OF_MEMORY, "the host is out of memory");
    memset(data, 0xff, bytes);
    driver().pinned.insert({reinterpret_cast<u64>(data), PinnedBlock{data, bytes, currentContext()}});
    *p = data;
  });
}

LEETEMU_API CUresult cuMemFreeHost(void *p) {
  return call("cuMemFreeHost", Needs::context, [&] {
    auto it = driver().pinned.find(reinterpret_cast<u64>(p));
    require(it != driver().pinned.end(), CUDA_ERROR_INVALID_VALUE, "not the start of pinned memory");
    require(*it->second.queued == 0, CUDA_ERROR_INVALID_VALUE,
            format("%llu copies that use it are still queued", static_cast<unsigned long long>(*it->second.queued)));
    ::free(it->second.data);
    driver().pinned.erase(it);
  });
}

LEETEMU_API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  return call("cuMemcpyHtoD_v2", Needs::context, [&] {
    if (!bytes) return;
    require(from, CUDA_ERROR_INVALID_VALUE, "null pointer");
    drainBlocking(currentContext());
    copyIn(to, static_cast<const u8 *>(from), bytes);
  });
}

LEETEMU_API CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  return call("cuMemcpyDtoH_v2", Needs::context, [&] {
    if (!bytes) return;
    require(to, CUDA_ERROR_INVALID_VALUE, "null pointer");
    drainBlocking(currentContext());
    if (!currentContext()->error) copyOut(static_cast<u8 *>(to), from, bytes);
  });
}

LEETEMU_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  return call("cuMemcpyHtoDAsync_v2", Needs::context, [&] {
    CUstream s = streamOf(stream);
    if (!bytes) return;
    require(from, CUDA_ERROR_INVALID_VALUE, "null pointer");
    rangeOf(to, bytes, "copy to the device");
    const u8 *data = static_cast<const u8 *>(from);
    // Pageable memory is read before the call returns, pinned memory when the copy runs.
    if (const PinnedBlock *p = pinnedBlock(from)) enqueue(s, [=, held = holdPinned(p)] { copyIn(to, data, bytes); });
    else enqueue(s, [to, held = std::vector<u8>(data, data + bytes)] { copyIn(to, held.data(), held.size()); });
  });
}

LEETEMU_API CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return call("cuMemcpyDtoHAsync_v2", Needs::context, [&] {
    CUstream s = streamOf(stream);
    if (!bytes) return;
    require(to, CUDA_ERROR_INVALID_VALUE, "null pointer");
    rangeOf(from, bytes, "copy from the device");
    u8 *data = static_cast<u8 *>(to);
    const PinnedBlock *p = pinnedBlock(to);
    enqueue(s, [=, held = p ? holdPinned(p) : nullptr] { copyOut(data, from, bytes); });
    if (!p) drain(s);
  });
}

LEETEMU_API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return call("cuMemcpyDtoDAsync_v2", Needs::context, [&] {
    CUstream s = streamOf(stream);
    if (!bytes) return;
    rangeOf(from, bytes, "copy within the device");
    rangeOf(to, bytes, "copy within the device");
    enqueue(s, [=] { copyWithin(to, from, bytes); });
  });
}

LEETEMU_API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
  return call("cuMemsetD8Async", Needs::context, [&] {
    CUstream s = streamOf(stream);
    if (!bytes) return;
    rangeOf(to, bytes, "memset");
    enqueue(s, [=] {
      Allocation &a = rangeOf(to, bytes, "memset");
      memset(a.at(to), value, bytes);
      a.markWritten(to, bytes);
    });
  });
}

LEETEMU_API CUresult cuPointerGetAttribute(void *data, int attribute, CUdeviceptr pointer) {
  return call("cuPointerGetAttribute", Needs::context, [&] {
    require(data, CUDA_ERROR_INVALID_VALUE, "null pointer");
    Allocation *a = deviceMemory().find(pointer);
    const PinnedBlock *p = a ? nullptr : pinnedBlock(reinterpret_cast<const void *>(pointer));
    if (!a && !p) throw Fault(CUDA_ERROR_INVALID_VALUE, "a pointer that the driver does not know");
    CUcontext c = a ? driver().primary[a->device] : p->context;
    switch (attribute) {
      case CU_POINTER_ATTRIBUTE_CONTEXT:
        memcpy(data, &c, sizeof c);
        return;
      case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: {
        unsigned type = a ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
        memcpy(data, &type, sizeof type);
        return;
      }
      case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        memcpy(data, &pointer, sizeof pointer);
        return;
      case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        require(!a, CUDA_ERROR_INVALID_VALUE, "device memory has no host pointer");
        memcpy(data, &pointer, sizeof pointer);
        return;
      case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        memcpy(data, &c->device, sizeof c->device);
        return;
      default:
        throw Fault(CUDA_ERROR_INVALID_VALUE, format("pointer attribute %d is not known here", attribute));
    }
  });
}
