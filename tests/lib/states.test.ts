/** Initial and final states, and ragged batches, on the reference device. */
import { describe, expect, test } from "vitest";
import { linearAttention, methods, tensor, zeros } from "../../lib/mod.ts";
import type { AttentionResult, Layout, Tensor } from "../../lib/mod.ts";
import { verify } from "../../lib/verify.ts";
import { bits, hex, inputs, noise, type Shape } from "./problems.ts";

const SHAPE: Shape = { B: 2, H: 4, Hkv: 2, N: 37, dk: 5, dv: 6 };
const device = "reference";

describe("states", () => {
  const { q, k, v } = inputs(SHAPE);
  const whole = linearAttention(q, k, v, { device, decay: [0.9, 0.5, 1, 0], outputFinalState: true });

  test.each(methods().map(({ name }) => name))("%s: a, then b from its state, is a+b", (method) => {
    const call = { device, method, decay: [0.9, 0.5, 1, 0], outputFinalState: true };
    const part = (from: number, to: number, initialState?: Tensor): AttentionResult =>
      linearAttention(q.slice(2, from, to), k.slice(2, from, to), v.slice(2, from, to), {
        ...call,
        ...(initialState && { initialState }),
      });
    const first = part(0, 20), second = part(20, 37, first.finalState);
    const o = zeros([2, 4, 37, 6]);
    for (let b = 0; b < 2; b++) {
      for (let h = 0; h < 4; h++) {
        const at = (b * 4 + h) * 37 * 6;
        (o.data as Float32Array).set(first.o.slice(0, b, b + 1).slice(1, h, h + 1).toFloat32(), at);
        (o.data as Float32Array).set(second.o.slice(0, b, b + 1).slice(1, h, h + 1).toFloat32(), at + 20 * 6);
      }
    }
    expect(verify({ o, finalState: second.finalState }, q, k, v, { decay: [0.9, 0.5, 1, 0] })).toMatchObject({
      ok: true,
    });
  });

  test("the state may be updated in place", () => {
    const state = noise(2 * 4 * 5 * 6, 4);
    const options = { device, decay: [0.9, 0.5, 1, 0], outputFinalState: true };
    const apart = linearAttention(q, k, v, { ...options, initialState: state.slice() });
    const { o, finalState } = linearAttention(q, k, v, {
      ...options,
      initialState: state,
      outFinalState: state,
    });
    expect(bits(o)).toBe(bits(apart.o));
    expect(finalState!.data).toBe(state);
    expect(hex(state)).toBe(bits(apart.finalState!));
  });

  test("outFinalState alone asks for the state", () => {
    const outFinalState = zeros([2, 4, 5, 6]);
    linearAttention(q, k, v, { device, decay: [0.9, 0.5, 1, 0], outFinalState });
    expect(bits(outFinalState)).toBe(bits(whole.finalState!));
  });
});

describe("ragged batches", () => {
  const shape = { ...SHAPE, B: 1 };
  const offsets = [0, 5, 5, 6, 37];

  test.each(["bhnd", "bnhd"] as Layout[])("%s: every sequence by itself", (layout) => {
    const { q, k, v } = inputs(shape, layout);
    const time = layout === "bhnd" ? 2 : 1;
    const initialState = tensor(noise(4 * 4 * 5 * 6, 3), [4, 4, 5, 6]);
    const gates = tensor(
      noise(4 * 37, 2).map((x) => -Math.abs(x)),
      layout === "bhnd" ? [1, 4, 37] : [1, 37, 4],
      { layout },
    );
    for (const { name: method } of methods()) {
      const options = { device, method, layout, outputFinalState: true };
      for (const cuSeqlens of [offsets, BigInt64Array.from(offsets, BigInt), Int32Array.from(offsets)]) {
        const all = linearAttention(q, k, v, { ...options, logGates: gates, initialState, cuSeqlens });
        expect(all.finalState!.shape).toEqual([4, 4, 5, 6]);
        for (let s = 0; s < 4; s++) {
          const [from, to] = [offsets[s], offsets[s + 1]];
          const one = linearAttention(
            q.slice(time, from, to),
            k.slice(time, from, to),
            v.slice(time, from, to),
            {
              ...options,
              logGates: gates.slice(time, from, to),
              initialState: initialState.slice(0, s, s + 1),
            },
          );
          expect(bits(all.o.slice(time, from, to))).toBe(bits(one.o));
          expect(bits(all.finalState!.slice(0, s, s + 1))).toBe(bits(one.finalState!));
        }
      }
    }
  });
});
