/** The `reference` device: any head method over a whole problem, in TypeScript, without FFI. @module */
import type { FloatArray, HeadMethod } from "./head.ts";
import type { Operand, Problem } from "./problem.ts";
import { readRows, type Rows, writeRows } from "./strided.ts";
import type { Outputs } from "./outputs.ts";

/** Results of all heads, dense, before they are rounded to storage. */
export interface Evaluation<A extends FloatArray = FloatArray> {
  /** [B,H,N,dv] whatever the layout. */
  readonly o: A;
  /** [sequences,H,dk,dv] */
  readonly finalState: A;
}

/** What a head method is given: float64 for the references, float32 for methods of the user's own. */
export type FloatArrayConstructor<A extends FloatArray> = new (length: number) => A;

/** Tokens from..to-1 of batch row b. */
interface Span {
  readonly b: number;
  readonly from: number;
  readonly to: number;
}

/** The tokens of sequence s. */
function sequenceSpan({ cuSeqlens, N }: Problem, s: number): Span {
  return cuSeqlens
    ? { b: 0, from: Number(cuSeqlens[s]), to: Number(cuSeqlens[s + 1]) }
    : { b: s, from: 0, to: N };
}

/** The rows of one head, from token `from` on. */
function rowsOf(
  { data, offset, stride }: Operand,
  dtype: Problem["dtype"],
  b: number,
  h: number,
  from: number,
): Rows {
  return { data, dtype, start: offset + b * stride[0] + h * stride[1] + from * stride[2], step: stride[2] };
}

/** Writes a_t of one head for the tokens of a span. */
function readDecays(
  { decay: { form, values, stride } }: Problem,
  h: number,
  { b, from }: Span,
  a: FloatArray,
): void {
  if (values === null) a.fill(1);
  else if (form === "decay") a.fill(values[h]);
  else if (form === "logDecay") a.fill(Math.exp(values[h]));
  else {
    const start = b * stride[0] + h * stride[1] + from * stride[2];
    for (let t = 0; t < a.length; t++) a[t] = Math.exp(values[start + t * stride[2]]);
  }
}

/**
 * Runs a head method over every sequence and query head; yields after each of them, returns the results.
 * Query head h reads key/value head floor(h / (H / Hkv)).
 */
export function* evaluateSteps<A extends FloatArray>(
  problem: Problem,
  head: HeadMethod<A>,
  Floats: FloatArrayConstructor<A>,
): Generator<void, Evaluation<A>> {
  const { B, H, Hkv, N, dk, dv, sequences, dtype, scale, initialState } = problem;
  const size = dk * dv;
  const all = { o: new Floats(B * H * N * dv), finalState: new Floats(sequences * H * size) };
  for (let s = 0; s < sequences; s++) {
    const span = sequenceSpan(problem, s);
    const { b, from } = span;
    const tokens = span.to - from;
    for (let h = 0; h < H; h++) {
      const kv = Math.floor(h / (H / Hkv));
      const q = new Floats(tokens * dk);
      const k = new Floats(tokens * dk);
      const v = new Floats(tokens * dv);
      const decay = new Floats(tokens);
      const o = new Floats(tokens * dv);
      const state = new Floats(size);
      readRows(rowsOf(problem.q, dtype, b, h, from), dk, q);
      readRows(rowsOf(problem.k, dtype, b, kv, from), dk, k);
      readRows(rowsOf(problem.v, dtype, b, kv, from), dv, v);
      readDecays(problem, h, span, decay);
      const at = (s * H + h) * size;
      if (initialState) state.set(initialState.subarray(at, at + size));
      head({ N: tokens, dk, dv, scale, q, k, v, decay, state, o });
      all.o.set(o, ((b * H + h) * N + from) * dv);
      all.finalState.set(state, at);
      yield;
    }
  }
  return all;
}

/** {@linkcode evaluateSteps} to its end. */
export function evaluate<A extends FloatArray>(
  problem: Problem,
  head: HeadMethod<A>,
  Floats: FloatArrayConstructor<A>,
): Evaluation<A> {
  const steps = evaluateSteps(problem, head, Floats);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Milliseconds of work after which {@linkcode evaluateAsync} lets the event loop run. */
const TURN_MS = 10;

/** {@linkcode evaluateSteps} to its end, letting the event loop run between heads. */
export async function evaluateAsync<A extends FloatArray>(
  problem: Problem,
  head: HeadMethod<A>,
  Floats: FloatArrayConstructor<A>,
): Promise<Evaluation<A>> {
  const steps = evaluateSteps(problem, head, Floats);
  for (let turn = performance.now();;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - turn > TURN_MS) {
      await new Promise((resume) => setTimeout(resume));
      turn = performance.now();
    }
  }
}

/** Rounds results into the outputs of a call. */
export function store(problem: Problem, { o, finalState }: Evaluation, outputs: Outputs): void {
  const { B, H, N, dv, dtype } = problem;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const at = (b * H + h) * N * dv;
      writeRows(rowsOf(outputs.o, dtype, b, h, 0), dv, o.subarray(at, at + N * dv));
    }
  }
  outputs.finalState?.set(finalState);
}
