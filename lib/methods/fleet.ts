/**
 * FleetAttention: rank by rank. For one index r of the key dimension the operator is a discounted cumulative sum of
 * the vectors k_t[r] v_t, weighted by the scalar q_t[r]:
 *
 *     c_t = a_t c_{t-1} + k_t[r] v_t        O_t = scale * sum_r q_t[r] c_t
 *
 * so dk independent passes over V replace the matrix state; c after the last token is row r of the state.
 * Wang et al., LeetDecoding, arXiv 2501.02573 (FleetAttention). The sum is carried forward, not taken from logarithms
 * of k v, so its terms may have any sign.
 * @module
 */
import type { HeadCall } from "../head.ts";

/** Computes one head rank by rank. */
export function fleet({ N, dk, dv, scale, q, k, v, decay, state, o }: HeadCall): void {
  const sum = new Float64Array(N * dv);
  for (let r = 0; r < dk; r++) {
    const c = new Float64Array(state.subarray(r * dv, (r + 1) * dv));
    for (let t = 0; t < N; t++) {
      const key = k[t * dk + r];
      const query = q[t * dk + r];
      for (let e = 0; e < dv; e++) {
        c[e] = decay[t] * c[e] + key * v[t * dv + e];
        sum[t * dv + e] += query * c[e];
      }
    }
    state.set(c, r * dv);
  }
  for (let x = 0; x < N * dv; x++) o[x] = scale * sum[x];
}
