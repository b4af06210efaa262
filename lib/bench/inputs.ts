/** The arrays that a configuration is measured on. @module */
import { allocate, elementBytes, fromFloats } from "../dtype.ts";
import { LeetError } from "../errors.ts";
import { Tensor } from "../tensor.ts";
import type { DecayOptions, DType, TensorData } from "../types.ts";
import type { Config } from "./config.ts";

/** Inputs and the output of one configuration, dense bhnd. */
export interface Inputs {
  /** [B,H,N,dk] */
  readonly q: Tensor;
  /** [B,Hkv,N,dk] */
  readonly k: Tensor;
  /** [B,Hkv,N,dv] */
  readonly v: Tensor;
  /** [B,H,N,dv]; what it holds does not matter. */
  readonly o: Tensor;
  /** At most one of decay [H], logDecay [H], logGates [B,H,N]. */
  readonly decay: DecayOptions;
  /** Bytes of all of them. */
  readonly bytes: number;
}

/** Elements of the random block that larger arrays repeat: a prime, so that no two rows nearby are equal. */
const BLOCK = 262139;

/** Uniform numbers in [0,1) from a seed: a 32-bit generator by xor and shift, multiplied. */
export function randomNumbers(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x2545f491) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.imul(state, 0x5bd1e995) / 2 ** 32 + 0.5;
  };
}

/** An array of `length` elements: a block of random numbers in [low,high), repeated. */
function fill(length: number, dtype: DType, seed: number, low: number, high: number): TensorData {
  const next = randomNumbers(seed);
  const size = Math.min(BLOCK, length);
  const block = fromFloats(Float32Array.from({ length: size }, () => low + (high - low) * next()), dtype);
  if (size === length) return block;
  const data = allocate(dtype, length);
  const [to, from] = [data, block] as [Float32Array, Float32Array];
  for (let at = 0; at < length; at += size) to.set(from.subarray(0, Math.min(size, length - at)), at);
  return data;
}

/** The factor of head h: those of RetNet for 8 heads, 1 - 2^(-5-h), over and over. */
export function factorOf(h: number): number {
  return 1 - 2 ** (-5 - h % 8);
}

function makeDecay({ decay, B, H, N }: Config): DecayOptions {
  const factors = Float32Array.from({ length: H }, (_, h) => factorOf(h));
  if (decay === "none") return {};
  if (decay === "decay") return { decay: factors };
  if (decay === "logDecay") return { logDecay: factors.map((a) => Math.log(a)) };
  const logGates = fill(B * H * N, "f32", 4, 0.5, 1.5) as Float32Array;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const log = Math.log(factors[h]), start = (b * H + h) * N;
      for (let t = start; t < start + N; t++) logGates[t] *= log;
    }
  }
  return { logGates };
}

/** Bytes of the arrays of a configuration. */
export function inputBytes({ dtype, decay, B, H, Hkv, N, dk, dv }: Config): number {
  const decays = { none: 0, decay: H, logDecay: H, logGates: B * H * N }[decay];
  return B * N * (dk + dv) * (H + Hkv) * elementBytes(dtype) + decays * 4;
}

/**
 * Makes the arrays: q, k, v uniform in [-1,1), the decays of RetNet.
 * @throws LeetError OUT_OF_MEMORY
 */
export function makeInputs(config: Config): Inputs {
  const { dtype, B, H, Hkv, N, dk, dv } = config;
  const tensor = (heads: number, dim: number, seed: number): Tensor =>
    new Tensor(fill(B * heads * N * dim, dtype, seed, -1, 1), [B, heads, N, dim], { dtype });
  try {
    return {
      q: tensor(H, dk, 1),
      k: tensor(Hkv, dk, 2),
      v: tensor(Hkv, dv, 3),
      o: new Tensor(allocate(dtype, B * H * N * dv), [B, H, N, dv], { dtype }),
      decay: makeDecay(config),
      bytes: inputBytes(config),
    };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new LeetError("OUT_OF_MEMORY", `no memory for arrays of ${inputBytes(config)} bytes`, { cause });
  }
}

/** Fills an array with a NaN that no arithmetic produces, so that an element that is never written shows. */
export function poison(data: TensorData, dtype: DType): void {
  const bytes = [data.buffer, data.byteOffset, data.length] as [ArrayBuffer, number, number];
  if (dtype === "f32") new Uint32Array(...bytes).fill(0x7fc0dead);
  else new Uint16Array(...bytes).fill(dtype === "f16" ? 0x7ead : 0x7fad);
}
