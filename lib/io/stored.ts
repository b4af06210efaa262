/** Tensors as files hold them: an element type, a shape and the elements. @module */

import { LeetError, show } from "../errors.ts";

/** The array that holds the elements of each type that can be computed with. F16 and BF16 are bit patterns. */
export interface StoredData {
  /** IEEE binary32. */
  F32: Float32Array;
  /** IEEE binary16, as bit patterns. */
  F16: Uint16Array;
  /** bfloat16, as bit patterns. */
  BF16: Uint16Array;
  /** IEEE binary64. */
  F64: Float64Array;
  /** Signed 64-bit integers. */
  I64: BigInt64Array;
  /** Signed 32-bit integers. */
  I32: Int32Array;
}

/** Element types with a typed array of their own, by their safetensors names. */
export type StoredType = keyof StoredData;

/** Element types that a file may hold and that nothing here computes with. */
export type OpaqueType =
  | "BOOL"
  | "U8"
  | "I8"
  | "U16"
  | "I16"
  | "U32"
  | "U64"
  | "C64"
  | "F4"
  | "F6_E2M3"
  | "F6_E3M2"
  | "F8_E4M3"
  | "F8_E4M3FNUZ"
  | "F8_E5M2"
  | "F8_E5M2FNUZ"
  | "F8_E8M0";

/** A tensor of a type that can be computed with; dense, row-major. */
export type NumericTensor = {
  [T in StoredType]: {
    /** Element type. */
    readonly dtype: T;
    /** Sizes of the axes, the last one contiguous. */
    readonly shape: readonly number[];
    /** Exactly the elements of the shape. */
    readonly data: StoredData[T];
  };
}[StoredType];

/** A tensor of another type: its bytes can be carried along, not computed with. */
export interface OpaqueTensor {
  /** Element type. */
  readonly dtype: OpaqueType;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** The bytes of the elements. */
  readonly data: Uint8Array;
}

/** A tensor in a file. */
export type StoredTensor = NumericTensor | OpaqueTensor;

type View = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => StoredTensor["data"];

/** Bits of an element, and the array that views it. */
const TYPES: Readonly<Record<StoredType | OpaqueType, { bits: number; view: View }>> = {
  F64: { bits: 64, view: Float64Array },
  I64: { bits: 64, view: BigInt64Array },
  U64: { bits: 64, view: Uint8Array },
  C64: { bits: 64, view: Uint8Array },
  F32: { bits: 32, view: Float32Array },
  I32: { bits: 32, view: Int32Array },
  U32: { bits: 32, view: Uint8Array },
  F16: { bits: 16, view: Uint16Array },
  BF16: { bits: 16, view: Uint16Array },
  I16: { bits: 16, view: Uint8Array },
  U16: { bits: 16, view: Uint8Array },
  F8_E4M3: { bits: 8, view: Uint8Array },
  F8_E4M3FNUZ: { bits: 8, view: Uint8Array },
  F8_E5M2: { bits: 8, view: Uint8Array },
  F8_E5M2FNUZ: { bits: 8, view: Uint8Array },
  F8_E8M0: { bits: 8, view: Uint8Array },
  I8: { bits: 8, view: Uint8Array },
  U8: { bits: 8, view: Uint8Array },
  BOOL: { bits: 8, view: Uint8Array },
  F6_E2M3: { bits: 6, view: Uint8Array },
  F6_E3M2: { bits: 6, view: Uint8Array },
  F4: { bits: 4, view: Uint8Array },
};

/** Every element type, widest first. */
export const storedTypes: readonly (StoredType | OpaqueType)[] = Object.keys(
  TYPES,
) as (StoredType | OpaqueType)[];

/** Whether a string names an element type. */
export function isStoredType(name: string): name is StoredType | OpaqueType {
  return Object.hasOwn(TYPES, name);
}

/** Bits of one element. */
export function bitsOf(dtype: StoredType | OpaqueType): number {
  return TYPES[dtype].bits;
}

/** Number of elements of a shape, or undefined when it is not a list of sizes or exceeds 2^53 - 1. */
export function elementsOf(shape: readonly number[]): number | undefined {
  let elements = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    elements *= size;
    if (!Number.isSafeInteger(elements)) return undefined;
  }
  return elements;
}

/**
 * A tensor over `bytes`, which must have exactly the size of the shape. The elements are viewed in place where the
 * bytes are aligned to them, and copied otherwise.
 */
export function tensorOver(
  dtype: StoredType | OpaqueType,
  shape: readonly number[],
  bytes: Uint8Array,
): StoredTensor {
  const { view } = TYPES[dtype];
  const size = (view as unknown as { BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return {
    dtype,
    shape,
    data: new view(aligned.buffer, aligned.byteOffset, aligned.byteLength / size),
  } as StoredTensor;
}

/** The bytes of the elements of a tensor, in place. */
export function bytesOf(tensor: StoredTensor): Uint8Array {
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}

/**
 * Checks a tensor that is about to be written.
 * @throws LeetError INVALID_DTYPE, INVALID_SHAPE or INVALID_LENGTH
 */
export function checkStored(name: string, tensor: StoredTensor): void {
  if (!isStoredType(tensor.dtype)) {
    throw new LeetError(
      "INVALID_DTYPE",
      `${name}: expected a dtype out of ${storedTypes.join(", ")}, got ${show(tensor.dtype)}`,
      { argument: name },
    );
  }
  const { view, bits } = TYPES[tensor.dtype];
  if (!(tensor.data instanceof view)) {
    throw new LeetError("INVALID_DTYPE", `${name}: expected the data of ${tensor.dtype} in a ${view.name}`, {
      argument: name,
    });
  }
  const elements = elementsOf(tensor.shape);
  if (elements === undefined) {
    throw new LeetError(
      "INVALID_SHAPE",
      `${name}: expected sizes that are integers from 0 with a product below 2^53, got [${tensor.shape}]`,
      { argument: name },
    );
  }
  const bytes = elements * bits / 8;
  if (tensor.data.byteLength !== bytes) {
    throw new LeetError(
      "INVALID_LENGTH",
      `${name}: expected ${bytes} bytes for ${tensor.dtype} [${tensor.shape}], got ${tensor.data.byteLength}`,
      { argument: name },
    );
  }
}

/** `bytes` zero bytes; throws LeetError OUT_OF_MEMORY where the runtime only has a RangeError. */
export function allocateBytes(bytes: number, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new LeetError("OUT_OF_MEMORY", `no memory for ${what}, ${bytes} bytes`, { argument: what, cause });
  }
}
