/* The GPU through the driver API, found at run time as the library finds it. Every call that fails ends the program
 * with the driver's words for it, since nothing works after most failures. */
#ifndef GPU_CHECK_GPU_H
#define GPU_CHECK_GPU_H

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

namespace gpu_check {

/* Exit codes beside 0 and 1. */
const int kNoGpu = 3;    /* no driver, no device */
const int kGpuLost = 10; /* the device or its context is of no use to this process any more */

struct Driver {
#define GPU_DRIVER(name, parameters) int(*name) parameters;
#include "driver.def"
#undef GPU_DRIVER
};

class Gpu {
 public:
  /* Device 0, its primary context and a stream. Without one the program ends with kNoGpu. */
  Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  Driver driver;
  std::string name;
  void *stream; /* non-blocking, "the caller's" for the library */
  int version;  /* of the driver: 13000 is CUDA 13.0 */
  int devices;
  int major, minor, multiprocessors;
  size_t memory;   /* bytes */
  size_t l2_bytes; /* 0 where it is not known */
  bool emulated;   /* the emulated driver of the tests: timings mean nothing */

  /* A CU_DEVICE_ATTRIBUTE, -1 where the driver does not know it. */
  int attribute(int id) const;
  size_t free_memory() const;

  /* 0 when there is not enough memory. */
  uint64_t allocate(size_t bytes) const;
  void release(uint64_t address) const;
  void upload(uint64_t to, const void *from, size_t bytes) const;
  void download(void *to, uint64_t from, size_t bytes) const;
  void wait() const;

  /* A kernel of a PTX text. */
  void *kernel(const std::string &ptx, const char *name) const;
  void launch(void *kernel, unsigned grid, unsigned block, std::vector<void *> parameters) const;

  /* Ends the program unless code is 0. */
  void check(int code, const char *function) const;

 private:
  int handle_;
};

/* Milliseconds of work that is queued between start and stop. */
class Stopwatch {
 public:
  explicit Stopwatch(const Gpu &gpu);
  void start();
  /* Waits for the end. */
  double stop();

 private:
  const Gpu &gpu_;
  void *begin_, *end_;
};

double median(std::vector<double> values);
double least(const std::vector<double> &values);

/* Seconds of the host's clock. */
double seconds_now();

}  // namespace gpu_check
#endif
