/* How a call on host arrays is cut, so that one part is computed while its neighbours travel and only the parts in
 * flight live on the device. */
#ifndef LEET_GPU_PARTS_H
#define LEET_GPU_PARTS_H

#include "../problem.h"

namespace leet {
namespace gpu {

/* What is staged and computed together. A row is a batch row, or a sequence where the call has cu_seqlens. */
struct Part {
  int64_t row, rows;     /* more than one only with all heads and all their tokens */
  int64_t group, groups; /* key/value heads, each with the H / Hkv query heads that share it */
  int64_t token, tokens; /* of each row; where rows are sequences, of the batch row, and of all of them together */
  bool first, last; /* it has the first, the last token of its rows: the initial state goes in, the final one out */
};

/* The parts of a problem in order. Rows are kept whole as long as one fits into part_bytes(), then heads, which gives
 * the bits of the uncut call with every method but flash, whose segments depend on the number of heads. What one
 * key/value head needs at most is cut along time, and the state handed on. The cut is a pure function of the shape and
 * of cu_seqlens, so that the result is one of the arguments. */
class Parts {
 public:
  /* Without the pointer to its cu_seqlens (leet_estimate) the sequences of a ragged problem count as equally long. */
  explicit Parts(const Problem &problem);
  /* The next part, or false at the end. The first is the largest where rows are equally long. */
  bool next(Part *part);

 private:
  int64_t start(int64_t row) const;
  int64_t length(int64_t row) const;
  double row_bytes(int64_t row) const;
  int64_t rows_that_fit() const;

  const Problem &x_;
  double token_bytes_; /* of one key/value head and its query heads, all arrays */
  double state_bytes_; /* of those query heads in one row */
  int64_t row_, group_, token_;
};

/* The part as a problem of its own, still on the caller's arrays; without cu_seqlens. */
Problem part_of(const Problem &problem, const Part &part);

/* The part consists of whole sequences, so that it needs cu_seqlens. */
bool is_ragged(const Problem &problem, const Part &part);

/* Most bytes of the arrays of a part: 8 MiB, or the environment variable LEET_STAGE_BYTES, which tests set to cut small
 * calls. Read once. 8 MiB take some 0.3 ms over PCIe 4 x16, a multiple of what the launches of a part take. */
uint64_t part_bytes();

}  // namespace gpu
}  // namespace leet
#endif
