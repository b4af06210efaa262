// Devices and primary contexts.
#include <cstring>

#include "config.h"
#include "counters.h"
#include "device_limits.h"
#include "driver.h"
#include "memory.h"

namespace leetemu {
namespace {

void checkDevice(int device) {
  require(device >= 0 && device < config().devices, CUDA_ERROR_INVALID_DEVICE,
          format("device %d of %d", device, config().devices));
}

struct Attribute {
  int id;
  int value;
};

int attributeValue(int id) {
  const DeviceLimits &l = deviceLimits();
  const Attribute table[] = {
      {1, l.threadsPerBlock},
      {2, l.blockDim[0]},
      {3, l.blockDim[1]},
      {4, l.blockDim[2]},
      {5, l.gridDim[0]},
      {6, l.gridDim[1]},
      {7, l.gridDim[2]},
      {8, l.sharedPerBlock},
      {9, 65536},
      {10, 32},
      {11, 2147483647},
      {12, l.registersPerBlock},
      {13, 1410000},
      {14, 512},
      {15, 1},
      {16, config().smCount},
      {17, 0},
      {18, 0},
      {19, 1},
      {20, 0},
      {31, 1},
      {32, 1},
      {33, 0},
      {34, 0},
      {35, 0},
      {36, 1215000},
      {37, 5120},
      {38, 40 << 20},
      {39, l.threadsPerSm},
      {40, 3},
      {41, 1},
      {50, 0},
      {75, config().ccMajor},
      {76, config().ccMinor},
      {78, 1},
      {79, 1},
      {80, 1},
      {81, l.sharedPerSm},
      {82, l.registersPerSm},
      {83, 0},
      {84, 0},
      {86, 0},
      {88, 0},
      {89, 0},
      {90, 1},
      {91, 0},
      {95, 1},
      {97, l.sharedOptIn},
      {99, 0},
      {100, 0},
      {102, 0},
      {106, l.blocksPerSm},
      {111, 1024},
      {115, 0},
      {120, 0},
      {121, 0},
  };
  for (const Attribute &a : table)
    if (a.id == id) return a.value;
  throw Fault(CUDA_ERROR_INVALID_VALUE, format("device attribute %d is not known here", id));
}

}  // namespace

const DeviceLimits &deviceLimits() {
  // Shared memory: opt-in per block and per SM, in KiB; threads and blocks per SM. "Compute capabilities" of the CUDA
  // programming guide.
  struct Row {
    int cc, optIn, perSm, threads, blocks;
  };
  static const Row rows[] = {{75, 64, 64, 1024, 16},    {80, 163, 164, 2048, 32},  {86, 99, 100, 1536, 16},
                             {87, 163, 164, 1536, 16},  {89, 99, 100, 1536, 24},   {90, 227, 228, 2048, 32},
                             {100, 227, 228, 2048, 32}, {103, 227, 228, 2048, 32}, {120, 99, 100, 1536, 32}};
  static DeviceLimits l;
  int cc = config().ccMajor * 10 + config().ccMinor;
  const Row *best = &rows[0];
  for (const Row &r : rows)
    if (r.cc <= cc) best = &r;
  l.sharedOptIn = best->optIn << 10, l.sharedPerSm = best->perSm << 10;
  l.threadsPerSm = best->threads, l.blocksPerSm = best->blocks;
  return l;
}

void destroyContext(CUcontext c) {
  drainContext(c);
  Driver &d = driver();
  u64 bytes = 0, allocations = deviceMemory().liveCount(c->device, &bytes), modules = 0, streams = 0, events = 0,
      pinned = 0;
  auto sweep = [&](auto &set, u64 &count, auto destroy) {
    for (auto it = set.begin(); it != set.end();) {
      auto handle = *it;
      if (handle->context != c) {
        ++it;
        continue;
      }
      ++count;
      it = set.erase(it);
      destroy(handle);
    }
  };
  sweep(d.modules, modules, [](CUmodule m) { destroyModule(m); });
  sweep(d.streams, streams, [](CUstream s) { delete s; });
  sweep(d.events, events, [](CUevent e) { delete e; });
  for (auto it = d.pinned.begin(); it != d.pinned.end();) {
    if (it->second.context != c) {
      ++it;
      continue;
    }
    ++pinned;
    ::free(it->second.data);
    it = d.pinned.erase(it);
  }
  auto n = [](u64 x) { return static_cast<unsigned long long>(x); };
  if (allocations || modules || streams || events || pinned) {
    std::string json = format(
        "{\"device\": %d, \"allocations\": %llu, \"bytes\": %llu, \"modules\": %llu, \"streams\": %llu, "
        "\"events\": %llu, \"pinned\": %llu}",
        c->device, n(allocations), n(bytes), n(modules), n(streams), n(events), n(pinned));
    countersLeak(json);
    report("leak at the release of the context: " + json);
  }
  deviceMemory().freeAll(c->device);
  d.contexts.erase(c);
  d.primary.erase(c->device);
  delete c;
  countersWrite();
}

}  // namespace leetemu

