#include "cost.h"

#include "../registry.h"
#include "flash_plan.h"
#include "peaks.h"
#include "work.h"

namespace leet {
namespace gpu {

namespace {

struct MethodCost {
  double (*flops)(double N, double dk, double dv);   /* of one head of N tokens */
  double (*traffic)(double N, double dk, double dv); /* workspace read and written by one head, bytes */
  double share;                                      /* of the peak that the kernels are taken to reach */
  double launches;
  double chunk_seconds; /* for the kChunk tokens of a block that takes them in order, 0 where chunks run side by side */
};

double linear_flops(double N, double dk, double dv) { return 4 * N * dk * dv; }
double square_flops(double N, double dk, double dv) { return N * (N + kChunk) * (dk + dv); }
double chunk_flops(double N, double dk, double dv) { return linear_flops(N, dk, dv) + 2 * N * kChunk * (dk + dv); }

double levels(double N) {
  double count = 0;
  for (double n = N; n > kChunk; n /= 2) count += 1;
  return count;
}
double recursion_flops(double N, double dk, double dv) { return chunk_flops(N, dk, dv) + levels(N) * N * dk * dv; }

double no_traffic(double, double, double) { return 0; }
double block_traffic(double N, double dk, double dv) { return 4 * N / kChunk * dk * dv * 4; }
double recursion_traffic(double N, double dk, double dv) { return levels(N) * (N / kChunk * dk * dv + 2 * N * dv) * 4; }
double fleet_traffic(double N, double dk, double dv) { return 2 * N * dv * 4 * (dk + 31) / 32; }

const MethodCost costs[kMethods] = {
    {square_flops, no_traffic, 0.4, 2, 0},            /* vanilla */
    {linear_flops, no_traffic, 0.2, 1, 6e-6},         /* recurrent */
    {chunk_flops, block_traffic, 0.4, 3, 0},          /* block */
    {recursion_flops, recursion_traffic, 0.4, 12, 0}, /* recursion */
    {chunk_flops, no_traffic, 0.3, 1, 6e-6},          /* lightning */
    {linear_flops, fleet_traffic, 0.3, 2, 6e-6},      /* fleet */
    {chunk_flops, no_traffic, 0.5, 1, 0},             /* flash: N = 1 only, the rest has a plan of its own */
};

}  // namespace

Cost cuda_cost(const Problem &x, const Device &device) {
  const MethodCost &m = costs[x.method - 1];
  const double tokens = (double)x.B * (double)x.N, heads = (double)x.sequences * (double)x.H;
  const double length = heads > 0 ? tokens * (double)x.H / heads : 0, dk = (double)x.dk, dv = (double)x.dv;
  const double size = device.multiprocessors / kMultiprocessors;
  const Sizes sizes = sizes_of(x, device);
  Cost c;
  c.flops = heads * m.flops(length, dk, dv);
  c.bytes = tokens * dtype_bytes(x.dtype) * ((double)x.H + (double)x.Hkv) * (dk + dv) +
            heads * dk * dv * 4 * ((x.initial_state ? 1 : 0) + 1);
  c.workspace = (double)(sizes.states + sizes.totals + sizes.reach + sizes.outputs);
  if (x.method == LEET_METHOD_FLASH && !one_step(x)) {
    c.seconds = flash_plan(x, device, longest_of(x)).seconds;
    return c;
  }
  const double compute = c.flops / (kVectorFlops * m.share * size);
  const double memory = (c.bytes + heads * m.traffic(length, dk, dv)) / (kBytesPerSecond * kMemoryShare * size);
  const double chain = one_step(x) ? 0 : length / kChunk * m.chunk_seconds;
  const double busy = compute > memory ? compute : memory;
  c.seconds = (busy > chain ? busy : chain) + m.launches * kLaunchSeconds;
  return c;
}

}  // namespace gpu
}  // namespace leet
