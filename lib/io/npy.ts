/**
 * The .npy format of NumPy, versions 1 to 3: a magic string, a header that is a Python dict literal, the elements.
 * Big-endian and Fortran-order files are converted while reading. bfloat16 has no .npy representation.
 * @module
 */

import { LeetError, show, wrongArgument } from "../errors.ts";
import {
  allocateBytes,
  bitsOf,
  bytesOf,
  checkStored,
  elementsOf,
  type NumericTensor,
  type StoredTensor,
  type StoredType,
  tensorOver,
} from "./stored.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;
/** NumPy's names of the types read and written, without the byte order. */
const TYPES: Readonly<Record<string, StoredType>> = { f2: "F16", f4: "F32", f8: "F64", i4: "I32", i8: "I64" };
/** The elements begin at a multiple of this many bytes. */
const ALIGNMENT = 64;
/** Longest header read, in bytes. One of the types above needs 60 and 20 more for each axis. */
const MAX_HEADER = 65536;
/** NumPy's own limit. */
const MAX_AXES = 64;

/**
 * Reads a .npy file of float16, float32, float64, int32 or int64. A little-endian C-order array is a view of `bytes`
 * where alignment allows, so `bytes` must not be changed while it is in use.
 * @throws LeetError INVALID_FILE for a malformed file, INVALID_DTYPE for an element type not in that list,
 * INVALID_ARGUMENT when `bytes` is not a Uint8Array
 */
export function readNpy(bytes: Uint8Array): NumericTensor {
  if (!(bytes instanceof Uint8Array)) {
    throw wrongArgument("bytes", "a Uint8Array", bytes);
  }
  const { text, dataBegin } = readHeader(bytes);
  const { descr, fortran, shape } = parseHeader(text);
  const dtype = typeOf(descr);
  const size = bitsOf(dtype) / 8;
  const expected = (elementsOf(shape) ?? NaN) * size;
  if (!Number.isSafeInteger(expected)) invalid(`shape: expected a size below 2^53 bytes, got (${shape})`);
  let data = bytes.subarray(dataBegin);
  if (data.length !== expected) {
    invalid(`data: expected ${expected} bytes for ${show(descr)} (${shape}), got ${data.length}`);
  }
  if (descr[0] === ">") data = swapBytes(data, size);
  if (fortran && shape.length > 1) data = toRowMajor(data, size, shape);
  return tensorOver(dtype, shape, data) as NumericTensor;
}

/**
 * Writes a .npy file, version 1, little-endian, C order.
 * @throws LeetError INVALID_DTYPE for a type that .npy cannot represent, INVALID_SHAPE, INVALID_LENGTH
 */
