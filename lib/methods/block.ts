/**
 * Block by block in three passes: the state that each chunk adds, a scan over the chunks, then the outputs.
 *
 *     1. U_c = sum_j P(j,end) k_j v_j^T and A_c = prod a_t for every chunk c, independent of each other
 *     2. S_c = A_c S_{c-1} + U_c, the scan; S_{-1} is the initial state
 *     3. o_i from S_{c-1} and the chunk's own tokens, independent of each other
 *
 * Lingle, Transformer-VQ, arXiv 2309.16354 (the block recurrence of its cache); Sun et al., RetNet, arXiv
 * 2307.08621, equation 7. Costs N (C (dk + dv) + 4 dk dv) per head and keeps N / C states.
 * @module
 */
import type { HeadCall } from "../head.ts";
import { advanceState, CHUNK, chunkCount, chunkOutput, productOf } from "./chunk.ts";

/** Computes one head in three passes over chunks. */
export function block(call: HeadCall): void {
  const { N, dk, dv, decay, state } = call;
  const chunks = chunkCount(N);
  const end = (c: number): number => Math.min(N, (c + 1) * CHUNK);

  const U = Array.from({ length: chunks }, () => new Float64Array(dk * dv));
  const A = new Float64Array(chunks);
  for (let c = 0; c < chunks; c++) {
    advanceState(call, c * CHUNK, end(c), U[c]);
    A[c] = productOf(decay, c * CHUNK, end(c));
  }

  const S = new Float64Array(state);
  for (let c = 0; c < chunks; c++) {
    const added = U[c];
    for (let x = 0; x < dk * dv; x++) {
      const before = S[x];
      S[x] = A[c] * before + added[x];
      added[x] = before; // from here on U[c] is the state before chunk c
    }
  }

  for (let c = 0; c < chunks; c++) chunkOutput(call, c * CHUNK, end(c), U[c]);
  state.set(S);
}
