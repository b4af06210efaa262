/** Every method on every case of the .cases files, on the CPU, against the float64 recurrence. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { METHODS } from "../../ffi/symbols.ts";
import { type Case, lineOf, readCases } from "./case.ts";
import { failureOf, prepare, type Prepared } from "./check.ts";

const HERE = new URL("./", import.meta.url);
const files = readdirSync(HERE).filter((name) => name.endsWith(".cases")).sort();

/** The last case prepared: the tests of one case run one after the other and share its oracle. */
let last: Prepared | undefined;

function prepared(c: Case): Prepared {
  if (last?.c !== c) last = prepare(c);
  return last;
}

for (const file of files) {
  describe(file, () => {
    for (const c of readCases(new URL(file, HERE))) {
      for (const { name } of METHODS) {
        it(`${name} ${lineOf(c)}`, () => expect(failureOf(prepared(c), name)).toBeNull());
      }
    }
  });
}
