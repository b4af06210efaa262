/** The native library as the rest of the project sees it: the same for every runtime. @module */
import { LeetError, throwOnStatus } from "../lib/errors.ts";
import { cText } from "./struct.ts";
import type { ParameterKind, SymbolName, SymbolSpec } from "./symbols.ts";

/** Memory behind a pointer argument: a view, whose offset counts, or null for NULL. */
export type Memory = ArrayBufferView | null;

/** Tensor memory: of the host, or an address of a device, 0n for NULL. */
export type Place = Memory | bigint;

/**
 * The arguments of leet_forward after the params, in its order. Tensors are all views or all addresses; beside addresses
 * the decay may be a view.
 */
export type ForwardArrays = [
  q: Place,
  k: Place,
  v: Place,
  decay: Place,
  cuSeqlens: Memory,
  initialState: Place,
  o: Place,
  finalState: Place,
];

const ARRAY_NAMES = ["q", "k", "v", "decay", "cuSeqlens", "initialState", "o", "finalState"];

/** Place of the decay among the parameters of leet_forward. */
const DECAY = 1 + ARRAY_NAMES.indexOf("decay");

/** Where the tensors of a call are: `mixed` is on a device, but for the decay of leet_forward. */
export type Placement = "host" | "device" | "mixed";

function placementOf([q, , , decay]: ForwardArrays): Placement {
  if (typeof q !== "bigint") return "host";
  return typeof decay === "bigint" ? "device" : "mixed";
}

/** Bytes of memory of a device. */
export interface MemoryUse {
  /** What this library allocated and did not free yet. */
  readonly allocated: number;
  /** What nobody uses. */
  readonly free: number;
  /** All there is. */
  readonly total: number;
}

/**
 * libleet.so, opened. Structs are passed as the bytes of a {@linkcode Struct}; a returned number is the leet_status.
 * An empty view is passed as NULL under every runtime; the library takes NULL for an array of no elements.
 */
export interface Native {
  /** The file that was opened. */
  readonly path: string;
  /** leet_forward. Blocks until done. */
  forward(params: Uint8Array, ...arrays: ForwardArrays): number;
  /**
   * leet_forward without blocking the event loop. The arrays must stay untouched until the promise settles. The
   * library works on a copy of `params`, which is written back just before that; so calls that run at the same time
   * need a `params` each.
   *
   * Rejects with a LeetError INVALID_BUFFER, naming the array, when a buffer is resizable or detached, or was detached
   * while the call ran: the output cannot be trusted then.
   */
  forwardAsync(params: Uint8Array, ...arrays: ForwardArrays): Promise<number>;
  /** leet_device_alloc: the address. Throws LeetError for a refusal, as all that follow. */
  deviceAlloc(index: number, bytes: number): bigint;
  /** leet_device_free. */
  deviceFree(index: number, address: bigint): void;
  /** leet_device_write: all bytes of the view. */
  deviceWrite(index: number, address: bigint, from: ArrayBufferView): void;
  /** leet_device_read: as many bytes as the view has. */
  deviceRead(index: number, to: ArrayBufferView, address: bigint): void;
  /** leet_device_write without blocking the event loop. The view must stay untouched until the promise settles. */
  deviceWriteAsync(index: number, address: bigint, from: ArrayBufferView): Promise<void>;
  /** leet_device_read without blocking the event loop. The view must stay untouched until the promise settles. */
  deviceReadAsync(index: number, to: ArrayBufferView, address: bigint): Promise<void>;
  /** leet_device_memory. */
  deviceMemory(index: number): MemoryUse;
  /** leet_estimate. */
  estimate(params: Uint8Array, cost: Uint8Array): number;
  /** leet_device_get. */
  deviceGet(index: number, info: Uint8Array): number;
  /** leet_method_get. */
  methodGet(index: number, info: Uint8Array): number;
  /** `NAME: meaning` of a status. Throws LeetError INVALID_INDEX for an unknown one. */
  statusText(status: number): string;
  /** Version and what was built in, and the number of the C contract. */
  version(): { text: string; abi: number };
  /** Bytes of scratch memory that the library keeps for its next calls. */
  workspaceBytes(): number;
  /** Gives that scratch memory back. */
  workspaceRelease(): void;
  /** leet_machine_peak: float32 operations and bytes per second that the processor can do at most, measured now. */
  machinePeak(threads: number): { flops: number; bytes: number };
}

