/* What the CPU backend sees of the kernels: one table per instruction set, each filled by the same bodies
 * in the folder kernels, compiled for that set by isa_<set>.cc. */
#ifndef LEET_CPU_KERNELS_H
#define LEET_CPU_KERNELS_H

#include <stddef.h>

#include "../problem.h"
#include "../registry.h"
#include "pool.h"

namespace leet {

struct CpuMethod {
  /* Runs the problem on at most `threads` threads. False: no memory, and then no output was written. */
  bool (*run)(const Problem &problem, int threads);
  /* Bytes of scratch that run borrows, all threads together. */
  double (*workspace)(const Problem &problem, int threads);
};

struct CpuKernels {
  const char *isa;
  CpuMethod methods[kMethods]; /* entry i has id i + 1 */
  /* Floating point operations of `turns` turns of multiply-adds in registers, x = x * sink[0] + sink[1]; a sum goes to
   * sink[2]. */
  double (*multiply_add_chains)(int64_t turns, float *sink);
  /* x *= factor for n elements, a multiple of 64. */
  void (*scale_in_place)(float *x, int64_t n, float factor);
};

/* nullptr where the build does not have the instruction set. */
extern const CpuKernels *const cpu_kernels_scalar;
extern const CpuKernels *const cpu_kernels_avx2;
extern const CpuKernels *const cpu_kernels_avx512;
extern const CpuKernels *const cpu_kernels_neon;

/* One query head of one sequence: the unit of every method. Steps are elements between neighbouring tokens. */
struct Head {
  const void *q, *k, *v; /* [N,dk], [N,dk], [N,dv] */
  void *o;               /* [N,dv] */
  int64_t q_step, k_step, v_step, o_step;
  int64_t N;
  int dk, dv;
  float scale;
  const float *state_in; /* [dk,dv] or nullptr for zeros */
  float *state_out;      /* [dk,dv] or nullptr */
  int64_t state_step;    /* elements between rows of a state: dv, or more when the head is a slice of columns */
  /* a_t = 2^log2_decay for every token when gates is nullptr, else exp(gates[t * gate_step]). */
  double log2_decay; /* <= 0, -inf for a decay of 0 */
  const float *gates;
  int64_t gate_step;
};

/* Head number i of sequences x H, heads of one sequence side by side. */
Head head_of(const Problem &problem, int64_t i);

inline int64_t head_count(const Problem &problem) { return problem.sequences * problem.H; }

}  // namespace leet
#endif
