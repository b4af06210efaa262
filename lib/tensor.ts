/** A small tensor: elements, shape and storage type. It owns nothing and computes nothing. @module */
import { checkGeometry, denseStride, elementsOf, isDense, sliceOf, viewOf } from "./array_view.ts";
import { checkKeys, checkObject, integerIn, oneOf, refuse } from "./checks.ts";
import { layoutOrNone } from "./layout.ts";
import { parseTensorDevice } from "./device.ts";
import { type DeviceTensor, upload, uploadAsync, zerosOnDevice } from "./device_tensor.ts";
import { show } from "./errors.ts";
import { allocate, decodeTable, DTYPES, encodeInto, isUint16Array, toFloat32 } from "./dtype.ts";
import type { CudaDevice, DType, Layout, TensorData, TensorLike } from "./types.ts";

/** What a {@linkcode Tensor} cannot tell from its data and shape. */
export interface TensorOptions {
  /** Storage type; taken from the class of the data when left out (a Uint16Array is bf16). */
  dtype?: DType;
  /** What the axes mean; unknown when left out. */
  layout?: Layout;
  /** Elements between neighbours along each axis; dense row-major when left out. */
  stride?: readonly number[];
  /** Index of the first element in the data; 0 when left out. */
  offset?: number;
}

const SHOWN_ELEMENTS = 6;

/** An n-dimensional array over a typed array, possibly a strided part of it. Immutable but for its elements. */
export class Tensor implements TensorLike {
  /** The typed array that holds the elements, and possibly others. */
  readonly data: TensorData;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Storage type. */
  readonly dtype: DType;
  /** What the axes mean, where that is known. */
  readonly layout?: Layout;
  /** Elements between neighbours along each axis. */
  readonly stride: readonly number[];
  /** Index of the first element in `data`. */
  readonly offset: number;

  /**
   * Views `data` as a tensor. Nothing is copied.
   *
   * @throws LeetError INVALID_DTYPE, INVALID_SHAPE, INVALID_STRIDE, INVALID_LENGTH, ... where these do not fit together
   */
  constructor(data: TensorData, shape: readonly number[], options: TensorOptions = {}) {
    const { dtype, stride, offset } = options;
    const view = viewOf({ data, shape, dtype, stride, offset }, "tensor", { contiguous: false });
    this.data = view.data;
    this.shape = view.shape;
    this.dtype = view.dtype;
    this.stride = view.stride;
    this.offset = view.offset;
    const layout = layoutOrNone(options.layout);
    if (layout !== undefined) this.layout = layout;
  }

  /** Number of elements. */
  get size(): number {
    return elementsOf(this.shape);
  }

  /** One element as a number. One index for each axis. */
  get(...index: number[]): number {
    if (index.length !== this.shape.length) {
      refuse("INVALID_ARGUMENT", "index", `${this.shape.length} indices`, show(index));
    }
    let at = this.offset;
    for (let axis = 0; axis < index.length; axis++) {
      at += integerIn(index[axis], "index", "INVALID_SHAPE", 0, this.shape[axis] - 1) * this.stride[axis];
    }
    const element = this.data[at];
    return isUint16Array(this.data) ? decodeTable(this.dtype === "f16" ? "f16" : "bf16")[element] : element;
  }

  /** The part with indices start .. end-1 along one axis: a view of the same memory. */
  slice(axis: number, start: number, end: number): Tensor {
    const { shape, stride, offset } = sliceOf(this, axis, start, end);
    const { dtype, layout } = this;
    return new Tensor(this.data, shape, { dtype, layout, stride, offset });
  }

  /**
   * The tensor on a device: itself for `cpu`, and a dense copy in device memory for `cuda` or `cuda:N`, which the caller
   * disposes.
   *
   * @throws LeetError INVALID_DEVICE, DEVICE_OUT_OF_MEMORY, or why there is no such device: NO_DRIVER, NO_DEVICE, ...
   *
   * @example
   * ```ts ignore
   * using q = tensor(data, [1, 32, 4096, 128]).to("cuda:0");
   * ```
   */
  to(device: CudaDevice): DeviceTensor;
  /** This tensor. */
  to(device: "cpu"): Tensor;
  /** For a device that is only known when the program runs. */
  to(device: string): Tensor | DeviceTensor;
  to(device: string): Tensor | DeviceTensor {
    const index = parseTensorDevice(device);
    return index === null ? this : upload(this, index);
  }

  /** {@linkcode Tensor.to} without blocking the event loop. The elements must stay untouched until the promise settles. */
  toAsync(device: CudaDevice): Promise<DeviceTensor>;
  /** This tensor. */
  toAsync(device: "cpu"): Promise<Tensor>;
  /** For a device that is only known when the program runs. */
  toAsync(device: string): Promise<Tensor | DeviceTensor>;
  async toAsync(device: string): Promise<Tensor | DeviceTensor> {
    const index = parseTensorDevice(device);
    return index === null ? this : await uploadAsync(this, index);
  }

  /** The values as a new dense row-major Float32Array; exact for every storage type. */
  toFloat32(): Float32Array {
    const dense = this.dense();
    return toFloat32(dense.data, dense.dtype);
  }

  /** A new dense tensor of another storage type, rounded to nearest even; a dense copy when the type is the same. */
  cast(dtype: DType): Tensor {
    const target = allocate(dtype, this.size);
    encodeInto(this.toFloat32(), target, dtype);
    return new Tensor(target, this.shape, { dtype, layout: this.layout });
  }

