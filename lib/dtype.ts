/**
 * The storage types f32, f16 and bf16: element sizes, arrays that hold them, and conversions.
 *
 * Every conversion to a narrower type rounds to nearest even in one step from the source value, keeps signed zeros and
 * infinities, yields subnormals where the value needs them, and turns any NaN into the quiet NaN of the type.
 * @module
 */
import type { DType, Float16ArrayLike, TensorData } from "./types.ts";

/** Every storage type, in the order of their codes in leet.h. */
export const DTYPES: readonly DType[] = ["f32", "f16", "bf16"];

/** Bytes of one element of a storage type. */
export function elementBytes(dtype: DType): 2 | 4 {
  return dtype === "f32" ? 4 : 2;
}

type Float16ArrayConstructor = {
  new (length: number): Float16ArrayLike;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): Float16ArrayLike;
};

const NativeFloat16Array = (globalThis as { Float16Array?: Float16ArrayConstructor }).Float16Array;

/** One 16-bit binary format. */
interface Format {
  /** Stored bits of the significand. */
  readonly bits: number;
  /** Added to the exponent of a normal number. */
  readonly bias: number;
  /** Least magnitude that rounds to infinity. */
  readonly overflow: number;
  readonly infinity: number;
  readonly nan: number;
}

const FORMATS: Record<"f16" | "bf16", Format> = {
  f16: { bits: 10, bias: 15, overflow: 65520, infinity: 0x7c00, nan: 0x7e00 },
  bf16: { bits: 7, bias: 127, overflow: (2 - 2 ** -8) * 2 ** 127, infinity: 0x7f80, nan: 0x7fc0 },
};

const scratch = new Float64Array(1);
const words = new Uint32Array(scratch.buffer);
const HIGH_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

/** 2^52: adding and subtracting it rounds a float64 below 2^51 to an integer, ties to even. */
const TO_INTEGER = 2 ** 52;

/** The power of two 2^exponent, -1022 <= exponent <= 1023, exactly. */
function powerOfTwo(exponent: number): number {
  words[HIGH_WORD] = (exponent + 1023) << 20;
  words[1 - HIGH_WORD] = 0;
  return scratch[0];
}

function encode(x: number, format: Format): number {
  if (x !== x) return format.nan;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(x);
  if (magnitude >= format.overflow) return sign | format.infinity;
  scratch[0] = magnitude;
  const exponent = Math.max((words[HIGH_WORD] >>> 20) - 1023, 1 - format.bias);
  const significand = magnitude / powerOfTwo(exponent - format.bits) + TO_INTEGER - TO_INTEGER;
  // A significand that rounds up to 2^(bits+1) carries into the exponent; below 2^bits the number is subnormal.
  return sign | (((exponent + format.bias - 1) << format.bits) + significand);
}

function decode(pattern: number, format: Format): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern & 0x7fff) >> format.bits;
  const fraction = pattern & ((1 << format.bits) - 1);
  if (exponent === format.infinity >> format.bits) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * powerOfTwo(1 - format.bias - format.bits);
  return sign * (fraction + (1 << format.bits)) * powerOfTwo(exponent - format.bias - format.bits);
}

/** The f16 bit pattern nearest to a number. */
export function toF16Bits(x: number): number {
  return encode(x, FORMATS.f16);
}

/** The bf16 bit pattern nearest to a number. */
export function toBf16Bits(x: number): number {
  return encode(x, FORMATS.bf16);
}

/** The number that an f16 bit pattern stands for. */
export function fromF16Bits(pattern: number): number {
  return decode(pattern, FORMATS.f16);
}

/** The number that a bf16 bit pattern stands for. */
export function fromBf16Bits(pattern: number): number {
  return decode(pattern, FORMATS.bf16);
}

/** A number rounded to a storage type. */
export function roundTo(x: number, dtype: DType): number {
  return dtype === "f32" ? Math.fround(x) : decode(encode(x, FORMATS[dtype]), FORMATS[dtype]);
}

/** Least magnitude that rounds to infinity in a storage type. */
export function overflowOf(dtype: DType): number {
  return dtype === "f32" ? (2 - 2 ** -24) * 2 ** 127 : FORMATS[dtype].overflow;
}

const tables: { f16?: Float32Array; bf16?: Float32Array } = {};

/** All 65536 values of a 16-bit type, indexed by bit pattern; built at first use, 256 KiB. */
export function decodeTable(dtype: "f16" | "bf16"): Float32Array {
  let table = tables[dtype];
  if (table === undefined) {
    table = tables[dtype] = Float32Array.from(
      { length: 65536 },
      (_, pattern) => decode(pattern, FORMATS[dtype]),
    );
  }
  return table;
}

