/** Infinities and NaN reach the tokens, heads and columns that they reach in the recurrence, and no other. */
import { describe, expect, it } from "vitest";
import { METHODS } from "../../ffi/symbols.ts";
import { linearAttention } from "../../lib/mod.ts";
import { makeProblem } from "../../lib/problem.ts";
import { oracle } from "../../lib/verify.ts";
import { expand, lineOf, parseCase } from "./case.ts";
import { makeInputs } from "./inputs.ts";

const CASES = "N=150 H=2 dk=20 dv=40 decay={none,factor:retention,gates:weak} layout=bhnd state=out";
const WILD = [Infinity, -Infinity, NaN];
const TOKENS = [0, 40, 149];

/** Index of the first element that is finite on one side only, or is finite and wrong; -1 when there is none. */
function firstWrong(got: Float32Array, right: Float64Array, bound: Float64Array): number {
  return right.findIndex((expected, i) => {
    if (!Number.isFinite(expected)) return Number.isFinite(got[i]);
    const error = Math.abs(got[i] - expected);
    // Where an infinity meets a finite bound the bound itself is infinite: the element is then only asked to be finite.
    return !(error <= 2e-6 * bound[i] + 2 ** -126);
  });
}

describe("non-finite inputs", () => {
  for (const c of expand(CASES).map(parseCase)) {
    for (const array of ["q", "k", "v"] as const) {
      for (const token of TOKENS) {
        for (const value of WILD) {
          const inputs = makeInputs(c);
          const { data, stride, offset } = inputs[array];
          (data as Float32Array)[offset + 1 * stride[1] + token * stride[2] + 7] = value;
          const { q, k, v, options } = inputs;
          const right = oracle(makeProblem(q, k, v, options));
          for (const { name: method } of METHODS) {
            it(`${method} ${array}[0,1,${token},7]=${value} ${lineOf(c)}`, () => {
              const { o, finalState } = linearAttention(q, k, v, {
                ...options,
                method,
                outputFinalState: true,
              });
              expect(firstWrong(o.toFloat32(), right.o, right.oBound), "o").toBe(-1);
              const state = finalState!.toFloat32();
              expect(firstWrong(state, right.finalState, right.finalStateBound), "final state").toBe(-1);
            });
          }
        }
      }
    }
  }
});
