/** The readable references against the definition and against each other. */
import { describe, expect, test } from "vitest";
import { METHODS } from "../../ffi/symbols.ts";
import type { HeadCall } from "../../lib/mod.ts";
import { METHOD_TABLE } from "../../lib/methods/table.ts";
import { random } from "./problems.ts";

type Call = HeadCall<Float64Array>;

const DECAYS: Record<string, (t: number, next: () => number) => number> = {
  "no decay": () => 1,
  "decay 0": () => 0,
  "decay 0.97": () => 0.97,
  "decay 1e-30, whose powers underflow": () => 1e-30,
  "gates in (0,1)": (_t, next) => Math.abs(next()),
  "gates with resets": (t) => t % 7 === 3 ? 0 : 0.999,
  "gates just below and at 1": (t) => t % 2 ? 1 : 1 - 2 ** -20,
};

function headCall(N: number, dk: number, dv: number, decay: (t: number, next: () => number) => number): Call {
  const next = random(N * 1000 + dk * 10 + dv);
  const fill = (length: number): Float64Array => Float64Array.from({ length }, next);
  return {
    N,
    dk,
    dv,
    scale: 0.7,
    q: fill(N * dk),
    k: fill(N * dk),
    v: fill(N * dv),
    decay: Float64Array.from({ length: N }, (_, t) => decay(t, next)),
    state: fill(dk * dv),
    o: new Float64Array(N * dv).fill(NaN),
  };
}

const copyOf = (call: Call): Call => ({ ...call, state: call.state.slice(), o: call.o.slice() });

/** The operator as its formula reads, with the sum of absolute values as the unit of error. */
function definition(
  { N, dk, dv, scale, q, k, v, decay, state }: Call,
): { o: number[]; state: number[]; unit: number } {
  const weight = (after: number, to: number): number =>
    decay.slice(after + 1, to + 1).reduce((a, b) => a * b, 1);
  const dot = (i: number, j: number): number => {
    let sum = 0;
    for (let r = 0; r < dk; r++) sum += q[i * dk + r] * k[j * dk + r];
    return sum;
  };
  const o: number[] = [], final: number[] = [];
  let unit = 1e-300;
  for (let i = 0; i < N; i++) {
    for (let e = 0; e < dv; e++) {
      let sum = 0, size = 0;
      for (let j = 0; j <= i; j++) {
        const term = weight(j, i) * dot(i, j) * v[j * dv + e];
        sum += term;
        size += Math.abs(term);
      }
      for (let r = 0; r < dk; r++) {
        const term = weight(-1, i) * q[i * dk + r] * state[r * dv + e];
        sum += term;
        size += Math.abs(term);
      }
      o.push(scale * sum);
      unit = Math.max(unit, size);
    }
  }
  for (let r = 0; r < dk; r++) {
    for (let e = 0; e < dv; e++) {
      let sum = weight(-1, N - 1) * state[r * dv + e];
      for (let j = 0; j < N; j++) sum += weight(j, N - 1) * k[j * dk + r] * v[j * dv + e];
      final.push(sum);
      unit = Math.max(unit, Math.abs(sum));
    }
  }
  return { o, state: final, unit };
}

function farthest(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(got.length).toBe(expected.length);
  let most = 0;
  for (let i = 0; i < got.length; i++) {
    const error = Math.abs(got[i] - expected[i]);
    if (!(error <= most)) most = error;
  }
  return most;
}

const row = (name: string) => METHOD_TABLE.find((method) => method.name === name)!;

test("the table has every method of the native library, in its order", () => {
  expect(METHOD_TABLE.map(({ id, name, text }) => ({ id, name, text }))).toEqual([...METHODS]);
});

describe("recurrent is the definition", () => {
  test.each(Object.keys(DECAYS))("%s", (name) => {
    for (const [N, dk, dv] of [[0, 2, 3], [1, 3, 2], [2, 1, 1], [40, 5, 7]]) {
      const call = headCall(N, dk, dv, DECAYS[name]);
      const expected = definition(call);
      const got = copyOf(call);
      row("recurrent").head(got);
      const limit = 1e-13 * expected.unit;
      expect(!(farthest(got.o, expected.o) <= limit)).toBe(false);
      expect(!(farthest(got.state, expected.state) <= limit)).toBe(false);
    }
  });
});

// N around the leaf of recursion (16), the chunk (64), the segment of flash (256) and odd sizes between.
const LENGTHS = [0, 1, 2, 15, 16, 17, 33, 63, 64, 65, 127, 129, 255, 256, 257, 300, 513];
const DIMS = [[1, 1], [3, 5], [8, 33], [5, 64]];

