import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { allocate } from "../../lib/dtype.ts";
import { Tensor, tensor, zeros } from "../../lib/mod.ts";
import { errorOf } from "../io/error_of.ts";

const counting = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i);

describe("construction", () => {
  test("nothing is copied", () => {
    const data = counting(6);
    const t = tensor(data, [2, 3]);
    expect(t.data).toBe(data);
    expect(t).toMatchObject({ dtype: "f32", shape: [2, 3], stride: [3, 1], offset: 0, size: 6 });
    data[4] = 40;
    expect(t.get(1, 1)).toBe(40);
  });

  test("the storage type follows the array unless it is given", () => {
    expect(tensor(new Uint16Array(2), [2]).dtype).toBe("bf16");
    expect(tensor(new Uint16Array(2), [2], { dtype: "f16" }).dtype).toBe("f16");
    expect(new Tensor(allocate("f16", 2), [2], { dtype: "f16" }).dtype).toBe("f16");
    expect(tensor(Uint16Array.of(0x3c00), [1], { dtype: "f16" }).get(0)).toBe(1);
    expect(tensor(Uint16Array.of(0x3f80), [1]).get(0)).toBe(1);
  });

  test("plain numbers are rounded to the type", () => {
    expect(tensor([0.1], [1]).get(0)).toBe(Math.fround(0.1));
    expect(tensor([257, 1], [2], { dtype: "bf16" }).toFloat32()).toEqual(Float32Array.of(256, 1));
    expect(tensor([2049], [1], { dtype: "f16" }).get(0)).toBe(2048);
  });

  test("strides and offsets view a part of the data", () => {
    const t = tensor(counting(12), [2, 2], { stride: [6, 2], offset: 1 });
    expect(t.toFloat32()).toEqual(Float32Array.of(1, 3, 7, 9));
    expect(t.dense().data).toEqual(Float32Array.of(1, 3, 7, 9));
  });

  test.each([
    ["INVALID_LENGTH", () => tensor(counting(5), [2, 3])],
    ["INVALID_LENGTH", () => tensor(counting(7), [2, 3])],
    ["INVALID_LENGTH", () => tensor(counting(7), [2, 3], { offset: 2 })],
    ["INVALID_LENGTH", () => tensor(counting(7), [2, 3], { offset: -1 })],
    ["INVALID_SHAPE", () => tensor(counting(6), [2.5, 3])],
    ["INVALID_SHAPE", () => tensor(counting(6), [-2, -3])],
    ["INVALID_STRIDE", () => tensor(counting(6), [2, 3], { stride: [3] })],
    ["INVALID_STRIDE", () => tensor(counting(6), [2, 3], { stride: [-3, 1] })],
    ["INVALID_DTYPE", () => tensor(new Float64Array(6) as unknown as Float32Array, [2, 3])],
    ["INVALID_DTYPE", () => tensor(counting(6), [2, 3], { dtype: "f16" })],
    ["INVALID_DTYPE", () => tensor([1], [1], { dtype: "f64" as "f32" })],
    ["INVALID_ARGUMENT", () => tensor(["1"] as unknown as number[], [1])],
    ["INVALID_LAYOUT", () => tensor(counting(6), [2, 3], { layout: "nhwc" as "bhnd" })],
    ["SIZE_OVERFLOW", () => tensor(counting(6), [2 ** 30, 2 ** 30])],
    ["INVALID_ARGUMENT", () => tensor(counting(6), [2, 3]).get(1)],
    ["INVALID_SHAPE", () => tensor(counting(6), [2, 3]).get(1, 3)],
    ["INVALID_SHAPE", () => tensor(counting(6), [2, 3]).slice(0, 1, 3)],
    ["INVALID_SHAPE", () => tensor(counting(6), [2, 3]).slice(2, 0, 1)],
  ])("%s: %s", (code, make) => {
    expect(errorOf(make).code).toBe(code);
  });
});

describe("methods", () => {
  test("slice is a view along any axis", () => {
    const t = tensor(counting(24), [2, 3, 4], { layout: "bhnd" });
    const part = t.slice(1, 1, 3);
    expect(part).toMatchObject({ shape: [2, 2, 4], layout: "bhnd" });
    expect(part.data).toBe(t.data);
    expect(part.toFloat32()).toEqual(
      Float32Array.of(4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23),
    );
    expect(part.slice(2, 3, 4).toFloat32()).toEqual(Float32Array.of(7, 11, 19, 23));
    expect(t.slice(1, 3, 3).toFloat32()).toEqual(new Float32Array(0));
    expect(tensor(counting(7), [2, 3], { stride: [4, 1] }).slice(0, 2, 2).shape).toEqual([0, 3]);
  });

  test("cast copies, rounds, and keeps the layout", () => {
    const t = tensor(Float32Array.of(1, 257), [1, 2], { layout: "bnhd" });
    const cast = t.cast("bf16");
    expect(cast).toMatchObject({ dtype: "bf16", shape: [1, 2], layout: "bnhd" });
    expect(cast.toFloat32()).toEqual(Float32Array.of(1, 256));
    expect(cast.cast("f16").toFloat32()).toEqual(Float32Array.of(1, 256));
    const same = t.cast("f32");
    expect(same.data).not.toBe(t.data);
    expect(same.data).toEqual(t.data);
  });

  test("dense copies the bits of a part, and is the tensor itself when there is nothing to do", () => {
    const t = tensor(Uint16Array.of(9, 0x7e01, 8, 0x8000), [2], { dtype: "f16", offset: 1, stride: [2] });
    expect([...new Uint16Array(t.dense().data.buffer)]).toEqual([0x7e01, 0x8000]);
    const whole = tensor(counting(6), [2, 3]);
    expect(whole.dense()).toBe(whole);
  });

  test("text shows type, shape, layout and the first elements", () => {
    const t = tensor(counting(8), [1, 2, 2, 2], { layout: "bhnd" });
    expect(String(t)).toBe("Tensor f32 [1,2,2,2] bhnd (0, 1, 2, 3, 4, 5, ...)");
    expect(inspect(t)).toBe(String(t));
    const custom = (t as unknown as Record<symbol, () => string>)[Symbol.for("Deno.customInspect")];
    expect(custom.call(t)).toBe(String(t));
    expect(String(zeros([0, 3], { dtype: "bf16" }))).toBe("Tensor bf16 [0,3] ()");
    expect(String(zeros([2], { dtype: "f16" }))).toBe("Tensor f16 [2] (0, 0)");
  });
});
