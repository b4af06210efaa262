/**
 * The definition: O = scale * ((Q K^T) . D) V, with the causal decay mask D of shape [N,N],
 *
 *     D[i,j] = prod_{j<t<=i} a_t   for j <= i,   0 otherwise.
 *
 * Katharopoulos et al. 2020, arXiv 2006.16236, section 3.3, with the identity as feature map; the mask is that of
 * Sun et al., RetNet, arXiv 2307.08621, equation 5. Costs N^2 (dk + dv) per head.
 * @module
 */
import type { HeadCall } from "../head.ts";

/** Computes one head row by row of the mask. */
export function vanilla({ N, dk, dv, scale, q, k, v, decay, state, o }: HeadCall): void {
  const final = new Float64Array(dk * dv);
  const row = new Float64Array(dv);
  let mask = 1;
  for (let i = 0; i < N; i++) {
    row.fill(0);
    mask = 1; // D[i,i]: the current token has weight 1
    for (let j = i; j >= 0; j--) {
      let score = 0; // (Q K^T)[i,j]
      for (let r = 0; r < dk; r++) score += q[i * dk + r] * k[j * dk + r];
      for (let e = 0; e < dv; e++) row[e] += mask * score * v[j * dv + e];
      mask *= decay[j]; // D[i,j-1] = a_j D[i,j]
    }
    // The initial state is a key before the first token, so it has the weight D[i,-1].
    for (let r = 0; r < dk; r++) {
      for (let e = 0; e < dv; e++) row[e] += mask * q[i * dk + r] * state[r * dv + e];
    }
    for (let e = 0; e < dv; e++) o[i * dv + e] = scale * row[e];
  }

  // S_N = D[N-1,-1] S_0 + sum_j D[N-1,j] k_j v_j^T
  mask = 1;
  for (let j = N - 1; j >= 0; j--) {
    for (let r = 0; r < dk; r++) {
      for (let e = 0; e < dv; e++) final[r * dv + e] += mask * k[j * dk + r] * v[j * dv + e];
    }
    mask *= decay[j];
  }
  for (let x = 0; x < dk * dv; x++) state[x] = mask * state[x] + final[x];
}
