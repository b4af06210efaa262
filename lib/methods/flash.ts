/**
 * Chunkwise, and parallel over the sequence. The tokens are cut into segments of whole chunks, and
 *
 *     1. every segment g but the last computes only its end: (A_g, U_g), its decay and the state it adds
 *     2. a scan merges them: (A,U) then (A',U') is (A' A, A' U + U'), which gives the state before each segment
 *     3. every segment walks over its chunks in order from that state, one pass over its q, k and v
 *
 * The steps 1 and 3 are independent between segments. Where the heads alone keep the machine busy there is one
 * segment, and step 1 disappears. After Yang et al., GLA, arXiv 2312.06635, section 3, whose non-materialising form
 * step 3 is; the merge is the associative operator of Blelloch's scan.
 * @module
 */
import type { HeadCall } from "../head.ts";
import { advanceState, CHUNK, chunkCount, chunkOutput, productOf } from "./chunk.ts";

/** Chunks in a segment. */
export const SEGMENT_CHUNKS = 4;

/** Computes one head by segments. */
export function flash(call: HeadCall): void {
  const { N, dk, dv, decay, state } = call;
  const length = SEGMENT_CHUNKS * CHUNK;
  const segments = Math.ceil(chunkCount(N) / SEGMENT_CHUNKS);

  const ends: { A: number; U: Float64Array }[] = [];
  for (let g = 0; g < segments - 1; g++) {
    const U = new Float64Array(dk * dv);
    advanceState(call, g * length, (g + 1) * length, U);
    ends.push({ A: productOf(decay, g * length, (g + 1) * length), U });
  }

  const before = [new Float64Array(state)];
  for (const { A, U } of ends) {
    const last = before[before.length - 1];
    before.push(U.map((added, x) => A * last[x] + added));
  }

  for (let g = 0; g < segments; g++) {
    const S = before[g];
    const end = Math.min(N, (g + 1) * length);
    for (let from = g * length; from < end; from += CHUNK) {
      const to = Math.min(end, from + CHUNK);
      chunkOutput(call, from, to, S);
      advanceState(call, from, to, S);
    }
  }
  if (segments > 0) state.set(before[segments - 1]);
}
