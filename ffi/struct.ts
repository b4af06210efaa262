/** Reads and writes C structs by the generated layouts. @module */
import { wrongArgument } from "../lib/errors.ts";
import type { FieldLayout, Scalar, StructLayout } from "./symbols.ts";

const TWO_32 = 4294967296;

/** How one scalar type is read, written and bounded. 64-bit integers are numbers: sizes stay far below 2^53. */
interface Codec {
  readonly bytes: number;
  readonly takes: string;
  accepts(value: number): boolean;
  read(view: DataView, at: number): number;
  write(view: DataView, at: number, value: number): void;
}

const write64 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / TWO_32), true);
};

const CODECS: { readonly [type in Scalar]: Codec } = {
  i32: {
    bytes: 4,
    takes: "an integer of 32 bits",
    accepts: (value) => (value | 0) === value,
    read: (view, at) => view.getInt32(at, true),
    write: (view, at, value) => view.setInt32(at, value, true),
  },
  u32: {
    bytes: 4,
    takes: "an integer of 32 bits >= 0",
    accepts: (value) => (value >>> 0) === value,
    read: (view, at) => view.getUint32(at, true),
    write: (view, at, value) => view.setUint32(at, value, true),
  },
  i64: {
    bytes: 8,
    takes: "an integer of at most 53 bits",
    accepts: Number.isSafeInteger,
    read: (view, at) => view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true),
    write: write64,
  },
  u64: {
    bytes: 8,
    takes: "an integer of at most 53 bits >= 0",
    accepts: (value) => Number.isSafeInteger(value) && value >= 0,
    read: (view, at) => view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true),
    write: write64,
  },
  f32: {
    bytes: 4,
    takes: "a number",
    accepts: (value) => typeof value === "number",
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, value) => view.setFloat32(at, value, true),
  },
  f64: {
    bytes: 8,
    takes: "a number",
    accepts: (value) => typeof value === "number",
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, value) => view.setFloat64(at, value, true),
  },
};

/** The text in a C buffer, up to its NUL. */
export function cText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Fields of a layout that hold numbers. */
export type NumberField<L extends StructLayout> = {
  [F in keyof L["fields"] & string]: L["fields"][F]["type"] extends "char" ? never : F;
}[keyof L["fields"] & string];

/** Fields of a layout that hold NUL-terminated text. */
export type TextField<L extends StructLayout> = {
  [F in keyof L["fields"] & string]: L["fields"][F]["type"] extends "char" ? F : never;
}[keyof L["fields"] & string];

/** One C struct in a buffer of its own, made once and used for many calls. Starts as zeros with `struct_size` set. */
export class Struct<L extends StructLayout> {
  /** The struct as C sees it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #layout: L;
  readonly #view: DataView;

  /** Allocates the struct. */
  constructor(layout: L) {
    this.#layout = layout;
    this.bytes = new Uint8Array(layout.size);
    this.#view = new DataView(this.bytes.buffer);
    this.clear();
  }

  /** Zeros everything and sets `struct_size`. */
  clear(): void {
    this.bytes.fill(0);
    this.#view.setUint32(0, this.#layout.size, true);
  }

  /** Reads a number. */
  get(field: NumberField<L>, index: number = 0): number {
    const layout = this.#locate(field, index), codec = CODECS[layout.type as Scalar];
    return codec.read(this.#view, layout.offset + index * codec.bytes);
  }

  /** Writes a number. Throws LeetError INVALID_ARGUMENT, naming the field, for one that its C type cannot hold. */
  set(field: NumberField<L>, value: number, index: number = 0): void {
    const layout = this.#locate(field, index), codec = CODECS[layout.type as Scalar];
    if (!codec.accepts(value)) throw wrongArgument(field, codec.takes, value);
    codec.write(this.#view, layout.offset + index * codec.bytes, value);
  }

  /** Writes all 64 bits of an address or a handle. */
  setBits(field: NumberField<L>, value: bigint): void {
    this.#view.setBigUint64(this.#locate(field, 0).offset, value, true);
  }

  /** Writes the first elements of an array. */
  setAll(field: NumberField<L>, values: ArrayLike<number>): void {
    for (let index = 0; index < values.length; index++) this.set(field, values[index], index);
  }

  /** Reads text up to its NUL. */
  text(field: TextField<L>): string {
    const { offset, count } = this.#layout.fields[field];
    return cText(this.bytes.subarray(offset, offset + count));
  }

  #locate(field: string, index: number): FieldLayout {
    const layout: FieldLayout = this.#layout.fields[field];
    if (!(Number.isInteger(index) && index >= 0 && index < layout.count)) {
      throw wrongArgument(field, `an index below ${layout.count}`, index);
    }
    return layout;
  }
}
