/* One problem on its way through a device: what the steps of a call share. */
#ifndef LEET_GPU_WORK_H
#define LEET_GPU_WORK_H

#include "../../kernels/args.h"
#include "../problem.h"
#include "memory.h"

namespace leet {
namespace gpu {

struct Work {
  leet_params *p;
  Device *device;
  CUstream stream;
  const Problem *problem;
  Args args; /* pointers are device addresses once the arrays are staged */
  Block states, totals, reach, outputs;
};

/* Bytes of workspace that the method asks for beside the arrays. */
struct Sizes {
  uint64_t states, totals, reach, outputs;
};
Sizes sizes_of(const Problem &problem, const Device &device);

/* A decode step: one token of every sequence, by a kernel of its own in the methods that keep a state. */
bool one_step(const Problem &problem);

/* Tokens of the longest sequence. */
int64_t longest_of(const Problem &problem);

/* Fills everything of *args that is not a pointer. */
void shape_args(const Problem &problem, const Device &device, Args *args);

/* LEET_OK or why the method cannot do the problem on the device. */
leet_status method_supports(leet_params *p, const Problem &problem, const Device &device);

/* Takes the workspace and queues the method's launches. */
leet_status run_method(Work *work);

}  // namespace gpu
}  // namespace leet
#endif