export function writeNpy(tensor: StoredTensor): Uint8Array<ArrayBuffer> {
  checkStored("tensor", tensor);
  const name = Object.keys(TYPES).find((key) => TYPES[key] === tensor.dtype);
  if (name === undefined) {
    throw new LeetError(
      "INVALID_DTYPE",
      `tensor: expected a dtype that .npy can hold (${
        Object.values(TYPES).join(", ")
      }), got ${tensor.dtype}; ` +
        "write safetensors or convert to F32",
      { argument: "tensor" },
    );
  }
  if (tensor.shape.length > MAX_AXES) {
    throw new LeetError(
      "INVALID_SHAPE",
      `tensor: expected at most ${MAX_AXES} axes, got ${tensor.shape.length}`,
      {
        argument: "tensor",
      },
    );
  }
  const shape = tensor.shape.length === 1 ? `(${tensor.shape},)` : `(${tensor.shape.join(", ")})`;
  const text = `{'descr': '<${name}', 'fortran_order': False, 'shape': ${shape}, }`;
  const prefix = MAGIC.length + 4;
  const dataBegin = Math.ceil((prefix + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const file = allocateBytes(dataBegin + tensor.data.byteLength, "the .npy file");
  file.set([...MAGIC, 1, 0]);
  new DataView(file.buffer).setUint16(MAGIC.length + 2, dataBegin - prefix, true);
  file.fill(0x20, prefix, dataBegin);
  file.set(new TextEncoder().encode(text), prefix);
  file[dataBegin - 1] = 0x0a;
  file.set(bytesOf(tensor), dataBegin);
  return file;
}

function invalid(what: string): never {
  throw new LeetError("INVALID_FILE", `not a valid .npy file: ${what}`, { argument: "bytes" });
}

function readHeader(bytes: Uint8Array): { text: string; dataBegin: number } {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) invalid('expected it to begin with "\\x93NUMPY"');
  const [major, minor] = [bytes[MAGIC.length], bytes[MAGIC.length + 1]];
  if (![1, 2, 3].includes(major) || minor !== 0) {
    invalid(`version: expected 1.0, 2.0 or 3.0, got ${major}.${minor}`);
  }
  const lengthBytes = major === 1 ? 2 : 4;
  const headerBegin = MAGIC.length + 2 + lengthBytes;
  if (bytes.length < headerBegin) invalid(`expected at least ${headerBegin} bytes, got ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + MAGIC.length + 2);
  const length = major === 1 ? view.getUint16(0, true) : view.getUint32(0, true);
  if (length > MAX_HEADER) invalid(`header length: expected at most ${MAX_HEADER} bytes, got ${length}`);
  if (length > bytes.length - headerBegin) {
    invalid(
      `header length: expected at most the ${bytes.length - headerBegin} bytes that follow, got ${length}`,
    );
  }
  // A copy, because the TextDecoder of browsers refuses shared memory.
  const header = bytes.slice(headerBegin, headerBegin + length);
  try {
    const text = new TextDecoder(major === 3 ? "utf-8" : "latin1", { fatal: true, ignoreBOM: true }).decode(
      header,
    );
    return { text, dataBegin: headerBegin + length };
  } catch {
    return invalid("header: expected UTF-8, got other bytes");
  }
}

interface Header {
  descr: string;
  fortran: boolean;
  shape: number[];
}

/** One field of the dict literal and what may follow it. Sizes may carry the L of Python 2. */
const FIELD =
  /\s*(['"])(?<key>descr|fortran_order|shape)\1\s*:\s*(?:(['"])(?<text>[^'"\\]*)\3|(?<flag>True|False)|\((?<sizes>[\s\dL,]*)\)|(?<list>\[))\s*(?<next>,?)/y;

function parseHeader(text: string): Header {
  const wrong = (what: string): never => invalid(`header: ${what}, got ${show(text.trim())}`);
  const dict = /^\s*\{(?<body>[^{}]*)\}\s*$/.exec(text)?.groups?.body;
  if (dict === undefined) return wrong("expected a Python dict in braces");
  const fields = new Map<string, string | boolean | number[]>();
  let more = true;
  FIELD.lastIndex = 0;
  while (dict.slice(FIELD.lastIndex).trim() !== "") {
    const at = FIELD.lastIndex;
    const groups: Record<string, string> | undefined = more ? FIELD.exec(dict)?.groups : undefined;
    if (groups === undefined) {
      return wrong(`expected 'descr', 'fortran_order' and 'shape' only (character ${at})`);
    }
    if (fields.has(groups.key)) wrong(`expected '${groups.key}' once`);
    if (groups.list !== undefined) {
      throw new LeetError("INVALID_DTYPE", ".npy file: expected a plain dtype, got a structured one", {
        argument: "bytes",
      });
    }
    fields.set(
      groups.key,
      groups.text ?? (groups.flag !== undefined ? groups.flag === "True" : parseShape(groups.sizes, wrong)),
    );
    more = groups.next === ",";
  }
  const [descr, fortran, shape] = [fields.get("descr"), fields.get("fortran_order"), fields.get("shape")];
  if (typeof descr !== "string") return wrong("expected 'descr' to be a string");
  if (typeof fortran !== "boolean") return wrong("expected 'fortran_order' to be True or False");
  if (!Array.isArray(shape)) return wrong("expected 'shape' to be a tuple of integers from 0");
  return { descr, fortran, shape };
}

/** "", "3," or "3, 4" and so on: (3) without a comma is no tuple. */
function parseShape(sizes: string, wrong: (what: string) => never): number[] {
  const parts = sizes.split(",").map((part) => part.trim());
  if (parts.at(-1) === "") parts.pop();
  else if (parts.length === 1) wrong("expected 'shape' to be a tuple");
  if (parts.length > MAX_AXES) wrong(`expected at most ${MAX_AXES} axes`);
  return parts.map((part) => {
    const size = /^\d+L?$/.test(part) ? Number.parseInt(part) : NaN;
    return Number.isSafeInteger(size)
      ? size
      : wrong("expected 'shape' to be a tuple of integers from 0 to 2^53 - 1");
  });
}

function typeOf(descr: string): StoredType {
  const name = descr.slice(1);
  if ("<>=".includes(descr[0] ?? "x") && Object.hasOwn(TYPES, name)) return TYPES[name];
  const hint = name === "V2" ? "; if this is bfloat16, use safetensors: .npy has no name for it" : "";
  throw new LeetError(
    "INVALID_DTYPE",
    `.npy file: expected a dtype out of ${Object.keys(TYPES).join(", ")}, got ${show(descr)}${hint}`,
    { argument: "bytes" },
  );
}

function swapBytes(data: Uint8Array, size: number): Uint8Array {
  const swapped = data.slice();
  for (let at = 0; at < swapped.length; at++) swapped[at] = data[at - at % size + size - 1 - at % size];
  return swapped;
}

/** Copies elements whose first axis is contiguous to an array whose last axis is. */
function toRowMajor(data: Uint8Array, size: number, shape: readonly number[]): Uint8Array {
  const result = allocateBytes(data.length, "the row-major copy");
  const strides: number[] = [];
  shape.reduce((stride, extent) => (strides.push(stride), stride * extent), size);
  const index = shape.map(() => 0);
  for (let to = 0, from = 0; to < data.length; to += size) {
    for (let byte = 0; byte < size; byte++) result[to + byte] = data[from + byte];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}