/** Whether a value is a typed array of the given class name; holds across realms, where `instanceof` does not. */
function isTyped(value: unknown, name: string): boolean {
  return ArrayBuffer.isView(value) &&
    (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] === name;
}

/** Whether a value is a Float32Array. */
export function isFloat32Array(value: unknown): value is Float32Array {
  return isTyped(value, "Float32Array");
}

/** Whether a value is a Float16Array, and its elements are read as numbers, not as bit patterns. */
export function isFloat16Array(value: unknown): value is Float16ArrayLike {
  return isTyped(value, "Float16Array");
}

/** Whether a value is a Uint16Array, and its elements are bit patterns. */
export function isUint16Array(value: unknown): value is Uint16Array {
  return isTyped(value, "Uint16Array");
}

/** The storage type that an array holds when nothing else is said, or undefined for an array that holds none. */
export function dtypeOf(data: unknown): DType | undefined {
  if (isFloat32Array(data)) return "f32";
  if (isFloat16Array(data)) return "f16";
  return isUint16Array(data) ? "bf16" : undefined;
}

/** Whether an array may hold a storage type: Float32Array f32, Float16Array f16, Uint16Array bf16 or f16. */
export function canHold(data: TensorData, dtype: DType): boolean {
  return dtypeOf(data) === dtype || (dtype === "f16" && isUint16Array(data));
}

/** A zeroed array for a storage type; f16 is a Float16Array where the runtime has one, else a Uint16Array. */
export function allocate(dtype: DType, length: number): TensorData {
  if (dtype === "f32") return new Float32Array(length);
  return dtype === "f16" && NativeFloat16Array ? new NativeFloat16Array(length) : new Uint16Array(length);
}

/** The bit patterns of 16-bit storage, sharing its memory. */
export function bitsOf(data: Uint16Array | Float16ArrayLike): Uint16Array {
  return isUint16Array(data) ? data : new Uint16Array(data.buffer, data.byteOffset, data.length);
}

/**
 * Rounds numbers into storage of a type.
 *
 * @param source float32 or float64 values
 * @param target storage for at least as many elements, from its start
 * @param dtype what target holds
 */
export function encodeInto(source: Float32Array | Float64Array, target: TensorData, dtype: DType): void {
  if (isFloat32Array(target) || isFloat16Array(target)) {
    (target as Float32Array).set(source);
    return;
  }
  const bits = target as Uint16Array;
  if (dtype === "bf16" && isFloat32Array(source)) return encodeBf16(source, bits);
  const format = FORMATS[dtype === "bf16" ? "bf16" : "f16"];
  for (let i = 0; i < source.length; i++) bits[i] = encode(source[i], format);
}

/** bf16 is the upper half of a float32, so rounding is an integer addition on its bits. */
function encodeBf16(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) {
    const u = bits[i];
    target[i] = (u & 0x7fffffff) > 0x7f800000 ? FORMATS.bf16.nan : (u + 0x7fff + ((u >>> 16) & 1)) >>> 16;
  }
}

/** The values of dense storage as float32: a new array, exact for every storage type. */
export function toFloat32(data: TensorData, dtype: DType): Float32Array {
  return decodeInto(data, dtype, new Float32Array(data.length));
}

/** The values of dense storage as float64: a new array, exact for every storage type. */
export function toFloat64(data: TensorData, dtype: DType): Float64Array {
  return decodeInto(data, dtype, new Float64Array(data.length));
}

function decodeInto<A extends Float32Array | Float64Array>(data: TensorData, dtype: DType, target: A): A {
  if (isFloat32Array(data) || isFloat16Array(data)) {
    target.set(data as Float32Array);
    return target;
  }
  const table = decodeTable(dtype === "bf16" ? "bf16" : "f16");
  const bits = data as Uint16Array;
  for (let i = 0; i < bits.length; i++) target[i] = table[bits[i]];
  return target;
}

/** Numbers as new storage of a type, rounded to nearest even. */
export function fromFloats(source: Float32Array | Float64Array, dtype: DType): TensorData {
  const target = allocate(dtype, source.length);
  encodeInto(source, target, dtype);
  return target;
}

/** Dense storage of one type as new storage of another; f16 and bf16 go through float32, which holds both exactly. */
export function convert(data: TensorData, from: DType, to: DType): TensorData {
  return fromFloats(toFloat32(data, from), to);
}