/** A C function as a runtime's FFI hands it out; pointers are views or null, 64-bit integers bigints or numbers. */
export type NativeFunction = (...values: (Memory | number | bigint)[]) => number;

/** What a runtime has to provide. Nothing is opened before the first call of a member; nothing is ever closed. */
export interface Library {
  readonly path: string;
  /** Opens one symbol. On a device, tensor memory is passed as u64 addresses instead of views. */
  symbol(name: SymbolName, placement?: Placement): NativeFunction;
  /** A function on another thread. `values` are its arguments; the caller keeps them alive. */
  background(name: BackgroundName, placement: Placement, values: (Place | number)[]): Promise<number>;
}

/** What can run on another thread: the functions that have a second one with `_start`. */
export type BackgroundName = "leet_forward" | "leet_device_write" | "leet_device_read";

/** Parameter types in a runtime's words: `buffer` is what it calls a pointer that takes a view. */
export function parameterTypes<B extends string>(
  spec: SymbolSpec,
  buffer: B,
  placement: Placement,
): (B | Exclude<ParameterKind, "buffer" | "array">)[] {
  return spec.parameters.map((kind, index) => {
    if (kind !== "array") return kind === "buffer" ? buffer : kind;
    return placement === "host" || (placement === "mixed" && index === DECAY) ? buffer : "u64";
  });
}

/**
 * NULL for nothing and for an empty view. Deno passes NULL for an empty view and Bun an address; Bun takes undefined
 * for NULL and Deno refuses it. This makes them the same.
 */
function pointer(memory: Place | undefined): Place {
  return typeof memory === "bigint" || (memory && memory.byteLength > 0) ? memory : null;
}

/**
 * The reason why the buffer of a view cannot be lent to another thread, if there is one. Asking for the buffer also
 * nails the memory down: Bun keeps a small array without one and moves its elements when the buffer is first asked for.
 */
function unfit(memory: Place): string | undefined {
  const buffer = ArrayBuffer.isView(memory) ? memory.buffer : null;
  if (!(buffer instanceof ArrayBuffer)) return undefined;
  if (buffer.detached) return "detached";
  return buffer.resizable ? "resizable" : undefined;
}

function mustBeFit(memory: Place, argument: string, when: string): void {
  const problem = unfit(memory);
  if (problem === undefined) return;
  const message =
    `${argument}: expected a fixed-length buffer that stays in place, got one that is ${problem}${when}`;
  throw new LeetError("INVALID_BUFFER", message, { argument });
}

const DURING = " since the call began";
const MESSAGE_BYTES = 256;

/** Calls a leet_device_* function, which takes a buffer for its message and the size of that last. */
function withMessage(call: (message: Uint8Array, bytes: number) => number): void {
  const message = new Uint8Array(MESSAGE_BYTES);
  throwOnStatus(call(message, MESSAGE_BYTES), cText(message));
}

