/** Tensors in the memory of a CUDA device. @module */
import type { Native } from "../ffi/native.ts";
import { loadNative, openNative } from "../ffi/open.ts";
import type { Range } from "./alias.ts";
import { checkDtypeName, checkGeometry, elementsOf, sliceOf, spanOf } from "./array_view.ts";
import { checkKeys, checkObject, refuse } from "./checks.ts";
import { deviceName, parseCudaDevice } from "./device.ts";
import { DeviceBlock } from "./device_block.ts";
import { allocate, elementBytes } from "./dtype.ts";
import { LeetError, show } from "./errors.ts";
import { layoutOrNone } from "./layout.ts";
import { Tensor, type TensorOptions } from "./tensor.ts";
import type { CudaDevice, DType, Layout, TensorData } from "./types.ts";

/** What {@linkcode deviceTensor} cannot tell from an address and a shape. */
export interface DeviceTensorOptions extends TensorOptions {
  /** Which device the address is of: `cuda` or `cuda:N`; default `cuda:0`. */
  device?: string;
}

type Geometry = Pick<DeviceTensor, "shape" | "dtype" | "layout" | "stride" | "offset">;

let make: (block: DeviceBlock, geometry: Geometry, owns: boolean) => DeviceTensor;
let blockOf: (tensor: DeviceTensor) => DeviceBlock;

/**
 * An n-dimensional array in the memory of a CUDA device, possibly a strided part of it. `tensor.to("cuda:0")`,
 * `zeros(shape, { device })` and calls on device tensors make one that owns its memory; {@linkcode deviceTensor} and
 * {@linkcode DeviceTensor.slice} make views, whose disposal frees nothing.
 *
 * Memory is freed by `dispose()`, at the end of the block of a `using` declaration, or some time after the last reference
 * is gone. Do not rely on the last: the collector does not see device memory.
 */
export class DeviceTensor {
  /** `cuda:N`. */
  readonly device: CudaDevice;
  /** The driver's address of the memory; the first element lies `offset` elements behind it. */
  readonly address: bigint;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Storage type. */
  readonly dtype: DType;
  /** What the axes mean, where that is known. */
  readonly layout?: Layout;
  /** Elements between neighbours along each axis. */
  readonly stride: readonly number[];
  /** Elements from `address` to the first element. */
  readonly offset: number;
  readonly #block: DeviceBlock;
  readonly #owns: boolean;
  #disposed = false;

  static {
    make = (block, geometry, owns) => new DeviceTensor(block, geometry, owns);
    blockOf = (tensor) => tensor.#block;
  }

  private constructor(block: DeviceBlock, { shape, dtype, layout, stride, offset }: Geometry, owns: boolean) {
    this.device = deviceName(block.index);
    this.address = block.address;
    this.shape = shape;
    this.dtype = dtype;
    this.stride = stride;
    this.offset = offset;
    this.#block = block;
    this.#owns = owns;
    if (layout !== undefined) this.layout = layout;
  }

  /** Number of elements. */
  get size(): number {
    return elementsOf(this.shape);
  }

  /** Whether the tensor, or the memory that it views, was disposed. */
  get disposed(): boolean {
    return this.#disposed || this.#block.freed;
  }

