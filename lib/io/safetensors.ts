/**
 * The safetensors format: 8 bytes header length (little-endian), a JSON header, then the elements of all tensors
 * without gaps. Files are untrusted; every rule of the format is checked before an array is made.
 * @module
 */

import { LeetError, show, wrongArgument } from "../errors.ts";
import { type JsonObject, type JsonValue, parseJson } from "./json.ts";
import {
  allocateBytes,
  bitsOf,
  bytesOf,
  checkStored,
  elementsOf,
  isStoredType,
  type StoredTensor,
  storedTypes,
  tensorOver,
} from "./stored.ts";

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** Tensors by name, in the order of the header. */
  readonly tensors: Map<string, StoredTensor>;
  /** The strings under `__metadata__`; an object without prototype, empty when there are none. */
  readonly metadata: Record<string, string>;
}

/** Bytes before the header. */
const PREFIX = 8;
/** Longest header read, in bytes; the limit of the reference implementation of the format. */
const MAX_HEADER = 100_000_000;
const METADATA = "__metadata__";
const FIELDS = ["dtype", "shape", "data_offsets"] as const;

/**
 * Reads a safetensors file. Arrays are views of `bytes` where alignment allows, so `bytes` must not be changed
 * while they are in use.
 * @throws LeetError INVALID_FILE for a malformed file, INVALID_ARGUMENT when `bytes` is not a Uint8Array
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  if (!(bytes instanceof Uint8Array)) {
    throw wrongArgument("bytes", "a Uint8Array", bytes);
  }
  const { header, dataBegin } = readHeader(bytes);
  const metadata = readMetadata(header.get(METADATA));
  header.delete(METADATA);
  const data = bytes.subarray(dataBegin);
  const entries = [...header].map(([name, value]) => readEntry(name, value));
  checkCoverage(entries, data.length);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, tensorOver(dtype, shape, data.subarray(begin, end)));
  }
  return { tensors, metadata };
}

/**
 * Writes a safetensors file: the widest elements first, then by name, header padded to 8 bytes, so that every array
 * is aligned in a file read or mapped whole.
 * @throws LeetError INVALID_ARGUMENT for a name that cannot be written, INVALID_DTYPE, INVALID_SHAPE, INVALID_LENGTH
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor> | Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  const fields: string[] = [];
  const strings = Object.entries(metadata);
  for (const [key, value] of strings) checkString(`metadata ${show(key)}`, key, value);
  if (strings.length > 0) {
    fields.push(`"${METADATA}":{${strings.map((pair) => pair.map((s) => JSON.stringify(s)).join(":"))}}`);
  }
  for (const [name, tensor] of entries) {
    checkString("name", name);
    if (name === METADATA) {
      throw new LeetError("INVALID_ARGUMENT", `name: "${METADATA}" is reserved by the format`, {
        argument: "name",
      });
    }
    checkStored(show(name), tensor);
  }
  entries.sort(([a, x], [b, y]) => bitsOf(y.dtype) - bitsOf(x.dtype) || (a < b ? -1 : 1));
  let offset = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    const data_offsets = [offset, offset += data.byteLength];
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets })}`);
  }
  const text = new TextEncoder().encode(`{${fields}}`);
  const dataBegin = PREFIX + Math.ceil(text.length / 8) * 8;
  if (dataBegin - PREFIX > MAX_HEADER) {
    throw new LeetError(
      "INVALID_ARGUMENT",
      `header: expected at most ${MAX_HEADER} bytes, got ${text.length}`,
      {
        argument: "metadata",
      },
    );
  }
  const file = allocateBytes(dataBegin + offset, "the safetensors file");
  new DataView(file.buffer).setBigUint64(0, BigInt(dataBegin - PREFIX), true);
  file.fill(0x20, PREFIX, dataBegin);
  file.set(text, PREFIX);
  let at = dataBegin;
  for (const [, tensor] of entries) {
    file.set(bytesOf(tensor), at);
    at += tensor.data.byteLength;
  }
  return file;
}

interface Entry {
  name: string;
  dtype: StoredTensor["dtype"];
  shape: number[];
  /** Bytes from the end of the header. */
  begin: number;
  end: number;
}

function invalid(what: string): never {
  throw new LeetError("INVALID_FILE", `not a valid safetensors file: ${what}`, { argument: "bytes" });
}

