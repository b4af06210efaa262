/** Malformed and unreadable .npy files: one line is one file, the code, and a part of the message. @module */

import type { LeetErrorCode } from "../../lib/errors.ts";

/** A file with this header text, version and data. */
export function npyBytes(
  header: string,
  data: ArrayLike<number> = [],
  version = 1,
  length = header.length,
): Uint8Array {
  const text = Uint8Array.from(header, (c) => c.charCodeAt(0));
  const begin = version === 1 ? 10 : 12;
  const bytes = new Uint8Array(begin + text.length + data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, length, true);
  else view.setUint32(8, length, true);
  bytes.set(text, begin);
  bytes.set(data, begin + text.length);
  return bytes;
}

/** The header NumPy writes. */
export function npyHeader(descr: string, fortran: string, shape: string): string {
  return `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
}

const file = (descr: string, fortran: string, shape: string, bytes = 8): Uint8Array =>
  npyBytes(npyHeader(descr, fortran, shape), new Uint8Array(bytes));
const whole = file("'<f4'", "False", "(2,)");

/** `bytes` with one byte replaced. */
function set(bytes: Uint8Array, at: number, value: number): Uint8Array {
  return bytes.with(at, value);
}

/** [what is wrong, the file, the code, a part of the message] */
export const malformedNpy: readonly (readonly [string, Uint8Array, LeetErrorCode, string])[] = [
  ["empty", new Uint8Array(0), "INVALID_FILE", 'expected it to begin with "\\x93NUMPY"'],
  ["magic cut", whole.subarray(0, 5), "INVALID_FILE", "expected it to begin with"],
  ["wrong magic", set(whole, 0, 0x92), "INVALID_FILE", "expected it to begin with"],
  ["version 0.0", set(whole, 6, 0), "INVALID_FILE", "version: expected 1.0, 2.0 or 3.0, got 0.0"],
  ["version 4.0", set(whole, 6, 4), "INVALID_FILE", "got 4.0"],
  ["version 1.1", set(whole, 7, 1), "INVALID_FILE", "got 1.1"],
  ["no version", whole.subarray(0, 6), "INVALID_FILE", "version"],
  ["no header length", whole.subarray(0, 9), "INVALID_FILE", "expected at least 10 bytes, got 9"],
  [
    "no header length, version 2",
    set(whole, 6, 2).subarray(0, 11),
    "INVALID_FILE",
    "expected at least 12 bytes",
  ],
  [
    "header cut",
    whole.subarray(0, 40),
    "INVALID_FILE",
    "header length: expected at most the 30 bytes that follow",
  ],
  [
    "header over 64 KiB",
    npyBytes("{}", [], 2, 65537),
    "INVALID_FILE",
    "expected at most 65536 bytes, got 65537",
  ],
  ["header of 4 GiB", npyBytes("{}", [], 2, 0xffffffff), "INVALID_FILE", "got 4294967295"],
  ["invalid UTF-8", npyBytes("{\xff}", [], 3), "INVALID_FILE", "expected UTF-8, got other bytes"],
  ["data cut", whole.subarray(0, -1), "INVALID_FILE", 'data: expected 8 bytes for "<f4" (2), got 7'],
  [
    "bytes after the data",
    npyBytes(npyHeader("'<f4'", "False", "(1,)"), [1, 2, 3, 4, 5]),
    "INVALID_FILE",
    "got 5",
  ],
  ["no dict", npyBytes("[]\n"), "INVALID_FILE", 'expected a Python dict in braces, got "[]"'],
  ["empty header", npyBytes(""), "INVALID_FILE", "expected a Python dict in braces"],
  ["dict without an end", npyBytes("{'descr': '<f4'"), "INVALID_FILE", "expected a Python dict in braces"],
  ["empty dict", npyBytes("{}"), "INVALID_FILE", "expected 'descr' to be a string"],
  ["text after the dict", npyBytes("{} x"), "INVALID_FILE", "expected a Python dict in braces"],
  [
    "no descr",
    npyBytes("{'fortran_order': False, 'shape': ()}"),
    "INVALID_FILE",
    "expected 'descr' to be a string",
  ],
  [
    "no fortran_order",
    npyBytes("{'descr': '<f4', 'shape': ()}"),
    "INVALID_FILE",
    "expected 'fortran_order' to be",
  ],
  [
    "no shape",
    npyBytes("{'descr': '<f4', 'fortran_order': False}"),
    "INVALID_FILE",
    "expected 'shape' to be a tuple",
  ],
  ["unknown key", npyBytes("{'order': 'C'}"), "INVALID_FILE", "'descr', 'fortran_order' and 'shape' only"],
  ["key twice", npyBytes("{'descr': '<f4', 'descr': '<f4'}"), "INVALID_FILE", "expected 'descr' once"],
  ["key without quotes", npyBytes("{descr: '<f4'}"), "INVALID_FILE", "only (character 0)"],
  ["mixed quotes", npyBytes("{'descr\": '<f4'}"), "INVALID_FILE", "only (character 0)"],
  ["no comma", npyBytes("{'descr': '<f4' 'shape': ()}"), "INVALID_FILE", "only (character"],
  ["two commas", npyBytes("{'descr': '<f4',, 'shape': ()}"), "INVALID_FILE", "only (character"],
  ["escape", npyBytes("{'descr': '\\x3cf4'}"), "INVALID_FILE", "only (character 0)"],
  ["expression", npyBytes("{'descr': __import__('os')}"), "INVALID_FILE", "only (character 0)"],
  ["comment", npyBytes("{#'descr': '<f4'\n}"), "INVALID_FILE", "only (character 0)"],
  ["descr number", file("4", "False", "(2,)"), "INVALID_FILE", "only (character 0)"],
  ["descr flag", file("True", "False", "(2,)"), "INVALID_FILE", "expected 'descr' to be a string"],
  ["fortran number", file("'<f4'", "0", "(2,)"), "INVALID_FILE", "only (character"],
  [
    "fortran string",
    file("'<f4'", "'False'", "(2,)"),
    "INVALID_FILE",
    "expected 'fortran_order' to be True or False",
  ],
  ["fortran lower case", file("'<f4'", "false", "(2,)"), "INVALID_FILE", "only (character"],
  ["shape number", file("'<f4'", "False", "2"), "INVALID_FILE", "only (character"],
  ["shape without a comma", file("'<f4'", "False", "(2)"), "INVALID_FILE", "expected 'shape' to be a tuple"],
  [
    "shape list",
    file("'<f4'", "False", "[2]"),
    "INVALID_DTYPE",
    "expected a plain dtype, got a structured one",
  ],
  ["shape negative", file("'<f4'", "False", "(-2,)"), "INVALID_FILE", "only (character"],
  ["shape fraction", file("'<f4'", "False", "(2.0,)"), "INVALID_FILE", "only (character"],
  ["shape hole", file("'<f4'", "False", "(1,,2)"), "INVALID_FILE", "tuple of integers from 0 to 2^53 - 1"],
  ["shape comma", file("'<f4'", "False", "(,)"), "INVALID_FILE", "tuple of integers from 0 to 2^53 - 1"],
  [
    "shape two numbers",
    file("'<f4'", "False", "(1 2,)"),
    "INVALID_FILE",
    "tuple of integers from 0 to 2^53 - 1",
  ],
  ["size 2^53", file("'<f4'", "False", "(9007199254740992,)"), "INVALID_FILE", "from 0 to 2^53 - 1"],
  [
    "size of 400 digits",
    file("'<f4'", "False", `(${"9".repeat(400)},)`),
    "INVALID_FILE",
    "from 0 to 2^53 - 1",
  ],
  [
    "product overflow",
    file("'<f4'", "False", "(4294967296, 4294967296)"),
    "INVALID_FILE",
    "size below 2^53 bytes",
  ],
  ["bytes overflow", file("'<f8'", "False", "(4503599627370496,)"), "INVALID_FILE", "size below 2^53 bytes"],
  ["65 axes", file("'<f4'", "False", `(${"1,".repeat(65)})`, 4), "INVALID_FILE", "expected at most 64 axes"],
  ["wrong size", file("'<f4'", "False", "(3,)"), "INVALID_FILE", "expected 12 bytes"],
  ["structured", file("[('a', '<f4')]", "False", "(2,)"), "INVALID_DTYPE", "got a structured one"],
  [
    "bool",
    file("'|b1'", "False", "(8,)"),
    "INVALID_DTYPE",
    'expected a dtype out of f2, f4, f8, i4, i8, got "|b1"',
  ],
  ["u1", file("'|u1'", "False", "(8,)"), "INVALID_DTYPE", 'got "|u1"'],
  ["complex", file("'<c8'", "False", "(1,)"), "INVALID_DTYPE", 'got "<c8"'],
  ["pickled objects", file("'|O'", "False", "(1,)"), "INVALID_DTYPE", 'got "|O"'],
  ["text", file("'<U2'", "False", "(1,)"), "INVALID_DTYPE", 'got "<U2"'],
  [
    "bfloat16 as raw bytes",
    file("'|V2'", "False", "(4,)"),
    "INVALID_DTYPE",
    "if this is bfloat16, use safetensors",
  ],
  [
    "bfloat16 as <V2",
    file("'<V2'", "False", "(4,)"),
    "INVALID_DTYPE",
    "if this is bfloat16, use safetensors",
  ],
  ["no byte order", file("'f4'", "False", "(2,)"), "INVALID_DTYPE", 'got "f4"'],
  ["order without sense", file("'|f4'", "False", "(2,)"), "INVALID_DTYPE", 'got "|f4"'],
  ["empty descr", file("''", "False", "(2,)"), "INVALID_DTYPE", 'got ""'],
  ["descr toString", file("'<toString'", "False", "(2,)"), "INVALID_DTYPE", 'got "<toString"'],
];
