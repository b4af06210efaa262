/**
 * Runs test cases given on the command line with every method, or with one:
 *
 *     npm run case -- "N=64 dk=32 decay=gates:mixed" [--method flash] [--device cpu]
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { METHODS } from "../ffi/symbols.ts";
import { expand, lineOf, parseCase } from "../tests/cases/case.ts";
import { failureOf, prepare } from "../tests/cases/check.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { method: { type: "string" }, device: { type: "string", default: "cpu" } },
});
const methods = values.method ? [values.method] : METHODS.map(({ name }) => name);
let failed = 0, passed = 0;
for (const c of expand(positionals.join(" ")).map(parseCase)) {
  console.log(lineOf(c));
  const prepared = prepare(c);
  for (const method of methods) {
    const failure = failureOf(prepared, method, values.device);
    if (failure === null) passed++;
    else failed++;
    console.log(`  ${method.padEnd(10)} ${failure ?? "ok"}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
