import { describe, expect, test } from "vitest";
import { alibiSlopes, fromRates, lightning, retention } from "../../lib/mod.ts";
import { errorOf } from "../io/error_of.ts";

test("retention is 1 - 2^(-5-h)", () => {
  expect([...retention(4)]).toEqual([31 / 32, 63 / 64, 127 / 128, 255 / 256]);
  expect(retention(32).every((a) => a > 0.96 && a <= 1)).toBe(true);
});

describe("alibiSlopes", () => {
  test("of a power of two are a geometric sequence from 2^(-8/H) to 2^-8", () => {
    expect([...alibiSlopes(8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => 2 ** -n));
    expect([...alibiSlopes(1)]).toEqual([2 ** -8]);
    const slopes = alibiSlopes(32);
    expect(slopes[0]).toBeCloseTo(0.8409, 4);
    expect(slopes[31]).toBe(2 ** -8);
  });

  test("of other numbers are filled up with every second slope of the next power", () => {
    // The values that the ALiBi paper's rule gives for 12 heads, as its models with 12 heads use them.
    const twelve = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625];
    const between = [0.70710678, 0.35355339, 0.17677669, 0.08838835];
    [...alibiSlopes(12)].forEach((slope, h) => expect(slope).toBeCloseTo([...twelve, ...between][h], 7));
    expect([...alibiSlopes(3)]).toEqual([2 ** -4, 2 ** -8, 2 ** -2]);
  });

  test("are positive and different for every head", () => {
    for (let H = 1; H <= 130; H++) {
      const slopes = alibiSlopes(H);
      expect(slopes.length).toBe(H);
      expect(slopes.every((slope) => slope > 0 && slope < 1)).toBe(true);
      expect(new Set(slopes).size).toBe(H);
    }
  });
});

test("lightning weakens the slopes from the first layer to the last", () => {
  const first = lightning(8, 0, 11), middle = lightning(8, 5, 11), last = lightning(8, 10, 11);
  const slopes = [...alibiSlopes(8)];
  const expected = (weight: number): number[] => slopes.map((slope) => Math.fround(-slope * weight));
  expect([...first]).toEqual(expected(1 + 1e-5));
  expect([...middle]).toEqual(expected(0.5 + 1e-5));
  expect([...last]).toEqual(expected(1e-5));
  expect(last.every((x) => x < 0)).toBe(true);
  expect([...lightning(8)]).toEqual(expected(1 + 1e-5));
});

test("fromRates negates", () => {
  expect([...fromRates([0.5, 1, Infinity])]).toEqual([-0.5, -1, -Infinity]);
  expect([...fromRates(Float64Array.of(0.25))]).toEqual([-0.25]);
});

test.each([
  ["INVALID_SHAPE", "H", () => retention(0)],
  ["INVALID_SHAPE", "H", () => retention(2.5)],
  ["INVALID_ARGUMENT", "H", () => alibiSlopes("8" as unknown as number)],
  ["INVALID_SHAPE", "H", () => alibiSlopes(-1)],
  ["INVALID_SHAPE", "H", () => lightning(NaN)],
  ["INVALID_ARGUMENT", "layer", () => lightning(8, 4, 4)],
  ["INVALID_ARGUMENT", "layers", () => lightning(8, 0, 0)],
  ["INVALID_DECAY", "rates", () => fromRates([-0.1])],
  ["INVALID_DECAY", "rates", () => fromRates([NaN])],
  ["INVALID_ARGUMENT", "rates", () => fromRates(3 as unknown as number[])],
  ["INVALID_ARGUMENT", "rates", () => fromRates(["1"] as unknown as number[])],
])("%s, %s: %s", (code, argument, call) => {
  expect(errorOf(call)).toMatchObject({ code, argument });
});
