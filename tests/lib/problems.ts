/** Seeded problems for the tests of lib/. */
import { Buffer } from "node:buffer";
import { tensor } from "../../lib/mod.ts";
import type { AttentionOptions, DType, Layout, Tensor } from "../../lib/mod.ts";

/** Numbers in [-1,1) that depend on the seed alone. */
export function random(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 0;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39) + 0x6d2b79f5 | 0;
    return ((state ^ (state >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** `length` numbers in [-1,1). */
export function noise(length: number, seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length }, next);
}

export interface Shape {
  B: number;
  H: number;
  Hkv: number;
  N: number;
  dk: number;
  dv: number;
}

export interface Inputs {
  q: Tensor;
  k: Tensor;
  v: Tensor;
}

/** q, k and v of a shape. */
export function inputs(
  { B, H, Hkv, N, dk, dv }: Shape,
  layout: Layout = "bhnd",
  dtype: DType = "f32",
): Inputs {
  const make = (heads: number, dim: number, seed: number): Tensor => {
    const shape = layout === "bhnd" ? [B, heads, N, dim] : [B, N, heads, dim];
    return tensor(noise(B * heads * N * dim, seed), shape, { layout }).cast(dtype);
  };
  return { q: make(H, dk, 1), k: make(Hkv, dk, 2), v: make(Hkv, dv, 3) };
}

/** The forms of decay, with values from no decay to reset at once. */
export function decays({ B, H, N }: Shape): Record<string, AttentionOptions> {
  const gates = noise(B * H * N, 5).map((x) => x > 0.9 ? -Infinity : -Math.abs(x) * (x > 0.5 ? 30 : 0.2));
  return {
    none: {},
    decay: { decay: Array.from({ length: H }, (_, h) => [0.97, 1, 0, 0.5][h % 4]) },
    logDecay: { logDecay: Array.from({ length: H }, (_, h) => [-0.01, -3, 0, -Infinity][h % 4]) },
    logGates: { logGates: gates },
  };
}

/** The bytes of an array as text: quick to compare, unlike the array itself. */
export const hex = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("hex");

/** The bytes of the elements of a tensor, as text. */
export const bits = (t: Tensor): string => hex(t.dense().data as ArrayBufferView);

/** The same tensor with the axes 1 and 2 exchanged, as dense storage: bhnd to bnhd and back. */
export const swapped = (t: Tensor): Tensor => {
  const [B, x, y, d] = t.shape, [b, sx, sy, one] = t.stride;
  const view = tensor(t.data, [B, y, x, d], { dtype: t.dtype, stride: [b, sy, sx, one], offset: t.offset });
  return view.cast(t.dtype);
};
