#include "on_device.h"

#include <string.h>

#include "../alloc.h"
#include "../check.h"
#include "copies.h"

namespace leet {
namespace gpu {

namespace {

Step step_of(const Strides &s) { return {s.batch, s.head, s.time}; }

/* The driver has read ordinary memory when the call returns, whenever the copy itself happens. */
leet_status copy_in(Work *w, Block *block, const void *host, uint64_t bytes, const char *what) {
  const leet_status status = block->take(w->p, w->device, w->stream, bytes, what);
  if (status != LEET_OK || bytes == 0) return status;
  LEET_TRY_DRIVER(w->p, *w->device->driver, what, cuMemcpyHtoDAsync_v2, block->address(), host, bytes, w->stream);
  return LEET_OK;
}

leet_status copy_gates(Work *w, Block *block) {
  const Problem &x = *w->problem;
  Strides packed;
  const View view = packed_view(x.decay, x.gates, x.B, x.H, x.N, 1, 4, &packed);
  char *dense = (char *)allocate(view.bytes);
  if (dense == nullptr) {
    return refuse(w->p, LEET_OUT_OF_MEMORY, "no memory for %llu bytes beside the device",
                  (unsigned long long)view.bytes);
  }
  gather(view, 0, view.bytes, dense);
  const leet_status status = copy_in(w, block, dense, view.bytes, "copying log_gates to the device");
  release(dense);
  w->args.gate_step = step_of(packed);
  return status;
}

leet_status copy_decay(Work *w, Block *block) {
  const Problem &x = *w->problem;
  if (x.decay_form == LEET_DECAY_NONE) return LEET_OK;
  const leet_status status = x.decay_form == LEET_DECAY_LOG_GATES
                                 ? copy_gates(w, block)
                                 : copy_in(w, block, x.decay, (uint64_t)x.H * 4, "copying decay to the device");
  w->args.decay = (const float *)block->address();
  return status;
}

}  // namespace

leet_status queue_on_device(leet_params *p, Device *device, CUstream stream, const Problem &x, const int64_t *lengths) {
  Work work = {};
  work.p = p;
  work.device = device;
  work.stream = stream;
  work.problem = &x;
  shape_args(x, *device, &work.args);
  Args &a = work.args;
  a.q = x.q_data;
  a.k = x.k_data;
  a.v = x.v_data;
  a.o = x.o_data;
  a.decay = x.decay;
  a.cu = lengths;
  a.state_in = x.initial_state;
  a.state_out = x.final_state;
  a.q_step = step_of(x.q);
  a.k_step = step_of(x.k);
  a.v_step = step_of(x.v);
  a.o_step = step_of(x.o);
  a.gate_step = step_of(x.gates);
  Block cu, decay;
  leet_status status = LEET_OK;
  if (x.cu_seqlens && lengths == nullptr) {
    status = copy_in(&work, &cu, x.cu_seqlens, (uint64_t)(x.sequences + 1) * 8, "copying cu_seqlens to the device");
    a.cu = (const int64_t *)cu.address();
  }
  if (status == LEET_OK && x.host_decay) status = copy_decay(&work, &decay);
  return status == LEET_OK ? run_method(&work) : status;
}

}  // namespace gpu
}  // namespace leet
