/**
 * The cases of the .cases files on the CUDA device, from TypeScript down to the interpreted PTX. Each method of a case is
 * run in one of four ways, host arrays or device tensors under the forward or the reverse schedule, and every eighth case
 * in two that must agree to the bit.
 * @module
 */
import { readdirSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { METHODS } from "../../ffi/symbols.ts";
import { type DType, memory } from "../../lib/mod.ts";
import { type Case, lineOf, readCases } from "./case.ts";
import { differenceOf, faultOf, type Outputs, prepare, type Prepared, runOnHost } from "./check.ts";
import { configure, missing, report } from "./emulator.ts";
import { runOnDevice } from "./on_device.ts";

const HERE = new URL("./", import.meta.url);
const DEVICE = "cuda:0";

/** Cases that the device refuses: why, with which code, and which they are. */
export const UNSUPPORTED: readonly { reason: string; code: string; is: (c: Case) => boolean }[] = [
  {
    reason: "dk or dv above 256",
    code: "UNSUPPORTED_SHAPE",
    is: ({ dk, dv }) => Math.max(dk, dv) > 256,
  },
];

/** Every case with the name of its file. */
export function allCases(): { file: string; c: Case }[] {
  const files = readdirSync(HERE).filter((name) => name.endsWith(".cases")).sort();
  return files.flatMap((file) => readCases(new URL(file, HERE)).map((c) => ({ file, c })));
}

/** Cases that an interpreter can afford: some 50 ms each. Those of wide.cases are chosen to be worth more. */
function isAffordable({ file, c: { N, dk, dv } }: { file: string; c: Case }): boolean {
  return file === "wide.cases" || (N <= 150 && dk <= 80 && dv <= 80);
}

/** The supported cases of a dtype that the interpreter can afford. */
export function cudaCases(dtype: DType): Case[] {
  return allCases().filter(isAffordable).map(({ c }) => c)
    .filter((c) => c.dtype === dtype && !UNSUPPORTED.some(({ is }) => is(c)));
}

interface Way {
  readonly name: string;
  readonly schedule: "forward" | "reverse";
  readonly run: (prepared: Prepared, method: string) => Outputs;
}

const onHost = (prepared: Prepared, method: string): Outputs => runOnHost(prepared, method, DEVICE, 1);

/** Neighbours differ in both respects, and in where the decay is. */
const WAYS: readonly Way[] = [
  { name: "host arrays, forward", schedule: "forward", run: onHost },
  {
    name: "device tensors, reverse",
    schedule: "reverse",
    run: (prepared, method) => runOnDevice(prepared, method, true),
  },
  { name: "host arrays, reverse", schedule: "reverse", run: onHost },
  {
    name: "device tensors, forward",
    schedule: "forward",
    run: (prepared, method) => runOnDevice(prepared, method, false),
  },
];

const TWICE_EVERY = 8;

/** The last case prepared: the tests of one case run one after the other and share its oracle. */
let last: Prepared | undefined;

function prepared(c: Case): Prepared {
  if (last?.c !== c) last = prepare(c);
  return last;
}

/** What is wrong with a method on a case, as one line with its reproducer; null when nothing is. */
function failureOnCuda(c: Case, method: string, ways: readonly Way[]): string | null {
  let first: Outputs | undefined;
  for (const { name, schedule, run } of ways) {
    const fail = (what: string): string => `${what}; method=${method} ${name} ${lineOf(c)}\n${report()}`;
    configure("SCHEDULE", schedule);
    const outputs = run(prepared(c), method);
    const fault = faultOf(prepared(c), outputs, DEVICE);
    if (fault !== null) return fail(fault);
    const difference = first && differenceOf(first, outputs);
    if (difference) return fail(`${difference} depends on how the call is made`);
    first = outputs;
  }
  return null;
}

/** Registers a test for every case of a dtype and every method. */
export async function testOnCuda(dtype: DType): Promise<void> {
  const reason = await missing();
  if (reason !== undefined) {
    console.warn(`${dtype} cases on CUDA are skipped: ${reason}`);
    it.skip(`skipped: ${reason}`, () => {});
    return;
  }
  describe(`${dtype} on the emulated driver`, () => {
    cudaCases(dtype).forEach((c, index) => {
      METHODS.forEach(({ name }, at) => {
        const way = (index + at) % WAYS.length;
        const twice = index % TWICE_EVERY === 0;
        const ways = twice ? [WAYS[way], WAYS[(way + 1) % WAYS.length]] : [WAYS[way]];
        const title = ways.map((one) => one.name).join(" and ");
        it(`${name} ${title} ${lineOf(c)}`, () => expect(failureOnCuda(c, name, ways)).toBeNull());
      });
    });
  });
  afterAll(() => {
    expect(report()).toBe("");
    expect(memory(DEVICE).allocated).toBe(0);
  });
}
