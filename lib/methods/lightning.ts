/**
 * Lightning Attention-2: the value dimension is cut into independent tiles, and each tile walks over the blocks in
 * order with its part of the state (the paper's KV) kept on chip:
 *
 *     O_intra = [(Q_b K_b^T) . M] V_b        O_inter = Lambda Q_b KV
 *     KV      = lambda^B KV + (lambda^B Lambda^{-1} K_b)^T V_b
 *
 * Qin et al., Lightning Attention-2, arXiv 2401.04658, algorithm 1. The factors lambda^B Lambda^{-1} are formed as
 * products of decays towards the end of the block, without the inverse. Each tile computes Q K^T again, as the paper's
 * kernel does, which is why it suits few wide tiles.
 * @module
 */
import type { HeadCall } from "../head.ts";
import { advanceState, CHUNK, chunkOutput } from "./chunk.ts";

/** Value columns of one tile. */
export const TILE = 32;

/** Computes one head tile by tile. */
export function lightning(call: HeadCall): void {
  const { N, dv, state } = call;
  const KV = new Float64Array(state);
  for (let e0 = 0; e0 < dv; e0 += TILE) {
    const columns = { e0, e1: Math.min(dv, e0 + TILE) };
    for (let from = 0; from < N; from += CHUNK) {
      const to = Math.min(N, from + CHUNK);
      chunkOutput(call, from, to, KV, columns);
      advanceState(call, from, to, KV, columns);
    }
  }
  state.set(KV);
}