using namespace leetemu;

LEETEMU_API CUresult cuDeviceGetCount(int *count) {
  return call("cuDeviceGetCount", Needs::init, [&] {
    require(count, CUDA_ERROR_INVALID_VALUE, "null pointer");
    *count = config().devices;
  });
}

LEETEMU_API CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  return call("cuDeviceGet", Needs::init, [&] {
    require(device, CUDA_ERROR_INVALID_VALUE, "null pointer");
    checkDevice(ordinal);
    *device = ordinal;
  });
}

LEETEMU_API CUresult cuDeviceGetName(char *name, int bytes, CUdevice device) {
  return call("cuDeviceGetName", Needs::init, [&] {
    require(name && bytes > 0, CUDA_ERROR_INVALID_VALUE, "no room for the name");
    checkDevice(device);
    snprintf(name, static_cast<size_t>(bytes), "leet emulated device");
  });
}

LEETEMU_API CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  return call("cuDeviceGetAttribute", Needs::init, [&] {
    require(value, CUDA_ERROR_INVALID_VALUE, "null pointer");
    checkDevice(device);
    *value = attributeValue(attribute);
  });
}

LEETEMU_API CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  return call("cuDeviceTotalMem_v2", Needs::init, [&] {
    require(bytes, CUDA_ERROR_INVALID_VALUE, "null pointer");
    checkDevice(device);
    *bytes = config().memoryBytes;
  });
}

LEETEMU_API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  return call("cuDevicePrimaryCtxRetain", Needs::init, [&] {
    require(context, CUDA_ERROR_INVALID_VALUE, "null pointer");
    checkDevice(device);
    CUcontext &c = driver().primary[device];
    if (!c) {
      c = new CUctx_st;
      c->device = device;
      for (auto *s : {&c->defaultStream, &c->perThreadStream}) {
        s->reset(new CUstream_st);
        (*s)->context = c;
      }
      driver().contexts.insert(c);
    }
    ++c->retained;
    *context = c;
  });
}

LEETEMU_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return call("cuDevicePrimaryCtxRelease_v2", Needs::init, [&] {
    checkDevice(device);
    auto it = driver().primary.find(device);
    require(it != driver().primary.end(), CUDA_ERROR_INVALID_CONTEXT, "the primary context is not retained");
    if (--it->second->retained == 0) destroyContext(it->second);
  });
}

LEETEMU_API CUresult cuCtxSetCurrent(CUcontext context) {
  return call("cuCtxSetCurrent", Needs::init, [&] {
    require(!context || driver().contexts.count(context), CUDA_ERROR_INVALID_CONTEXT, "no such context");
    setCurrentContext(context);
  });
}

LEETEMU_API CUresult cuCtxGetCurrent(CUcontext *context) {
  return call("cuCtxGetCurrent", Needs::init, [&] {
    require(context, CUDA_ERROR_INVALID_VALUE, "null pointer");
    *context = driver().contexts.count(currentContext()) ? currentContext() : nullptr;
  });
}

LEETEMU_API CUresult cuCtxSynchronize() {
  return call("cuCtxSynchronize", Needs::context, [&] { drainContext(currentContext()); });
}
