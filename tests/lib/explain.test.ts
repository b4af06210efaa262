/** What explain says of the reference device, and what auto does there. */
import { expect, test } from "vitest";
import { explain, linearAttention, openLibrary, type ProblemShape } from "../../lib/mod.ts";
import { errorOf } from "../io/error_of.ts";
import { inputs } from "./problems.ts";

const SHAPE = { B: 2, H: 4, Hkv: 2, N: 1000, dk: 16, dv: 32, device: "reference" };

test("every method has its cost, and the choice is the fastest", () => {
  const { device, methods, chosen, reason } = explain(SHAPE);
  expect(device).toBe("reference");
  expect(methods.map(({ method }) => method)).toEqual([
    "vanilla",
    "recurrent",
    "block",
    "recursion",
    "lightning",
    "fleet",
    "flash",
  ]);
  const fastest = methods.reduce((best, cost) => cost.seconds < best.seconds ? cost : best);
  expect(chosen).toBe(fastest.method);
  expect(reason).toMatch(
    new RegExp(`^least predicted time on reference: ${chosen} [\\d.]+ (us|ms|s), then `),
  );
  // Inputs and outputs once, in bytes, and the final states.
  const bytes = 2 * 1000 * (16 + 32) * (4 + 2) * 4 + 2 * 4 * 16 * 32 * 4;
  for (const cost of methods) {
    expect(cost.bytes).toBe(bytes);
    expect(cost.memory).toBeGreaterThan(2 * 4 * 1000 * 32 * 8);
  }
  expect(methods[1].flops).toBe(2 * 4 * 1000 * 5 * 16 * 32);
});

test("a library with CUDA kernels models an H100 beside what is there, and no other", async () => {
  const { version } = await openLibrary();
  const { h100, methods } = explain({ B: 1, H: 32, N: 8192, dk: 128, dtype: "bf16", device: "cpu" });
  if (!version.includes("cuda")) {
    expect(h100).toBeUndefined();
    return;
  }
  expect(h100?.map(({ method }) => method)).toEqual(methods.map(({ method }) => method));
  for (const { seconds, bytes } of h100 ?? []) expect(seconds).toBeGreaterThanOrEqual(bytes / 3.35e12);
  expect(explain({ B: 1, H: 1, N: 64, dk: 300, device: "cpu" }).h100).toBeUndefined();
  expect(explain(SHAPE).h100).toBeUndefined();
});

test("auto on the reference device runs what explain chooses", () => {
  for (const N of [0, 1, 100]) {
    const shape = { B: 1, H: 2, Hkv: 2, N, dk: 8, dv: 8 };
    const { q, k, v } = inputs(shape);
    expect(linearAttention(q, k, v, { device: "reference" }).method).toBe(
      explain({ ...shape, device: "reference" }).chosen,
    );
  }
});

test("fields left out have their defaults; 16-bit types move half the bytes", () => {
  const short = explain({ B: 1, H: 4, N: 64, dk: 8, device: "reference" });
  expect(short).toEqual(explain({ B: 1, H: 4, Hkv: 4, N: 64, dk: 8, dv: 8, S: 0, device: "reference" }));
  const half = explain({ B: 1, H: 4, N: 64, dk: 8, dtype: "bf16", device: "reference" });
  const states = 4 * 8 * 8 * 4;
  expect(2 * (half.methods[0].bytes - states)).toBe(short.methods[0].bytes - states);
});

test("a ragged batch counts its sequences", () => {
  const whole = explain({ B: 1, H: 4, N: 640, dk: 8, device: "reference" });
  const ragged = explain({ B: 1, H: 4, N: 640, dk: 8, S: 10, device: "reference" });
  expect(ragged.methods[0].flops).toBeLessThan(whole.methods[0].flops / 4);
  expect(ragged.methods[1].flops).toBe(whole.methods[1].flops);
});

test.each(
  [
    ["INVALID_SHAPE", "B", { B: -1 }],
    ["INVALID_ARGUMENT", "H", { H: "4" }],
    ["INVALID_SHAPE", "Hkv", { Hkv: 3 }],
    ["INVALID_SHAPE", "N", { N: 1.5 }],
    ["INVALID_SHAPE", "dk", { dk: 0 }],
    ["INVALID_ARGUMENT", "N", { N: undefined }],
    ["INVALID_CU_SEQLENS", "B", { S: 2 }],
    ["INVALID_DTYPE", "dtype", { dtype: "f64" }],
    ["INVALID_LAYOUT", "layout", { layout: "x" }],
    ["INVALID_DECAY", "decayForm", { decayForm: "gamma" }],
    ["INVALID_DEVICE", "device", { device: "tpu" }],
    ["INVALID_THREADS", "threads", { threads: -1 }],
    ["INVALID_ARGUMENT", "heads", { heads: 4 }],
    ["UNSUPPORTED_SHAPE", "q", { dk: 513, device: "cpu" }],
  ] as [string, string, object][],
)("%s, %s: %j", (code, argument, fields) => {
  const shape = { ...SHAPE, ...fields } as ProblemShape;
  if (argument === "q") expect(code).toBe("UNSUPPORTED_SHAPE");
  expect(errorOf(() => explain(shape))).toMatchObject({ code, argument });
});
