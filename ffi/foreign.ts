/** Functions of other libraries than libleet.so: the same declaration for every runtime. @module */
import { LeetError } from "../lib/errors.ts";
import type { BunFfi } from "./bun.ts";
import type { NativeFunction } from "./native.ts";
import { absolutePath, builtin, granted, runtimeLabel, runtimeName } from "./runtime.ts";
import type { Scalar } from "./symbols.ts";

/** A type at the border; `buffer` is a pointer that takes a view or null. Pointers returned are `u64`. */
export type ForeignType = Scalar | "buffer";

/** How a C function is called. */
export interface ForeignSpec {
  readonly parameters: readonly ForeignType[];
  readonly result: Scalar | "void";
}

/** A function; 64-bit integers come back as bigint. */
export type ForeignFunction = (...values: Parameters<NativeFunction>) => number | bigint;

/**
 * Opens functions of a library. It is never closed.
 *
 * @throws LeetError PERMISSION_DENIED, or LIBRARY_NOT_FOUND with what the loader said
 */
export function openForeign<Name extends string>(
  path: string,
  specs: Readonly<Record<Name, ForeignSpec>>,
): Record<Name, ForeignFunction> {
  const file = absolutePath(path);
  const runtime = runtimeName();
  if (runtime === "other") {
    throw new LeetError("LIBRARY_NOT_FOUND", `${path}: ${runtimeLabel()} has no FFI that this library knows`);
  }
  if (!granted({ name: "ffi", path: file })) {
    throw new LeetError("PERMISSION_DENIED", `${path}: needs the permission --allow-ffi=${file}`);
  }
  try {
    return runtime === "deno" ? openInDeno(file, specs) : openInBun(file, specs);
  } catch (cause) {
    throw new LeetError("LIBRARY_NOT_FOUND", `${path}: ${(cause as Error).message}`, { cause });
  }
}

type Specs<Name extends string> = Readonly<Record<Name, ForeignSpec>>;

function openInDeno<Name extends string>(file: string, specs: Specs<Name>): Record<Name, ForeignFunction> {
  return Deno.dlopen(file, specs as unknown as Deno.ForeignLibraryInterface)
    .symbols as unknown as Record<Name, ForeignFunction>;
}

function openInBun<Name extends string>(file: string, specs: Specs<Name>): Record<Name, ForeignFunction> {
  const declared = Object.fromEntries(
    Object.entries<ForeignSpec>(specs).map(([name, { parameters, result }]) => [
      name,
      { args: parameters.map((type) => type === "buffer" ? "ptr" : type), returns: result },
    ]),
  );
  return builtin<BunFfi>("bun:ffi")!.dlopen(file, declared).symbols as Record<Name, ForeignFunction>;
}
