import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LeetError } from "../../lib/errors.ts";
import { readNpy, writeNpy } from "../../lib/io/npy.ts";
import { bytesOf, elementsOf, type NumericTensor, tensorOver } from "../../lib/io/stored.ts";
import { errorOf } from "./error_of.ts";
import { malformedNpy, npyBytes, npyHeader } from "./malformed_npy.ts";

const bytesOfHex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));

/** Data as NumPy 2.4 writes it: header fields, version, data in hexadecimal, and what the array holds. */
const numpy: readonly (readonly [string, string, string, number, string, NumericTensor])[] = [
  ["'<f4'", "False", "(2, 3)", 1, "0000803f0000004000004040000080400000a0400000c040", {
    dtype: "F32",
    shape: [2, 3],
    data: Float32Array.of(1, 2, 3, 4, 5, 6),
  }],
  ["'<f8'", "False", "()", 1, "000000000000f83f", { dtype: "F64", shape: [], data: Float64Array.of(1.5) }],
  ["'<i8'", "False", "(2,)", 2, "0100000000000000feffffffffffffff", {
    dtype: "I64",
    shape: [2],
    data: BigInt64Array.of(1n, -2n),
  }],
  ["'<f2'", "True", "(2, 3)", 1, "003c00440040004500420046", {
    dtype: "F16",
    shape: [2, 3],
    data: Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600),
  }],
  ["'>i4'", "False", "(2,)", 3, "00000001fffffffe", { dtype: "I32", shape: [2], data: Int32Array.of(1, -2) }],
  ["'<f4'", "False", "(0, 4)", 1, "", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
  ["'>f4'", "True", "(2, 1, 2)", 1, "3f800000404000004000000040800000", {
    dtype: "F32",
    shape: [2, 1, 2],
    data: Float32Array.of(1, 2, 3, 4),
  }],
  ["'=f4'", "True", "(2,)", 1, "0000803f00000040", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }],
  ["'<f4'", "False", "(1L, 2L)", 1, "0000803f00000040", {
    dtype: "F32",
    shape: [1, 2],
    data: Float32Array.of(1, 2),
  }],
  ["'<f4'", "True", "(0, 4)", 1, "", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
];

const anyNumeric = fc
  .record({
    dtype: fc.constantFrom<NumericTensor["dtype"]>("F16", "F32", "F64", "I32", "I64"),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 5 }),
    seed: fc.integer(),
  })
  .map(({ dtype, shape, seed }) => {
    const width = Number(dtype.slice(1)) / 8;
    const bytes = Uint8Array.from({ length: elementsOf(shape)! * width }, (_, i) => (seed + i * 37) & 255);
    return tensorOver(dtype, shape, bytes) as NumericTensor;
  });

describe("reading", () => {
  test.each(numpy)("%s fortran %s %s version %i", (descr, fortran, shape, version, hex, expected) => {
    expect(readNpy(npyBytes(npyHeader(descr, fortran, shape), bytesOfHex(hex), version))).toEqual(expected);
  });

  test("fields in any order, double quotes, no spaces", () => {
    const bytes = npyBytes('{"shape":(1,),"descr":"<i4","fortran_order":False}', [7, 0, 0, 0]);
    expect(readNpy(bytes)).toEqual({ dtype: "I32", shape: [1], data: Int32Array.of(7) });
  });

  test.each(malformedNpy)("%s is refused", (_, bytes, code, message) => {
    const error = errorOf(() => readNpy(bytes));
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^(not a valid \.npy file|\.npy file): /);
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).not.toContain("\n");
  });

  test("the corpus has no file twice", () => {
    expect(new Set(malformedNpy.map(([name]) => name)).size).toBe(malformedNpy.length);
    expect(malformedNpy.length).toBeGreaterThanOrEqual(60);
  });

  test.each([null, undefined, "x", [], new ArrayBuffer(8), new Uint16Array(8)])("%s is no file", (value) => {
    const error = errorOf(() => readNpy(value as never));
    expect([error.code, error.argument]).toEqual(["INVALID_ARGUMENT", "bytes"]);
  });
});

/** The same array with its first axis contiguous: what a .npy file in Fortran order holds. */
function columnMajor(shape: readonly number[], bytes: Uint8Array, width: number): Uint8Array {
  const result = new Uint8Array(bytes.length);
  for (let at = 0; at * width < bytes.length; at++) {
    let rest = at;
    const index = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    const to = index.reduceRight((sum, i, axis) => sum * shape[axis] + i, 0);
    result.set(bytes.subarray(at * width, (at + 1) * width), to * width);
  }
  return result;
}

