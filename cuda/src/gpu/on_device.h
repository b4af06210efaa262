/* A call whose arrays are on the device. */
#ifndef LEET_GPU_ON_DEVICE_H
#define LEET_GPU_ON_DEVICE_H

#include "work.h"

namespace leet {
namespace gpu {

/* Queues the kernels of a problem whose pointers are device addresses. `lengths` is cu_seqlens on the device; nullptr:
 * it is copied there, as is a decay that the problem says is on the host; neither is read after return. Workspace goes
 * back for later work of the stream. */
leet_status queue_on_device(leet_params *p, Device *device, CUstream stream, const Problem &problem,
                            const int64_t *lengths);

}  // namespace gpu
}  // namespace leet
#endif
