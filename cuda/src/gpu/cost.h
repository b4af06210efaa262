/* A model of what a method costs on a device. Its figures are modelled, not measured. */
#ifndef LEET_GPU_COST_H
#define LEET_GPU_COST_H

#include "../backend.h"
#include "device.h"

namespace leet {
namespace gpu {

Cost cuda_cost(const Problem &problem, const Device &device);

}  // namespace gpu
}  // namespace leet
#endif