  /** The part with indices start .. end-1 along one axis: a view of the same memory. */
  slice(axis: number, start: number, end: number): DeviceTensor {
    mustLive(this, "tensor");
    const { dtype, layout } = this;
    return make(this.#block, { dtype, layout, ...sliceOf(this, axis, start, end) }, false);
  }

  /**
   * A copy in host memory, dense. Waits for calls on this tensor, but not for work on a stream of the caller's.
   *
   * @throws LeetError DISPOSED, OUT_OF_MEMORY, or the code of a driver that fails
   */
  toHost(): Tensor {
    mustLive(this, "tensor");
    const host = hostMemory(this);
    openNative().deviceRead(this.#block.index, host as ArrayBufferView, firstAddress(this));
    return readAs(this, host);
  }

  /** {@linkcode DeviceTensor.toHost} without blocking the event loop. */
  async toHostAsync(): Promise<Tensor> {
    mustLive(this, "tensor");
    const host = hostMemory(this) as ArrayBufferView;
    const read = async (): Promise<void> => {
      const native = await loadNative();
      await native.deviceReadAsync(this.#block.index, host, firstAddress(this));
    };
    await this.#block.during(read());
    return readAs(this, host as unknown as TensorData);
  }

  /** Gives the tensor up; frees its memory when it owns it, after calls that still use it. A second time does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#owns) this.#block.free();
  }

  /** {@linkcode DeviceTensor.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Storage type, shape and place. */
  toString(): string {
    const layout = this.layout ? ` ${this.layout}` : "";
    const place = this.disposed ? "disposed" : `0x${this.address.toString(16)}`;
    return `DeviceTensor ${this.dtype} [${this.shape.join(",")}]${layout} (${this.device}, ${place})`;
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

/** Refuses a tensor whose memory is gone. */
export function mustLive(tensor: DeviceTensor, argument: string): void {
  if (!tensor.disposed) return;
  throw new LeetError("DISPOSED", `${argument}: expected a tensor in use, got one that was disposed`, {
    argument,
  });
}

/** The driver's address of the first element. */
export function firstAddress({ address, offset, dtype }: DeviceTensor): bigint {
  return address + BigInt(offset * elementBytes(dtype));
}

/** The bytes from the first to the last element. */
export function deviceRange(tensor: DeviceTensor): Range {
  const begin = firstAddress(tensor);
  const bytes = spanOf(tensor.shape, tensor.stride) * elementBytes(tensor.dtype);
  return { memory: tensor.device, begin, end: begin + BigInt(bytes) };
}

/** Keeps the memory of tensors until the work has ended, even when they are disposed meanwhile. */
export function during<T>(tensors: readonly DeviceTensor[], work: Promise<T>): Promise<T> {
  return tensors.reduce((watched, tensor) => blockOf(tensor).during(watched), work);
}

/** The same elements once more; disposing one of the two frees nothing. */
export function viewOfDevice(tensor: DeviceTensor): DeviceTensor {
  return make(blockOf(tensor), tensor, false);
}

/** What a new device tensor is to be; dense where stride and offset are left out. */
type NewGeometry =
  & Pick<Geometry, "shape" | "dtype" | "layout">
  & Partial<Pick<Geometry, "stride" | "offset">>;

/** A new tensor whose elements are not set. */
export function allocateOnDevice(native: Native, index: number, geometry: NewGeometry): DeviceTensor {
  const { dtype, layout } = geometry;
  const { shape, stride, offset, span } = checkGeometry(
    geometry.shape,
    geometry.stride,
    geometry.offset,
    "shape",
    { contiguous: false },
  );
  const block = DeviceBlock.allocate(native, index, (offset + span) * elementBytes(dtype));
  return make(block, { shape, dtype, layout, stride, offset }, true);
}

/** Gives a tensor up where there is an error that a failure to free it must not hide. */
export function discard(tensor: DeviceTensor): void {
  blockOf(tensor).discard();
}

/** A copy of a tensor on a device. */
export function upload(source: Tensor, index: number): DeviceTensor {
  const native = openNative();
  const { data, shape, dtype, layout } = source.dense();
  const tensor = allocateOnDevice(native, index, { shape, dtype, layout });
  try {
    native.deviceWrite(index, tensor.address, data as ArrayBufferView);
    return tensor;
  } catch (error) {
    discard(tensor);
    throw error;
  }
}

/** {@linkcode upload} without blocking the event loop. */
export async function uploadAsync(source: Tensor, index: number): Promise<DeviceTensor> {
  const native = await loadNative();
  const { data, shape, dtype, layout } = source.dense();
  const tensor = allocateOnDevice(native, index, { shape, dtype, layout });
  try {
    await native.deviceWriteAsync(index, tensor.address, data as ArrayBufferView);
    return tensor;
  } catch (error) {
    discard(tensor);
    throw error;
  }
}

/** Bytes of zeros that go over the bus at a time. */
const PIECE = 1 << 22;

/** A new tensor of zeros on a device; what lies between its elements is zero too. */
export function zerosOnDevice(index: number, geometry: NewGeometry): DeviceTensor {
  const native = openNative();
  const tensor = allocateOnDevice(native, index, geometry);
  try {
    const bytes = (tensor.offset + spanOf(tensor.shape, tensor.stride)) * elementBytes(tensor.dtype);
    const piece = new Uint8Array(Math.min(bytes, PIECE));
    for (let at = 0; at < bytes; at += PIECE) {
      native.deviceWrite(index, tensor.address + BigInt(at), piece.subarray(0, Math.min(bytes - at, PIECE)));
    }
    return tensor;
  } catch (error) {
    discard(tensor);
    throw error;
  }
}

/** Host memory for the elements from the first to the last. */
function hostMemory({ dtype, shape, stride }: DeviceTensor): TensorData {
  const elements = spanOf(shape, stride);
  try {
    return allocate(dtype, elements);
  } catch (cause) {
    throw new LeetError("OUT_OF_MEMORY", `tensor: no host memory for ${elements} elements`, { cause });
  }
}

function readAs({ shape, dtype, layout, stride }: DeviceTensor, host: TensorData): Tensor {
  return new Tensor(host, shape, { dtype, layout, stride }).dense();
}

/**
 * A tensor over device memory that another library owns: an address of the driver's primary context, as PyTorch, CuPy and
 * the CUDA runtime give them. Nothing is copied, and this library never frees it; it must stay allocated for as long as
 * the tensor is used. What other libraries have queued on the memory must have been waited for, or run on the `stream`
 * that the calls are given.
 *
 * @param address of the first byte; divisible by the size of an element
 * @param shape sizes of the axes, for example [B,H,N,d]
 * @param options device (`cuda:0`), dtype (f32), layout, stride and offset in elements (dense, 0)
 * @throws LeetError INVALID_POINTER, INVALID_ALIGNMENT, SIZE_OVERFLOW (argument `address`), INVALID_DEVICE, ...
 *
 * @example
 * ```ts
 * import { deviceTensor } from "./mod.ts";
 *
 * const q = deviceTensor(0x7f0000000000n, [1, 32, 4096, 128], { dtype: "bf16" });
 * console.log(String(q)); // DeviceTensor bf16 [1,32,4096,128] (cuda:0, 0x7f0000000000)
 * ```
 */
export function deviceTensor(
  address: bigint,
  shape: readonly number[],
  options: DeviceTensorOptions = {},
): DeviceTensor {
  checkObject(options, "options", "an object");
  checkKeys(options, "an option", ["device", "dtype", "layout", "stride", "offset"]);
  const index = parseCudaDevice(options.device ?? "cuda:0");
  if (typeof address !== "bigint") refuse("INVALID_ARGUMENT", "address", "a bigint", show(address));
  const dtype = checkDtypeName(options.dtype ?? "f32", "dtype");
  const layout = layoutOrNone(options.layout);
  const { span, ...geometry } = checkGeometry(shape, options.stride, options.offset, "shape", {
    contiguous: false,
  });
  const bytes = elementBytes(dtype);
  if (address < 0n || (address === 0n && span > 0)) {
    refuse("INVALID_POINTER", "address", "an address of device memory", show(address));
  }
  if (address % BigInt(bytes) !== 0n) {
    refuse("INVALID_ALIGNMENT", "address", `one divisible by ${bytes}, the bytes of ${dtype}`, show(address));
  }
  if (address + BigInt(geometry.offset + span) * BigInt(bytes) > 1n << 64n) {
    refuse("SIZE_OVERFLOW", "address", "memory that ends below 2^64", show(address));
  }
  return make(DeviceBlock.foreign(index, address), { dtype, layout, ...geometry }, false);
}
