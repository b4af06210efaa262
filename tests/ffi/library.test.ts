/** The binding on the real build/libleet.so. */
import { beforeAll, describe, expect, test } from "vitest";
import type { ForwardArrays, Native } from "../../ffi/native.ts";
import { openNative } from "../../ffi/open.ts";
import { Struct } from "../../ffi/struct.ts";
import {
  LEET_ABI_VERSION,
  LEET_COST,
  LEET_DECAY_FACTOR,
  LEET_DEVICE_CPU,
  LEET_DEVICE_INFO,
  LEET_INVALID_DECAY,
  LEET_INVALID_INDEX,
  LEET_INVALID_LENGTH,
  LEET_INVALID_POINTER,
  LEET_INVALID_STRUCT_SIZE,
  LEET_METHOD_INFO,
  LEET_METHOD_RECURRENT,
  LEET_OK,
  LEET_PARAMS,
  LEET_VERSION,
  METHODS,
  STATUS,
} from "../../ffi/symbols.ts";
import { ROOT } from "./compile.ts";

let native: Native;
beforeAll(() => {
  native = openNative({ libPath: `${ROOT}build/libleet.so` });
});

interface Sizes {
  H?: number;
  N: number;
  d: number;
}

/** A recurrent problem on the CPU with one batch row, and arrays of ascending small numbers. */
function problem(
  { H = 1, N, d }: Sizes,
): { params: Struct<typeof LEET_PARAMS>; arrays: ForwardArrays; o: Float32Array } {
  const params = new Struct(LEET_PARAMS);
  params.set("method", LEET_METHOD_RECURRENT);
  params.set("device", LEET_DEVICE_CPU);
  params.set("decay_form", LEET_DECAY_FACTOR);
  params.set("threads", 1);
  params.set("scale", 2);
  params.set("B", 1);
  params.set("N", N);
  for (const heads of ["H", "Hkv"] as const) params.set(heads, H);
  for (const dim of ["dk", "dv"] as const) params.set(dim, d);
  const array = (start: number) =>
    Float32Array.from({ length: H * N * d }, (_, index) => (start + index) % 7 - 3);
  const o = new Float32Array(H * N * d);
  const decay = new Float32Array(H).fill(0.5);
  return { params, arrays: [array(0), array(1), array(2), decay, null, null, o, null], o };
}

describe("tables", () => {
  test("the version is the one of the header", () => {
    const { text, abi } = native.version();
    expect(abi).toBe(LEET_ABI_VERSION);
    expect(text.startsWith(`${LEET_VERSION} `)).toBe(true);
  });

  test("every status has the name and the meaning of the table", () => {
    for (const { code, name, text } of STATUS) expect(native.statusText(code)).toBe(`${name}: ${text}`);
    expect(() => native.statusText(1)).toThrow(expect.objectContaining({ code: "INVALID_INDEX" }));
  });

  test("every method has the number, name and text of the table", () => {
    const info = new Struct(LEET_METHOD_INFO);
    for (const [index, { id, name, text }] of METHODS.entries()) {
      expect(native.methodGet(index, info.bytes)).toBe(LEET_OK);
      expect([info.get("method"), info.text("name"), info.text("text")]).toEqual([id, name, text]);
    }
    expect(native.methodGet(METHODS.length, info.bytes)).toBe(LEET_INVALID_INDEX);
    expect(native.methodGet(-1, info.bytes)).toBe(LEET_INVALID_INDEX);
  });

  test("device 0 is the CPU", () => {
    const info = new Struct(LEET_DEVICE_INFO);
    expect(native.deviceGet(0, info.bytes)).toBe(LEET_OK);
    expect(info.get("device")).toBe(LEET_DEVICE_CPU);
    expect(info.get("units")).toBeGreaterThan(0);
    expect(info.get("memory")).toBeGreaterThan(2 ** 20);
    expect(info.text("name")).not.toBe("");
    expect(["scalar", "avx2", "avx512", "neon"]).toContain(info.text("isa"));
  });

  test("a struct of another size is refused", () => {
    const info = new Struct(LEET_DEVICE_INFO);
    info.set("struct_size", LEET_DEVICE_INFO.size - 1);
    expect(native.deviceGet(0, info.bytes)).toBe(LEET_INVALID_STRUCT_SIZE);
  });
});

