/** libleet.so through Deno.dlopen. Works with `--allow-ffi=<file>` alone. @module */
import { type Library, type Memory, type NativeFunction, parameterTypes } from "./native.ts";
import { type SymbolName, SYMBOLS } from "./symbols.ts";

/**
 * Deno compiles a stub for each symbol when it opens it (about 0.4 ms), so each is opened by itself when it is wanted.
 * Closing would crash a call in flight, so nothing is closed.
 */
export function denoLibrary(path: string): Library {
  const open = (name: SymbolName, tensors: "host" | "device", nonblocking: boolean): unknown => {
    const parameters = parameterTypes(SYMBOLS[name], "buffer", tensors);
    return Deno.dlopen(path, { [name]: { parameters, result: SYMBOLS[name].result, nonblocking } })
      .symbols[name];
  };
  let forward: ((...values: Memory[]) => Promise<number>) | undefined;
  return {
    path,
    symbol: (name, tensors = "host") => open(name, tensors, false) as NativeFunction,
    forwardAsync(values) {
      forward ??= open("leet_forward", "host", true) as NonNullable<typeof forward>;
      return forward(...values);
    },
  };
}
