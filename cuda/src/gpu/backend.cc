#include "../backend.h"

#include <stdio.h>

#include "../check.h"
#include "cost.h"
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

leet_status supports(leet_params *p, const Problem &x, int index) {
  Device *device;
  const leet_status status = open_device(p, index, &device);
  return status == LEET_OK ? method_supports(p, x, *device) : status;
}

Cost cost(const Problem &x, int index) {
  leet_params unheard = {};
  Device *device;
  if (open_device(&unheard, index, &device) != LEET_OK) return {0, 0, 0, 1e300};
  return cuda_cost(x, *device);
}

leet_status run(leet_params *p, const Problem &x, int index) {
  if ((x.B == 0 || x.N == 0) && x.final_state == nullptr) return LEET_OK; /* nothing to write */
  Work work = {};
  work.p = p;
  work.problem = &x;
  leet_status status = open_device(p, index, &work.device);
  if (status != LEET_OK) return status;
  const Current current(*work.device);
  status = current.status(p);
  if (status != LEET_OK) return status;
  const bool queued = x.on_device && x.stream != 0; /* the caller waits for its own stream */
  work.stream = queued ? (CUstream)x.stream : work.device->stream;
  shape_args(x, *work.device, &work.args);
  Stage stage(&work);
  status = stage.lengths();
  if (status != LEET_OK) return status;
  if (x.on_device) {
    use_device_arrays(&work);
  } else {
    status = stage.in();
    if (status != LEET_OK) return status;
  }
  status = run_method(&work);
  if (status != LEET_OK || queued) return status;
  if (!x.on_device) return stage.out();
  LEET_TRY_DRIVER(p, *work.device->driver, "running the kernels", cuStreamSynchronize, work.stream);
  return LEET_OK;
}

}  // namespace

const Backend cuda_backend = {LEET_DEVICE_CUDA, "cuda", describe, device_count, info,
                              supports,         cost,   run,      blocks_kept,  blocks_release_kept,
                              &device_memory};

}  // namespace leet
