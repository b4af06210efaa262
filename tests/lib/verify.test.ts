/** The check itself: it has to find what is wrong, and to let pass what rounding does. */
import { describe, expect, test } from "vitest";
import { type DType, linearAttention, type Outcome, type Tensor, tensor } from "../../lib/mod.ts";
import { makeProblem } from "../../lib/problem.ts";
import { compare, oracle, OUTPUT_TOLERANCE, verify } from "../../lib/verify.ts";
import { errorOf } from "../io/error_of.ts";
import { inputs } from "./problems.ts";

const SHAPE = { B: 1, H: 2, Hkv: 1, N: 30, dk: 4, dv: 3 };
const options = { decay: [0.9, 0.99], device: "reference", outputFinalState: true };

const changed = (t: Tensor, at: number, change: (x: number) => number): Tensor => {
  const data = t.toFloat32();
  data[at] = change(data[at]);
  return tensor(data, t.shape, { layout: t.layout }).cast(t.dtype);
};

describe.each(["f32", "f16", "bf16"] as DType[])("%s", (dtype) => {
  const { q, k, v } = inputs(SHAPE, "bhnd", dtype);
  const right = linearAttention(q, k, v, options);
  const { o: exact, oBound } = oracle(makeProblem(q, k, v, options));
  const limit = OUTPUT_TOLERANCE[dtype].element;

  test("a right result passes with a small ratio", () => {
    const verdict = verify(right, q, k, v, options);
    expect(verdict.ok).toBe(true);
    expect(verdict.maxRatio).toBeLessThan(0.5);
    expect(verdict.relError).toBeGreaterThan(0);
    expect(verdict.finalState!.ok).toBe(true);
  });

  test("one element beyond its bound fails, one within passes", () => {
    for (const at of [0, 77, 179]) {
      const off = (times: number): Outcome => ({
        o: changed(right.o, at, () => exact[at] + times * limit * oBound[at]),
      });
      expect(verify(off(4), q, k, v, options)).toMatchObject({ ok: false });
      expect(verify(off(4), q, k, v, options).maxRatio).toBeGreaterThan(2);
      expect(verify(off(-4), q, k, v, options)).toMatchObject({ ok: false });
    }
  });

  test("a state element beyond its bound fails", () => {
    const finalState = changed(right.finalState!, 5, (x) => x + 1e-3);
    const verdict = verify({ o: right.o, finalState }, q, k, v, options);
    expect(verdict).toMatchObject({ ok: false, o: { ok: true }, finalState: { ok: false } });
  });

  test.each([NaN, Infinity, -Infinity])("%d fails", (wrong) => {
    expect(verify({ o: changed(right.o, 8, () => wrong) }, q, k, v, options)).toMatchObject({
      ok: false,
      maxRatio: Infinity,
    });
  });

  test("errors within every bound that all go one way fail as a whole", () => {
    // The bounds of o alone; the dtype of the problem sets the limits.
    const off = Float32Array.from(exact, (x, i) => x + 0.9 * limit * oBound[i]);
    const verdict = verify({ o: tensor(off, right.o.shape) }, q, k, v, options);
    expect(verdict.maxRatio).toBeLessThan(1);
    expect(verdict.ok).toBe(false);
  });
});

test("zeros instead of a result fail", () => {
  const { q, k, v } = inputs(SHAPE);
  const o = tensor(new Float32Array(2 * 30 * 3), [1, 2, 30, 3]);
  expect(verify({ o }, q, k, v, options)).toMatchObject({ ok: false, relError: 1 });
});

test("an f16 result out of range has to be the infinity of the same sign", () => {
  const q = tensor([300], [1, 1, 1, 1], { dtype: "f16" });
  const o = (x: number): Outcome => ({ o: tensor([x], [1, 1, 1, 1], { dtype: "f16" }) });
  expect(verify(o(Infinity), q, q, q).ok).toBe(true);
  expect(verify(o(-Infinity), q, q, q).ok).toBe(false);
  expect(verify(o(65504), q, q, q).ok).toBe(false);
  const within = tensor([10], [1, 1, 1, 1], { dtype: "f16" });
  expect(verify(o(1000), within, within, within).ok).toBe(true);
  expect(verify(o(Infinity), within, within, within).ok).toBe(false);
});

test("NaN in an input is expected in the output", () => {
  const q = tensor([NaN, 1], [1, 1, 2, 1]), k = tensor([1, 1], [1, 1, 2, 1]);
  const result = linearAttention(q, k, k, { device: "reference" });
  expect(verify(result, q, k, k).ok).toBe(true);
  expect(verify({ o: tensor([0, 2], [1, 1, 2, 1]) }, q, k, k).ok).toBe(false);
});

test("an f16 result below its least step may round to zero", () => {
  const q = tensor([2 ** -13], [1, 1, 1, 1], { dtype: "f16" });
  const result = linearAttention(q, q, q, { device: "reference" });
  expect(result.o.get(0, 0, 0, 0)).toBe(0);
  expect(verify(result, q, q, q).ok).toBe(true);
  expect(verify({ o: tensor([2 ** -23], [1, 1, 1, 1], { dtype: "f16" }) }, q, q, q).ok).toBe(false);
});

test("results are compared in the layout of the problem", () => {
  const { q, k, v } = inputs(SHAPE, "bnhd");
  const result = linearAttention(q, k, v, options);
  expect(verify(result, q, k, v, options).ok).toBe(true);
  const problem = makeProblem(q, k, v, options);
  const flipped = tensor(result.o.data, [1, 2, 30, 3]);
  expect(errorOf(() => compare({ o: flipped }, problem))).toMatchObject({
    code: "INVALID_SHAPE",
    argument: "o",
  });
});
