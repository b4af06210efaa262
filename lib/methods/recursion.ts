/**
 * Divide and conquer over time. Cut the tokens in two halves; then
 *
 *     O_left  = the operator on the left half
 *     O_right = the operator on the right half + D Q_right (U_left),   D[i] = prod_{mid<=t<=i} a_t
 *
 * where the off-diagonal block needs no mask: the left half reaches the right one only through its state
 * U_left = sum_j P(j,mid-1) k_j v_j^T, scaled by one factor per query. The states merge on the way up,
 * U = A_right U_left + U_right, A = A_left A_right.
 *
 * Han et al., HyperAttention, arXiv 2310.05869, section 3 (causal masking by recursion). Costs of the order of
 * N log N dk dv per head.
 * @module
 */
import type { HeadCall } from "../head.ts";
import { advanceState, chunkOutput, productOf } from "./chunk.ts";

/** At this many tokens the masked product itself is cheaper than another level. */
export const LEAF = 16;

/** Computes one head by halving. */
export function recursion(call: HeadCall): void {
  const { N, dk, dv, state } = call;
  const U = new Float64Array(dk * dv);
  const initial = new Float64Array(state);
  const A = solve(call, 0, N, U);
  addFromState(call, 0, N, initial);
  for (let x = 0; x < dk * dv; x++) state[x] = A * initial[x] + U[x];
}

/** Writes o of from..to-1 as if nothing came before, adds their state to the zeros in U, returns their decay. */
function solve(call: HeadCall, from: number, to: number, U: Float64Array): number {
  if (to - from <= LEAF) {
    chunkOutput(call, from, to, new Float64Array(U.length));
    advanceState(call, from, to, U);
    return productOf(call.decay, from, to);
  }
  const middle = from + ((to - from) >> 1);
  const left = new Float64Array(U.length);
  const decayLeft = solve(call, from, middle, left);
  const decayRight = solve(call, middle, to, U);
  addFromState(call, middle, to, left);
  for (let x = 0; x < U.length; x++) U[x] += decayRight * left[x];
  return decayLeft * decayRight;
}

/** o_i += scale * (prod_{from<=t<=i} a_t) q_i^T S for the tokens from..to-1. */
function addFromState(
  { dk, dv, scale, q, decay, o }: HeadCall,
  from: number,
  to: number,
  S: Float64Array,
): void {
  let D = scale;
  for (let i = from; i < to; i++) {
    D *= decay[i];
    for (let r = 0; r < dk; r++) {
      const query = D * q[i * dk + r];
      for (let e = 0; e < dv; e++) o[i * dv + e] += query * S[r * dv + e];
    }
  }
}
