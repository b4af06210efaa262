/* One case on the device: its arrays, the call, and whether the result is right. */
#ifndef GPU_CHECK_RUN_H
#define GPU_CHECK_RUN_H

#include <memory>

#include "../../include/leet.h"
#include "cases.h"
#include "gpu.h"

namespace gpu_check {

/* The kernels of kernels.h, loaded once. */
struct Helpers {
  explicit Helpers(const Gpu &gpu);
  void *read, *fill, *digest;
};

/* What digest finds in an array: a sum that changes with every bit, and the words that are still as poison() left them.
 */
struct Digest {
  uint64_t sum, untouched;
  bool operator==(const Digest &other) const { return sum == other.sum && untouched == other.untouched; }
};

/* Relative errors against the CPU in float32, as shares of what is allowed; right is <= 1, NaN counts as infinite. */
struct Verdict {
  double o, state;
};

class Run {
 public:
  Run(const Gpu &gpu, const Helpers &helpers, const Case &c);
  ~Run();
  Run(const Run &) = delete;
  Run &operator=(const Run &) = delete;

  /* The fewest bytes that any method must move: inputs and states read once, outputs and states written once. Also what
   * the arrays take. */
  static double least_bytes(const Case &c);

  /* Memory and inputs; false when there is too little memory. */
  bool prepare();
  /* Fills the outputs with a pattern, and the state that a decode step starts from anew. */
  void poison();
  /* Queues the call on the GPU's stream (kHost: does all of it). */
  leet_status call();
  Digest digest() const;
  /* Compares the heads `head` of sequences x H with the CPU. After poison() and one call(). */
  Verdict verify(int64_t head) const;

  leet_params params;

 private:
  std::vector<float> to_floats(uint64_t array, const void *host, int64_t first, int64_t count) const;
  void fill(uint64_t to, int64_t count, int dtype, uint32_t seed, float low, float high) const;

  const Gpu &gpu_;
  const Helpers &helpers_;
  const Case case_;
  int64_t elements_, states_; /* of q, k, v and o each; of all states */
  uint64_t q_, k_, v_, o_, decay_, state_, sums_;
  std::vector<char> host_[4]; /* kHost: q, k, v, o */
  std::vector<float> host_decay_, host_state_;
};

/* The parameters of a case without its arrays, for leet_estimate too. */
leet_params params_of(const Case &c);

}  // namespace gpu_check
#endif
