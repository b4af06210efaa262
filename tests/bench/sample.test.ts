/** The check before the timing: it agrees with the oracle of the library, and sees one wrong element anywhere. */
import { describe, expect, test } from "vitest";
import { combine, describeConfig } from "../../lib/bench/config.ts";
import { inputBytes, makeInputs, poison } from "../../lib/bench/inputs.ts";
import { denseOperand, judgeSample, takeSample } from "../../lib/bench/sample.ts";
import { linearAttention } from "../../lib/mod.ts";
import { makeProblem } from "../../lib/problem.ts";
import { oracle } from "../../lib/verify.ts";
import { configOf } from "./work.ts";

const DECAYS = ["none", "decay", "logDecay", "logGates"] as const;

describe("a sample", () => {
  test.each(DECAYS)("agrees with the oracle of the library: %s", (decay) => {
    const config = configOf({ decay, B: 2, H: 4, Hkv: 2, N: 70, dk: 12, dv: 20, dtype: "f16" });
    const inputs = makeInputs(config);
    const sample = takeSample(config, inputs);
    const right = oracle(makeProblem(inputs.q, inputs.k, inputs.v, inputs.decay));
    expect(sample.text).toBe("all 8 heads, all 70 tokens");
    expect(sample.o.length).toBe(right.o.length);
    for (let i = 0; i < right.o.length; i++) {
      expect(!(Math.abs(sample.o[i] - right.o[i]) <= 1e-12 * right.oBound[i])).toBe(false);
      expect(!(Math.abs(sample.bound[i] - right.oBound[i]) <= 1e-12 * right.oBound[i])).toBe(false);
    }
  });

  test("of a long shape has both ends and says what it leaves out", () => {
    const config = configOf({ H: 40, N: 5000, dk: 64, dv: 64 });
    const { heads, tokens, text } = takeSample(config, makeInputs(config));
    expect(text).toBe(`${heads.length} of 40 heads, ${tokens.length} of 5000 tokens`);
    expect([heads[0], heads.at(-1)]).toEqual([0, 39]);
    expect([tokens[0], tokens.at(-1)]).toEqual([0, 4999]);
    expect(tokens).toContain(64);
    expect(new Set(tokens).size).toBe(tokens.length);
  });
});

describe("the verdict", () => {
  const config = configOf({ N: 300 });
  const inputs = makeInputs(config);
  const sample = takeSample(config, inputs);
  const o = inputs.o.data as Float32Array;
  const at = (b: number, h: number, n: number, c: number): number => ((b * 2 + h) * 300 + n) * 16 + c;

  /** The verdict on a right output in which one element is changed. */
  function verdict(index: number, value: number) {
    linearAttention(inputs.q, inputs.k, inputs.v, { ...inputs.decay, out: inputs.o });
    o[index] = value;
    return judgeSample(config, denseOperand(inputs.o), sample);
  }

  test("is good for a right output", () => {
    linearAttention(inputs.q, inputs.k, inputs.v, { ...inputs.decay, out: inputs.o });
    const { wrong, maxRatio, relError } = judgeSample(config, denseOperand(inputs.o), sample);
    expect(wrong).toBe(null);
    expect(maxRatio > 0 && maxRatio < 1 && relError > 0 && relError < 1e-6).toBe(true);
  });

  test.each([[0, 0, 0, 0], [0, 1, 64, 15], [0, 1, 299, 3]])("names o[%i,%i,%i,%i]", (...index) => {
    const { wrong } = verdict(at(...index as [number, number, number, number]), 50);
    expect(wrong).toMatch(new RegExp(`^o\\[${index.join(",")}\\]: expected \\S+, got 50 \\(error allowed`));
  });

  test("sees an element that is not a number, sampled or not", () => {
    const rest = Array.from({ length: 300 }, (_, n) => n).filter((n) => !sample.tokens.includes(n));
    expect(rest.length).toBeGreaterThan(5);
    expect(verdict(at(0, 1, rest[3], 7), NaN).wrong).toBe(`o[0,1,${rest[3]},7]: expected a number, got NaN`);
    expect(verdict(at(0, 0, 10, 2), NaN)).toMatchObject({ maxRatio: Infinity });
  });

  test.each(["f32", "f16", "bf16"] as const)("an output that was never written is wrong: %s", (dtype) => {
    const own = configOf({ dtype, N: 20 });
    const made = makeInputs(own);
    poison(made.o.data, dtype);
    expect(judgeSample(own, denseOperand(made.o), takeSample(own, made)).wrong).toMatch(
      /^o\[0,0,0,0\]: .*got NaN/,
    );
  });
});

test("bytes of the arrays are those of the arrays", () => {
  for (const decay of DECAYS) {
    const config = configOf({ decay, B: 2, H: 4, Hkv: 2, dk: 8, dv: 24, dtype: "bf16" });
    const { q, k, v, o, decay: given, bytes } = makeInputs(config);
    const arrays = [q.data, k.data, v.data, o.data, ...Object.values(given)] as ArrayBufferView[];
    expect(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(bytes);
    expect(inputBytes(config)).toBe(bytes);
  }
});

test("lists combine; what is left out follows H and dk, and Hkv must divide H", () => {
  const lists = {
    device: ["cpu"],
    dtype: ["f32"],
    decay: ["none"],
    B: [1],
    H: [2, 4],
    Hkv: [],
    N: [1, 2],
    dk: [8],
    dv: [],
    threads: [1],
  } as const;
  expect(combine(lists).map(({ H, Hkv, N, dv }) => [H, Hkv, N, dv])).toEqual([[2, 2, 1, 8], [2, 2, 2, 8], [
    4,
    4,
    1,
    8,
  ], [4, 4, 2, 8]]);
  expect(combine({ ...lists, Hkv: [4] }).map(({ H }) => H)).toEqual([4, 4]);
  expect(describeConfig(configOf({ Hkv: 1, threads: 1 }))).toBe(
    "B=1 H=2 Hkv=1 N=100 dk=16 dv=16 f32, decay, cpu, 1 thread",
  );
});
