/** The accessor of C structs. */
import { expect, test } from "vitest";
import { cText, Struct } from "../../ffi/struct.ts";
import { LEET_DEVICE_INFO, LEET_PARAMS, type StructLayout } from "../../ffi/symbols.ts";

const EVERY_TYPE = {
  size: 72,
  fields: {
    struct_size: { offset: 0, type: "u32", count: 1 },
    i32: { offset: 4, type: "i32", count: 1 },
    i64: { offset: 8, type: "i64", count: 3 },
    u64: { offset: 32, type: "u64", count: 1 },
    f64: { offset: 40, type: "f64", count: 1 },
    f32: { offset: 48, type: "f32", count: 1 },
    text: { offset: 52, type: "char", count: 20 },
  },
} as const satisfies StructLayout;

test("starts as zeros with its size, and clear() brings that back", () => {
  const params = new Struct(LEET_PARAMS);
  const fresh = params.bytes.slice();
  expect(params.get("struct_size")).toBe(LEET_PARAMS.size);
  expect(fresh.subarray(4).every((byte) => byte === 0)).toBe(true);
  params.bytes.fill(255);
  params.clear();
  expect(params.bytes).toEqual(fresh);
});

test("writes what C reads: little-endian two's complement and IEEE", () => {
  const struct = new Struct(EVERY_TYPE), view = new DataView(struct.bytes.buffer);
  for (
    const value of [0, 1, -1, 4294967295, 4294967296, -4294967296, -4294967297, 2 ** 53 - 1, -(2 ** 53 - 1)]
  ) {
    struct.set("i64", value, 1);
    expect(view.getBigInt64(16, true)).toBe(BigInt(value));
    expect(struct.get("i64", 1)).toBe(value);
  }
  for (const value of [0, 1, 4294967295, 4294967296, 2 ** 53 - 1]) {
    struct.set("u64", value);
    expect(view.getBigUint64(32, true)).toBe(BigInt(value));
    expect(struct.get("u64")).toBe(value);
  }
  for (const value of [0, -1, 2 ** 31 - 1, -(2 ** 31)]) {
    struct.set("i32", value);
    expect(view.getInt32(4, true)).toBe(value);
    expect(struct.get("i32")).toBe(value);
  }
  for (const value of [0.1, -0, Infinity, NaN]) {
    struct.set("f64", value);
    struct.set("f32", value);
    expect(view.getFloat64(40, true)).toBe(value);
    expect(struct.get("f64")).toBe(value);
    expect(struct.get("f32")).toBe(Math.fround(value));
  }
  expect(view.getBigInt64(8, true)).toBe(0n);
  expect(view.getBigInt64(24, true)).toBe(0n);
  expect(struct.get("struct_size")).toBe(72);
});

test.each<["i32" | "i64" | "u64" | "f64", unknown]>([
  ["i32", 2 ** 31],
  ["i32", -(2 ** 31) - 1],
  ["i32", 1.5],
  ["i32", NaN],
  ["i64", 2 ** 53],
  ["i64", Infinity],
  ["i64", undefined],
  ["i64", "3"],
  ["i64", 3n],
  ["u64", -1],
  ["f64", "1"],
  ["f64", undefined],
])("set(%s, %s) is refused, names the field and writes nothing", (field, value) => {
  const struct = new Struct(EVERY_TYPE), before = struct.bytes.slice();
  expect(() => struct.set(field, value as number)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", argument: field }),
  );
  expect(struct.bytes).toEqual(before);
});

test.each([-1, 3, 0.5, NaN])("index %s of an array of three is refused", (index) => {
  const struct = new Struct(EVERY_TYPE);
  expect(() => struct.set("i64", 1, index)).toThrow(expect.objectContaining({ argument: "i64" }));
  expect(() => struct.get("i64", index)).toThrow(expect.objectContaining({ argument: "i64" }));
});

test("setBits writes all 64 bits of a handle", () => {
  const params = new Struct(LEET_PARAMS);
  params.setBits("stream", 0xfedcba9876543210n);
  const { offset } = LEET_PARAMS.fields.stream;
  expect(new DataView(params.bytes.buffer).getBigUint64(offset, true)).toBe(0xfedcba9876543210n);
  expect(params.get("device_used")).toBe(0);
});

test("setAll writes the first elements and refuses too many", () => {
  const params = new Struct(LEET_PARAMS);
  params.setAll("q_stride", [4, 5, 6]);
  expect([0, 1, 2].map((axis) => params.get("q_stride", axis))).toEqual([4, 5, 6]);
  expect(params.get("k_stride")).toBe(0);
  expect(() => params.setAll("q_stride", [1, 2, 3, 4])).toThrow(
    expect.objectContaining({ argument: "q_stride" }),
  );
});

test("text ends at its NUL or at the end of the field", () => {
  const info = new Struct(LEET_DEVICE_INFO), { offset, count } = LEET_DEVICE_INFO.fields.isa;
  info.bytes.set(new TextEncoder().encode("avx2\0junk"), offset);
  expect(info.text("isa")).toBe("avx2");
  info.bytes.fill(65, offset, offset + count);
  expect(info.text("isa")).toBe("A".repeat(count));
  expect(info.text("name")).toBe("");
  expect(cText(new TextEncoder().encode("é\0x"))).toBe("é");
});