describe("forward", () => {
  /* o_1 = 2 q_1 (k_1 v_1); o_2 = 2 q_2 (0.5 k_1 v_1 + k_2 v_2) with q = -3 -2, k = -2 -1, v = -1 0. */
  const expected = [2 * -3 * (-2 * -1), 2 * -2 * (0.5 * (-2 * -1) + -1 * 0)];

  test("computes the operator and says which method ran", () => {
    const { params, arrays, o } = problem({ N: 2, d: 1 });
    expect(native.forward(params.bytes, ...arrays)).toBe(LEET_OK);
    expect([...o]).toEqual(expected);
    expect(params.get("method_used")).toBe(LEET_METHOD_RECURRENT);
    expect(params.text("message")).toBe("");
  });

  test("forwardAsync gives the same and leaves the event loop free", async () => {
    const first = problem({ N: 2, d: 1 });
    expect(await native.forwardAsync(first.params.bytes, ...first.arrays)).toBe(LEET_OK);
    expect([...first.o]).toEqual(expected);
    expect(first.params.get("method_used")).toBe(LEET_METHOD_RECURRENT);

    const long = { H: 8, N: 4096, d: 128 };
    const { params, arrays, o } = problem(long);
    const start = performance.now();
    expect(native.forward(params.bytes, ...arrays)).toBe(LEET_OK);
    const blocked = performance.now() - start;
    const again = problem(long);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    expect(await native.forwardAsync(again.params.bytes, ...again.arrays)).toBe(LEET_OK);
    clearInterval(timer);
    expect(again.o.findIndex((value, index) => !Object.is(value, o[index]))).toBe(-1);
    expect(blocked).toBeGreaterThan(20);
    expect(ticks).toBeGreaterThan(5);
  });

  test("refuses bad arguments with the name of the argument, and leaves o alone", async () => {
    const { params, arrays, o } = problem({ N: 2, d: 1 });
    o.fill(-7);
    const withDecay: ForwardArrays = [...arrays];
    withDecay[3] = new Float32Array([1.5]);
    expect(native.forward(params.bytes, ...withDecay)).toBe(LEET_INVALID_DECAY);
    expect(params.text("message")).toMatch(/^decay\[0\]: expected .*got 1\.5$/);
    params.set("q_len", 1);
    expect(await native.forwardAsync(params.bytes, ...arrays)).toBe(LEET_INVALID_LENGTH);
    expect(params.text("message")).toMatch(/^q: expected at least 2 elements/);
    expect([...o]).toEqual([-7, -7]);
  });

  test("NULL and an empty array are refused where elements are needed, and fine for no tokens", () => {
    for (const nothing of [null, new Float32Array(0)]) {
      const { params, arrays } = problem({ N: 2, d: 1 });
      arrays[1] = nothing;
      expect(native.forward(params.bytes, ...arrays)).toBe(LEET_INVALID_POINTER);
      expect(params.text("message")).toMatch(/^k: expected 2 elements, got NULL/);
    }
    const none = problem({ N: 0, d: 4 });
    expect(native.forward(none.params.bytes, ...none.arrays)).toBe(LEET_OK);
  });
});

test("estimate fills the cost", () => {
  const { params } = problem({ N: 100, d: 8 }), cost = new Struct(LEET_COST);
  expect(native.estimate(params.bytes, cost.bytes)).toBe(LEET_OK);
  expect(cost.get("method")).toBe(LEET_METHOD_RECURRENT);
  for (const field of ["flops", "bytes", "seconds"] as const) expect(cost.get(field)).toBeGreaterThan(0);
});

test("scratch memory is counted and given back", () => {
  const { params, arrays } = problem({ N: 64, d: 16 });
  expect(native.forward(params.bytes, ...arrays)).toBe(LEET_OK);
  expect(native.workspaceBytes()).toBeGreaterThanOrEqual(0);
  native.workspaceRelease();
  expect(native.workspaceBytes()).toBe(0);
});