describe("writing", () => {
  test("read after write is the identity, elements at a multiple of 64 bytes", () => {
    fc.assert(
      fc.property(anyNumeric, (tensor) => {
        const bytes = writeNpy(tensor);
        const back = readNpy(bytes);
        expect([back.dtype, back.shape]).toEqual([tensor.dtype, tensor.shape]);
        expect(bytesOf(back)).toEqual(bytesOf(tensor));
        expect(back.data.buffer).toBe(bytes.buffer);
        expect(back.data.byteOffset % 64).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test("Fortran order and big-endian are converted", () => {
    fc.assert(
      fc.property(anyNumeric, fc.boolean(), (tensor, big) => {
        const width = Number(tensor.dtype.slice(1)) / 8;
        const data = columnMajor(tensor.shape, bytesOf(tensor), width);
        if (big) { for (let at = 0; at < data.length; at += width) data.subarray(at, at + width).reverse(); }
        const name = `${tensor.dtype[0].toLowerCase()}${width}`;
        const shape = `(${tensor.shape.map((size) => `${size},`).join("")})`;
        const read = readNpy(npyBytes(npyHeader(`'${big ? ">" : "<"}${name}'`, "True", shape), data));
        expect([read.dtype, read.shape]).toEqual([tensor.dtype, tensor.shape]);
        expect(bytesOf(read)).toEqual(bytesOf(tensor));
      }),
      { numRuns: 300 },
    );
  });

  test("the bytes of a small file", () => {
    const bytes = writeNpy({ dtype: "F32", shape: [1], data: Float32Array.of(1) });
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }".padEnd(117) + "\n";
    expect(bytes).toEqual(npyBytes(header, [0, 0, 0x80, 0x3f]));
  });

  test.each<[string, unknown, string, string]>([
    [
      "bf16",
      { dtype: "BF16", shape: [1], data: new Uint16Array(1) },
      "INVALID_DTYPE",
      "got BF16; write safetensors",
    ],
    ["opaque", { dtype: "U8", shape: [1], data: new Uint8Array(1) }, "INVALID_DTYPE", "got U8"],
    ["other array", { dtype: "F32", shape: [1], data: new Float64Array(1) }, "INVALID_DTYPE", "Float32Array"],
    ["short", { dtype: "F32", shape: [2], data: new Float32Array(1) }, "INVALID_LENGTH", "expected 8 bytes"],
    [
      "65 axes",
      { dtype: "F32", shape: Array(65).fill(1), data: new Float32Array(1) },
      "INVALID_SHAPE",
      "64 axes",
    ],
  ])("%s is refused", (_, tensor, code, message) => {
    const error = errorOf(() => writeNpy(tensor as NumericTensor));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

function readsOrRefuses(bytes: Uint8Array): boolean {
  try {
    readNpy(bytes);
    return true;
  } catch (error) {
    if (error instanceof LeetError && ["INVALID_FILE", "INVALID_DTYPE"].includes(error.code)) return false;
    throw error;
  }
}

describe("damaged files give a LeetError or an array, nothing else", () => {
  const whole = npyBytes(npyHeader("'<f4'", "False", "(2, 3)"), new Uint8Array(24));

  test("every truncation", () => {
    for (let length = 0; length < whole.length; length++) {
      expect(readsOrRefuses(whole.subarray(0, length))).toBe(false);
    }
    expect(readsOrRefuses(whole)).toBe(true);
  });

  test("every byte of the header set to every value", () => {
    let refused = 0;
    for (let at = 0; at < whole.length - 24; at++) {
      const bytes = whole.slice();
      for (let value = 0; value < 256; value++) {
        bytes[at] = value;
        if (!readsOrRefuses(bytes)) refused++;
      }
    }
    expect(refused).toBeGreaterThan((whole.length - 24) * 100);
  });

  test("random flips, cuts and insertions", () => {
    const edits = fc.array(
      fc.record({
        at: fc.nat({ max: whole.length }),
        drop: fc.nat({ max: 3 }),
        insert: fc.uint8Array({ maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(edits, (list) => {
        let bytes = [...whole];
        for (const { at, drop, insert } of list) bytes = bytes.toSpliced(at, drop, ...insert);
        readsOrRefuses(Uint8Array.from(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  test("headers built to make a backtracking matcher slow", () => {
    const long = 60_000;
    for (
      const text of [
        " ".repeat(long),
        `{${" ".repeat(long)}`,
        `{'shape': (${"1,".repeat(long / 2)}`,
        `{${"'".repeat(long)}}`,
      ]
    ) {
      const begin = performance.now();
      expect(readsOrRefuses(npyBytes(text))).toBe(false);
      expect(performance.now() - begin).toBeLessThan(5000);
    }
  });
});
