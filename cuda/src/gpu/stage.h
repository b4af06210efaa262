/* A call on host arrays: part by part through the device.
 *
 *   to the device   part i+1      the caller's thread fills pinned pieces, stream `inward` copies
 *   kernels         part i        stream `stream`
 *   to the host     part i-1      stream `outward` copies, the caller's thread empties the pieces
 *
 * Events order a part's three steps; the host waits for the outputs of part i-1 before it fills their device memory
 * with part i+1, so that two sets of device arrays are all there is. A call of one part uses one stream. */
#ifndef LEET_GPU_STAGE_H
#define LEET_GPU_STAGE_H

#include "../problem.h"
#include "device.h"

namespace leet {
namespace gpu {

/* Runs the problem and waits for the end. The device's context is current. A failure leaves final_state untouched, and
 * o as well if the outputs of the call fit into the pieces; otherwise o may hold results of earlier parts. */
leet_status run_staged(leet_params *p, Device *device, const Problem &problem);

/* Bytes that run_staged takes beside the caller's arrays, most of them on the device. */
double staged_bytes(const Problem &problem, const Device &device);

}  // namespace gpu
}  // namespace leet
#endif