function readHeader(bytes: Uint8Array): { header: JsonObject; dataBegin: number } {
  if (bytes.length < PREFIX) invalid(`expected at least ${PREFIX} bytes, got ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER)) {
    invalid(`header length: expected at most ${MAX_HEADER} bytes, got ${length}`);
  }
  const dataBegin = PREFIX + Number(length);
  if (dataBegin > bytes.length) {
    invalid(`header length: expected at most the ${bytes.length - PREFIX} bytes that follow, got ${length}`);
  }
  // A copy, because the TextDecoder of browsers refuses shared memory.
  const header = bytes.slice(PREFIX, dataBegin);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    return invalid("header: expected UTF-8, got other bytes");
  }
  if (text[0] !== "{") invalid(`header: expected "{" as its first character, got ${show(text.slice(0, 1))}`);
  const value = parseJson(text, (what) => invalid(`header: ${what}`));
  return { header: value as JsonObject, dataBegin };
}

function readMetadata(value: JsonValue | undefined): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  if (value === undefined) return metadata;
  if (!(value instanceof Map)) {
    return invalid(`${METADATA}: expected an object of strings, got ${describe(value)}`);
  }
  for (const [key, text] of value) {
    if (typeof text !== "string") {
      invalid(`${METADATA} ${show(key)}: expected a string, got ${describe(text)}`);
    }
    metadata[key] = text as string;
  }
  return metadata;
}

function readEntry(name: string, value: JsonValue): Entry {
  const bad = (what: string): never => invalid(`tensor ${show(name)}: ${what}`);
  if (!(value instanceof Map)) return bad(`expected an object, got ${describe(value)}`);
  for (const field of FIELDS) if (!value.has(field)) bad(`expected a field "${field}", got none`);
  for (const key of value.keys()) {
    if (!(FIELDS as readonly string[]).includes(key)) bad(`unexpected field ${show(key)}`);
  }
  const dtype = value.get("dtype")!;
  if (typeof dtype !== "string" || !isStoredType(dtype)) {
    return bad(`dtype: expected one of ${storedTypes.join(", ")}, got ${describe(dtype)}`);
  }
  const shape = value.get("shape")!;
  if (!Array.isArray(shape) || !shape.every((size) => typeof size === "number")) {
    return bad(`shape: expected a list of integers from 0 to 2^53 - 1, got ${describe(shape)}`);
  }
  const offsets = value.get("data_offsets")!;
  if (
    !Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((offset) => typeof offset === "number")
  ) {
    return bad(`data_offsets: expected two integers from 0 to 2^53 - 1, got ${describe(offsets)}`);
  }
  const [begin, end] = offsets;
  if (begin > end) bad(`data_offsets: expected begin <= end, got ${describe(offsets)}`);
  const bits = (elementsOf(shape) ?? NaN) * bitsOf(dtype);
  if (!Number.isSafeInteger(bits)) bad(`shape: expected a size below 2^53 bits, got ${describe(shape)}`);
  if (bits % 8 !== 0) bad(`shape: expected whole bytes, got ${bits} bits`);
  if (end - begin !== bits / 8) {
    bad(`data_offsets: expected ${bits / 8} bytes for ${dtype} ${describe(shape)}, got ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
}

/** The tensors must tile the data: no overlap, no gap, nothing after the last one. */
function checkCoverage(entries: readonly Entry[], bytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    const bad = (what: string): never => invalid(`tensor ${show(name)}: data_offsets: ${what}`);
    if (end > bytes) bad(`expected at most the ${bytes} bytes of data, got ${end}`);
    if (begin < covered) bad(`expected to begin at ${covered}, got an overlap from ${begin}`);
    if (begin > covered) bad(`expected to begin at ${covered}, got a gap up to ${begin}`);
    covered = end;
  }
  if (covered !== bytes) invalid(`data: expected ${covered} bytes, as the tensors say, got ${bytes}`);
}

/** A header value as a message shows it. */
function describe(value: JsonValue): string {
  if (typeof value === "string") return show(value);
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map((item) => Array.isArray(item) ? "a list" : describe(item));
    return `[${items}${value.length > 8 ? ",..." : ""}]`;
  }
  if (value instanceof Map) return "an object";
  if (value !== null && typeof value === "object") return value.text.slice(0, 40);
  return String(value);
}

/** UTF-8 has no lone surrogates: encoding one would change the string silently. */
function checkString(argument: string, ...strings: unknown[]): void {
  for (const text of strings) {
    if (typeof text !== "string" || !text.isWellFormed()) {
      throw new LeetError("INVALID_ARGUMENT", `${argument}: expected a well-formed string`, { argument });
    }
  }
}