describe.each(METHOD_TABLE.filter(({ name }) => name !== "recurrent"))(
  "$name agrees with recurrent",
  ({ head }) => {
    test.each(Object.keys(DECAYS))("%s", (name) => {
      let most = 0;
      for (const N of LENGTHS) {
        for (const [dk, dv] of DIMS) {
          const call = headCall(N, dk, dv, DECAYS[name]);
          const expected = copyOf(call), got = copyOf(call);
          row("recurrent").head(expected);
          head(got);
          // The terms are below 1, so dk * N bounds the sums and 1e-13 of it the rounding of any order.
          const unit = dk * Math.max(1, N);
          const error = Math.max(farthest(got.o, expected.o), farthest(got.state, expected.state)) / unit;
          if (!(error <= most)) most = error;
        }
      }
      expect(!(most <= 1e-14)).toBe(false);
    });

    test("reads q, k, v and decay, and changes none of them", () => {
      const call = headCall(130, 4, 6, DECAYS["gates in (0,1)"]);
      const before = structuredClone(call);
      head(call);
      for (const name of ["q", "k", "v", "decay"] as const) expect(call[name]).toEqual(before[name]);
    });

    test("overwrites what o held", () => {
      const clean = headCall(70, 3, 4, DECAYS["decay 0.97"]);
      const dirty = copyOf(clean);
      clean.o.fill(0);
      dirty.o.fill(1e9);
      head(clean);
      head(dirty);
      expect(dirty.o).toEqual(clean.o);
    });

    test("works on float32 arrays as well", () => {
      const call = headCall(90, 4, 6, DECAYS["decay 0.97"]);
      const single = Object.fromEntries(
        Object.entries(call).map((
          [key, value],
        ) => [key, value instanceof Float64Array ? Float32Array.from(value) : value]),
      ) as unknown as HeadCall<Float32Array>;
      row("recurrent").head(call);
      head(single);
      expect(!(farthest(single.o, call.o) <= 1e-4)).toBe(false);
      expect(!(farthest(single.state, call.state) <= 1e-4)).toBe(false);
    });
  },
);

test("fleet is right where keys, values and queries are negative", () => {
  const call = headCall(50, 3, 4, DECAYS["decay 0.97"]);
  for (const array of [call.q, call.k, call.v, call.state]) array.set(array.map((x) => -Math.abs(x)));
  const expected = definition(call);
  row("fleet").head(call);
  expect(!(farthest(call.o, expected.o) <= 1e-13 * expected.unit)).toBe(false);
});

describe("predicted operations", () => {
  const sizes = { N: 4096, dk: 64, dv: 128 };

  test("vanilla is quadratic in N, the others are not", () => {
    for (const { name, flops } of METHOD_TABLE) {
      const growth = flops({ ...sizes, N: 8192 }) / flops(sizes);
      if (name === "vanilla") expect(growth).toBeGreaterThan(3.5);
      else if (name === "recursion") expect(growth).toBeGreaterThan(2.05);
      else expect(growth).toBeLessThan(2.02);
      expect(growth).toBeLessThan(4);
    }
  });

  test("nothing is negative or undefined for an empty sequence or a single token", () => {
    for (const { flops, scratch, rate } of METHOD_TABLE) {
      for (const N of [0, 1]) {
        expect(flops({ N, dk: 3, dv: 5 })).toBeGreaterThanOrEqual(0);
        expect(scratch({ N, dk: 3, dv: 5 })).toBeGreaterThan(0);
      }
      expect(rate).toBeGreaterThan(1e8);
    }
  });

  // One chunk has 64 * 65 / 2 pairs, each with a score over dk and a row over dv, a multiply and an add for each.
  const pairs = 16 * 64 * 65 / 2 * 2 * (16 + 24), states = 4 * 1024 * 16 * 24;

  test.each([
    ["vanilla", 1024 * 1025 / 2 * 2 * (16 + 24) + states],
    ["recurrent", 5 * 1024 * 16 * 24],
    ["block", pairs + states + 16 * 2 * 16 * 24],
    ["lightning", pairs + states],
    ["fleet", 5 * 1024 * 16 * 24],
    ["flash", pairs + states + 3 * (2 * 256 + 2) * 16 * 24],
  ])("%s at N = 1024, dk = 16, dv = 24", (name, flops) => {
    expect(row(name).flops({ N: 1024, dk: 16, dv: 24 })).toBe(flops);
  });

  test("recursion is N log N: leaves, then one half of the state products for each level", () => {
    const flops = row("recursion").flops({ N: 1024, dk: 16, dv: 16 });
    const leaves = 64 * (16 * 17 / 2 * 2 * 32 + 4 * 16 * 256);
    const levels = 6 * (512 * 2 * 256) + 63 * 2 * 256;
    expect(flops).toBe(leaves + levels + 1024 * 2 * 256);
  });
});
