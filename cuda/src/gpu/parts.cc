#include "parts.h"

#include <pthread.h>
#include <stdlib.h>

#include "../../kernels/args.h"

namespace leet {
namespace gpu {

namespace {

const uint64_t kPartBytes = 8 << 20, kLeastPartBytes = 1 << 10, kMostPartBytes = 1 << 30;

uint64_t bytes_of_part;
pthread_once_t once = PTHREAD_ONCE_INIT;

void read_part_bytes() {
  const char *text = getenv("LEET_STAGE_BYTES");
  const unsigned long long wanted = text ? strtoull(text, nullptr, 10) : 0;
  bytes_of_part = wanted >= kLeastPartBytes && wanted <= kMostPartBytes ? wanted : kPartBytes;
}

int64_t ceil_div(int64_t n, int64_t by) { return (n + by - 1) / by; }

/* How many of `left` things to take next, at most `most`, so that the parts are about equal. */
int64_t share(int64_t left, int64_t most) { return left <= most ? left : ceil_div(left, ceil_div(left, most)); }

bool has_sequences(const Problem &x) { return x.cu_seqlens != nullptr || x.sequences != x.B; }

}  // namespace

uint64_t part_bytes() {
  pthread_once(&once, read_part_bytes);
  return bytes_of_part;
}

/* Bytes as double: a shape that is only asked about may be of any size. */
Parts::Parts(const Problem &x) : x_(x), row_(0), group_(0), token_(0) {
  const double heads = (double)(x.H / x.Hkv), gates = x.decay_form == LEET_DECAY_LOG_GATES ? 4 * heads : 0;
  token_bytes_ = (heads + 1) * (double)(x.dk + x.dv) * dtype_bytes(x.dtype) + gates;
  state_bytes_ = heads * (double)x.dk * (double)x.dv * 4;
}

int64_t Parts::start(int64_t row) const { return x_.cu_seqlens ? x_.cu_seqlens[row] : 0; }

int64_t Parts::length(int64_t row) const {
  if (x_.cu_seqlens) return x_.cu_seqlens[row + 1] - x_.cu_seqlens[row];
  return has_sequences(x_) ? ceil_div(x_.N, x_.sequences) : x_.N;
}

double Parts::row_bytes(int64_t row) const {
  return ((double)length(row) * token_bytes_ + state_bytes_) * (double)x_.Hkv;
}

/* Whole rows from row_ on. */
int64_t Parts::rows_that_fit() const {
  const double limit = (double)part_bytes();
  double bytes = row_bytes(row_);
  if (bytes > limit) return 0;
  const int64_t left = x_.sequences - row_;
  if (!x_.cu_seqlens) return share(left, (int64_t)(limit / bytes));
  int64_t rows = 1;
  while (rows < left && bytes + row_bytes(row_ + rows) <= limit) bytes += row_bytes(row_ + rows++);
  return rows;
}

bool Parts::next(Part *part) {
  if (row_ >= x_.sequences) return false;
  const double limit = (double)part_bytes();
  const int64_t rows = rows_that_fit(), from = start(row_);
  int64_t tokens = length(row_);
  if (rows > 0) {
    if (has_sequences(x_)) tokens = x_.cu_seqlens ? x_.cu_seqlens[row_ + rows] - from : rows * tokens;
    *part = {row_, rows, 0, x_.Hkv, from, tokens, true, true};
    row_ += rows;
    return true;
  }
  const double group_bytes = (double)tokens * token_bytes_ + state_bytes_;
  const int64_t most = (int64_t)(limit / token_bytes_) / kChunk * kChunk, step = most > 0 ? most : kChunk;
  if (group_bytes <= limit || tokens <= step) { /* the second where the states alone are larger than a part */
    const int64_t fit = (int64_t)(limit / group_bytes), groups = share(x_.Hkv - group_, fit > 0 ? fit : 1);
    *part = {row_, 1, group_, groups, from, tokens, true, true};
    group_ += groups;
  } else {
    const int64_t left = tokens - token_, equal = ceil_div(share(left, step), kChunk) * kChunk;
    const int64_t taken = equal < left ? equal : left;
    *part = {row_, 1, group_, 1, from + token_, taken, token_ == 0, taken == left};
    token_ += taken;
    if (taken < left) return true;
    token_ = 0;
    group_++;
  }
  if (group_ < x_.Hkv) return true;
  group_ = 0;
  row_++;
  return true;
}

bool is_ragged(const Problem &x, const Part &part) { return has_sequences(x) && part.first && part.last; }

Problem part_of(const Problem &x, const Part &part) {
  const int64_t per_group = x.H / x.Hkv, head = part.group * per_group, bytes = dtype_bytes(x.dtype);
  const int64_t batch = has_sequences(x) ? 0 : part.row, state = (part.row * x.H + head) * x.dk * x.dv;
  const auto at = [&](const Strides &s, int64_t h) { return batch * s.batch + h * s.head + part.token * s.time; };
  Problem part_x = x;
  part_x.B = has_sequences(x) ? 1 : part.rows;
  part_x.H = part.groups * per_group;
  part_x.Hkv = part.groups;
  part_x.N = part.tokens;
  part_x.sequences = part.rows;
  part_x.cu_seqlens = nullptr;
  if (x.q_data) part_x.q_data = (const char *)x.q_data + at(x.q, head) * bytes;
  if (x.k_data) part_x.k_data = (const char *)x.k_data + at(x.k, part.group) * bytes;
  if (x.v_data) part_x.v_data = (const char *)x.v_data + at(x.v, part.group) * bytes;
  if (x.o_data) part_x.o_data = (char *)x.o_data + at(x.o, head) * bytes;
  if (x.decay) part_x.decay = x.decay + (x.decay_form == LEET_DECAY_LOG_GATES ? at(x.gates, head) : head);
  if (x.initial_state) part_x.initial_state = x.initial_state + state;
  if (x.final_state) part_x.final_state = x.final_state + state;
  return part_x;
}

}  // namespace gpu
}  // namespace leet
