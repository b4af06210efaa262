/** libleet.so through bun:ffi. @module */
import { throwOnStatus } from "../lib/errors.ts";
import { type Library, type NativeFunction, parameterTypes, type Place, type Placement } from "./native.ts";
import { type SymbolName, SYMBOLS } from "./symbols.ts";

/** The part of bun:ffi used here. */
export interface BunFfi {
  dlopen(
    path: string,
    symbols: { [name: string]: { args: string[]; returns: string } },
  ): { symbols: { [name: string]: unknown } };
}

const EAGER_POLLS = 8;
const POLL_MS = 1;
const FOREVER_US = -1;

const isDetached = (value: Place | number): boolean =>
  ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer && value.buffer.detached;

/** Lets the event loop turn: at once for the first polls of a job, then after a pause, to leave it the processor. */
function turn(poll: number): Promise<void> {
  return new Promise((resolve) => {
    if (poll < EAGER_POLLS) setImmediate(resolve);
    else setTimeout(resolve, POLL_MS);
  });
}

/**
 * bun:ffi has no call on another thread, so a thread of the library is started and polled.
 *
 * Bun cannot pin an ArrayBuffer from JavaScript either, so memory that the caller transfers away during the call could
 * be freed under it. A poll that sees that waits for the end on the spot: no JavaScript runs meanwhile to drop the
 * memory. What is left is a caller that transfers and collects before the next turn of the event loop.
 */
export function bunLibrary(path: string, ffi: BunFfi): Library {
  const symbol = (name: SymbolName, placement: Placement = "host"): NativeFunction => {
    const { result } = SYMBOLS[name];
    const args = parameterTypes(SYMBOLS[name], "ptr", placement);
    return ffi.dlopen(path, { [name]: { args, returns: result } }).symbols[name] as NativeFunction;
  };
  const starts: { [key: string]: NativeFunction | undefined } = {};
  let poll: NativeFunction | undefined;
  return {
    path,
    symbol,
    async background(name, placement, values) {
      const start = starts[`${name} ${placement}`] ??= symbol(`${name}_start`, placement);
      poll ??= symbol("leet_job_poll");
      const job = new BigUint64Array(1), done = new Int32Array(1), result = new Int32Array(1);
      const status = start(...values, job);
      if (status !== 0) return status;
      for (let polls = 0; done[0] === 0; polls++) {
        await turn(polls);
        throwOnStatus(poll(job[0], values.some(isDetached) ? FOREVER_US : 0, done, result));
      }
      return result[0];
    },
  };
}
