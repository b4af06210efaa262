#include <stdio.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "commands.h"
#include "gpu.h"
#include "kernels.h"
#include "record.h"

namespace gpu_check {

namespace {

const int kThreads = 256;

struct Setup {
  const Gpu &gpu;
  bool small;
  int repeats;
};

/* Medians and bests of `amount` per second over repetitions of work(), after one that is not counted. */
void measure(const Setup &setup, const char *name, const char *unit, double amount, const std::function<void()> &work,
             const char *what) {
  Stopwatch watch(setup.gpu);
  std::vector<double> ms;
  for (int i = 0; i <= setup.repeats; i++) {
    watch.start();
    work();
    const double time = watch.stop();
    if (i > 0 || setup.small) ms.push_back(time);
  }
  const double middle = amount / (median(ms) * 1e-3), best = amount / (least(ms) * 1e-3);
  Record("peak")
      .text("name", name)
      .number("median", middle)
      .number("best", best)
      .text("unit", unit)
      .count("repeats", setup.repeats)
      .text("what", what);
  printf("%-10s %10.1f %s (best %.1f): %s\n", name, middle, unit, best, what);
}

/* Memory that is given back. */
struct Buffer {
  Buffer(const Gpu &device, size_t bytes) : gpu(device), address(device.allocate(bytes)) {}
  ~Buffer() { gpu.release(address); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  const Gpu &gpu;
  uint64_t address;
};

int bandwidth(const Setup &setup) {
  const Gpu &gpu = setup.gpu;
  const std::string ptx = memory_ptx();
  void *read = gpu.kernel(ptx, "read"), *copy = gpu.kernel(ptx, "copy"), *fill = gpu.kernel(ptx, "fill");
  const unsigned grid = setup.small ? 2 : (unsigned)gpu.multiprocessors * 8;
  /* Two buffers of at most 2 GiB, together a quarter of what is free; far more than any L2. */
  const size_t piece = (size_t)grid * kThreads * 16 * 4;
  const size_t most = setup.small ? piece : std::min((size_t)2 << 30, gpu.free_memory() / 8);
  uint32_t rounds = (uint32_t)std::max<size_t>(most / piece, 1);
  const size_t bytes = piece * rounds;
  Buffer from(gpu, bytes), to(gpu, bytes);
  if (from.address == 0 || to.address == 0) {
    printf("no memory for two buffers of %zu bytes\n", bytes);
    return 1;
  }
  /* Not zeros: some cards compress them. */
  uint64_t words = bytes / 4;
  uint32_t type = 0, seed = 1;
  float low = -1, range = 2;
  gpu.launch(fill, grid, kThreads, {&from.address, &words, &type, &seed, &low, &range});
  gpu.launch(fill, grid, kThreads, {&to.address, &words, &type, &seed, &low, &range});
  gpu.wait();
  const double gigabytes = (double)bytes * 1e-9;
  measure(
      setup, "read", "GB/s", gigabytes,
      [&] {
        gpu.launch(read, grid, kThreads, {&from.address, &to.address, &rounds});
      },
      "global memory, 16-byte loads of all multiprocessors");
  measure(
      setup, "copy", "GB/s", 2 * gigabytes,
      [&] {
        gpu.launch(copy, grid, kThreads, {&from.address, &to.address, &rounds});
      },
      "the same, read and written bytes together");
  measure(
      setup, "copy_dtod", "GB/s", 2 * gigabytes,
      [&] { gpu.check(gpu.driver.cuMemcpyDtoDAsync_v2(to.address, from.address, bytes, gpu.stream), "cuMemcpyDtoD"); },
      "the driver's own copy, read and written bytes together");
  void *pinned = nullptr;
  const size_t part = std::min(bytes, (size_t)256 << 20);
  gpu.check(gpu.driver.cuMemHostAlloc(&pinned, part, 0), "cuMemHostAlloc");
  measure(
      setup, "h2d", "GB/s", (double)part * 1e-9,
      [&] { gpu.check(gpu.driver.cuMemcpyHtoDAsync_v2(to.address, pinned, part, gpu.stream), "cuMemcpyHtoD"); },
      "pinned host memory to the device");
  measure(
      setup, "d2h", "GB/s", (double)part * 1e-9,
      [&] { gpu.check(gpu.driver.cuMemcpyDtoHAsync_v2(pinned, from.address, part, gpu.stream), "cuMemcpyDtoH"); },
      "the device to pinned host memory");
  gpu.check(gpu.driver.cuMemFreeHost(pinned), "cuMemFreeHost");
  return 0;
}

/* Runs a loop kernel of `operations` per thread and round for about 20 ms. */
void arithmetic(const Setup &setup, const char *name, const std::string &ptx, const char *symbol, double operations,
                const char *what) {
  const Gpu &gpu = setup.gpu;
  void *kernel = gpu.kernel(ptx, symbol);
  const unsigned grid = setup.small ? 1 : (unsigned)gpu.multiprocessors * 8, threads = setup.small ? 32 : kThreads;
  Buffer to(gpu, (size_t)grid * threads * 4);
  uint32_t rounds = setup.small ? 1 : 1000;
  const auto run = [&] { gpu.launch(kernel, grid, threads, {&to.address, &rounds}); };
  if (!setup.small) {
    Stopwatch watch(gpu);
    run(); /* the first launch loads the kernel */
    watch.start();
    run();
    rounds = (uint32_t)std::max(1000.0, std::min(1e8, 1000 * 20 / watch.stop()));
  }
  measure(setup, name, "TFLOP/s", operations * rounds * grid * threads * 1e-12, run, what);
}

void latencies(const Setup &setup) {
  const Gpu &gpu = setup.gpu;
  void *empty = gpu.kernel(memory_ptx(), "empty");
  const int launches = setup.small ? 2 : 1000;
  gpu.launch(empty, 1, 32, {});
  gpu.wait();
  Stopwatch watch(gpu);
  watch.start();
  const double begin = seconds_now();
  for (int i = 0; i < launches; i++) gpu.launch(empty, 1, 32, {});
  const double host = seconds_now() - begin, device = watch.stop();
  std::vector<double> waits;
  for (int i = 0; i < launches; i++) {
    const double start = seconds_now();
    gpu.launch(empty, 1, 32, {});
    gpu.wait();
    waits.push_back(seconds_now() - start);
  }
  const struct {
    const char *name;
    double us;
    const char *what;
  } rows[] = {{"launch", device * 1e3 / launches, "empty kernels back to back, on the device"},
              {"enqueue", host * 1e6 / launches, "the host's part of a launch"},
              {"roundtrip", median(waits) * 1e6, "an empty kernel and the wait for it"}};
  for (const auto &row : rows) {
    Record("peak").text("name", row.name).number("median", row.us).text("unit", "us").text("what", row.what);
    printf("%-10s %10.2f us: %s\n", row.name, row.us, row.what);
  }
}

}  // namespace

int peaks(bool small) {
  const Gpu gpu;
  const Setup setup = {gpu, small, small ? 2 : 12};
  /* The arithmetic first: it brings the clocks up. */
  for (const MmaForm &form : kMmaForms) {
    const std::string name = std::string("mma_") + form.name;
    arithmetic(setup, name.c_str(), mma_ptx(form), "mma", 2.0 * 16 * 8 * form.k / 32 * kMmaChains * kUnroll,
               "mma.sync on values of size 0.5 to 1");
  }
  arithmetic(setup, "fma", fma_ptx(), "fma", 2.0 * kFmaChains * kUnroll,
             "float32 multiply-adds outside the tensor cores");
  const int code = bandwidth(setup);
  latencies(setup);
  return code;
}

}  // namespace gpu_check
