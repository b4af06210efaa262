/** What lib/ does around the native library; the numbers of every kernel are checked elsewhere. */
import { describe, expect, test } from "vitest";
import {
  devices,
  explain,
  linearAttention,
  linearAttentionAsync,
  openLibrary,
  tensor,
  verify,
} from "../../lib/mod.ts";
import { bits, decays, hex, inputs, noise, swapped } from "./problems.ts";

const SHAPE = { B: 2, H: 4, Hkv: 2, N: 37, dk: 5, dv: 6 };
const METHOD = { method: "recurrent" };
const { q, k, v } = inputs(SHAPE);

test("the library opens, and the CPU comes before the reference device", async () => {
  const { path, version } = await openLibrary();
  expect(path).toMatch(/libleet\.so/);
  expect(version).toMatch(/^\d+\.\d+\.\d+ .*cpu\(/);
  const [cpu, ...others] = devices();
  expect(cpu.name).toBe("cpu");
  expect(cpu.units).toBeGreaterThan(0);
  expect(cpu.memory).toBeGreaterThan(2 ** 20);
  expect(cpu.isa).toMatch(/^(scalar|avx2|avx512|neon)$/);
  expect(others.at(-1)!.name).toBe("reference");
});

describe.each(["f32", "f16", "bf16"] as const)("%s", (dtype) => {
  test.each(["none", "decay", "logDecay", "logGates"])("%s", (form) => {
    for (const layout of ["bhnd", "bnhd"] as const) {
      const call = inputs(SHAPE, layout, dtype);
      const options = {
        ...decays(SHAPE)[form],
        scale: -0.3,
        initialState: noise(2 * 4 * 5 * 6, 8),
        outputFinalState: true,
      };
      const result = linearAttention(call.q, call.k, call.v, { ...options, ...METHOD });
      expect(result).toMatchObject({ method: "recurrent", device: "cpu" });
      expect(verify(result, call.q, call.k, call.v, options)).toMatchObject({ ok: true });
    }
  });
});

test("strides, offsets and out reach the kernel; nothing around out is written", () => {
  const options = { decay: [0.9, 0.5, 1, 0], outputFinalState: true };
  const right = linearAttention(q, k, v, { ...options, ...METHOD });
  const data = new Float32Array(2 * 37 * 4 * 8 + 5).fill(-7);
  const out = tensor(data, [2, 37, 4, 6], { stride: [37 * 4 * 8, 4 * 8, 8, 1], offset: 5 });
  const rows = noise(2 * 37 * 4 * 9 + 9, 1);
  const wide = tensor(rows, [2, 37, 4, 5], { stride: [37 * 4 * 9, 4 * 9, 9, 1], offset: 9 });
  const narrow = swapped(q).data;
  for (let row = 0; row < 2 * 37 * 4; row++) {
    for (let r = 0; r < 5; r++) rows[9 + row * 9 + r] = narrow[row * 5 + r];
  }
  const { o } = linearAttention(wide, swapped(k), swapped(v), { ...options, ...METHOD, out, layout: "bnhd" });
  expect(bits(swapped(o))).toBe(bits(right.o));
  expect(data.filter((x) => x === -7).length).toBe(data.length - 2 * 37 * 4 * 6);
});

test("gates with strides reach the kernel", () => {
  const gates = tensor(noise(2 * 37 * 4, 6).map((x) => -Math.abs(x)), [2, 4, 37], { stride: [148, 1, 4] });
  const { o } = linearAttention(q, k, v, { ...METHOD, logGates: gates });
  expect(bits(o)).toBe(bits(linearAttention(q, k, v, { ...METHOD, logGates: gates.toFloat32() }).o));
});

test("the state is updated in place", () => {
  const state = noise(2 * 4 * 5 * 6, 4);
  const apart = linearAttention(q, k, v, { ...METHOD, initialState: state.slice(), outputFinalState: true });
  const { finalState } = linearAttention(q, k, v, { ...METHOD, initialState: state, outFinalState: state });
  expect(finalState!.data).toBe(state);
  expect(hex(state)).toBe(bits(apart.finalState!));
});

test("a ragged batch has a state for each sequence", () => {
  const call = inputs({ ...SHAPE, B: 1 });
  const options = { decay: [0.9, 0.5, 1, 0], cuSeqlens: [0, 5, 5, 37], outputFinalState: true };
  const result = linearAttention(call.q, call.k, call.v, { ...options, ...METHOD });
  expect(result.finalState!.shape).toEqual([3, 4, 5, 6]);
  expect(verify(result, call.q, call.k, call.v, options)).toMatchObject({ ok: true });
});

test.each([0, 1])("N = %i", (N) => {
  const call = inputs({ ...SHAPE, N });
  const options = { decay: [0.9, 0.5, 1, 0], initialState: noise(2 * 4 * 5 * 6, 4), outputFinalState: true };
  const result = linearAttention(call.q, call.k, call.v, { ...options, ...METHOD });
  expect(verify(result, call.q, call.k, call.v, options)).toMatchObject({ ok: true });
  if (N === 0) expect(hex(result.finalState!.data as Float32Array)).toBe(hex(options.initialState));
});

test("asynchronous calls at the same time give the bits of synchronous ones", async () => {
  const scales = [1, 2, -0.5, 0];
  const options = { ...METHOD, decay: [0.9, 0.5, 1, 0], outputFinalState: true };
  const later = await Promise.all(
    scales.map((scale) => linearAttentionAsync(q, k, v, { ...options, scale })),
  );
  scales.forEach((scale, i) => {
    const now = linearAttention(q, k, v, { ...options, scale });
    expect(bits(later[i].o)).toBe(bits(now.o));
    expect(bits(later[i].finalState!)).toBe(bits(now.finalState!));
    expect(later[i]).toMatchObject({ method: "recurrent", device: "cpu" });
  });
});

test("a device that the machine does not have is refused by name", () => {
  expect(() => linearAttention(q, k, v, { device: "cuda:4095" })).toThrow(
    expect.objectContaining({
      name: "LeetError",
      code: expect.stringMatching(/^(UNSUPPORTED_DEVICE|INVALID_DEVICE|NO_DEVICE|NO_DRIVER)$/),
    }),
  );
});

test("explain gives the costs of the library and its choice, which auto runs", () => {
  const shape = { B: 1, H: 4, Hkv: 2, N: 256, dk: 32, dv: 64 };
  const { device, methods, chosen, reason } = explain({ ...shape, threads: 1 });
  expect(device).toBe("cpu");
  expect(methods.length).toBe(7);
  for (const { flops, bytes, seconds, memory } of methods) {
    expect(flops).toBeGreaterThan(0);
    expect(seconds).toBeGreaterThan(0);
    expect(memory).toBeGreaterThanOrEqual(0);
    expect(bytes).toBe(256 * (32 + 64) * (4 + 2) * 4 + 4 * 32 * 64 * 4);
  }
  expect(reason).toContain(chosen);
  const call = inputs(shape);
  expect(linearAttention(call.q, call.k, call.v, { decay: [1, 1, 1, 1], threads: 1 }).method).toBe(chosen);
});
