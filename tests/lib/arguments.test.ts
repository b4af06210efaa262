/** Every kind of wrong argument: its code, the argument it names, and outputs that stay as they were. */
import { expect, test } from "vitest";
import { type AttentionOptions, linearAttention, linearAttentionAsync } from "../../lib/mod.ts";
import { errorOf } from "../io/error_of.ts";
import { type Call, CASES, goodCall, overlapping, POISON } from "./bad_arguments.ts";

test("the unchanged call is right, and touching arrays are apart", () => {
  const call = goodCall();
  call.options.device = "reference";
  linearAttention(call.q, call.k, call.v, call.options);
  expect(call.options.out.data.includes(POISON)).toBe(false);
  expect(call.options.outFinalState.includes(POISON)).toBe(false);
  overlapping(call, 0);
  linearAttention(call.q, call.k, call.v, call.options);
});

test("there are at least 70 kinds, no two the same", () => {
  expect(new Set(CASES.map(([what]) => what)).size).toBe(CASES.length);
  expect(CASES.length).toBeGreaterThanOrEqual(70);
});

/** Bytes of both outputs, as far as they have any. */
function outputsOf({ options }: Call): string {
  const arrays = [options?.out?.data, options?.outFinalState];
  return arrays.map((array) => array?.length > 0 ? array.join() : "").join("|");
}

// The checks come before the device, so the native devices need no library for them.
test.each(CASES.flatMap((item) => ["reference", "cpu"].map((device) => [...item, device] as const)))(
  "%s: %s, %s",
  async (_what, code, argument, change, device) => {
    const call = goodCall();
    call.options.device = device;
    change(call);
    const before = outputsOf(call);
    const error = errorOf(() => linearAttention(call.q, call.k, call.v, call.options as AttentionOptions));
    expect(error).toMatchObject({ code, argument });
    expect(error.message).toMatch(new RegExp(`^${argument}: expected .+, got .+`));
    expect(outputsOf(call)).toBe(before);
    await expect(linearAttentionAsync(call.q, call.k, call.v, call.options)).rejects.toMatchObject({
      code,
      argument,
    });
    expect(outputsOf(call)).toBe(before);
  },
);

test.each(["q", "k", "v"] as const)(
  "%s in a resizable buffer is taken at once and refused for later",
  async (name) => {
    const call = goodCall();
    const resizable = new Float32Array(new ArrayBuffer(call[name].data.byteLength, { maxByteLength: 4096 }));
    resizable.set(call[name].data);
    call[name].data = resizable;
    call.options.device = "reference";
    linearAttention(call.q, call.k, call.v, call.options);
    await expect(linearAttentionAsync(call.q, call.k, call.v, call.options)).rejects.toMatchObject({
      code: "INVALID_BUFFER",
      argument: name,
    });
  },
);

test.each([["dk", "q"], ["dv", "v"]])("%s above 512 is for the reference device alone", (dim, argument) => {
  const [dk, dv] = dim === "dk" ? [513, 2] : [2, 513];
  const make = (d: number) => ({ data: new Float32Array(d), shape: [1, 1, 1, d] });
  linearAttention(make(dk), make(dk), make(dv), { device: "reference" });
  expect(errorOf(() => linearAttention(make(dk), make(dk), make(dv), { device: "cpu" }))).toMatchObject({
    code: "UNSUPPORTED_SHAPE",
    argument,
  });
});

test("what cannot be allocated is an error of this library", () => {
  const wide = { data: new Float32Array(4), shape: [2 ** 20, 2 ** 18, 4, 1], stride: [0, 0, 1, 1] };
  const error = errorOf(() => linearAttention(wide, wide, wide, { device: "reference" }));
  expect(error).toMatchObject({ code: "OUT_OF_MEMORY", argument: "o" });
});
