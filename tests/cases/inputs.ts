/** The arrays of a case, from its seed. @module */
import { alibiSlopes, type AttentionOptions, type DType, retention, type TensorData } from "../../lib/mod.ts";
import { encodeInto } from "../../lib/dtype.ts";
import type { Case } from "./case.ts";

/** Uniform numbers in [0,1): a 32-bit linear congruential step, its high bits well mixed. */
export function random(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    return ((mixed ^ (mixed >>> 12)) >>> 0) / 2 ** 32;
  };
}

/** A strided array inside a larger one, in the way `layout` says. */
export interface Placed {
  readonly data: TensorData;
  readonly shape: number[];
  readonly stride: number[];
  readonly offset: number;
  readonly dtype: DType;
}

/** Guard elements before and behind every array that is not padded already. */
const GUARD = 32;

/** A quiet NaN whose bits no arithmetic produces, so that an element that was never written shows. */
export function poison(dtype: DType, length: number): TensorData {
  if (dtype === "f32") return new Float32Array(new Uint32Array(length).fill(0x7fc0dead).buffer);
  return new Uint16Array(length).fill(dtype === "f16" ? 0x7ead : 0x7fad);
}

/** An array of the layout, all poison, gaps included. [B,heads,N,dim] sizes. */
export function place(c: Case, heads: number, dim: number): Placed {
  const padded = c.layout.endsWith("-padded");
  const [row, head, batch] = padded ? [dim + 3, 5, 7] : [dim, 0, 0];
  const bhnd = c.layout.startsWith("bhnd");
  const shape = bhnd ? [c.B, heads, c.N, dim] : [c.B, c.N, heads, dim];
  const inner = shape[2] * row + head, outer = shape[1] * inner + batch;
  const stride = [outer, inner, row, 1];
  const offset = padded ? GUARD + 3 : GUARD;
  return { data: poison(c.dtype, offset + shape[0] * outer + GUARD), shape, stride, offset, dtype: c.dtype };
}

/** Writes value() to every element, in order of index, and nothing in between. */
function fill({ data, shape: [s0, s1, s2, s3], stride, offset, dtype }: Placed, value: () => number): void {
  const row = new Float32Array(s3);
  for (let a = 0; a < s0; a++) {
    for (let b = 0; b < s1; b++) {
      for (let c = 0; c < s2; c++) {
        for (let d = 0; d < s3; d++) row[d] = value();
        const start = offset + a * stride[0] + b * stride[1] + c * stride[2];
        encodeInto(row, (data as Float32Array).subarray(start, start + s3), dtype);
      }
    }
  }
}

const VALUES: Record<string, (next: () => number) => number> = {
  signed: (next) => 2 * next() - 1,
  ones: () => 0.3,
  wide: (next) => (2 * next() - 1) * 10 ** (6 * next() - 3),
  sparse: (next) => (next() < 0.9 ? 0 : 4 * next() - 2),
};

/** What factors and logarithms a mixed decay is drawn from: none, reset, underflow, weak and strong. */
const MIXED_FACTORS = [1, 0, 1e-30, 0.5, 1 - 2 ** -24, 1 - 2 ** -5, 0.9];
const MIXED_LOGS = [0, -0, -Infinity, -80, -1e-7, -0.03, -2];

const DECAYS: Record<string, (c: Case, next: () => number) => AttentionOptions> = {
  "none": () => ({}),
  "factor:retention": (c) => ({ decay: retention(c.H) }),
  "factor:zero": (c) => ({ decay: new Float32Array(c.H) }),
  "factor:one": (c) => ({ decay: new Float32Array(c.H).fill(1) }),
  "factor:mixed": (c, next) => ({ decay: pick(c.H, MIXED_FACTORS, next) }),
  "log:slopes": (c) => ({ logDecay: alibiSlopes(c.H).map((slope: number) => -slope) }),
  "log:mixed": (c, next) => ({ logDecay: pick(c.H, MIXED_LOGS, next) }),
  "gates:weak": (c, next) => ({ logGates: gates(c, () => -0.002 * next()) }),
  "gates:strong": (c, next) => ({ logGates: gates(c, () => -5 * next()) }),
  "gates:mixed": (c, next) => ({
    logGates: gates(c, () => MIXED_LOGS[Math.floor(next() * MIXED_LOGS.length)]),
  }),
};

function pick(length: number, values: readonly number[], next: () => number): Float32Array {
  const first = Math.floor(next() * values.length);
  return Float32Array.from({ length }, (_, i) => values[(first + i) % values.length]);
}

function gates(c: Case, value: () => number): Float32Array {
  return Float32Array.from({ length: c.B * c.H * c.N }, value);
}

function lookUp<T>(table: Record<string, T>, key: string, what: string): T {
  if (!(key in table)) throw new Error(`case: ${what}=${key} is not one of ${Object.keys(table).join(", ")}`);
  return table[key];
}

/** Everything a call of the case needs but its outputs. */
export interface Inputs {
  readonly q: Placed;
  readonly k: Placed;
  readonly v: Placed;
  readonly options: AttentionOptions;
}

/** The arrays of a case; the same for every method, number of threads and runtime. */
export function makeInputs(c: Case): Inputs {
  const next = random(c.seed * 7919 + c.N * 31 + c.dk * 7 + c.dv);
  const draw = lookUp(VALUES, c.values, "values");
  const value = (): number => draw(next);
  const [q, k, v] = [place(c, c.H, c.dk), place(c, c.Hkv, c.dk), place(c, c.Hkv, c.dv)];
  for (const array of [q, k, v]) fill(array, value);
  const lengths = c.seqs === "-" ? null : c.seqs.split("+").map(Number);
  const sequences = lengths ? lengths.length : c.B;
  const options: AttentionOptions = {
    ...lookUp(DECAYS, c.decay, "decay")(c, next),
    layout: c.layout.startsWith("bhnd") ? "bhnd" : "bnhd",
    scale: c.scale,
  };
  if (lengths) {
    options.cuSeqlens = lengths.reduce((offsets, n) => [...offsets, offsets[offsets.length - 1] + n], [0]);
  }
  if (["in", "inout", "inplace"].includes(c.state)) {
    options.initialState = Float32Array.from({ length: sequences * c.H * c.dk * c.dv }, value);
  }
  return { q, k, v, options };
}
