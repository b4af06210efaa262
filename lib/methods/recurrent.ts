/**
 * One pass over time with the state kept:
 *
 *     S_t = a_t S_{t-1} + k_t v_t^T        o_t = scale * q_t^T S_t
 *
 * Katharopoulos et al. 2020, arXiv 2006.16236, section 3.4 (transformers are RNNs), with the decay of Sun et al., RetNet,
 * arXiv 2307.08621, equation 6. Costs 4 N dk dv per head. This is the form that every other method is checked against.
 * @module
 */
import type { HeadCall } from "../head.ts";

/** Computes one head token by token. */
export function recurrent({ N, dk, dv, scale, q, k, v, decay, state, o }: HeadCall): void {
  const S = new Float64Array(state);
  const row = new Float64Array(dv);
  for (let t = 0; t < N; t++) {
    row.fill(0);
    for (let r = 0; r < dk; r++) {
      const key = k[t * dk + r];
      const query = q[t * dk + r];
      for (let e = 0; e < dv; e++) {
        const s = decay[t] * S[r * dv + e] + key * v[t * dv + e];
        S[r * dv + e] = s;
        row[e] += query * s;
      }
    }
    for (let e = 0; e < dv; e++) o[t * dv + e] = scale * row[e];
  }
  state.set(S);
}