  /** This tensor when it is dense and fills its data, otherwise a dense copy with the same bits. */
  dense(): Tensor {
    const { data, shape, dtype, layout, stride, offset, size } = this;
    if (size === data.length && isDense(shape, stride)) return this;
    const target = allocate(dtype, size);
    const copy =
      (isUint16Array(data) && !isUint16Array(target)
        ? new Uint16Array(target.buffer)
        : target) as Uint16Array;
    const steps = denseStride(shape);
    const fill = (axis: number, from: number, to: number): void => {
      if (axis === shape.length) {
        copy[to] = data[from];
        return;
      }
      for (let i = 0; i < shape[axis]; i++) fill(axis + 1, from + i * stride[axis], to + i * steps[axis]);
    };
    fill(0, offset, 0);
    return new Tensor(target, shape, { dtype, layout });
  }

  /** Storage type, shape and the first elements. */
  toString(): string {
    const shown: string[] = [];
    const index = this.shape.map(() => 0);
    for (let n = 0; n < Math.min(this.size, SHOWN_ELEMENTS); n++) {
      shown.push(String(Number(this.get(...index).toPrecision(5))));
      for (let axis = index.length - 1; axis >= 0 && ++index[axis] === this.shape[axis]; axis--) {
        index[axis] = 0;
      }
    }
    if (this.size > SHOWN_ELEMENTS) shown.push("...");
    return `Tensor ${this.dtype} [${this.shape.join(",")}]${this.layout ? ` ${this.layout}` : ""} (${
      shown.join(", ")
    })`;
  }

  /** What console.log shows in Node and Bun. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** What console.log shows in Deno. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** Options of {@linkcode tensor} and {@linkcode zeros}: those of a tensor, and where it is to be. */
export interface PlacedTensorOptions extends TensorOptions {
  /** `cpu` (default), host memory; `cuda` or `cuda:N`, memory of that device. */
  device?: string;
}

const PLACED_OPTIONS: readonly string[] = ["dtype", "layout", "stride", "offset", "device"];

/** The options without the device, and its index; null for host memory. */
function placed(options: PlacedTensorOptions): [options: TensorOptions, index: number | null] {
  checkObject(options, "options", "an object such as { dtype, layout, device }");
  checkKeys(options, "an option", PLACED_OPTIONS);
  const { device = "cpu", ...rest } = options;
  return [rest, parseTensorDevice(device)];
}

/**
 * A tensor over existing elements; nothing is copied, except that plain numbers become a new array of `dtype`
 * (default f32), rounded to nearest even. With a CUDA `device` it is a copy there, as {@linkcode Tensor.to} makes it.
 *
 * @param data Float32Array, Float16Array, Uint16Array (bf16 bit patterns, f16 with `dtype: "f16"`) or numbers
 * @param shape sizes of the axes, for example [B,H,N,d]
 * @throws LeetError as the constructor of {@linkcode Tensor}, and as {@linkcode Tensor.to}
 */
export function tensor(
  data: TensorData | readonly number[],
  shape: readonly number[],
  options?: TensorOptions & { device?: "cpu" },
): Tensor;
/** On a CUDA device. */
export function tensor(
  data: TensorData | readonly number[],
  shape: readonly number[],
  options: TensorOptions & { device: CudaDevice },
): DeviceTensor;
/** For a device that is only known when the program runs. */
export function tensor(
  data: TensorData | readonly number[],
  shape: readonly number[],
  options: PlacedTensorOptions,
): Tensor | DeviceTensor;
export function tensor(
  data: TensorData | readonly number[],
  shape: readonly number[],
  options: PlacedTensorOptions = {},
): Tensor | DeviceTensor {
  const [rest, index] = placed(options);
  const host = hostTensor(data, shape, rest);
  return index === null ? host : upload(host, index);
}

function hostTensor(
  data: TensorData | readonly number[],
  shape: readonly number[],
  options: TensorOptions,
): Tensor {
  if (!Array.isArray(data)) return new Tensor(data as TensorData, shape, options);
  for (const x of data) {
    if (typeof x !== "number") refuse("INVALID_ARGUMENT", "tensor", "numbers", show(x));
  }
  const dtype = oneOf<DType>(options.dtype, "tensor", "INVALID_DTYPE", DTYPES, "f32");
  const target = allocate(dtype, data.length);
  encodeInto(Float64Array.from(data), target, dtype);
  return new Tensor(target, shape, { ...options, dtype });
}

/**
 * A new tensor of zeros, with the options of {@linkcode tensor}; dtype f32 when left out.
 *
 * @throws LeetError INVALID_SHAPE, INVALID_DTYPE, ..., and as {@linkcode Tensor.to}
 */
export function zeros(shape: readonly number[], options?: TensorOptions & { device?: "cpu" }): Tensor;
/** On a CUDA device. */
export function zeros(
  shape: readonly number[],
  options: TensorOptions & { device: CudaDevice },
): DeviceTensor;
/** For a device that is only known when the program runs. */
export function zeros(shape: readonly number[], options: PlacedTensorOptions): Tensor | DeviceTensor;
export function zeros(
  shape: readonly number[],
  options: PlacedTensorOptions = {},
): Tensor | DeviceTensor {
  const [{ dtype: given, ...rest }, index] = placed(options);
  const dtype = oneOf<DType>(given, "dtype", "INVALID_DTYPE", DTYPES, "f32");
  const { offset, span } = checkGeometry(shape, rest.stride, rest.offset, "shape", { contiguous: false });
  if (index === null) return new Tensor(allocate(dtype, offset + span), shape, { dtype, ...rest });
  return zerosOnDevice(index, { shape, dtype, ...rest });
}
