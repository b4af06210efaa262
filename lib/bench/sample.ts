/**
 * Checks a result against the float64 recurrence at a sample of heads and tokens, so that long shapes can be checked
 * too: the state is carried through every token of the sampled heads, outputs are compared at the sampled tokens. All
 * other elements must have been written with numbers.
 * @module
 */
import { isUint16Array } from "../dtype.ts";
import type { DType, TensorData } from "../types.ts";
import type { Operand } from "../problem.ts";
import { readRows } from "../strided.ts";
import { OUTPUT_TOLERANCE } from "../verify.ts";
import type { Config } from "./config.ts";
import type { Inputs } from "./inputs.ts";
import { Judge } from "./judge.ts";

/** State elements to update for the sampled heads of one shape, some half a second; one head takes part in any case. */
const SAMPLE_UPDATES = 4e8;
/** State elements to update for one head at most; a longer one is checked on its first tokens. */
const HEAD_UPDATES = 4e9;
/** Shapes of at most this many tokens are checked at every one of them. */
const EVERY_TOKEN = 256;
/** Tokens checked at each end, and evenly between, of longer ones. */
const AT_ENDS = 64, BETWEEN = 128;

/** What is right at the sampled places. */
export interface Sample {
  /** Indices b * H + h, ascending. */
  readonly heads: readonly number[];
  /** Tokens, ascending. */
  readonly tokens: readonly number[];
  /** [heads,tokens,dv] */
  readonly o: Float64Array;
  /** The same sum with absolute values: what rounding can be a fraction of. */
  readonly bound: Float64Array;
  /** What was sampled, in words. */
  readonly text: string;
}

/** What {@linkcode judgeSample} finds. */
export interface SampleVerdict {
  /** Largest error as a part of what is allowed. */
  readonly maxRatio: number;
  /** ||got - expected|| / ||expected|| over the sample. */
  readonly relError: number;
  /** What is wrong, first element first; null when nothing is. */
  readonly wrong: string | null;
}

/** The largest number of tokens and heads whose recurrence is affordable. */
function affordable({ B, H, N, dk, dv }: Config): { heads: number; prefix: number } {
  const perToken = 2 * dk * dv;
  const prefix = Math.min(N, Math.max(1, Math.floor(HEAD_UPDATES / perToken)));
  const heads = Math.floor(SAMPLE_UPDATES / (perToken * Math.max(1, prefix)));
  return { heads: Math.max(1, Math.min(B * H, heads)), prefix };
}

/** Predicted seconds of {@linkcode takeSample}. */
export function sampleSeconds(config: Config): number {
  const { heads, prefix } = affordable(config);
  return heads * prefix * config.dk * config.dv * 2 * 1e-9;
}

function sampledTokens(N: number): number[] {
  if (N <= EVERY_TOKEN) return Array.from({ length: N }, (_, t) => t);
  const tokens = new Set<number>();
  for (let t = 0; t < AT_ENDS; t++) tokens.add(t).add(N - 1 - t);
  for (let i = 0; i < BETWEEN; i++) tokens.add(Math.floor(i * N / BETWEEN));
  // Blocks of every method begin and end beside a multiple of a power of two.
  for (let edge = 64; edge < N; edge *= 2) {
    for (const t of [edge - 1, edge, edge + 1]) if (t < N) tokens.add(t);
  }
  return [...tokens].sort((a, b) => a - b);
}

const rowOf = ({ data, offset, stride }: Operand, dtype: DType, b: number, h: number, t: number) => ({
  data,
  dtype,
  start: offset + b * stride[0] + h * stride[1] + t * stride[2],
  step: stride[2],
});

/** A dense bhnd tensor as an operand. */
export function denseOperand({ data, shape: [, heads, N, dim], offset }: Inputs["q"]): Operand {
  const stride = [heads * N * dim, N * dim, dim] as const;
  return { data, offset, span: data.length - offset, stride };
}

function factorsOf({ decay }: Inputs, { H, N }: Config, b: number, h: number): (t: number) => number {
  if (decay.decay) return () => (decay.decay as Float32Array)[h];
  if (decay.logDecay) {
    const a = Math.exp((decay.logDecay as Float32Array)[h]);
    return () => a;
  }
  if (!decay.logGates) return () => 1;
  const gates = decay.logGates as Float32Array, start = (b * H + h) * N;
  return (t) => Math.exp(gates[start + t]);
}

