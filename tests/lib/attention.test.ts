/** linearAttention on the reference device: shapes, layouts, strides, states, outputs. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { linearAttention, methods, tensor } from "../../lib/mod.ts";
import type { AttentionOptions, DType, Layout, Tensor } from "../../lib/mod.ts";
import { verify } from "../../lib/verify.ts";
import { errorOf } from "../io/error_of.ts";
import { bits, decays, inputs, noise, type Shape, swapped } from "./problems.ts";

const SHAPE: Shape = { B: 2, H: 4, Hkv: 2, N: 37, dk: 5, dv: 6 };
const device = "reference";

/** The operator element by element, straight from its formula, with logical indices. */
function expected(
  shape: Shape,
  at: (name: "q" | "k" | "v", b: number, h: number, t: number, i: number) => number,
  decay: (b: number, h: number, t: number) => number,
  scale: number,
): number[] {
  const { B, H, Hkv, N, dk, dv } = shape;
  const o: number[] = [];
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const kv = Math.floor(h * Hkv / H);
      for (let i = 0; i < N; i++) {
        for (let e = 0; e < dv; e++) {
          let sum = 0, weight = 1;
          for (let j = i; j >= 0; j--) {
            for (let r = 0; r < dk; r++) {
              sum += weight * at("q", b, h, i, r) * at("k", b, kv, j, r) * at("v", b, kv, j, e);
            }
            weight *= decay(b, h, j);
          }
          o.push(scale * sum);
        }
      }
    }
  }
  return o;
}

describe.each(["bhnd", "bnhd"] as Layout[])("%s", (layout) => {
  const { q, k, v } = inputs(SHAPE, layout);
  const { B, H, N } = SHAPE;
  const at = (name: "q" | "k" | "v", b: number, h: number, t: number, i: number): number =>
    layout === "bhnd" ? { q, k, v }[name].get(b, h, t, i) : { q, k, v }[name].get(b, t, h, i);
  const gates = noise(B * H * N, 9).map((x) => -Math.abs(x));

  test.each(
    [
      ["no decay", {}, () => 1],
      ["decay", { decay: [0.9, 0.5, 0, 1] }, (_b, h) => Math.fround([0.9, 0.5, 0, 1][h])],
      [
        "logDecay",
        { logDecay: [-0.1, -1, -Infinity, 0] },
        (_b, h) => Math.exp(Math.fround([-0.1, -1, -Infinity, 0][h])),
      ],
      [
        "logGates",
        { logGates: gates },
        (b, h, t) => Math.exp(gates[layout === "bhnd" ? (b * H + h) * N + t : (b * N + t) * H + h]),
      ],
    ] as [string, AttentionOptions, (b: number, h: number, t: number) => number][],
  )("%s is the formula, and query heads share key/value heads", (_name, options, decay) => {
    const { o, finalState } = linearAttention(q, k, v, { ...options, scale: 0.5, device });
    expect(finalState).toBeUndefined();
    expect(o).toMatchObject({ layout, dtype: "f32", shape: layout === "bhnd" ? [B, H, N, 6] : [B, N, H, 6] });
    const flat = layout === "bhnd" ? o.toFloat32() : swapped(o).toFloat32();
    const right = expected(SHAPE, at, decay, 0.5);
    const worst = flat.reduce((most, x, i) => {
      const error = Math.abs(x - right[i]);
      return error <= most ? most : error;
    }, 0);
    expect(!(worst <= 1e-6)).toBe(false);
  });

  test("a tensor that knows its layout need not be told, and must not contradict", () => {
    const told = linearAttention(q, k, v, { device, layout });
    expect(bits(linearAttention(q, k, v, { device }).o)).toBe(bits(told.o));
    const other = layout === "bhnd" ? "bnhd" : "bhnd";
    expect(errorOf(() => linearAttention(q, k, v, { device, layout: other }))).toMatchObject({
      code: "INVALID_LAYOUT",
      argument: "q",
    });
  });
});

