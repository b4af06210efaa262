#include <stdio.h>

#include "commands.h"
#include "gpu.h"
#include "record.h"

namespace gpu_check {

namespace {

/* CU_DEVICE_ATTRIBUTE_* worth knowing from afar. */
const struct {
  const char *key;
  int id;
} kAttributes[] = {
    {"clock_khz", 13},
    {"memory_clock_khz", 36},
    {"memory_bus_bits", 37},
    {"threads_per_multiprocessor", 39},
    {"registers_per_multiprocessor", 82},
    {"shared_bytes_per_multiprocessor", 81},
    {"shared_bytes_per_block", 97},
    {"compute_mode", 20},
    {"ecc", 32},
    {"integrated", 18},
    {"copy_engines", 40},
};

}  // namespace

int machine() {
  const Gpu gpu;
  Record record("machine");
  record.text("gpu", gpu.name)
      .text("compute_capability", std::to_string(gpu.major) + "." + std::to_string(gpu.minor))
      .text("driver_cuda", std::to_string(gpu.version / 1000) + "." + std::to_string(gpu.version % 1000 / 10))
      .count("devices", gpu.devices)
      .count("multiprocessors", gpu.multiprocessors)
      .count("memory_bytes", (long long)gpu.memory)
      .count("free_bytes", (long long)gpu.free_memory())
      .count("l2_bytes", (long long)gpu.l2_bytes)
      .count("emulated", gpu.emulated);
  for (const auto &a : kAttributes) {
    const int value = gpu.attribute(a.id);
    if (value >= 0) record.count(a.key, value);
  }
  /* Two transfers per clock; drivers of CUDA 13 and later may not state the clock. */
  const double clock = gpu.attribute(36), bits = gpu.attribute(37);
  if (clock > 0 && bits > 0) record.number("nominal_bandwidth_gbs", 2 * clock * 1e3 * bits / 8 * 1e-9);
  printf("%d%d\n", gpu.major, gpu.minor);
  return 0;
}

}  // namespace gpu_check
