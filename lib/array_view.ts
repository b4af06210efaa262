/** A checked view of an array in memory: what the operator needs to know of q, k, v, o, gates and states. @module */
import { canHold, dtypeOf } from "./dtype.ts";
import { integerIn, refuse } from "./checks.ts";
import { show } from "./errors.ts";
import type { DType, TensorData } from "./types.ts";

/** Where the elements of a strided array lie in its memory. */
export interface Geometry {
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Elements between neighbours along each axis, >= 0. */
  readonly stride: readonly number[];
  /** Index of the first element in the memory. */
  readonly offset: number;
  /** Elements from the first to one past the last; 0 when there is none. */
  readonly span: number;
}

/** A strided array whose every element lies inside `data`. */
export interface ArrayView<D = TensorData> extends Geometry {
  readonly data: D;
  readonly dtype: DType;
}

/** Names of storage types as other array libraries give them. ndarray calls the type of a Uint16Array uint16. */
const DTYPE_NAMES: Readonly<Record<string, DType>> = {
  f32: "f32",
  f16: "f16",
  bf16: "bf16",
  float32: "f32",
  float16: "f16",
  bfloat16: "bf16",
  uint16: "bf16",
};

const SHAPE = "a shape of integers >= 0";

/** The strides of a dense row-major array, in elements. */
export function denseStride(shape: readonly number[]): number[] {
  const stride = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= shape[axis];
  }
  return stride;
}

/** The product of the sizes. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Elements from the first to one past the last of a strided array; 0 when there is none. */
export function spanOf(shape: readonly number[], stride: readonly number[]): number {
  let last = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 0) return 0;
    last += (shape[axis] - 1) * stride[axis];
  }
  return last + 1;
}

/** Whether the elements lie row-major without gaps. */
export function isDense(shape: readonly number[], stride: readonly number[]): boolean {
  const dense = denseStride(shape);
  return elementsOf(shape) === 0 || shape.every((size, axis) => size === 1 || stride[axis] === dense[axis]);
}

function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  const detached = (buffer as { detached?: boolean }).detached;
  if (detached !== undefined) return detached;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Refuses a detached buffer, and for calls that outlive the caller's turn one whose memory can be resized away. */
export function checkBuffer(data: ArrayBufferView, argument: string, outlives: boolean): void {
  const buffer = data.buffer as ArrayBufferLike & { resizable?: boolean; growable?: boolean };
  if (isDetached(buffer)) refuse("INVALID_BUFFER", argument, "an attached buffer", "a detached one");
  if (outlives && (buffer.resizable || buffer.growable)) {
    refuse("INVALID_BUFFER", argument, "a buffer of fixed length", "a resizable one");
  }
}

/** The sizes as an own array, checked. */
export function checkShape(value: unknown, argument: string): number[] {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) {
    refuse("INVALID_ARGUMENT", argument, SHAPE, show(value));
  }
  const shape = Array.from(value as ArrayLike<number>);
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) refuse("INVALID_SHAPE", argument, SHAPE, show(shape));
  }
  if (!Number.isSafeInteger(elementsOf(shape))) {
    refuse("SIZE_OVERFLOW", argument, "fewer than 2^53 elements", show(shape));
  }
  return shape;
}

/** A storage type by its name here or in another array library. */
export function checkDtypeName(given: unknown, argument: string): DType {
  if (typeof given !== "string") refuse("INVALID_ARGUMENT", argument, "a dtype as a string", show(given));
  const dtype = Object.hasOwn(DTYPE_NAMES, given) ? DTYPE_NAMES[given] : undefined;
  if (dtype === undefined) refuse("INVALID_DTYPE", argument, "dtype f32, f16 or bf16", show(given));
  return dtype;
}

function checkDtype(given: unknown, data: TensorData, argument: string): DType {
  if (given === undefined) return dtypeOf(data) as DType;
  const dtype = checkDtypeName(given, argument);
  if (!canHold(data, dtype)) refuse("INVALID_DTYPE", argument, `data that holds ${dtype}`, show(data));
  return dtype;
}

function checkStride(
  given: unknown,
  shape: readonly number[],
  contiguous: boolean,
  argument: string,
): number[] {
  if (given === undefined) return denseStride(shape);
  if (!Array.isArray(given) && !ArrayBuffer.isView(given)) {
    refuse("INVALID_ARGUMENT", argument, "a stride as an array of integers", show(given));
  }
  const stride = Array.from(given as ArrayLike<number>);
  if (stride.length !== shape.length || !stride.every((step) => Number.isSafeInteger(step) && step >= 0)) {
    refuse("INVALID_STRIDE", argument, `a stride of ${shape.length} integers >= 0`, show(stride));
  }
  const inner = shape.length - 1;
  if (contiguous && inner >= 0 && shape[inner] > 1 && stride[inner] !== 1) {
    refuse("INVALID_STRIDE", argument, "a contiguous last axis, stride 1", show(stride));
  }
  return stride;
}

