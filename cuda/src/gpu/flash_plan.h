/* How flash shares a problem out: the kernel shape and the segments per head. */
#ifndef LEET_GPU_FLASH_PLAN_H
#define LEET_GPU_FLASH_PLAN_H

#include "../problem.h"
#include "device.h"

namespace leet {
namespace gpu {

/* A shape of flash.cuh. */
struct FlashRow {
  int dk;                 /* largest */
  int columns;            /* of dv per block */
  Kernel outputs, states; /* that of float32; f16 and bf16 follow */
  int chunk[3];           /* tokens, by dtype */
  int resident;           /* blocks that the registers of a multiprocessor hold */
};

struct FlashPlan {
  const FlashRow *row;
  int64_t segments; /* per head; 1 = uncut */
  double seconds;   /* modelled */
  double bytes;     /* modelled: read and written in all, each array as often as the kernels do */
};

/* The plan with the least modelled time; `longest`: tokens of the longest sequence. A pure function of the shape and
 * the device, so that the bits of the result are one too. */
FlashPlan flash_plan(const Problem &problem, const Device &device, int64_t longest);

}  // namespace gpu
}  // namespace leet
#endif
