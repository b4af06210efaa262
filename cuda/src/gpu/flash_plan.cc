#include "flash_plan.h"

#include <stdlib.h>

#include "peaks.h"

namespace leet {
namespace gpu {

namespace {

const FlashRow narrow_rows[] = {
    {32, 64, k_flash_k32_f32, k_flash_states_k32_f32, {32, 64, 64}, 2},
    {64, 64, k_flash_k64_f32, k_flash_states_k64_f32, {32, 64, 64}, 2},
    {128, 64, k_flash_k128_f32, k_flash_states_k128_f32, {32, 32, 64}, 2},
    {256, 64, k_flash_k256_f32, k_flash_states_k256_f32, {32, 32, 32}, 1},
};
/* More columns read q and k fewer times, and need more shared memory. */
const FlashRow wide_rows[] = {
    {64, 128, k_flash_wide_k64_f32, k_flash_states_wide_k64_f32, {32, 64, 64}, 1},
    {128, 128, k_flash_wide_k128_f32, k_flash_states_wide_k128_f32, {32, 32, 64}, 1},
};

/* Chunks of the shortest segment: fewer are not worth the pass over keys and values that finds their state. */
const int64_t kSegmentChunks = 4;

/* What the pass over keys and values costs beside the whole: half of its products and half of its arrays. */
const double kStatesShare = 0.5;

int64_t ceil_div(int64_t n, int64_t by) { return (n + by - 1) / by; }

/* Blocks that a multiprocessor holds; each takes 1 KiB of shared memory beside its own. */
int resident_blocks(const FlashRow &row, const Problem &x, const Device &device) {
  const int fit = device.shared_total / (kernel_rows[row.outputs + x.dtype].dynamic_bytes + 1024);
  return fit < 1 ? 1 : fit < row.resident ? fit : row.resident;
}

FlashPlan cut(const FlashRow &row, const Problem &x, const Device &device, int64_t longest, int64_t segments) {
  const double heads = (double)x.sequences * (double)x.H, dk = (double)x.dk, dv = (double)x.dv, C = row.chunk[x.dtype];
  const double tiles = (double)ceil_div(x.dv, row.columns), cuts = (double)(segments - 1);
  const double size = device.multiprocessors / kMultiprocessors, bytes = dtype_bytes(x.dtype);

  const double rows = (double)x.B * (double)x.N * bytes, passes = 1 + cuts / (double)segments;
  const double q = rows * (double)x.H * dk * tiles, o = rows * (double)x.H * dv;
  const double k = rows * (double)x.Hkv * dk * tiles, v = rows * (double)x.Hkv * dv;
  /* A segment's state is written by the first pass, read and written by the scan and read again. Whether the caller
   * gives or wants states is left out of account: it must not change the bits of o. */
  const double states = 2 + 4 * cuts;
  FlashPlan plan;
  plan.row = &row;
  plan.segments = segments;
  plan.bytes = q + o + (k + v) * passes + heads * dk * dv * 4 * states;

  const int resident = resident_blocks(row, x, device);
  const double blocks = heads * tiles * (double)segments, per_round = device.multiprocessors * (double)resident;
  const double rounds = blocks > per_round ? (double)ceil_div((int64_t)blocks, (int64_t)per_round) : 1;
  const double together = blocks < device.multiprocessors ? 1
                          : blocks < per_round            ? blocks / device.multiprocessors
                                                          : (double)resident;
  const double columns = dv < row.columns ? dv : row.columns;
  const double flops = C * (C * (dk + columns) + 4 * dk * columns);
  const double chunk = kChunkSeconds + flops * together / (kTensorFlops[x.dtype] / kMultiprocessors * kTensorShare);
  const double chain = (double)ceil_div(ceil_div(longest, row.chunk[x.dtype]), segments) * rounds * chunk;
  const double compute = chain * (segments > 1 ? 1 + kStatesShare : 1);
  const double memory = plan.bytes / (kBytesPerSecond * kMemoryShare * size);
  plan.seconds = (compute > memory ? compute : memory) + (segments > 1 ? 3 : 1) * kLaunchSeconds;
  return plan;
}

/* LEET_CUDA_SEGMENTS forces the segments per head, as LEET_CPU_ISA does the instruction set. 0 = not set. */
int64_t forced_segments(int64_t longest) {
  const char *text = getenv("LEET_CUDA_SEGMENTS");
  const long long wanted = text ? atoll(text) : 0;
  return wanted < longest ? wanted : longest;
}

void best_cut(const FlashRow &row, const Problem &x, const Device &device, int64_t longest, FlashPlan *best) {
  const int64_t most = ceil_div(longest, row.chunk[x.dtype]) / kSegmentChunks;
  const int64_t blocks = x.sequences * x.H * ceil_div(x.dv, row.columns);
  const int64_t room = (int64_t)device.multiprocessors * resident_blocks(row, x, device);
  const int64_t forced = forced_segments(longest);
  if (forced > 0) {
    const FlashPlan plan = cut(row, x, device, longest, forced);
    if (best->row == nullptr || plan.seconds < best->seconds) *best = plan;
    return;
  }
  const int64_t limit = blocks == 0 ? 1 : most < room / blocks ? most : room / blocks;
  for (int64_t segments = 1; segments == 1 || segments <= limit; segments += 1 + segments / 8) {
    const FlashPlan plan = cut(row, x, device, longest, segments);
    /* More segments only for a clear gain: they cost workspace. */
    if (best->row == nullptr || plan.seconds < best->seconds * (segments > 1 ? 0.97 : 1)) *best = plan;
  }
}

}  // namespace

FlashPlan flash_plan(const Problem &x, const Device &device, int64_t longest) {
  FlashPlan best = {};
  const FlashRow *narrow = narrow_rows;
  while (narrow->dk < x.dk) narrow++;
  best_cut(*narrow, x, device, longest, &best);
  for (const FlashRow &row : wide_rows) {
    if (x.dv <= 64 || x.dk > row.dk) continue;
    if (kernel_rows[row.outputs + x.dtype].dynamic_bytes <= device.shared_bytes) {
      best_cut(row, x, device, longest, &best);
    }
    break;
  }
  return best;
}

}  // namespace gpu
}  // namespace leet
