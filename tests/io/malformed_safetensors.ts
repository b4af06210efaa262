/** Malformed safetensors files: one line is one file and the part of the message that must say what is wrong. @module */

const encoder = new TextEncoder();

/** A file with this header text, header length and this many bytes of data. */
export function safetensorsBytes(
  header: string | Uint8Array,
  dataBytes = 0,
  headerLength?: bigint,
): Uint8Array {
  const text = typeof header === "string" ? encoder.encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** The header of one tensor "x". */
function x(dtype: string, shape: string, offsets: string): string {
  return `{"x":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}}`;
}

const two = (a: string, b: string): string =>
  `{"a":{"dtype":"F32","shape":[2],"data_offsets":${a}},"b":{"dtype":"F32","shape":[2],"data_offsets":${b}}}`;

const file = safetensorsBytes;
const whole = file(x('"F32"', "[2]", "[0,8]"), 8);

/** [what is wrong, the file, a part of the message] */
export const malformedSafetensors: readonly (readonly [string, Uint8Array, string])[] = [
  ["empty", new Uint8Array(0), "expected at least 8 bytes, got 0"],
  ["seven bytes", new Uint8Array(7), "expected at least 8 bytes, got 7"],
  ["no header", new Uint8Array(8), 'header: expected "{" as its first character, got ""'],
  ["header cut", whole.subarray(0, 20), "header length: expected at most the 12 bytes that follow"],
  ["data cut", whole.subarray(0, -1), "expected at most the 7 bytes of data, got 8"],
  ["all data cut", whole.subarray(0, -8), "expected at most the 0 bytes of data, got 8"],
  ["header one byte over the file", file("{}", 0, 3n), "expected at most the 2 bytes that follow, got 3"],
  ["header over 100 MB", file("{}", 0, 100_000_001n), "expected at most 100000000 bytes, got 100000001"],
  ["header length 2^63", file("{}", 0, 1n << 63n), "got 9223372036854775808"],
  ["header length -1", file("{}", 0, (1n << 64n) - 1n), "got 18446744073709551615"],
  ["invalid UTF-8", file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), "expected UTF-8, got other bytes"],
  ["overlong UTF-8", file(Uint8Array.of(0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d)), "expected UTF-8"],
  ["UTF-8 cut", file(Uint8Array.of(0x7b, 0x22, 0xe2, 0x82)), "expected UTF-8"],
  ["byte order mark", file("\ufeff{}"), 'expected "{" as its first character'],
  ["leading space", file(" {}"), 'expected "{" as its first character, got " "'],
  ["array", file("[]"), 'expected "{" as its first character, got "["'],
  ["null", file("null"), 'expected "{" as its first character, got "n"'],
  ["text after the object", file("{}x"), 'expected the end, got "x" at character 2'],
  ["two objects", file("{}{}"), 'expected the end, got "{"'],
  ["object without an end", file("{"), "expected a key in quotes, got the end at character 1"],
  ["trailing comma", file('{"a":{},}'), 'expected a key in quotes, got "}"'],
  ["missing comma", file('{"a":{}"b":{}}'), 'expected "," or "}", got "\\""'],
  ["missing colon", file('{"a"{}}'), 'expected ":", got "{"'],
  ["key without quotes", file("{a:{}}"), 'expected a key in quotes, got "a"'],
  ["single quotes", file("{'a':{}}"), 'expected a key in quotes, got "\'"'],
  ["comment", file("{/**/}"), 'expected a key in quotes, got "/"'],
  ["string without an end", file('{"a'), "string without an end"],
  ["string that ends in a backslash", file('{"a\\'), "string without an end"],
  ["bad escape", file('{"\\x":{}}'), "string with an invalid escape"],
  ["bad unicode escape", file('{"\\u12":{}}'), "string with an invalid escape"],
  ["lone surrogate", file('{"\\ud800":{}}'), "string with an invalid escape"],
  [
    "control character in a string",
    file('{"a\nb":{}}'),
    "string with an invalid escape or control character",
  ],
  ["vertical tab as white space", file("{\x0b}"), 'expected a key in quotes, got "\\u000b"'],
  ["NaN", file('{"a":NaN}'), 'expected a value, got "N"'],
  ["Infinity", file('{"a":-Infinity}'), 'expected a number, got "-"'],
  ["leading zero", file(x('"F32"', "[02]", "[0,8]"), 8), 'expected "," or "]", got "2"'],
  ["hexadecimal", file(x('"F32"', "[0x2]", "[0,8]"), 8), 'expected "," or "]", got "x"'],
  ["deep arrays", file(`{"a":${"[".repeat(1_000_000)}`), "nested deeper than 16 levels"],
  ["deep objects", file('{"a":'.repeat(500_000)), "nested deeper than 16 levels"],
  ["duplicate tensor", file('{"a":{},"a":{}}'), 'duplicate key "a"'],
  ["duplicate by escape", file('{"a":{},"\\u0061":{}}'), 'duplicate key "a"'],
  ["duplicate field", file('{"x":{"dtype":"F32","dtype":"F16"}}'), 'duplicate key "dtype"'],
  ["duplicate metadata", file('{"__metadata__":{"a":"1","a":"2"}}'), 'duplicate key "a"'],
  ["two __metadata__", file('{"__metadata__":{},"__metadata__":{}}'), 'duplicate key "__metadata__"'],
  ["metadata list", file('{"__metadata__":[]}'), "__metadata__: expected an object of strings, got []"],
  ["metadata null", file('{"__metadata__":null}'), "__metadata__: expected an object of strings, got null"],
  ["metadata number", file('{"__metadata__":{"scale":1}}'), '__metadata__ "scale": expected a string, got 1'],
  [
    "metadata nested",
    file('{"__metadata__":{"a":{}}}'),
    '__metadata__ "a": expected a string, got an object',
  ],
  ["entry null", file('{"x":null}'), 'tensor "x": expected an object, got null'],
  ["entry list", file('{"x":[1,[2]]}'), 'tensor "x": expected an object, got [1,a list]'],
  ["entry string", file('{"x":"F32"}'), 'tensor "x": expected an object, got "F32"'],
  [
    "__proto__ entry",
    file('{"__proto__":{"dtype":"F32"}}'),
    'tensor "__proto__": expected a field "shape", got none',
  ],
  ["no dtype", file('{"x":{"shape":[],"data_offsets":[0,0]}}'), 'expected a field "dtype", got none'],
  ["no shape", file('{"x":{"dtype":"F32","data_offsets":[0,0]}}'), 'expected a field "shape", got none'],
  ["no data_offsets", file('{"x":{"dtype":"F32","shape":[]}}'), 'expected a field "data_offsets", got none'],
  [
    "unknown field",
    file('{"x":{"dtype":"F32","shape":[],"data_offsets":[0,0],"z":1}}'),
    'unexpected field "z"',
  ],
  ["unknown dtype", file(x('"F33"', "[2]", "[0,8]"), 8), "dtype: expected one of F64,"],
  ["lower-case dtype", file(x('"f32"', "[2]", "[0,8]"), 8), 'got "f32"'],
  ["dtype number", file(x("32", "[2]", "[0,8]"), 8), "got 32"],
  ["dtype toString", file(x('"toString"', "[2]", "[0,8]"), 8), 'got "toString"'],
  [
    "shape number",
    file(x('"F32"', "2", "[0,8]"), 8),
    "shape: expected a list of integers from 0 to 2^53 - 1, got 2",
  ],
  ["shape negative", file(x('"F32"', "[-2]", "[0,8]"), 8), "got [-2]"],
  ["shape minus zero", file(x('"F32"', "[-0]", "[0,0]")), "got [-0]"],
  ["shape fraction", file(x('"F32"', "[2.0]", "[0,8]"), 8), "got [2.0]"],
  ["shape exponent", file(x('"F32"', "[2e0]", "[0,8]"), 8), "got [2e0]"],
  ["shape string", file(x('"F32"', '["2"]', "[0,8]"), 8), 'got ["2"]'],
  ["shape null", file(x('"F32"', "[null]", "[0,8]"), 8), "got [null]"],
  ["shape nested", file(x('"F32"', "[[2]]", "[0,8]"), 8), "got [a list]"],
  ["size of 2^53", file(x('"F32"', "[9007199254740992]", "[0,8]"), 8), "got [9007199254740992]"],
  [
    "size of 2^64 + 2",
    file(x('"F32"', "[18446744073709551618]", "[0,8]"), 8),
    "shape: expected a list of integers",
  ],
  [
    "product overflow to the right size",
    file(x('"F32"', "[4294967296,4294967296,2]", "[0,0]")),
    "shape: expected a size below 2^53 bits",
  ],
  [
    "bits overflow",
    file(x('"F64"', "[4503599627370496]", "[0,8]"), 8),
    "shape: expected a size below 2^53 bits",
  ],
  ["offsets number", file(x('"F32"', "[2]", "8"), 8), "data_offsets: expected two integers"],
  ["one offset", file(x('"F32"', "[2]", "[8]"), 8), "data_offsets: expected two integers"],
  ["three offsets", file(x('"F32"', "[2]", "[0,8,8]"), 8), "data_offsets: expected two integers"],
  ["negative offset", file(x('"F32"', "[2]", "[-8,0]"), 8), "got [-8,0]"],
  ["fractional offset", file(x('"F32"', "[2]", "[0,8.5]"), 8), "got [0,8.5]"],
  ["begin after end", file(x('"F32"', "[2]", "[8,0]"), 8), "data_offsets: expected begin <= end, got [8,0]"],
  ["too few bytes", file(x('"F32"', "[2]", "[0,4]"), 4), "expected 8 bytes for F32 [2], got 4"],
  ["too many bytes", file(x('"F16"', "[2]", "[0,8]"), 8), "expected 4 bytes for F16 [2], got 8"],
  ["scalar without bytes", file(x('"F32"', "[]", "[0,0]")), "expected 4 bytes for F32 [], got 0"],
  ["half a byte", file(x('"F4"', "[3]", "[0,2]"), 2), "shape: expected whole bytes, got 12 bits"],
  ["past the end", file(x('"F32"', "[2]", "[8,16]"), 8), "expected at most the 8 bytes of data, got 16"],
  ["gap at the start", file(x('"F32"', "[1]", "[4,8]"), 8), "expected to begin at 0, got a gap up to 4"],
  [
    "gap between",
    file(two("[0,8]", "[12,20]"), 20),
    'tensor "b": data_offsets: expected to begin at 8, got a gap up to 12',
  ],
  [
    "overlap",
    file(two("[0,8]", "[4,12]"), 12),
    'tensor "b": data_offsets: expected to begin at 8, got an overlap from 4',
  ],
  ["same bytes twice", file(two("[0,8]", "[0,8]"), 8), "expected to begin at 8, got an overlap from 0"],
  [
    "bytes after the last tensor",
    file(x('"F32"', "[1]", "[0,4]"), 8),
    "data: expected 4 bytes, as the tensors say, got 8",
  ],
  ["data without tensors", file("{}", 1), "data: expected 0 bytes, as the tensors say, got 1"],
  [
    "long name",
    file(`{"${"n".repeat(100_000)}":1}`),
    `tensor "${"n".repeat(57)}...": expected an object, got 1`,
  ],
  ["name with a line break", file('{"a\\nb":1}'), 'tensor "a\\nb": expected an object, got 1'],
];
