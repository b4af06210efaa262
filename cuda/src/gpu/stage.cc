#include "stage.h"

#include <string.h>

#include "../alloc.h"
#include "../check.h"

namespace leet {
namespace gpu {

/* The memory follows, 64-byte aligned. */
struct Bounce {
  Bounce *next;
};

namespace {

const uint64_t kHeader = 64;

/* Elements from the first to one past the last. */
int64_t extent(const Problem &x, const Strides &s, int64_t heads, int64_t dim) {
  if (x.B == 0 || x.N == 0) return 0;
  return (x.B - 1) * s.batch + (heads - 1) * s.head + (x.N - 1) * s.time + dim;
}

/* Copies rows of `bytes` between an array with strides (elements of element_bytes) and a dense [B,heads,N,row] one. */
template <class Copy>
void for_rows(const Problem &x, const Strides &s, int64_t heads, int64_t bytes, int element_bytes, const Copy &copy) {
  int64_t dense = 0;
  for (int64_t b = 0; b < x.B; b++) {
    for (int64_t h = 0; h < heads; h++) {
      for (int64_t t = 0; t < x.N; t++) {
        copy((b * s.batch + h * s.head + t * s.time) * element_bytes, dense);
        dense += bytes;
      }
    }
  }
}

Step step_of(const Strides &s) { return {s.batch, s.head, s.time}; }
Step dense_step(const Problem &x, int64_t heads, int64_t dim) { return {heads * x.N * dim, x.N * dim, dim}; }

uint64_t state_bytes(const Problem &x) { return (uint64_t)(x.sequences * x.H * x.dk * x.dv) * 4; }

}  // namespace

Stage::~Stage() {
  /* Queued copies may still read the bounces or the caller's arrays. */
  if (bounces_) work_->device->driver->cuStreamSynchronize(work_->stream);
  while (bounces_) {
    Bounce *next = bounces_->next;
    release(bounces_);
    bounces_ = next;
  }
}

void *Stage::bounce(uint64_t bytes) {
  Bounce *b = (Bounce *)allocate(kHeader + bytes);
  if (b == nullptr) {
    refuse(work_->p, LEET_OUT_OF_MEMORY, "no memory for %llu bytes beside the device", (unsigned long long)bytes);
    return nullptr;
  }
  b->next = bounces_;
  bounces_ = b;
  return (char *)b + kHeader;
}

leet_status Stage::copy_in(Block *block, const void *host, uint64_t bytes, const char *what) {
  const leet_status status = block->take(work_->p, work_->device, work_->stream, bytes, what);
  if (status != LEET_OK || bytes == 0) return status;
  LEET_TRY_DRIVER(work_->p, *work_->device->driver, what, cuMemcpyHtoDAsync_v2, block->address(), host, bytes,
                  work_->stream);
  return LEET_OK;
}

/* The whole extent as it is, unless gaps make up more than half of it: then its rows, dense. */
leet_status Stage::input(Block *block, const char *what, const void *host, const Strides &s, int64_t heads, int64_t dim,
                         int element_bytes, const void **address, Step *step) {
  const Problem &x = *work_->problem;
  const int64_t reach = extent(x, s, heads, dim), dense = x.B * heads * x.N * dim;
  *step = step_of(s);
  uint64_t bytes = (uint64_t)(reach * element_bytes);
  if (reach > 2 * dense) {
    bytes = (uint64_t)(dense * element_bytes);
    char *rows = (char *)bounce(bytes);
    if (rows == nullptr) return LEET_OUT_OF_MEMORY;
    const int64_t row = dim * element_bytes;
    for_rows(x, s, heads, row, element_bytes,
             [&](int64_t from, int64_t to) { memcpy(rows + to, (const char *)host + from, (size_t)row); });
    host = rows;
    *step = dense_step(x, heads, dim);
  }
  const leet_status status = copy_in(block, host, bytes, what);
  *address = (const void *)block->address();
  return status;
}

leet_status Stage::lengths() {
  const Problem &x = *work_->problem;
  if (x.cu_seqlens == nullptr) return LEET_OK;
  const leet_status status =
      copy_in(&cu_, x.cu_seqlens, (uint64_t)(x.sequences + 1) * 8, "copying cu_seqlens to the device");
  work_->args.cu = (const int64_t *)cu_.address();
  return status;
}

leet_status Stage::in() {
  const Problem &x = *work_->problem;
  Args &a = work_->args;
  const int bytes = dtype_bytes(x.dtype);
  const void *decay = nullptr;
  leet_status status = input(&q_, "copying q to the device", x.q_data, x.q, x.H, x.dk, bytes, &a.q, &a.q_step);
  if (status == LEET_OK) {
    status = input(&k_, "copying k to the device", x.k_data, x.k, x.Hkv, x.dk, bytes, &a.k, &a.k_step);
  }
  if (status == LEET_OK) {
    status = input(&v_, "copying v to the device", x.v_data, x.v, x.Hkv, x.dv, bytes, &a.v, &a.v_step);
  }
  if (status == LEET_OK && x.decay_form == LEET_DECAY_LOG_GATES) {
    status = input(&decay_, "copying log_gates to the device", x.decay, x.gates, x.H, 1, 4, &decay, &a.gate_step);
  } else if (status == LEET_OK && x.decay_form != LEET_DECAY_NONE) {
    status = copy_in(&decay_, x.decay, (uint64_t)x.H * 4, "copying decay to the device");
    decay = (const void *)decay_.address();
  }
  a.decay = (const float *)decay;
  if (status == LEET_OK && x.initial_state) {
    status = copy_in(&state_in_, x.initial_state, state_bytes(x), "copying initial_state to the device");
    a.state_in = (const float *)state_in_.address();
  }
  return status == LEET_OK ? outputs() : status;
}

leet_status Stage::outputs() {
  const Problem &x = *work_->problem;
  Args &a = work_->args;
  const int bytes = dtype_bytes(x.dtype);
  const int64_t dense = x.B * x.H * x.N * x.dv;
  a.o_step = step_of(x.o);
  if (extent(x, x.o, x.H, x.dv) != dense) { /* what lies in the gaps is not ours to write */
    a.o_step = dense_step(x, x.H, x.dv);
    out_bounce_ = bounce((uint64_t)(dense * bytes));
    if (out_bounce_ == nullptr) return LEET_OUT_OF_MEMORY;
  }
  leet_status status = o_.take(work_->p, work_->device, work_->stream, (uint64_t)(dense * bytes), "memory for o");
  a.o = (void *)o_.address();
  if (status != LEET_OK || x.final_state == nullptr) return status;
  state_bounce_ = bounce(state_bytes(x));
  if (state_bounce_ == nullptr) return LEET_OUT_OF_MEMORY;
  if (x.initial_state) { /* every kernel reads a state before it writes the same place */
    a.state_out = (float *)state_in_.address();
    return LEET_OK;
  }
  status = state_out_.take(work_->p, work_->device, work_->stream, state_bytes(x), "memory for final_state");
  a.state_out = (float *)state_out_.address();
  return status;
}

leet_status Stage::out() {
  const Problem &x = *work_->problem;
  const Args &a = work_->args;
  const Driver &driver = *work_->device->driver;
  const uint64_t bytes = (uint64_t)(x.B * x.H * x.N * x.dv * dtype_bytes(x.dtype));
  LEET_TRY_DRIVER(work_->p, driver, "running the kernels", cuStreamSynchronize, work_->stream);
  if (state_bounce_ && state_bytes(x) > 0) {
    LEET_TRY_DRIVER(work_->p, driver, "copying final_state to the host", cuMemcpyDtoHAsync_v2, state_bounce_,
                    (CUdeviceptr)a.state_out, state_bytes(x), work_->stream);
    LEET_TRY_DRIVER(work_->p, driver, "copying final_state to the host", cuStreamSynchronize, work_->stream);
  }
  if (bytes > 0) {
    LEET_TRY_DRIVER(work_->p, driver, "copying o to the host", cuMemcpyDtoHAsync_v2,
                    out_bounce_ ? out_bounce_ : x.o_data, (CUdeviceptr)a.o, bytes, work_->stream);
    LEET_TRY_DRIVER(work_->p, driver, "copying o to the host", cuStreamSynchronize, work_->stream);
  }
  if (state_bounce_) memcpy(x.final_state, state_bounce_, state_bytes(x));
  if (out_bounce_) {
    const int64_t row = x.dv * dtype_bytes(x.dtype);
    for_rows(x, x.o, x.H, row, dtype_bytes(x.dtype), [&](int64_t to, int64_t from) {
      memcpy((char *)x.o_data + to, (const char *)out_bounce_ + from, (size_t)row);
    });
  }
  return LEET_OK;
}

void use_device_arrays(Work *work) {
  const Problem &x = *work->problem;
  Args &a = work->args;
  a.q = x.q_data;
  a.k = x.k_data;
  a.v = x.v_data;
  a.o = x.o_data;
  a.decay = x.decay;
  a.state_in = x.initial_state;
  a.state_out = x.final_state;
  a.q_step = step_of(x.q);
  a.k_step = step_of(x.k);
  a.v_step = step_of(x.v);
  a.o_step = step_of(x.o);
  a.gate_step = step_of(x.gates);
}

}  // namespace gpu
}  // namespace leet
