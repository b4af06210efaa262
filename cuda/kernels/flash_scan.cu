/* Between the two passes of flash over a head cut in segments: S_{i+1} = total_i S_i + U_i, as block_scan does for
 * chunks. Slot i of Args::states holds U_{i-1} before, S_i after; slot 0 takes the initial state where the last segment
 * will write its final state in place. */
#include "entry.cuh"
#include "head.cuh"

namespace leet {
namespace gpu {

const int kAhead = 4; /* slots loaded together, so that their latencies overlap */

/* Grid: heads x ceil(dk dv / 256), a thread per element. */
__device__ __forceinline__ void flash_scan(const Args &a) {
  const int elements = a.dk * a.dv, tiles = (elements + (int)blockDim.x - 1) / (int)blockDim.x;
  const int64_t head = blockIdx.x / tiles;
  const int at = (int)(blockIdx.x % tiles) * (int)blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const Head<F32> h(a, head);
  float *slots = a.states + head * a.segments * elements + at;
  const float2 *totals = (const float2 *)a.totals + head * a.segments;
  float state = h.state_in ? h.state_in[at] : 0.0f, carry = 0.0f;
  if (h.state_in && h.state_in == h.state_out) slots[0] = state;
  for (int64_t first = 1; first < a.segments; first += kAhead) {
    float u[kAhead];
#pragma unroll
    for (int n = 0; n < kAhead; n++) u[n] = first + n < a.segments ? slots[(first + n) * elements] : 0.0f;
#pragma unroll
    for (int n = 0; n < kAhead; n++) {
      const int64_t segment = first + n;
      if (segment >= a.segments) break;
      const float2 total = totals[segment];
      merge_state(state, carry, u[n], total.x, total.y);
      slots[segment * elements] = state;
    }
  }
}

}  // namespace gpu
}  // namespace leet

LEET_ENTRY(flash_scan) { leet::gpu::flash_scan(a); }
