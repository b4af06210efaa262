/* The problem after checking: what every backend works on. */
#ifndef LEET_PROBLEM_H
#define LEET_PROBLEM_H

#include "../include/leet.h"

namespace leet {

/* Elements between neighbours along batch, head and time. */
struct Strides {
  int64_t batch, head, time;
};

struct Problem {
  int method, dtype, decay_form, threads;
  double scale;
  int64_t B, H, Hkv, N, dk, dv;
  int64_t sequences; /* cu_seqlens given: S; otherwise B */
  Strides q, k, v, o, gates;
  const void *q_data, *k_data, *v_data;
  const float *decay;
  const int64_t *cu_seqlens; /* nullptr: sequence s is batch row s */
  const float *initial_state;
  void *o_data;
  float *final_state;
  bool on_device;  /* all arrays but cu_seqlens are device memory */
  bool host_decay; /* with on_device: the decay is not */
  uint64_t stream; /* CUstream to queue on, 0 = the backend's own */
};

inline int dtype_bytes(int dtype) { return dtype == LEET_F32 ? 4 : 2; }

}  // namespace leet
#endif
