import { describe, expect, test } from "vitest";
import {
  allocate,
  convert,
  decodeTable,
  encodeInto,
  fromBf16Bits,
  fromF16Bits,
  fromFloats,
  isFloat16Array,
  overflowOf,
  roundTo,
  toBf16Bits,
  toF16Bits,
  toFloat32,
  toFloat64,
} from "../../lib/dtype.ts";
import { hex, random } from "./problems.ts";

const PATTERNS = Uint16Array.from({ length: 65536 }, (_, i) => i);

const FORMATS = [
  { dtype: "f16", bits: 10, bias: 15, encode: toF16Bits, decode: fromF16Bits },
  { dtype: "bf16", bits: 7, bias: 127, encode: toBf16Bits, decode: fromBf16Bits },
] as const;

/** The value of a pattern by the definition of the format, in exact arithmetic on powers of two. */
function defined(pattern: number, bits: number, bias: number): number {
  const sign = pattern >> 15 ? -1 : 1,
    exponent = (pattern >> bits) & (2 * bias + 1),
    fraction = pattern % 2 ** bits;
  if (exponent === 2 * bias + 1) return fraction ? NaN : sign * Infinity;
  return exponent
    ? sign * (1 + fraction / 2 ** bits) * 2 ** (exponent - bias)
    : sign * fraction * 2 ** (1 - bias - bits);
}

const isNaN16 = (pattern: number, bits: number): boolean => (pattern & 0x7fff) > (0x7fff >> bits << bits);

/** Values as text, every NaN the same. */
const values64 = (values: Float32Array | Float64Array): string =>
  hex(Float64Array.from(values, (x) => x === x ? x : 0x7ff8 * 2 ** 1000));

describe.each(FORMATS)("$dtype", ({ dtype, bits, bias, encode, decode }) => {
  const infinity = 0x7fff >> bits << bits;

  test("every pattern has its value", () => {
    const wrong = PATTERNS.filter((p) => !Object.is(decode(p), defined(p, bits, bias)));
    expect([...wrong]).toEqual([]);
    expect(values64(decodeTable(dtype))).toBe(
      values64(Float64Array.from(PATTERNS, (p) => defined(p, bits, bias))),
    );
  });

  test("every pattern comes back from its value, NaN as the quiet NaN", () => {
    const expected = PATTERNS.map((p) => isNaN16(p, bits) ? infinity | 1 << (bits - 1) : p);
    expect(hex(PATTERNS.map((p) => encode(decode(p))))).toBe(hex(expected));
  });

  test("halfway cases go to even, and a hair beside them to the nearer side", () => {
    let wrong = 0;
    for (let low = 0; low < infinity; low++) {
      const below = defined(low, bits, bias);
      const above = low + 1 === infinity ? 2 ** (bias + 1) : defined(low + 1, bits, bias);
      const half = (below + above) / 2;
      const even = low % 2 ? low + 1 : low;
      const step = 2 ** -40 * (above - below);
      if (encode(half) !== even || encode(half - step) !== low || encode(half + step) !== low + 1) wrong++;
      if (encode(-half) !== (even | 0x8000)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test("overflow is where rounding gives infinity", () => {
    const limit = overflowOf(dtype);
    expect(encode(limit)).toBe(infinity);
    expect(encode(limit * (1 - 2 ** -52))).toBe(infinity - 1);
    expect(encode(-Infinity)).toBe(infinity | 0x8000);
    expect(encode(Number.MAX_VALUE)).toBe(infinity);
    expect(encode(Number.MIN_VALUE)).toBe(0);
    expect(encode(-Number.MIN_VALUE)).toBe(0x8000);
  });

  test("arrays convert as single numbers do, whatever holds them", () => {
    const next = random(7);
    const values = Float64Array.from(
      { length: 20000 },
      (_, i) =>
        i < 8 ? [0, -0, NaN, Infinity, -Infinity, 1, 65519.99, -65520][i] : next() * 2 ** (next() * 30),
    );
    for (const source of [values, Float32Array.from(values)]) {
      const expected = Uint16Array.from(source, encode);
      const bits = new Uint16Array(source.length);
      encodeInto(source, bits, dtype);
      expect(hex(bits)).toBe(hex(expected));
      const held = fromFloats(source, dtype);
      const canonical = new Uint16Array(held.buffer).map((p) =>
        isNaN16(p, FORMATS.find((f) => f.dtype === dtype)!.bits) ? encode(NaN) : p
      );
      expect(hex(canonical)).toBe(hex(expected));
      expect(values64(toFloat64(held, dtype))).toBe(values64(Float64Array.from(expected, decode)));
      expect(values64(toFloat32(bits, dtype))).toBe(values64(Float64Array.from(expected, decode)));
    }
  });

  test("conversions between the types are exact or rounded once", () => {
    const patterns = PATTERNS.filter((p) => !isNaN16(p, bits));
    expect(convert(convert(patterns, dtype, "f32"), "f32", dtype).length).toBe(patterns.length);
    const back = fromFloats(toFloat32(patterns, dtype), dtype);
    expect(hex(new Uint16Array(back.buffer))).toBe(hex(patterns));
    const other = FORMATS.find((f) => f.dtype !== dtype)!;
    const crossed = convert(patterns, dtype, other.dtype);
    expect(hex(new Uint16Array(crossed.buffer))).toBe(hex(patterns.map((p) => other.encode(decode(p)))));
  });
});

test("f32 rounds as Math.fround does, and overflows where it does", () => {
  expect(roundTo(0.1, "f32")).toBe(Math.fround(0.1));
  expect(Math.fround(overflowOf("f32"))).toBe(Infinity);
  expect(Math.fround(overflowOf("f32") * (1 - 2 ** -52))).toBeLessThan(Infinity);
  expect(roundTo(2049, "f16")).toBe(2048);
  expect(roundTo(257, "bf16")).toBe(256);
});

test("f16 is held by a Float16Array where the runtime has one", () => {
  expect(isFloat16Array(allocate("f16", 3))).toBe("Float16Array" in globalThis);
  expect(allocate("bf16", 3)).toBeInstanceOf(Uint16Array);
  expect(allocate("f32", 3)).toEqual(new Float32Array(3));
});
