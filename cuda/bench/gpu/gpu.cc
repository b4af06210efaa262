#include "gpu.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>

#include "record.h"

namespace gpu_check {

namespace {

const int kOutOfMemory = 2; /* CUDA_ERROR_OUT_OF_MEMORY */
enum { kMultiprocessors = 16, kL2Bytes = 38, kMajor = 75, kMinor = 76 };

[[noreturn]] void no_gpu(const std::string &why) {
  fprintf(stderr, "gpu-check: no usable NVIDIA GPU: %s\n", why.c_str());
  exit(kNoGpu);
}

}  // namespace

Gpu::Gpu() : driver(), stream(nullptr), version(0), devices(0), l2_bytes(0), emulated(false), handle_(0) {
  const char *path = getenv("LEET_CUDA_DRIVER");
  if (path == nullptr || *path == 0) path = "libcuda.so.1";
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) no_gpu(dlerror());
  const struct {
    const char *name;
    void **slot;
  } functions[] = {
#define GPU_DRIVER(name, parameters) {#name, (void **)&driver.name},
#include "driver.def"
#undef GPU_DRIVER
  };
  for (const auto &f : functions) {
    *f.slot = dlsym(library, f.name);
    if (*f.slot == nullptr) no_gpu(std::string(path) + " has no function " + f.name);
  }
  emulated = dlsym(library, "leetemu_configure") != nullptr;
  const int code = driver.cuInit(0);
  const char *text = nullptr;
  if (code != 0) {
    if (driver.cuGetErrorString(code, &text) != 0 || text == nullptr) text = "no text";
    no_gpu("cuInit returned " + std::to_string(code) + " (" + text + ")");
  }
  check(driver.cuDriverGetVersion(&version), "cuDriverGetVersion");
  check(driver.cuDeviceGetCount(&devices), "cuDeviceGetCount");
  if (devices == 0) no_gpu("the driver lists no device");
  check(driver.cuDeviceGet(&handle_, 0), "cuDeviceGet");
  char device_name[128] = "";
  check(driver.cuDeviceGetName(device_name, sizeof device_name, handle_), "cuDeviceGetName");
  name = device_name;
  check(driver.cuDeviceTotalMem_v2(&memory, handle_), "cuDeviceTotalMem_v2");
  major = attribute(kMajor);
  minor = attribute(kMinor);
  multiprocessors = attribute(kMultiprocessors);
  l2_bytes = (size_t)std::max(attribute(kL2Bytes), 0);
  void *context = nullptr;
  check(driver.cuDevicePrimaryCtxRetain(&context, handle_), "cuDevicePrimaryCtxRetain");
  check(driver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  check(driver.cuStreamCreate(&stream, 1), "cuStreamCreate");
}

void Gpu::check(int code, const char *function) const {
  if (code == 0) return;
  const char *error = nullptr, *text = nullptr;
  if (driver.cuGetErrorName(code, &error) != 0 || error == nullptr) error = "an unknown code";
  if (driver.cuGetErrorString(code, &text) != 0 || text == nullptr) text = "no text";
  fprintf(stderr, "gpu-check: %s returned %s (%d, %s)\n", function, error, code, text);
  Record("error").text("function", function).count("code", code).text("name", error).text("text", text);
  exit(kGpuLost);
}

int Gpu::attribute(int id) const {
  int value = 0;
  return driver.cuDeviceGetAttribute(&value, id, handle_) == 0 ? value : -1;
}

size_t Gpu::free_memory() const {
  size_t unused = 0, total = 0;
  check(driver.cuMemGetInfo_v2(&unused, &total), "cuMemGetInfo_v2");
  return unused;
}

uint64_t Gpu::allocate(size_t bytes) const {
  uint64_t address = 0;
  const int code = driver.cuMemAlloc_v2(&address, bytes);
  if (code == kOutOfMemory) return 0;
  check(code, "cuMemAlloc_v2");
  return address;
}

void Gpu::release(uint64_t address) const {
  if (address != 0) check(driver.cuMemFree_v2(address), "cuMemFree_v2");
}

void Gpu::upload(uint64_t to, const void *from, size_t bytes) const {
  check(driver.cuMemcpyHtoDAsync_v2(to, from, bytes, stream), "cuMemcpyHtoDAsync_v2");
  wait();
}

void Gpu::download(void *to, uint64_t from, size_t bytes) const {
  check(driver.cuMemcpyDtoHAsync_v2(to, from, bytes, stream), "cuMemcpyDtoHAsync_v2");
  wait();
}

void Gpu::wait() const { check(driver.cuStreamSynchronize(stream), "cuStreamSynchronize"); }

void *Gpu::kernel(const std::string &ptx, const char *name) const {
  void *module = nullptr, *function = nullptr;
  check(driver.cuModuleLoadData(&module, ptx.c_str()), "cuModuleLoadData");
  check(driver.cuModuleGetFunction(&function, module, name), "cuModuleGetFunction");
  return function;
}

void Gpu::launch(void *kernel, unsigned grid, unsigned block, std::vector<void *> parameters) const {
  check(driver.cuLaunchKernel(kernel, grid, 1, 1, block, 1, 1, 0, stream, parameters.data(), nullptr),
        "cuLaunchKernel");
}

Stopwatch::Stopwatch(const Gpu &gpu) : gpu_(gpu), begin_(nullptr), end_(nullptr) {
  gpu.check(gpu.driver.cuEventCreate(&begin_, 0), "cuEventCreate");
  gpu.check(gpu.driver.cuEventCreate(&end_, 0), "cuEventCreate");
}

void Stopwatch::start() { gpu_.check(gpu_.driver.cuEventRecord(begin_, gpu_.stream), "cuEventRecord"); }

double Stopwatch::stop() {
  float ms = 0;
  gpu_.check(gpu_.driver.cuEventRecord(end_, gpu_.stream), "cuEventRecord");
  gpu_.check(gpu_.driver.cuEventSynchronize(end_), "cuEventSynchronize");
  gpu_.check(gpu_.driver.cuEventElapsedTime(&ms, begin_, end_), "cuEventElapsedTime");
  return ms;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double least(const std::vector<double> &values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

double seconds_now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

}  // namespace gpu_check
