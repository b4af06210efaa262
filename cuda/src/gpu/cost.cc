#include "cost.h"

#include "../registry.h"
#include "work.h"

namespace leet {
namespace gpu {

namespace {

/* Peaks of an H100 SXM, scaled by multiprocessors; published figures, see docs/cuda-kernels.md. */
const double kMultiprocessors = 132;
const double kBytesPerSecond = 3.35e12;
const double kVectorFlops = 67e12;                       /* float32 outside the tensor cores */
const double kTensorFlops[3] = {165e12, 494e12, 989e12}; /* by dtype: 3xTF32, tf32, bf16 */
const double kLaunchSeconds = 4e-6;
const double kChunkSeconds = 2e-6; /* latency of one chunk of a block that goes over chunks in order */

struct MethodCost {
  double (*flops)(double N, double dk, double dv);   /* of one head of N tokens */
  double (*traffic)(double N, double dk, double dv); /* workspace read and written by one head, bytes */
  double share;                                      /* of the peak that the kernels are taken to reach */
  double launches;
  bool tensor;     /* its products run on tensor cores */
  bool sequential; /* the chunks of a head, or of its segment, one after the other */
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
    {square_flops, no_traffic, 0.4, 2, false, false},            /* vanilla */
    {linear_flops, no_traffic, 0.2, 1, false, true},             /* recurrent */
    {chunk_flops, block_traffic, 0.4, 3, false, false},          /* block */
    {recursion_flops, recursion_traffic, 0.4, 12, false, false}, /* recursion */
    {chunk_flops, no_traffic, 0.3, 1, false, true},              /* lightning */
    {linear_flops, fleet_traffic, 0.3, 2, false, true},          /* fleet */
    {chunk_flops, no_traffic, 0.4, 1, true, true},               /* flash */
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
  Args shape = {};
  shape_args(x, device, &shape);
  const double segments = (double)shape.segments;
  const double again = tokens * dtype_bytes(x.dtype) * (double)x.Hkv * (dk + dv) * (segments - 1) / segments;
  const double peak = m.tensor ? kTensorFlops[x.dtype] : kVectorFlops;
  const double compute = c.flops / (peak * m.share * size);
  const double memory = (c.bytes + again + heads * m.traffic(length, dk, dv)) / (kBytesPerSecond * size);
  const double chain = m.sequential ? length / kChunk / segments * kChunkSeconds : 0;
  const double busy = compute > memory ? compute : memory;
  c.seconds = (busy > chain ? busy : chain) + (m.launches + (segments > 1 ? 1 : 0)) * kLaunchSeconds;
  return c;
}

}  // namespace gpu
}  // namespace leet