/** Computes what is right at the sampled places, in float64. The scale is 1. */
export function takeSample(config: Config, inputs: Inputs): Sample {
  const { B, H, Hkv, dk, dv, dtype } = config;
  const count = affordable(config);
  const heads = Array.from(
    { length: count.heads },
    (_, i) => count.heads === 1 ? 0 : Math.floor(i * (B * H - 1) / (count.heads - 1)),
  );
  const tokens = sampledTokens(count.prefix);
  const [q, k, v] = [inputs.q, inputs.k, inputs.v].map(denseOperand);
  const size = tokens.length * dv;
  const all = { o: new Float64Array(heads.length * size), bound: new Float64Array(heads.length * size) };
  const [qt, kt, vt] = [dk, dk, dv].map((length) => new Float64Array(length));
  for (const [i, head] of heads.entries()) {
    const b = Math.floor(head / H), h = head % H, kv = Math.floor(h / (H / Hkv));
    const factor = factorsOf(inputs, config, b, h);
    const state = new Float64Array(dk * dv), bounds = new Float64Array(dk * dv);
    let next = 0;
    for (let t = 0; next < tokens.length; t++) {
      readRows(rowOf(k, dtype, b, kv, t), dk, kt);
      readRows(rowOf(v, dtype, b, kv, t), dv, vt);
      update(state, bounds, factor(t), kt, vt);
      if (t !== tokens[next]) continue;
      readRows(rowOf(q, dtype, b, h, t), dk, qt);
      const from = i * size + next * dv;
      project(state, qt, all.o.subarray(from, from + dv), false);
      project(bounds, qt, all.bound.subarray(from, from + dv), true);
      next++;
    }
  }
  return { heads, tokens, ...all, text: describeSample(config, heads.length, tokens.length, count.prefix) };
}

function describeSample({ B, H, N }: Config, heads: number, tokens: number, prefix: number): string {
  const ofHeads = heads === B * H ? `all ${heads} heads` : `${heads} of ${B * H} heads`;
  const ofTokens = tokens === N ? `all ${N} tokens` : `${tokens} of ${N} tokens`;
  return `${ofHeads}, ${ofTokens}${prefix < N ? `, the last of them number ${prefix}` : ""}`;
}

function update(
  state: Float64Array,
  bounds: Float64Array,
  a: number,
  k: Float64Array,
  v: Float64Array,
): void {
  const dv = v.length;
  for (let r = 0, at = 0; r < k.length; r++) {
    const key = k[r], size = Math.abs(key);
    for (let c = 0; c < dv; c++, at++) {
      const value = v[c];
      state[at] = a * state[at] + key * value;
      bounds[at] = a * bounds[at] + size * Math.abs(value);
    }
  }
}

function project(state: Float64Array, q: Float64Array, o: Float64Array, absolute: boolean): void {
  for (let r = 0; r < q.length; r++) {
    const query = absolute ? Math.abs(q[r]) : q[r];
    for (let c = 0, at = r * o.length; c < o.length; c++, at++) o[c] += query * state[at];
  }
}

/**
 * Judges an output at the sampled places by the limits of its dtype, and every other element by whether it is a number.
 * @param loose multiplies what is allowed, for programs that make no promise of ours
 */
export function judgeSample(config: Config, o: Operand, right: Sample, loose: number = 1): SampleVerdict {
  const { H, N, dv, dtype } = config;
  const judge = new Judge("o", dtype, OUTPUT_TOLERANCE[dtype], loose);
  const got = new Float64Array(dv);
  let at = 0;
  for (const head of right.heads) {
    const b = Math.floor(head / H), h = head % H;
    for (const n of right.tokens) {
      readRows(rowOf(o, dtype, b, h, n), dv, got);
      for (let c = 0; c < dv; c++, at++) judge.take(got[c], right.o[at], right.bound[at], () => [b, h, n, c]);
    }
  }
  const { maxRatio } = judge, relError = judge.relError();
  const unwritten = judge.wrong ? null : firstNaN(config, o);
  if (!unwritten) return { maxRatio, relError, wrong: judge.verdict(N) };
  const wrong = `o[${unwritten.join(",")}]: expected a number, got NaN`;
  return { maxRatio: Infinity, relError, wrong };
}

/** The first element of all that is NaN, as an element is that was never written. */
function firstNaN({ B, H, N, dv, dtype }: Config, o: Operand): readonly number[] | null {
  const quiet = nanTest(o.data, dtype);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let n = 0; n < N; n++) {
        const { start } = rowOf(o, dtype, b, h, n);
        for (let c = 0; c < dv; c++) if (quiet(start + c)) return [b, h, n, c];
      }
    }
  }
  return null;
}

/** Whether the element at an index is NaN; of 16-bit storage by its bits, where its exponent is the largest. */
function nanTest(data: TensorData, dtype: DType): (at: number) => boolean {
  if (!isUint16Array(data)) {
    const floats = data as Float32Array;
    return (at) => floats[at] !== floats[at];
  }
  const largest = dtype === "f16" ? 0x7c00 : 0x7f80;
  return (at) => (data[at] & 0x7fff) > largest;
}