/** How {@linkcode viewOf} reads an array. */
export interface ViewRules {
  /** The axes it must have, as an error message names them, such as ["B", "H", "N", "dk"]. */
  axes?: readonly string[];
  /** Whether the last axis must have stride 1; default true. */
  contiguous?: boolean;
  /** Whether the array is used after the call returns. */
  outlives?: boolean;
}

function refuseForm(value: unknown, argument: string, { axes }: ViewRules): never {
  refuse("INVALID_ARGUMENT", argument, `{ data, shape: [${axes?.join(",") ?? "..."}] }`, show(value));
}

/**
 * Reads an array of the form { data, shape, stride?, offset?, dtype? } and checks it as far as one array goes.
 *
 * Without stride and offset, data must have exactly the elements of the shape; with one of them it may have more.
 * @throws LeetError INVALID_ARGUMENT, INVALID_BUFFER, INVALID_DTYPE, INVALID_SHAPE, INVALID_STRIDE, INVALID_LENGTH,
 * SIZE_OVERFLOW
 */
export function viewOf(value: unknown, argument: string, rules: ViewRules = {}): ArrayView {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    refuseForm(value, argument, rules);
  }
  const { data, shape: givenShape, stride: givenStride, offset: givenOffset, dtype: givenDtype } =
    value as Record<
      string,
      unknown
    >;
  if (data === undefined) refuseForm(value, argument, rules);
  if (dtypeOf(data) === undefined) {
    refuse("INVALID_DTYPE", argument, "data in a Float32Array, Float16Array or Uint16Array", show(data));
  }
  const elements = data as TensorData;
  checkBuffer(elements as ArrayBufferView, argument, rules.outlives ?? false);
  const dtype = checkDtype(givenDtype, elements, argument);
  const geometry = checkGeometry(givenShape, givenStride, givenOffset, argument, rules);
  const { shape, offset, span } = geometry;
  const exact = givenStride === undefined && givenOffset === undefined;
  if (exact ? elements.length !== span : elements.length < offset + span) {
    const wanted = exact ? `${span} elements` : `at least ${offset + span} elements`;
    refuse("INVALID_LENGTH", argument, `${wanted} for shape ${show(shape)}`, String(elements.length));
  }
  return { data: elements, dtype, ...geometry };
}

/** Checks a shape, a stride (dense when undefined) and an offset (0 when undefined) as far as they go without data. */
export function checkGeometry(
  givenShape: unknown,
  givenStride: unknown,
  givenOffset: unknown,
  argument: string,
  rules: ViewRules = {},
): Geometry {
  const shape = checkShape(givenShape, argument);
  if (rules.axes !== undefined && shape.length !== rules.axes.length) {
    refuse("INVALID_SHAPE", argument, `shape [${rules.axes.join(",")}]`, show(shape));
  }
  const stride = checkStride(givenStride, shape, rules.contiguous ?? true, argument);
  const offset = givenOffset ?? 0;
  if (typeof offset !== "number") {
    refuse("INVALID_ARGUMENT", argument, "an offset as an integer", show(offset));
  }
  if (!Number.isSafeInteger(offset) || offset < 0) {
    refuse("INVALID_LENGTH", argument, "an offset that is an integer >= 0", show(offset));
  }
  const span = spanOf(shape, stride);
  const end = offset + span;
  if (!Number.isSafeInteger(end)) {
    refuse(
      "SIZE_OVERFLOW",
      argument,
      "fewer than 2^53 elements from first to last",
      `stride ${show(stride)}`,
    );
  }
  return { shape, stride, offset, span };
}

/** The indices start .. end-1 along one axis. */
export function sliceOf(
  { shape, stride, offset }: Omit<Geometry, "span">,
  axis: unknown,
  start: unknown,
  end: unknown,
): Omit<Geometry, "span"> {
  const on = integerIn(axis, "axis", "INVALID_SHAPE", 0, shape.length - 1);
  const stop = integerIn(end, "end", "INVALID_SHAPE", 0, shape[on]);
  const from = integerIn(start, "start", "INVALID_SHAPE", 0, stop);
  return {
    shape: shape.with(on, stop - from),
    stride,
    offset: stop === from ? offset : offset + from * stride[on],
  };
}
