/* Host arrays to the device and back. */
#ifndef LEET_GPU_STAGE_H
#define LEET_GPU_STAGE_H

#include "work.h"

namespace leet {
namespace gpu {

/* Device copies of the arrays of one call. The copies are queued; the destructor waits for them. */
class Stage {
 public:
  explicit Stage(Work *work) : work_(work), bounces_(nullptr), out_bounce_(nullptr), state_bounce_(nullptr) {}
  ~Stage();
  Stage(const Stage &) = delete;
  Stage &operator=(const Stage &) = delete;

  /* cu_seqlens, which is host memory always. */
  leet_status lengths();
  /* All host arrays in, memory for the outputs; fills the pointers and steps of work->args. */
  leet_status in();
  /* Waits for the kernels, then copies the outputs back. Nothing of the caller's is written before both arrived. */
  leet_status out();

 private:
  leet_status copy_in(Block *block, const void *host, uint64_t bytes, const char *what);
  leet_status input(Block *block, const char *what, const void *host, const Strides &strides, int64_t heads,
                    int64_t dim, int element_bytes, const void **address, Step *step);
  leet_status outputs();
  /* Host memory that lives as long as the stage. */
  void *bounce(uint64_t bytes);

  Work *work_;
  Block cu_, q_, k_, v_, decay_, state_in_, o_, state_out_;
  struct Bounce *bounces_;
  void *out_bounce_;   /* dense [B,H,N,dv], where the caller's o has gaps */
  void *state_bounce_; /* the final state */
};

/* As they are, for arrays that are on the device already. */
void use_device_arrays(Work *work);

}  // namespace gpu
}  // namespace leet
#endif
