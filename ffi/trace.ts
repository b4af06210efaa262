/** `LEET_TRACE=1`: every native call and its time on stderr. @module */
import type { Native } from "./native.ts";
import { environment } from "./runtime.ts";

type Member = (...values: unknown[]) => unknown;

/** JSON has no bigint; ours are addresses. */
const hexadecimal = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? `0x${value.toString(16)}` : value;

function traced(name: string, member: Member): Member {
  return (...values) => {
    const start = performance.now();
    const report = (what: unknown) =>
      console.error(
        `leet ${name} ${(performance.now() - start).toFixed(3)} ms ${
          JSON.stringify(what, hexadecimal) ?? ""
        }`,
      );
    const result = member(...values);
    if (result instanceof Promise) result.then(report, report);
    else report(result);
    return result;
  };
}

/** The same library, with its calls reported when the environment asks for that. */
export function withTrace(native: Native): Native {
  if (environment("LEET_TRACE") !== "1") return native;
  const members = Object.entries(native).map(([name, member]) =>
    typeof member === "function" ? [name, traced(name, member as Member)] : [name, member]
  );
  return Object.fromEntries(members) as Native;
}
