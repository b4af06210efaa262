import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LeetError } from "../../lib/errors.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { bytesOf, elementsOf, type StoredTensor, storedTypes, tensorOver } from "../../lib/io/stored.ts";
import { errorOf } from "./error_of.ts";
import { malformedSafetensors, safetensorsBytes } from "./malformed_safetensors.ts";

const f32 = (values: number[], shape = [values.length]): StoredTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from(values),
});

/** Tensors of every type, scalars and empty ones included; contents are any bytes. */
const anyTensor = fc
  .record({
    dtype: fc.constantFrom(...storedTypes),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
    seed: fc.integer(),
  })
  .map(({ dtype, shape, seed }) => {
    const padded = ["F4", "F6_E2M3", "F6_E3M2"].includes(dtype) ? [...shape, 8] : shape;
    const bits: Partial<Record<string, number>> = { F4: 4, F6_E2M3: 6, F6_E3M2: 6 };
    const width = bits[dtype] ?? Number(/\d+/.exec(dtype)?.[0] ?? 8);
    const bytes = Uint8Array.from(
      { length: elementsOf(padded)! * width / 8 },
      (_, i) => (seed + i * 37) & 255,
    );
    return tensorOver(dtype, padded, bytes);
  });
const anyName = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("__proto__", "constructor", "q", "", '"', "\\", "\0", "\u2028", "\u{1f600}"),
).filter((name) => name !== "__metadata__");
const anyFile = fc.record({
  tensors: fc.array(fc.tuple(anyName, anyTensor), { maxLength: 6 }).map((entries) => new Map(entries)),
  metadata: fc.dictionary(anyName, fc.string({ unit: "grapheme" }), { maxKeys: 4 }),
});

describe("reading", () => {
  test.each(malformedSafetensors)("%s is refused", (_, bytes, message) => {
    const error = errorOf(() => readSafetensors(bytes));
    expect(error.code).toBe("INVALID_FILE");
    expect(error.message).toContain("not a valid safetensors file: ");
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).not.toContain("\n");
  });

  test("the corpus has no file twice", () => {
    expect(new Set(malformedSafetensors.map(([name]) => name)).size).toBe(malformedSafetensors.length);
    expect(malformedSafetensors.length).toBeGreaterThanOrEqual(80);
  });

  test.each([null, undefined, "x", [], new ArrayBuffer(8), new Uint16Array(8)])("%s is no file", (value) => {
    const error = errorOf(() => readSafetensors(value as never));
    expect([error.code, error.argument]).toEqual(["INVALID_ARGUMENT", "bytes"]);
  });

  test("views aligned data in place and copies the rest", () => {
    const header = (pad: string) => `{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}${pad}`;
    const aligned = safetensorsBytes(header(" ".repeat(8 - header("").length % 8)), 8);
    const shifted = safetensorsBytes(header(" ".repeat(8 - header("").length % 8 + 1)), 8);
    const view = readSafetensors(aligned).tensors.get("x")!.data;
    const copy = readSafetensors(shifted).tensors.get("x")!.data;
    expect(view.buffer).toBe(aligned.buffer);
    expect(copy.buffer).not.toBe(shifted.buffer);
    aligned[aligned.length - 1] = shifted[shifted.length - 1] = 0x40;
    expect([view[1], copy[1]]).toEqual([2, 0]);
  });

  test("a file inside a larger buffer, and in shared memory", () => {
    const bytes = writeSafetensors({
      a: f32([1, 2]),
      b: { dtype: "I64", shape: [], data: BigInt64Array.of(-7n) },
    });
    for (const buffer of [new ArrayBuffer(bytes.length + 11), new SharedArrayBuffer(bytes.length + 11)]) {
      for (const shift of [0, 3, 8]) {
        const inside = new Uint8Array(buffer, shift, bytes.length);
        inside.set(bytes);
        const { tensors } = readSafetensors(inside);
        expect([...tensors.get("a")!.data, ...tensors.get("b")!.data]).toEqual([1, 2, -7n]);
      }
    }
  });

  test("trailing white space, escapes, offsets in any order, zero-size tensors anywhere between", () => {
    const entry = (dtype: string, shape: string, begin: number, end: number) =>
      `{"data_offsets":[ ${begin} , ${end}\t],\n"shape":${shape},"dtype":"${dtype}"}`;
    const header = `{"\\u0071":${entry("U8", "[2]", 3, 5)},"k":${entry("I8", "[3]", 0, 3)},"e":${
      entry("F64", "[0,7]", 3, 3)
    }} \t\r\n`;
    const bytes = safetensorsBytes(header, 5);
    bytes.set([1, 2, 3, 4, 5], bytes.length - 5);
    const { tensors } = readSafetensors(bytes);
    expect([...tensors.keys()]).toEqual(["q", "k", "e"]);
    expect([...tensors.get("q")!.data]).toEqual([4, 5]);
    expect([...tensors.get("k")!.data]).toEqual([1, 2, 3]);
    expect(tensors.get("e")).toEqual({ dtype: "F64", shape: [0, 7], data: new Float64Array(0) });
  });

  test("__proto__ is a name like any other and pollutes nothing", () => {
    const bytes = writeSafetensors(new Map([["__proto__", f32([1])]]), { ["__proto__"]: "m" });
    const { tensors, metadata } = readSafetensors(bytes);
    expect(tensors.get("__proto__")).toEqual(f32([1]));
    expect(Object.keys(metadata)).toEqual(["__proto__"]);
    expect(metadata["__proto__"]).toBe("m");
    expect("dtype" in {}).toBe(false);
    expect(readSafetensors(writeSafetensors({})).metadata.constructor).toBeUndefined();
  });

  test("opaque types are carried along", () => {
    const header = '{"x":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]}}';
    expect(readSafetensors(safetensorsBytes(header, 3)).tensors.get("x")).toEqual(
      { dtype: "F8_E4M3", shape: [3], data: new Uint8Array(3) },
    );
  });
});

