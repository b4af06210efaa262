/** The emulated CUDA driver that the tests in *.cuda.test.ts run on, and its functions that no real driver has. @module */
import { existsSync } from "node:fs";
import process from "node:process";
import { builtin, runtimeName } from "../../ffi/runtime.ts";
import { openLibrary } from "../../lib/mod.ts";

type Call = (...values: (ArrayBufferView | number | bigint)[]) => number;

const FUNCTIONS: { readonly [name: string]: readonly ("buffer" | "i32" | "u32" | "u64")[] } = {
  leetemu_configure: ["buffer", "buffer"],
  leetemu_report: ["buffer", "i32"],
  leetemu_reset: [],
  cuDevicePrimaryCtxRetain: ["buffer", "i32"],
  cuCtxSetCurrent: ["u64"],
  cuStreamCreate: ["buffer", "u32"],
  cuStreamSynchronize: ["u64"],
};

type Functions = { readonly [name: string]: Call };

/** What vitest.config.ts sets: a driver of the machine's own may stand there too. */
const DRIVER: string = process.env.LEET_CUDA_DRIVER ?? "";

function open(): Functions {
  if (runtimeName() === "deno") {
    const symbols = Object.fromEntries(
      Object.entries(FUNCTIONS).map(([name, parameters]) => [name, { parameters, result: "i32" }]),
    );
    return Deno.dlopen(DRIVER, symbols as Deno.ForeignLibraryInterface).symbols as unknown as Functions;
  }
  const ffi = builtin<typeof import("bun:ffi")>("bun:ffi")!;
  const symbols = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, parameters]) => [
      name,
      { args: parameters.map((type) => type === "buffer" ? "ptr" as const : type), returns: "i32" as const },
    ]),
  );
  return ffi.dlopen(DRIVER, symbols).symbols as unknown as Functions;
}

let functions: Functions | undefined;

const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);

/** Why the tests cannot run here; undefined when they can. */
export async function missing(): Promise<string | undefined> {
  if (!existsSync(DRIVER)) return "no emulated driver: make -C tests/emulator";
  const { version } = await openLibrary();
  return /\bcuda\(/.test(version) ? undefined : "libleet.so was built without CUDA: it needs nvcc";
}

/** Changes a setting of tests/emulator/README.md, without its prefix LEETEMU_. */
export function configure(key: string, value: string): void {
  functions ??= open();
  if (functions.leetemu_configure(cString(key), cString(value)) !== 0) {
    throw new Error(`the emulator refuses ${key}=${value}`);
  }
}

/** What the emulator refused since it was asked last: races, reads of unwritten memory, accesses out of bounds. */
export function report(): string {
  functions ??= open();
  const bytes = new Uint8Array(1 << 16);
  functions.leetemu_report(bytes, bytes.length);
  functions.leetemu_reset();
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

function call(name: string, ...values: Parameters<Call>): void {
  functions ??= open();
  const code = functions[name](...values);
  if (code !== 0) throw new Error(`${name} returned ${code}`);
}

const NON_BLOCKING = 1;
let context: bigint | undefined;

/** Makes the primary context of the first device current, as a program that uses CUDA itself would. */
function enterContext(): void {
  if (context === undefined) {
    const handle = new BigUint64Array(1);
    call("cuDevicePrimaryCtxRetain", handle, 0);
    context = handle[0];
  }
  call("cuCtxSetCurrent", context);
}

/** A CUDA stream. */
export function makeStream(): bigint {
  enterContext();
  const handle = new BigUint64Array(1);
  call("cuStreamCreate", handle, NON_BLOCKING);
  return handle[0];
}

/** Waits for a CUDA stream. */
export function waitFor(stream: bigint): void {
  enterContext();
  call("cuStreamSynchronize", stream);
}
