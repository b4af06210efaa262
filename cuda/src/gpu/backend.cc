#include "../backend.h"

#include <stdio.h>

#include "../check.h"
#include "cost.h"
#include "memory.h"
#include "on_device.h"
#include "peaks.h"
#include "pieces.h"
#include "stage.h"

namespace leet {

namespace {

using namespace gpu;

void describe(char *text, int bytes) { snprintf(text, (size_t)bytes, "cuda(%s)", LEET_CUDA_IMAGES); }

leet_status info(int index, leet_device_info *info) {
  leet_params unheard = {};
  Device *device;
  const leet_status status = open_device(&unheard, index, &device);
  if (status != LEET_OK) return status;
  info->device = LEET_DEVICE_CUDA;
  info->device_index = index;
  info->units = device->multiprocessors;
  info->memory = device->memory;
  snprintf(info->name, sizeof info->name, "%s", device->name);
  snprintf(info->isa, sizeof info->isa, "sm_%d%d", device->major, device->minor);
  return LEET_OK;
}

/* What a model needs of an H100. */
Device modelled_h100() {
  Device d = {};
  d.multiprocessors = (int)kMultiprocessors;
  d.shared_bytes = 227 << 10;
  d.shared_total = 228 << 10;
  return d;
}

/* The device, or the modelled one in *model. */
leet_status find_device(leet_params *p, int index, Device *model, Device **device) {
  if (index != kModelledDevice) return open_device(p, index, device);
  *model = modelled_h100();
  *device = model;
  return LEET_OK;
}

leet_status supports(leet_params *p, const Problem &x, int index) {
  Device model, *device;
  const leet_status status = find_device(p, index, &model, &device);
  return status == LEET_OK ? method_supports(p, x, *device) : status;
}

/* Host arrays cross the bus. 25 GB/s is what pinned memory reaches over PCIe 4 x16; the rest is the latency of the
 * calls around the copies. Modelled, not measured. */
const double kBusBytesPerSecond = 25e9, kBusSeconds = 20e-6;

Cost cost(const Problem &x, int index) {
  leet_params unheard = {};
  Device model, *device;
  if (find_device(&unheard, index, &model, &device) != LEET_OK) return {0, 0, 0, 1e300};
  Cost c = cuda_cost(x, *device);
  if (!x.on_device) {
    c.seconds += c.bytes / kBusBytesPerSecond + kBusSeconds;
    c.workspace = staged_bytes(x, *device);
  }
  return c;
}

leet_status run(leet_params *p, const Problem &x, int index) {
  if ((x.B == 0 || x.N == 0) && x.final_state == nullptr) return LEET_OK; /* nothing to write */
  Device *device;
  leet_status status = open_device(p, index, &device);
  if (status != LEET_OK) return status;
  const Current current(*device);
  status = current.status(p);
  if (status != LEET_OK) return status;
  if (!x.on_device) return run_staged(p, device, x);
  const bool queued = x.stream != 0; /* the caller waits for its own stream */
  const CUstream stream = queued ? (CUstream)x.stream : device->stream;
  status = queue_on_device(p, device, stream, x, nullptr);
  if (status != LEET_OK || queued) return status;
  LEET_TRY_DRIVER(p, *device->driver, "running the kernels", cuStreamSynchronize, stream);
  return LEET_OK;
}

/* Device blocks and pinned pieces. */
uint64_t kept() { return blocks_kept() + pieces_kept(); }

void release_kept() {
  pieces_release_kept();
  blocks_release_kept();
}

}  // namespace

const Backend cuda_backend = {LEET_DEVICE_CUDA, "cuda",        describe, device_count, info, supports, cost, run, kept,
                              release_kept,     &device_memory};

}  // namespace leet