/** Builds {@linkcode Native} on what a runtime provides; each symbol is opened at its first call. */
export function makeNative(library: Library): Native {
  const opened: { readonly [placement in Placement]: { [name in SymbolName]?: NativeFunction } } = {
    host: {},
    device: {},
    mixed: {},
  };
  const symbol = (name: SymbolName, placement: Placement = "host"): NativeFunction =>
    opened[placement][name] ??= library.symbol(name, placement);
  const copyAsync = async (
    name: "leet_device_write" | "leet_device_read",
    view: ArrayBufferView,
    [index, ...values]: (Place | number)[],
  ): Promise<void> => {
    mustBeFit(view, "data", "");
    const message = new Uint8Array(new ArrayBuffer(MESSAGE_BYTES));
    const status = await library.background(name, "host", [index, ...values, message, MESSAGE_BYTES]);
    mustBeFit(view, "data", DURING);
    throwOnStatus(status, cText(message));
  };
  return {
    path: library.path,
    forward(params, q, k, v, decay, cuSeqlens, initialState, o, finalState) {
      const placement = placementOf([q, k, v, decay, cuSeqlens, initialState, o, finalState]);
      return symbol("leet_forward", placement)(
        params,
        pointer(q),
        pointer(k),
        pointer(v),
        pointer(decay),
        pointer(cuSeqlens),
        pointer(initialState),
        pointer(o),
        pointer(finalState),
      );
    },
    async forwardAsync(params, ...arrays) {
      arrays.forEach((array, index) => mustBeFit(array, ARRAY_NAMES[index], ""));
      const own = new Uint8Array(new ArrayBuffer(params.byteLength));
      own.set(params);
      const status = await library.background("leet_forward", placementOf(arrays), [
        own,
        ...ARRAY_NAMES.map((_, index) => pointer(arrays[index])),
      ]);
      arrays.forEach((array, index) => mustBeFit(array, ARRAY_NAMES[index], DURING));
      params.set(own);
      return status;
    },
    deviceAlloc(index, bytes) {
      const address = new BigUint64Array(1);
      withMessage((...message) => symbol("leet_device_alloc")(index, BigInt(bytes), address, ...message));
      return address[0];
    },
    deviceFree(index, address) {
      withMessage((...message) => symbol("leet_device_free")(index, address, ...message));
    },
    deviceWrite(index, address, from) {
      const bytes = BigInt(from.byteLength);
      withMessage((...message) =>
        symbol("leet_device_write")(index, address, pointer(from), bytes, ...message)
      );
    },
    deviceRead(index, to, address) {
      const bytes = BigInt(to.byteLength);
      withMessage((...message) => symbol("leet_device_read")(index, pointer(to), address, bytes, ...message));
    },
    deviceWriteAsync: (index, address, from) =>
      copyAsync("leet_device_write", from, [index, address, pointer(from), BigInt(from.byteLength)]),
    deviceReadAsync: (index, to, address) =>
      copyAsync("leet_device_read", to, [index, pointer(to), address, BigInt(to.byteLength)]),
    deviceMemory(index) {
      const [allocated, free, total] = [0, 1, 2].map(() => new BigUint64Array(1));
      withMessage((...message) => symbol("leet_device_memory")(index, allocated, free, total, ...message));
      return { allocated: Number(allocated[0]), free: Number(free[0]), total: Number(total[0]) };
    },
    estimate: (params, cost) => symbol("leet_estimate")(params, cost),
    deviceGet: (index, info) => symbol("leet_device_get")(index, info),
    methodGet: (index, info) => symbol("leet_method_get")(index, info),
    statusText(status) {
      const bytes = new Uint8Array(512);
      throwOnStatus(symbol("leet_status_text")(status, bytes, bytes.length));
      return cText(bytes);
    },
    version() {
      const bytes = new Uint8Array(512), abi = new Int32Array(1);
      throwOnStatus(symbol("leet_version")(bytes, bytes.length, abi));
      return { text: cText(bytes), abi: abi[0] };
    },
    workspaceBytes() {
      const bytes = new BigUint64Array(1);
      throwOnStatus(symbol("leet_workspace_bytes")(bytes));
      return Number(bytes[0]);
    },
    workspaceRelease: () => throwOnStatus(symbol("leet_workspace_release")()),
    machinePeak(threads) {
      const flops = new Float64Array(1), bytes = new Float64Array(1);
      throwOnStatus(symbol("leet_machine_peak")(threads, flops, bytes));
      return { flops: flops[0], bytes: bytes[0] };
    },
  };
}
