/** The native library as the rest of the project sees it: the same for every runtime. @module */
import { LeetError, throwOnStatus } from "../lib/errors.ts";
import { cText } from "./struct.ts";
import type { ParameterKind, SymbolName, SymbolSpec } from "./symbols.ts";

/** Memory behind a pointer argument: a view, whose offset counts, or null for NULL. */
export type Memory = ArrayBufferView | null;

/** The arguments of leet_forward after the params, in its order. */
export type ForwardArrays = [
  q: Memory,
  k: Memory,
  v: Memory,
  decay: Memory,
  cuSeqlens: Memory,
  initialState: Memory,
  o: Memory,
  finalState: Memory,
];

const ARRAY_NAMES = ["q", "k", "v", "decay", "cuSeqlens", "initialState", "o", "finalState"];

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
}

/** A C function as a runtime's FFI hands it out; pointers are views or null, 64-bit integers bigints or numbers. */
export type NativeFunction = (...values: (Memory | number | bigint)[]) => number;

/** What a runtime has to provide. Nothing is opened before the first call of a member; nothing is ever closed. */
export interface Library {
  readonly path: string;
  /** Opens one symbol. With `device`, tensor memory is passed as u64 addresses instead of views. */
  symbol(name: SymbolName, tensors?: "host" | "device"): NativeFunction;
  /** leet_forward on another thread. `values` are its arguments; the caller keeps them alive. */
  forwardAsync(values: Memory[]): Promise<number>;
}

/** Parameter types in a runtime's words: `buffer` is what it calls a pointer that takes a view. */
export function parameterTypes<B extends string>(
  spec: SymbolSpec,
  buffer: B,
  tensors: "host" | "device",
): (B | Exclude<ParameterKind, "buffer" | "array">)[] {
  return spec.parameters.map((kind) => {
    if (kind === "array") return tensors === "host" ? buffer : "u64";
    return kind === "buffer" ? buffer : kind;
  });
}

/**
 * NULL for nothing and for an empty view. Deno passes NULL for an empty view and Bun an address; Bun takes undefined
 * for NULL and Deno refuses it. This makes them the same.
 */
function pointer(memory: Memory | undefined): Memory {
  return memory && memory.byteLength > 0 ? memory : null;
}

/**
 * The reason why the buffer of a view cannot be lent to another thread, if there is one. Asking for the buffer also
 * nails the memory down: Bun keeps a small array without one and moves its elements when the buffer is first asked for.
 */
function unfit(memory: Memory): string | undefined {
  const buffer = memory?.buffer;
  if (!(buffer instanceof ArrayBuffer)) return undefined;
  if (buffer.detached) return "detached";
  return buffer.resizable ? "resizable" : undefined;
}

function mustBeFit(arrays: Memory[], when: string): void {
  for (const [index, memory] of arrays.entries()) {
    const problem = unfit(memory);
    if (problem === undefined) continue;
    const argument = ARRAY_NAMES[index];
    const message =
      `${argument}: expected a fixed-length buffer that stays in place, got one that is ${problem}${when}`;
    throw new LeetError("INVALID_BUFFER", message, { argument });
  }
}

/** Builds {@linkcode Native} on what a runtime provides; each symbol is opened at its first call. */
export function makeNative(library: Library): Native {
  const opened: { [name in SymbolName]?: NativeFunction } = {};
  const symbol = (name: SymbolName): NativeFunction => opened[name] ??= library.symbol(name);
  return {
    path: library.path,
    forward(params, q, k, v, decay, cuSeqlens, initialState, o, finalState) {
      return symbol("leet_forward")(
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
      mustBeFit(arrays, "");
      const own = new Uint8Array(new ArrayBuffer(params.byteLength));
      own.set(params);
      const status = await library.forwardAsync([
        own,
        ...ARRAY_NAMES.map((_, index) => pointer(arrays[index])),
      ]);
      mustBeFit(arrays, " since the call began");
      params.set(own);
      return status;
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
  };
}
