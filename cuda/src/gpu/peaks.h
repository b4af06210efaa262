/* Figures of an H100 SXM that the cost model scales by multiprocessors. Published, not measured. */
#ifndef LEET_GPU_PEAKS_H
#define LEET_GPU_PEAKS_H

namespace leet {
namespace gpu {

const double kMultiprocessors = 132;
const double kBytesPerSecond = 3.35e12;
const double kVectorFlops = 67e12;                       /* float32 outside the tensor cores */
const double kTensorFlops[3] = {165e12, 494e12, 989e12}; /* by dtype: 3xTF32, tf32, bf16 */
const double kLaunchSeconds = 3e-6;
const double kTensorShare = 0.5;   /* of the peak that the products of a block are taken to reach */
const double kMemoryShare = 0.9;   /* of the bandwidth */
const double kChunkSeconds = 1e-6; /* latency of one chunk beside its products: barriers, loads, conversions */

}  // namespace gpu
}  // namespace leet
#endif
