/** Memory of a CUDA device: who owns it, and when it is freed. @module */
import type { Native } from "../ffi/native.ts";

/** What is needed to free an allocation without holding on to its owner. */
interface Allocation {
  readonly native: Native;
  readonly index: number;
  readonly address: bigint;
}

/** Frees what a program forgot. A failure has nobody to go to: the memory is lost with the device that failed. */
const forgotten = new FinalizationRegistry<Allocation>(({ native, index, address }) => {
  try {
    native.deviceFree(index, address);
  } catch {
    // Nothing is left to do about it.
  }
});

/**
 * A piece of device memory that tensors share. It is freed by {@linkcode DeviceBlock.free}, or when no tensor refers to
 * it any more; memory that came from elsewhere never is.
 */
export class DeviceBlock {
  /** Which CUDA device. */
  readonly index: number;
  /** The first byte. */
  readonly address: bigint;
  /** Null for memory of somebody else, and for what was given back. */
  #native: Native | null;
  #pending = 0;
  #freed = false;

  private constructor(index: number, address: bigint, native: Native | null) {
    this.index = index;
    this.address = address;
    this.#native = native;
  }

  /** New memory. Throws LeetError DEVICE_OUT_OF_MEMORY, NO_DRIVER and every other code of a driver that refuses. */
  static allocate(native: Native, index: number, bytes: number): DeviceBlock {
    const address = native.deviceAlloc(index, bytes);
    const block = new DeviceBlock(index, address, native);
    forgotten.register(block, { native, index, address }, block);
    return block;
  }

  /** Memory of somebody else. */
  static foreign(index: number, address: bigint): DeviceBlock {
    return new DeviceBlock(index, address, null);
  }

  /** Whether it was given up. */
  get freed(): boolean {
    return this.#freed;
  }

  /** Gives the memory up: at once, or when the last work that {@linkcode DeviceBlock.during} watches has ended. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    if (this.#pending === 0) this.#release();
  }

  /** Keeps the memory until the work has ended, even when it is given up meanwhile. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#pending++;
    try {
      return await work;
    } finally {
      if (--this.#pending === 0 && this.#freed) this.discard();
    }
  }

  /** Gives the memory up where there is an outcome that a failure to free it must not hide. */
  discard(): void {
    this.#freed = true;
    try {
      if (this.#pending === 0) this.#release();
    } catch {
      // The device failed; the error that says so is on its way, or comes with the next call.
    }
  }

  #release(): void {
    const native = this.#native;
    if (native === null) return;
    this.#native = null;
    forgotten.unregister(this);
    native.deviceFree(this.index, this.address);
  }
}
