/** What the cases on the CUDA device cover, and that the list of what it refuses is exact. */
import { describe, expect, it } from "vitest";
import { METHODS } from "../../ffi/symbols.ts";
import { explain, LeetError, type ProblemShape } from "../../lib/mod.ts";
import { type Case, lineOf } from "./case.ts";
import { allCases, cudaCases, UNSUPPORTED } from "./cuda.ts";
import { missing } from "./emulator.ts";

const reason = await missing();
const cases = (["f32", "f16", "bf16"] as const).flatMap(cudaCases);

function shapeOf({ B, H, Hkv, N, dk, dv, dtype, seqs }: Case): ProblemShape {
  const S = seqs === "-" ? 0 : seqs.split("+").length;
  return { B, H, Hkv, N, dk, dv, S, dtype, device: "cuda:0" };
}

/** The code with which the device refuses a case; undefined when it takes it. */
function refusalOf(c: Case): string | undefined {
  try {
    explain(shapeOf(c));
    return undefined;
  } catch (error) {
    if (error instanceof LeetError) return error.code;
    throw error;
  }
}

describe.skipIf(reason !== undefined)(`cases on CUDA${reason ? `, skipped: ${reason}` : ""}`, () => {
  it("are at least 1,500, of every dtype, decay form, layout and kind of state, ragged and grouped", () => {
    expect(cases.length * METHODS.length).toBeGreaterThanOrEqual(1500);
    const count = (is: (c: Case) => boolean): number => cases.filter(is).length;
    for (const dtype of ["f32", "f16", "bf16"]) {
      for (const form of ["none", "factor:", "log:", "gates:"]) {
        for (const layout of ["bhnd", "bnhd", "bhnd-padded"]) {
          const found = count((c) => c.dtype === dtype && c.decay.startsWith(form) && c.layout === layout);
          expect(found, `${dtype} ${form} ${layout}`).toBeGreaterThan(0);
        }
      }
      expect(count((c) => c.dtype === dtype && c.seqs !== "-"), `${dtype} ragged`).toBeGreaterThan(0);
      expect(count((c) => c.dtype === dtype && c.Hkv < c.H), `${dtype} grouped`).toBeGreaterThan(0);
    }
    for (const state of ["none", "in", "out", "inout", "inplace"]) {
      expect(count((c) => c.state === state), state).toBeGreaterThan(0);
    }
  });

  it("refused are exactly those of the list, with the code that it says", () => {
    const wrong = allCases().map(({ c }) => ({
      line: lineOf(c),
      expected: UNSUPPORTED.find(({ is }) => is(c))?.code,
      got: refusalOf(c),
    })).filter(({ expected, got }) => expected !== got);
    expect(wrong).toEqual([]);
    for (const { is, reason } of UNSUPPORTED) {
      expect(allCases().some(({ c }) => is(c)), `no case of: ${reason}`).toBe(true);
    }
  });
});
