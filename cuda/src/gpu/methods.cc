/* Which kernels each method launches, in which order, over which grid. */
#include <limits.h>

#include "../check.h"
#include "flash_plan.h"
#include "work.h"

namespace leet {
namespace gpu {

namespace {

const int kMaxHeadDim = 256;
const int kFleetRanks = 32;

int64_t ceil_div(int64_t n, int64_t by) { return (n + by - 1) / by; }

leet_status launch(Work *w, Kernel kernel, int64_t grid) {
  if (grid == 0) return LEET_OK;
  if (grid > INT_MAX) {
    return refuse(w->p, LEET_UNSUPPORTED_SHAPE, "B, H, N: expected at most %d blocks for %s, got %lld", INT_MAX,
                  kernel_rows[kernel].symbol, (long long)grid);
  }
  CUfunction function = nullptr;
  const leet_status status = find_kernel(w->p, w->device, kernel, &function);
  if (status != LEET_OK) return status;
  void *parameters[] = {&w->args};
  const KernelRow &row = kernel_rows[kernel];
  LEET_TRY_DRIVER(w->p, *w->device->driver, row.symbol, cuLaunchKernel, function, (unsigned)grid, 1, 1,
                  (unsigned)row.threads, 1, 1, (unsigned)row.dynamic_bytes, w->stream, parameters, nullptr);
  return LEET_OK;
}

/* The kernel for the storage type; `first` is that of float32, and kernels.def lists f32, f16, bf16 together. */
Kernel typed(const Work &w, Kernel first) { return (Kernel)(first + w.problem->dtype); }

/* One launch of a list; LEET_OK falls through to the next. */
#define LEET_LAUNCH(w, kernel, grid)                       \
  do {                                                     \
    const leet_status launched_ = launch(w, kernel, grid); \
    if (launched_ != LEET_OK) return launched_;            \
  } while (0)

int64_t heads_of(const Problem &x) { return x.sequences * x.H; }
int64_t state_tiles(const Problem &x) { return ceil_div(x.dk * x.dv, 256); }
int64_t column_tiles(const Problem &x) { return ceil_div(x.dv, 64); }

leet_status vanilla(Work *w) {
  const Problem &x = *w->problem;
  LEET_LAUNCH(w, typed(*w, k_vanilla_outputs_f32), heads_of(x) * w->args.chunks * column_tiles(x));
  if (x.final_state == nullptr) return LEET_OK;
  return launch(w, typed(*w, k_vanilla_state_f32), heads_of(x) * ceil_div(x.dk, 64) * column_tiles(x));
}

leet_status recurrent(Work *w) {
  const Problem &x = *w->problem;
  if (one_step(x)) return launch(w, typed(*w, k_decode_f32), heads_of(x) * ceil_div(x.dv, 32));
  const struct {
    int dk, columns;
    Kernel kernel;
  } sizes[] = {{32, 128, k_recurrent_k32_f32},
               {64, 64, k_recurrent_k64_f32},
               {128, 32, k_recurrent_k128_f32},
               {256, 16, k_recurrent_k256_f32}};
  for (const auto &s : sizes) {
    if (x.dk <= s.dk) return launch(w, typed(*w, s.kernel), heads_of(x) * ceil_div(x.dv, s.columns));
  }
  return LEET_INTERNAL;
}

leet_status chunk_states(Work *w) {
  const Problem &x = *w->problem;
  return launch(w, typed(*w, k_block_states_f32), heads_of(x) * w->args.chunks * ceil_div(x.dk, 64) * column_tiles(x));
}

leet_status block(Work *w) {
  const Problem &x = *w->problem;
  const leet_status status = chunk_states(w);
  if (status != LEET_OK) return status;
  LEET_LAUNCH(w, k_block_scan, heads_of(x) * state_tiles(x));
  return launch(w, typed(*w, k_block_outputs_f32), heads_of(x) * w->args.chunks * column_tiles(x));
}

leet_status recursion(Work *w) {
  const Problem &x = *w->problem;
  const int64_t heads = heads_of(x), chunk_grid = heads * w->args.chunks * column_tiles(x);
  const leet_status status = chunk_states(w);
  if (status != LEET_OK) return status;
  LEET_LAUNCH(w, typed(*w, k_recursion_chunks_f32), chunk_grid);
  for (int64_t span = 1; span < w->args.chunks; span *= 2) {
    w->args.span = span;
    const int64_t pairs = ceil_div(w->args.chunks, 2 * span);
    LEET_LAUNCH(w, typed(*w, k_recursion_cross_f32), chunk_grid);
    LEET_LAUNCH(w, k_recursion_merge, heads * pairs * state_tiles(x));
    LEET_LAUNCH(w, k_recursion_reach, heads * pairs);
  }
  LEET_LAUNCH(w, typed(*w, k_recursion_finish_f32), chunk_grid);
  return x.final_state ? launch(w, k_recursion_state, heads * state_tiles(x)) : LEET_OK;
}

leet_status lightning(Work *w) {
  const Problem &x = *w->problem;
  const Kernel kernel = x.dk <= 64 ? k_lightning_k64_f32 : x.dk <= 128 ? k_lightning_k128_f32 : k_lightning_k256_f32;
  return launch(w, typed(*w, kernel), heads_of(x) * ceil_div(x.dv, 32));
}

leet_status fleet(Work *w) {
  const Problem &x = *w->problem;
  LEET_LAUNCH(w, typed(*w, k_fleet_ranks_f32), heads_of(x) * ceil_div(x.dk, kFleetRanks) * column_tiles(x));
  return launch(w, typed(*w, k_fleet_sum_f32), heads_of(x) * w->args.chunks);
}

bool divides(const void *base, const Step &s, int bytes) {
  return ((uintptr_t)base | (uintptr_t)(s.batch * bytes) | (uintptr_t)(s.head * bytes) | (uintptr_t)(s.time * bytes)) %
             16 ==
         0;
}

leet_status flash(Work *w) {
  const Problem &x = *w->problem;
  if (one_step(x)) return recurrent(w);
  const FlashRow &row = *flash_plan(x, *w->device, w->args.longest).row;
  const int64_t grid = heads_of(x) * ceil_div(x.dv, row.columns);
  const int bytes = dtype_bytes(x.dtype);
  Args &a = w->args;
  a.aligned = divides(a.q, a.q_step, bytes) && divides(a.k, a.k_step, bytes) && divides(a.v, a.v_step, bytes);
  if (a.segments > 1) {
    LEET_LAUNCH(w, typed(*w, row.states), grid * (a.segments - 1));
    LEET_LAUNCH(w, k_flash_scan, heads_of(x) * state_tiles(x));
  }
  return launch(w, typed(*w, row.outputs), grid * a.segments);
}

/* Which parts of the workspace a method uses. */
struct MethodRow {
  leet_status (*run)(Work *);
  bool states, reach, outputs;
};

const MethodRow rows[] = {
    {vanilla, false, false, false}, {recurrent, false, false, false}, {block, true, false, false},
    {recursion, true, true, true},  {lightning, false, false, false}, {fleet, false, false, true},
    {flash, false, false, false},
};

}  // namespace

bool one_step(const Problem &x) { return x.N == 1 && x.cu_seqlens == nullptr; }

int64_t longest_of(const Problem &x) {
  if (x.cu_seqlens == nullptr) return x.N;
  int64_t longest = 0;
  for (int64_t s = 0; s < x.sequences; s++) {
    const int64_t length = x.cu_seqlens[s + 1] - x.cu_seqlens[s];
    longest = length > longest ? length : longest;
  }
  return longest;
}

void shape_args(const Problem &x, const Device &device, Args *a) {
  const bool ragged = x.sequences != x.B || x.cu_seqlens != nullptr;
  const int64_t longest = longest_of(x);
  a->N = x.N;
  a->H = (int)x.H;
  a->Hkv = (int)x.Hkv;
  a->dk = (int)x.dk;
  a->dv = (int)x.dv;
  a->decay_form = x.decay_form;
  a->scale = (float)x.scale;
  a->chunks = ceil_div(longest, kChunk);
  a->slots = ragged ? x.N / kChunk + x.sequences : x.B * a->chunks;
  a->tokens = x.B * x.N;
  a->longest = longest;
  a->segments = 1;
  if (x.method == LEET_METHOD_FLASH) a->segments = flash_plan(x, device, longest).segments;
}

Sizes sizes_of(const Problem &x, const Device &device) {
  Args a = {};
  shape_args(x, device, &a);
  const MethodRow &row = rows[x.method - 1];
  const uint64_t slots = (uint64_t)(x.H * a.slots);
  Sizes s = {};
  if (row.states) {
    s.states = slots * (uint64_t)(x.dk * x.dv) * 4;
    s.totals = slots * 8;
  }
  if (a.segments > 1) {
    const uint64_t segments = (uint64_t)(heads_of(x) * a.segments);
    s.states = segments * (uint64_t)(x.dk * x.dv) * 4;
    s.totals = segments * 8;
  }
  if (row.reach) s.reach = slots * 8;
  if (row.outputs) {
    const int64_t parts = x.method == LEET_METHOD_FLEET ? ceil_div(x.dk, kFleetRanks) : 1;
    s.outputs = (uint64_t)(parts * x.H * a.tokens * x.dv) * 4;
  }
  return s;
}

leet_status method_supports(leet_params *p, const Problem &x, const Device &) {
  if (x.dk > kMaxHeadDim || x.dv > kMaxHeadDim) {
    return refuse(p, LEET_UNSUPPORTED_SHAPE, "%s: expected at most %d on a CUDA device, got %lld",
                  x.dk > kMaxHeadDim ? "dk" : "dv", kMaxHeadDim, (long long)(x.dk > kMaxHeadDim ? x.dk : x.dv));
  }
  if (x.H > INT_MAX)
    return refuse(p, LEET_UNSUPPORTED_SHAPE, "H: expected at most %d on a CUDA device, got %lld", INT_MAX,
                  (long long)x.H);
  return LEET_OK;
}

leet_status run_method(Work *w) {
  const Sizes s = sizes_of(*w->problem, *w->device);
  const struct {
    Block *block;
    uint64_t bytes;
    void **pointer;
    const char *what;
  } parts[] = {{&w->states, s.states, (void **)&w->args.states, "workspace for chunk states"},
               {&w->totals, s.totals, (void **)&w->args.totals, "workspace for chunk decays"},
               {&w->reach, s.reach, (void **)&w->args.reach, "workspace for span decays"},
               {&w->outputs, s.outputs, (void **)&w->args.outputs, "workspace for partial outputs"}};
  for (const auto &part : parts) {
    const leet_status status = part.block->take(w->p, w->device, w->stream, part.bytes, part.what);
    if (status != LEET_OK) return status;
    *part.pointer = (void *)part.block->address();
  }
  return rows[w->problem->method - 1].run(w);
}

}  // namespace gpu
}  // namespace leet