describe("writing", () => {
  test("the bytes of a small file: widest first, then by name, padded to 8 bytes", () => {
    const bf16 = { dtype: "BF16", shape: [1], data: Uint16Array.of(0x3f80) } as const;
    const bytes = writeSafetensors({ a: bf16, c: f32([2]), b: f32([1]) }, { scale: "0.5" });
    const text = '{"__metadata__":{"scale":"0.5"},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' +
      '"c":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},' +
      '"a":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]}}';
    const expected = safetensorsBytes(text.padEnd(Math.ceil(text.length / 8) * 8), 10);
    expected.set([0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0x80, 0x3f], expected.length - 10);
    expect(text.length % 8).not.toBe(0);
    expect(bytes).toEqual(expected);
  });

  test("read after write is the identity", () => {
    fc.assert(
      fc.property(anyFile, ({ tensors, metadata }) => {
        const bytes = writeSafetensors(tensors, metadata);
        const back = readSafetensors(bytes);
        expect(new Set(back.tensors.keys())).toEqual(new Set(tensors.keys()));
        for (const [name, tensor] of tensors) {
          const read = back.tensors.get(name)!;
          expect([read.dtype, read.shape]).toEqual([tensor.dtype, tensor.shape]);
          expect(read.data.constructor).toBe(tensor.data.constructor);
          expect(bytesOf(read)).toEqual(bytesOf(tensor));
          expect(read.data.buffer).toBe(bytes.buffer);
        }
        expect(Object.entries(back.metadata).sort()).toEqual(Object.entries(metadata).sort());
        expect(writeSafetensors(back.tensors, back.metadata)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test.each<[string, () => unknown, string, string]>([
    ["reserved name", () => writeSafetensors({ __metadata__: f32([1]) }), "INVALID_ARGUMENT", "reserved"],
    ["lone surrogate", () => writeSafetensors({ "\ud800": f32([1]) }), "INVALID_ARGUMENT", "well-formed"],
    ["metadata value", () => writeSafetensors({}, { a: 1 as never }), "INVALID_ARGUMENT", 'metadata "a"'],
    ["metadata surrogate", () => writeSafetensors({}, { a: "\udc00" }), "INVALID_ARGUMENT", 'metadata "a"'],
    [
      "unknown dtype",
      () => writeSafetensors({ a: { ...f32([1]), dtype: "F31" as never } }),
      "INVALID_DTYPE",
      '"a"',
    ],
    [
      "other array",
      () => writeSafetensors({ a: { ...f32([1]), dtype: "F16" } as never }),
      "INVALID_DTYPE",
      "Uint16Array",
    ],
    [
      "short",
      () => writeSafetensors({ a: f32([1, 2], [3]) }),
      "INVALID_LENGTH",
      "expected 12 bytes for F32 [3], got 8",
    ],
    [
      "long",
      () => writeSafetensors({ a: f32([1, 2], []) }),
      "INVALID_LENGTH",
      "expected 4 bytes for F32 [], got 8",
    ],
    ["negative size", () => writeSafetensors({ a: f32([], [-1]) }), "INVALID_SHAPE", "got [-1]"],
    ["fractional size", () => writeSafetensors({ a: f32([1], [0.5, 2]) }), "INVALID_SHAPE", "got [0.5,2]"],
    ["size NaN", () => writeSafetensors({ a: f32([], [NaN]) }), "INVALID_SHAPE", "got [NaN]"],
  ])("%s is refused", (_, run, code, message) => {
    const error = errorOf(run);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

/** Either a file or a LeetError; returns whether it was a file. */
function readsOrRefuses(bytes: Uint8Array): boolean {
  try {
    readSafetensors(bytes);
    return true;
  } catch (error) {
    if (error instanceof LeetError && error.code === "INVALID_FILE") return false;
    throw error;
  }
}

describe("damaged files give a LeetError or a file, nothing else", () => {
  const whole = writeSafetensors(
    {
      q: f32([1, 2, 3, 4], [2, 2]),
      k: { dtype: "F16", shape: [3], data: new Uint16Array(3) },
      s: f32([5], []),
    },
    { scale: "0.5", layout: "bhnd" },
  );

  test("every truncation", () => {
    for (let length = 0; length < whole.length; length++) {
      expect(readsOrRefuses(whole.subarray(0, length))).toBe(false);
    }
    expect(readsOrRefuses(whole)).toBe(true);
  });

  test("every byte of the header set to every value", () => {
    let refused = 0;
    const headerEnd = whole.length - 26;
    for (let at = 0; at < headerEnd; at++) {
      const bytes = whole.slice();
      for (let value = 0; value < 256; value++) {
        bytes[at] = value;
        if (!readsOrRefuses(bytes)) refused++;
      }
    }
    expect(refused).toBeGreaterThan(headerEnd * 100);
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

  test("random JSON as header", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat({ max: 16 }), (json, dataBytes) => {
        readsOrRefuses(safetensorsBytes(json, dataBytes));
        readsOrRefuses(safetensorsBytes(`{"x":${json}}`, dataBytes));
        readsOrRefuses(safetensorsBytes(`{"x":{"dtype":"F32","shape":${json},"data_offsets":[0,4]}}`, 4));
      }),
      { numRuns: 1000 },
    );
  });
});