test("both layouts give the same bits", () => {
  const { q, k, v } = inputs(SHAPE);
  const options = { device, decay: [0.9, 0.8, 0.7, 0.6], outputFinalState: true };
  const first = linearAttention(q, k, v, options);
  const second = linearAttention(swapped(q), swapped(k), swapped(v), { ...options, layout: "bnhd" });
  expect(bits(swapped(second.o))).toBe(bits(first.o));
  expect(bits(second.finalState!)).toBe(bits(first.finalState!));
});

describe.each(["f32", "f16", "bf16"] as DType[])("%s", (dtype) => {
  test.each(methods().map(({ name }) => name))(
    "%s keeps within the tolerance for every form of decay",
    (method) => {
      const { q, k, v } = inputs(SHAPE, "bhnd", dtype);
      for (const decay of Object.values(decays(SHAPE))) {
        const options = {
          ...decay,
          device,
          method,
          outputFinalState: true,
          initialState: noise(2 * 4 * 5 * 6, 8),
        };
        const result = linearAttention(q, k, v, options);
        expect(result).toMatchObject({ method, device: "reference" });
        expect(result.o.dtype).toBe(dtype);
        expect(result.finalState).toMatchObject({ dtype: "f32", shape: [2, 4, 5, 6] });
        expect(verify(result, q, k, v, options)).toMatchObject({ ok: true });
      }
    },
  );
});

test("f16 beyond its range is an infinity", () => {
  const one = tensor([300], [1, 1, 1, 1], { dtype: "f16" });
  const minus = tensor([-300], [1, 1, 1, 1], { dtype: "f16" });
  expect(linearAttention(one, one, one, { device }).o.get(0, 0, 0, 0)).toBe(Infinity);
  expect(linearAttention(one, one, minus, { device }).o.get(0, 0, 0, 0)).toBe(-Infinity);
});

describe("shapes", () => {
  test.each([0, 1])("N = %i", (N) => {
    const shape = { ...SHAPE, N };
    const { q, k, v } = inputs(shape);
    const initialState = noise(2 * 4 * 5 * 6, 4);
    const options = { device, decay: [0.5, 0.5, 0.5, 0.5], initialState, outputFinalState: true };
    for (const { name: method } of methods()) {
      const result = linearAttention(q, k, v, { ...options, method });
      expect(result.o.shape).toEqual([2, 4, N, 6]);
      expect(verify(result, q, k, v, options)).toMatchObject({ ok: true });
      if (N === 0) expect(result.finalState!.data).toEqual(initialState);
    }
  });

  test("an empty batch gives empty results", () => {
    const { q, k, v } = inputs({ ...SHAPE, B: 0 });
    const { o, finalState } = linearAttention(q, k, v, { device, outputFinalState: true });
    expect(o.shape).toEqual([0, 4, 37, 6]);
    expect(finalState!.shape).toEqual([0, 4, 5, 6]);
  });

  test("head dimensions above those of native devices", () => {
    const shape = { B: 1, H: 1, Hkv: 1, N: 2, dk: 600, dv: 700 };
    const { q, k, v } = inputs(shape);
    expect(verify(linearAttention(q, k, v, { device }), q, k, v)).toMatchObject({ ok: true });
  });
});

