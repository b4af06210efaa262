/** What there is to compute on. @module */
import type { Native } from "../ffi/native.ts";
import { loadNative, openNative, type OpenOptions } from "../ffi/open.ts";
import { Struct } from "../ffi/struct.ts";
import { LEET_DEVICE_CPU, LEET_DEVICE_INFO, LEET_INVALID_INDEX } from "../ffi/symbols.ts";
import { LeetError, throwOnStatus } from "./errors.ts";

/** A device as {@linkcode devices} lists it. */
export interface DeviceInfo {
  /** What `device` takes: `cpu`, `cuda:N` or `reference`. */
  readonly name: string;
  /** As its maker calls it. */
  readonly text: string;
  /** The instruction set in use, such as avx2 or sm_90. */
  readonly isa: string;
  /** Processors, or multiprocessors of a GPU. */
  readonly units: number;
  /** Bytes of memory of the device; 0 where that is not known. */
  readonly memory: number;
}

const REFERENCE: DeviceInfo = {
  name: "reference",
  text: "float64 TypeScript, readable, without a library",
  isa: "javascript",
  units: 1,
  memory: 0,
};

/**
 * Every device that a call may name: those of the native library, and `reference`, which is always there and last.
 * Without the library it is the only one; {@linkcode openLibrary} tells why.
 */
export function devices(): DeviceInfo[] {
  let native: Native;
  try {
    native = openNative();
  } catch (error) {
    if (error instanceof LeetError) return [REFERENCE];
    throw error;
  }
  const found: DeviceInfo[] = [];
  const info = new Struct(LEET_DEVICE_INFO);
  for (let index = 0;; index++) {
    info.clear();
    const status = native.deviceGet(index, info.bytes);
    if (status === LEET_INVALID_INDEX) return [...found, REFERENCE];
    throwOnStatus(status);
    found.push({
      name: info.get("device") === LEET_DEVICE_CPU ? "cpu" : `cuda:${info.get("device_index")}`,
      text: info.text("name"),
      isa: info.text("isa"),
      units: info.get("units"),
      memory: info.get("memory"),
    });
  }
}

/** The native library, once it is open. */
export interface LibraryInfo {
  /** The file. */
  readonly path: string;
  /** Its version and what was built in. */
  readonly version: string;
}

/**
 * Opens the native library now instead of at the first call that needs it. Only needed to name the file, or, in Deno,
 * to fetch the library from npm before a synchronous call.
 *
 * @throws LeetError LIBRARY_NOT_FOUND, PERMISSION_DENIED or LIBRARY_MISMATCH; the message lists what was tried
 */
export async function openLibrary(options: OpenOptions = {}): Promise<LibraryInfo> {
  const native = await loadNative(options);
  return { path: native.path, version: native.version().text };
}
