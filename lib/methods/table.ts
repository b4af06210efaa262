/** Every method: its name, its readable reference, and what it costs. @module */
import { METHODS } from "../../ffi/symbols.ts";
import type { HeadMethod } from "../head.ts";
import type { BuiltinMethod } from "../types.ts";
import { block } from "./block.ts";
import { CHUNK, chunkCount } from "./chunk.ts";
import { flash, SEGMENT_CHUNKS } from "./flash.ts";
import { fleet } from "./fleet.ts";
import { lightning, TILE } from "./lightning.ts";
import { recurrent } from "./recurrent.ts";
import { LEAF, recursion } from "./recursion.ts";
import { vanilla } from "./vanilla.ts";

/** Sizes of one head. */
export interface HeadSizes {
  readonly N: number;
  readonly dk: number;
  readonly dv: number;
}

/** A built-in method. */
export interface MethodRow {
  readonly name: BuiltinMethod;
  /** Its number in leet.h. */
  readonly id: number;
  /** The algorithm and its source, in one line. */
  readonly text: string;
  /** The readable reference. */
  readonly head: HeadMethod;
  /** Floating point operations of the reference for one head; a multiply and an add count as two. */
  readonly flops: (sizes: HeadSizes) => number;
  /** float64 elements of scratch memory of the reference for one head. */
  readonly scratch: (sizes: HeadSizes) => number;
  /**
   * Operations per second that the reference reaches, for predicted times. Measured with N = 1024 and dk = dv = 128 on
   * one AVX-512 server core, the mean of Bun 1.4 and Deno 2.9, which differ by less than a third.
   */
  readonly rate: number;
}

/** Pairs (i,j) with j <= i inside blocks of a size that cover N tokens. */
function causalPairs(N: number, size: number): number {
  const rest = N % size;
  return (N - rest) / size * (size * (size + 1) / 2) + rest * (rest + 1) / 2;
}

const intraChunk = ({ N, dk, dv }: HeadSizes): number => causalPairs(N, CHUNK) * 2 * (dk + dv);
const segmentsOf = (N: number): number => Math.ceil(chunkCount(N) / SEGMENT_CHUNKS);

/** Leaves, merges and queries that meet a state, level by level; at most two lengths occur on one level. */
function recursionFlops({ N, dk, dv }: HeadSizes): number {
  const known = new Map<number, number>();
  const solve = (tokens: number): number => {
    if (tokens <= LEAF) return causalPairs(tokens, LEAF) * 2 * (dk + dv) + 4 * tokens * dk * dv;
    const seen = known.get(tokens);
    if (seen !== undefined) return seen;
    const left = Math.floor(tokens / 2);
    const right = tokens - left;
    const flops = solve(left) + solve(right) + 2 * right * dk * dv + 2 * dk * dv;
    known.set(tokens, flops);
    return flops;
  };
  return solve(N) + 2 * N * dk * dv;
}

type Reference = Omit<MethodRow, "name" | "id" | "text">;

const REFERENCES: Readonly<Record<BuiltinMethod, Reference>> = {
  vanilla: {
    head: vanilla,
    flops: ({ N, dk, dv }) => causalPairs(N, Math.max(N, 1)) * 2 * (dk + dv) + 4 * N * dk * dv,
    scratch: ({ dk, dv }) => dk * dv + dv,
    rate: 2.6e9,
  },
  recurrent: {
    head: recurrent,
    flops: ({ N, dk, dv }) => 5 * N * dk * dv,
    scratch: ({ dk, dv }) => dk * dv + dv,
    rate: 4.5e9,
  },
  block: {
    head: block,
    flops: (s) => intraChunk(s) + 4 * s.N * s.dk * s.dv + 2 * chunkCount(s.N) * s.dk * s.dv,
    scratch: ({ N, dk, dv }) => (chunkCount(N) + 1) * (dk * dv + 1) + dv,
    rate: 2.4e9,
  },
  recursion: {
    head: recursion,
    flops: recursionFlops,
    scratch: ({ N, dk, dv }) => (3 + Math.ceil(Math.log2(Math.max(1, N / LEAF)))) * dk * dv + dv,
    rate: 2.5e9,
  },
  lightning: {
    head: lightning,
    flops: (s) =>
      causalPairs(s.N, CHUNK) * 2 * (Math.ceil(s.dv / TILE) * s.dk + s.dv) + 4 * s.N * s.dk * s.dv,
    scratch: ({ dk, dv }) => dk * dv + Math.min(dv, TILE),
    rate: 2.6e9,
  },
  fleet: {
    head: fleet,
    flops: ({ N, dk, dv }) => 5 * N * dk * dv,
    scratch: ({ N, dv }) => (N + 1) * dv,
    rate: 4.5e9,
  },
  flash: {
    head: flash,
    flops: (s) => {
      const ends = Math.max(0, segmentsOf(s.N) - 1);
      return intraChunk(s) + (4 * s.N + ends * (2 * SEGMENT_CHUNKS * CHUNK + 2)) * s.dk * s.dv;
    },
    scratch: ({ N, dk, dv }) => 2 * Math.max(1, segmentsOf(N)) * dk * dv + dv,
    rate: 2.5e9,
  },
};

/** The built-in methods in the order of their numbers. */
export const METHOD_TABLE: readonly MethodRow[] = METHODS.map((method) => ({
  ...method,
  ...REFERENCES[method.name],
}));

/** The row of a built-in method, or undefined. */
export function methodRow(name: string): MethodRow | undefined {
  return METHOD_TABLE.find((row) => row.name === name);
}