describe("strides and offsets", () => {
  const { q, k, v } = inputs(SHAPE);
  const right = linearAttention(q, k, v, { device, decay: [0.9, 0.9, 0.9, 0.9] });

  test("q, k and v packed in one array of bnhd rows", () => {
    const { B, H, Hkv, N, dk, dv } = SHAPE;
    const width = H * dk + Hkv * dk + Hkv * dv;
    const data = new Float32Array(3 + B * N * width).fill(NaN);
    const pack = (source: Tensor, heads: number, dim: number, from: number) => {
      const part = {
        data,
        shape: [B, N, heads, dim],
        stride: [N * width, width, dim, 1],
        offset: 3 + from,
      };
      for (let b = 0; b < B; b++) {
        for (let h = 0; h < heads; h++) {
          for (let t = 0; t < N; t++) {
            for (let i = 0; i < dim; i++) {
              data[part.offset + (b * N + t) * width + h * dim + i] = source.get(b, h, t, i);
            }
          }
        }
      }
      return part;
    };
    const packed = [pack(q, H, dk, 0), pack(k, Hkv, dk, H * dk), pack(v, Hkv, dv, (H + Hkv) * dk)] as const;
    const { o } = linearAttention(...packed, { device, decay: [0.9, 0.9, 0.9, 0.9], layout: "bnhd" });
    expect(bits(swapped(o))).toBe(bits(right.o));
  });

  test("out with strides and an offset; nothing around it is written", () => {
    const data = new Float32Array(2 * 4 * 40 * 8 + 5).fill(-7);
    const out = tensor(data, [2, 4, 37, 6], { stride: [4 * 40 * 8, 40 * 8, 8, 1], offset: 5 });
    const { o } = linearAttention(q, k, v, { device, decay: [0.9, 0.9, 0.9, 0.9], out });
    expect(o.data).toBe(data);
    expect(bits(o)).toBe(bits(right.o));
    expect(data.filter((x) => x === -7).length).toBe(data.length - 2 * 4 * 37 * 6);
  });

  test("gates with strides, and gates of a 16-bit type", () => {
    const gates = noise(2 * 37 * 4, 6).map((x) => -Math.abs(x));
    const bnhd = tensor(gates, [2, 4, 37], { stride: [148, 1, 4] });
    expect(bits(linearAttention(q, k, v, { device, logGates: bnhd }).o)).toBe(
      bits(linearAttention(q, k, v, { device, logGates: bnhd.toFloat32() }).o),
    );
    const half = tensor(gates, [2, 4, 37]).cast("bf16");
    expect(bits(linearAttention(q, k, v, { device, logGates: half }).o)).toBe(
      bits(linearAttention(q, k, v, { device, logGates: half.toFloat32() }).o),
    );
  });

  test("one key/value head broadcast by a stride of 0", () => {
    const one = inputs({ ...SHAPE, Hkv: 1 });
    const wide = (t: Tensor) => ({
      ...t,
      shape: [2, 4, 37, t.shape[3]],
      stride: [t.stride[0], 0, t.stride[2], 1],
    });
    expect(bits(linearAttention(one.q, wide(one.k), wide(one.v), { device }).o)).toBe(
      bits(linearAttention(one.q, one.k, one.v, { device }).o),
    );
  });

  test("a shared buffer", () => {
    const data = new Float32Array(new SharedArrayBuffer(q.data.byteLength));
    data.set(q.data as Float32Array);
    const { o } = linearAttention({ data, shape: q.shape }, k, v, { device, decay: [0.9, 0.9, 0.9, 0.9] });
    expect(bits(o)).toBe(bits(right.o));
  });
});

test("the activations of a trained RetNet give the stored float64 result", () => {
  const { tensors } = readSafetensors(
    new Uint8Array(
      readFileSync(fileURLToPath(new URL("../data/retnet-layer1.safetensors", import.meta.url).href)),
    ),
  );
  const load = (name: string): Tensor => {
    const { data, shape } = tensors.get(name)!;
    return tensor(data as Float32Array, shape);
  };
  const [q, k, v] = ["q", "k", "v"].map(load);
  for (const { name: method } of methods()) {
    const result = linearAttention(q, k, v, {
      device,
      method,
      decay: load("decay"),
      scale: 0.125,
      outputFinalState: true,
    });
    for (const [got, want] of [[result.o, load("o")], [result.finalState!, load("final_state")]]) {
      const right = want.toFloat32();
      let error = 0, norm = 0;
      got.toFloat32().forEach((x, i) => {
        error += (x - right[i]) ** 2;
        norm += right[i] ** 2;
      });
      expect(!(Math.sqrt(error / norm) <= 1e-7)).toBe(false);
    }
  }
});
