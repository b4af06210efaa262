#include <math.h>

#include "kernels.h"

namespace leet {

Head head_of(const Problem &x, int64_t i) {
  const int64_t s = i / x.H, h = i % x.H, hkv = h / (x.H / x.Hkv);
  const int64_t batch = x.cu_seqlens ? 0 : s, first = x.cu_seqlens ? x.cu_seqlens[s] : 0;
  const int64_t bytes = dtype_bytes(x.dtype), state = (s * x.H + h) * x.dk * x.dv;
  const auto at = [&](const Strides &stride, int64_t head) {
    return batch * stride.batch + head * stride.head + first * stride.time;
  };
  Head head;
  head.q = (const char *)x.q_data + at(x.q, h) * bytes;
  head.k = (const char *)x.k_data + at(x.k, hkv) * bytes;
  head.v = (const char *)x.v_data + at(x.v, hkv) * bytes;
  head.o = (char *)x.o_data + at(x.o, h) * bytes;
  head.q_step = x.q.time;
  head.k_step = x.k.time;
  head.v_step = x.v.time;
  head.o_step = x.o.time;
  head.N = x.cu_seqlens ? x.cu_seqlens[s + 1] - first : x.N;
  head.dk = (int)x.dk;
  head.dv = (int)x.dv;
  head.scale = (float)x.scale;
  head.state_in = x.initial_state ? x.initial_state + state : nullptr;
  head.state_out = x.final_state ? x.final_state + state : nullptr;
  head.state_step = x.dv;
  head.log2_decay = 0;
  head.gates = nullptr;
  head.gate_step = 0;
  const double log2_e = 1.4426950408889634;
  switch (x.decay_form) {
    case LEET_DECAY_FACTOR:
      head.log2_decay = x.decay[h] > 0 ? log2((double)x.decay[h]) : -INFINITY;
      break;
    case LEET_DECAY_LOG:
      head.log2_decay = (double)x.decay[h] * log2_e;
      break;
    case LEET_DECAY_LOG_GATES:
      head.gates = x.decay + at(x.gates, h);
      head.gate_step = x.gates.time;
      break;
    default:
      break;
  }
  return head;
}

}  // namespace leet
