/** libleet.so through Deno.dlopen. Works with `--allow-ffi=<file>` alone. @module */
import { type Library, type NativeFunction, parameterTypes, type Place, type Placement } from "./native.ts";
import { type SymbolName, SYMBOLS } from "./symbols.ts";

/**
 * Deno compiles a stub for each symbol when it opens it (about 0.4 ms), so each is opened by itself when it is wanted.
 * Closing would crash a call in flight, so nothing is closed.
 */
export function denoLibrary(path: string): Library {
  const open = (name: SymbolName, placement: Placement, nonblocking: boolean): unknown => {
    const parameters = parameterTypes(SYMBOLS[name], "buffer", placement);
    return Deno.dlopen(path, { [name]: { parameters, result: SYMBOLS[name].result, nonblocking } })
      .symbols[name];
  };
  const waiting: { [key: string]: ((...values: (Place | number)[]) => Promise<number>) | undefined } = {};
  return {
    path,
    symbol: (name, placement = "host") => open(name, placement, false) as NativeFunction,
    background(name, placement, values) {
      const call = waiting[`${name} ${placement}`] ??= open(name, placement, true) as typeof waiting[string];
      return call!(...values);
    },
  };
}
