/**
 * The two halves of every chunkwise method, for the tokens from..to-1 of a head and a part e0..e1-1 of the value
 * dimension. Sun et al., RetNet, arXiv 2307.08621, equation 7; Yang et al., GLA, arXiv 2312.06635, section 2.2.
 *
 * With the product of decays inside the chunk written P(j,i) = prod_{j<t<=i} a_t, and b_i = prod_{from<=t<=i} a_t:
 *
 *     state   U   = sum_j P(j,to-1) k_j v_j^T               and the chunk's own decay A = b_{to-1}
 *     output  o_i = scale * (b_i q_i^T S + sum_{j<=i} P(j,i) (q_i . k_j) v_j),   S the state before the chunk
 *
 * P is built from products towards the past, never from a quotient b_i / b_j, which would fail once b_j underflows.
 * @module
 */
import type { HeadCall } from "../head.ts";

/** Tokens per chunk: the quadratic part is a small share of the work and stays in cache. */
export const CHUNK = 64;

/** Columns e0..e1-1 of the value dimension. */
export interface Columns {
  readonly e0: number;
  readonly e1: number;
}

/** Number of chunks that cover N tokens. */
export function chunkCount(N: number): number {
  return Math.ceil(N / CHUNK);
}

/** Turns S, the state before the tokens from..to-1, into the state after them. S is [dk,dv], row-major. */
export function advanceState(
  { dk, dv, k, v, decay }: HeadCall,
  from: number,
  to: number,
  S: Float64Array,
  { e0, e1 }: Columns = { e0: 0, e1: dv },
): void {
  const A = productOf(decay, from, to);
  for (let r = 0; r < dk; r++) {
    for (let e = e0; e < e1; e++) S[r * dv + e] *= A;
  }
  let P = 1; // P(j, to-1)
  for (let j = to - 1; j >= from; j--) {
    for (let r = 0; r < dk; r++) {
      const key = P * k[j * dk + r];
      for (let e = e0; e < e1; e++) S[r * dv + e] += key * v[j * dv + e];
    }
    P *= decay[j];
  }
}

/** Writes o for the tokens from..to-1, given S, the state before them. */
export function chunkOutput(
  { dk, dv, scale, q, k, v, decay, o }: HeadCall,
  from: number,
  to: number,
  S: Float64Array,
  { e0, e1 }: Columns = { e0: 0, e1: dv },
): void {
  const row = new Float64Array(e1 - e0);
  for (let i = from; i < to; i++) {
    row.fill(0);
    let P = 1; // P(j, i), and b_i after the loop
    for (let j = i; j >= from; j--) {
      let score = 0;
      for (let r = 0; r < dk; r++) score += q[i * dk + r] * k[j * dk + r];
      score *= P;
      for (let e = e0; e < e1; e++) row[e - e0] += score * v[j * dv + e];
      P *= decay[j];
    }
    for (let r = 0; r < dk; r++) {
      const query = P * q[i * dk + r];
      for (let e = e0; e < e1; e++) row[e - e0] += query * S[r * dv + e];
    }
    for (let e = e0; e < e1; e++) o[i * dv + e] = scale * row[e - e0];
  }
}

/** prod_{from<=t<to} a_t; 1 when empty. */
export function productOf(decay: HeadCall["decay"], from: number, to: number): number {
  let product = 1;
  for (let t = from; t < to; t++) product *= decay[t];
  return product;
}
