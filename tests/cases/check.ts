/** Runs one case with one method and says what is wrong with it. @module */
import { type AttentionOptions, linearAttention } from "../../lib/mod.ts";
import { makeProblem, type Problem } from "../../lib/problem.ts";
import { compare, type Oracle, oracle, stateTolerance } from "../../lib/verify.ts";
import { type Case, lineOf } from "./case.ts";
import { type Inputs, makeInputs, place, type Placed, poison } from "./inputs.ts";

/** Elements of poison before and behind the final state. */
export const GUARD = 32;

const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : Math.min(a.length, b.length);
}

/** What the memory of one call holds afterwards. */
export interface Outputs {
  /** o where the layout puts it, in poison. */
  readonly o: Placed;
  /** The final state between guards. */
  readonly stateMemory: Float32Array;
  readonly finalState?: Float32Array;
  /** The arrays of {@linkcode inputArrays}, as the device left them. */
  readonly inputs: readonly ArrayBufferView[];
}

/** The prepared case: its inputs, what is right, and what its inputs looked like before. */
export interface Prepared {
  readonly c: Case;
  readonly inputs: Inputs;
  readonly problem: Problem;
  readonly right: Oracle;
  readonly before: Uint8Array[];
}

/** The arrays that a call must leave as they are, but for an initial state. */
export const inputArrays = ({ q, k, v, options }: Inputs): ArrayBufferView[] =>
  [q.data, k.data, v.data, options.decay, options.logDecay, options.logGates]
    .filter((array): array is Float32Array => ArrayBuffer.isView(array));

/** Makes the inputs and the oracle, which all methods of a case share. */
export function prepare(c: Case): Prepared {
  const inputs = makeInputs(c);
  const problem = makeProblem(inputs.q, inputs.k, inputs.v, inputs.options);
  const before = inputArrays(inputs).map((array) => bytesOf(array).slice());
  return { c, inputs, problem, right: oracle(problem), before };
}

/** Number of elements of a state of the case, and whether the case wants one. */
export function stateOf({ c, inputs }: Prepared): { elements: number; wanted: boolean; sequences: number } {
  const sequences = inputs.options.cuSeqlens ? inputs.options.cuSeqlens.length - 1 : c.B;
  const wanted = ["out", "inout", "inplace"].includes(c.state);
  return { elements: sequences * c.H * c.dk * c.dv, wanted, sequences };
}

/** One call of a case on host arrays. */
export function runOnHost(prepared: Prepared, method: string, device: string, threads: number): Outputs {
  const { c, inputs } = prepared;
  const o = place(c, c.H, c.dv);
  const { elements, wanted } = stateOf(prepared);
  const stateMemory = poison("f32", elements + 2 * GUARD) as Float32Array;
  const finalState = wanted ? stateMemory.subarray(GUARD, GUARD + elements) : undefined;
  const options: AttentionOptions = {
    ...inputs.options,
    method,
    device,
    threads,
    out: o,
    outFinalState: finalState,
  };
  if (c.state === "inplace") {
    finalState!.set(inputs.options.initialState as Float32Array);
    options.initialState = finalState;
  }
  linearAttention(inputs.q, inputs.k, inputs.v, options);
  return { o, stateMemory, finalState, inputs: inputArrays(inputs) };
}

/** The first byte outside the output that changed, or -1: all bytes but the elements of o must still be poison. */
function strayWrite({ data, shape: [s0, s1, s2, s3], stride, offset, dtype }: Placed): number {
  const memory = bytesOf(data).slice(), clean = bytesOf(poison(dtype, data.length));
  const size = data.BYTES_PER_ELEMENT;
  for (let a = 0; a < s0; a++) {
    for (let b = 0; b < s1; b++) {
      for (let c = 0; c < s2; c++) {
        const start = (offset + a * stride[0] + b * stride[1] + c * stride[2]) * size;
        memory.set(clean.subarray(start, start + s3 * size), start);
      }
    }
  }
  return firstDifference(memory, clean);
}

function strayStateWrite({ stateMemory, finalState }: Outputs): number {
  const inside = finalState?.length ?? 0;
  const clean = bytesOf(poison("f32", stateMemory.length)), memory = bytesOf(stateMemory).slice();
  memory.set(clean.subarray(GUARD * 4, (GUARD + inside) * 4), GUARD * 4);
  return firstDifference(memory, clean);
}

/**
 * Whether most results of a case lie beyond the range of f16. What is left then are the elements whose terms cancel, and
 * their error relative to themselves says nothing where products are rounded to f16: they are judged one by one only.
 */
const isBeyondRange = ({ dtype, values }: Case): boolean => dtype === "f16" && values === "wide";

/** What is wrong with the outputs of a call, in one line; null when nothing is. */
export function faultOf(
  { c, problem, right, before }: Prepared,
  outputs: Outputs,
  device: string,
): string | null {
  const stray = strayWrite(outputs.o);
  if (stray >= 0) return `byte ${stray} outside o was written`;
  const strayState = strayStateWrite(outputs);
  if (strayState >= 0) return `byte ${strayState} outside the final state was written`;
  const changed = outputs.inputs.findIndex((array, i) => firstDifference(bytesOf(array), before[i]) >= 0);
  if (changed >= 0) return `input array ${changed} was written`;

  const finalState = outputs.finalState && {
    data: outputs.finalState,
    shape: [problem.sequences, c.H, c.dk, c.dv],
  };
  const verdict = compare({ o: outputs.o, finalState }, problem, right, stateTolerance(device, c.dtype));
  const byElement = device.startsWith("cuda") && isBeyondRange(c) && verdict.maxRatio <= 1;
  if (verdict.ok || byElement) return null;
  const state = verdict.finalState ? `, state ${verdict.finalState.maxRatio.toPrecision(3)}` : "";
  return `error is ${verdict.o.maxRatio.toPrecision(3)} of the bound for o${state}, overall ${
    verdict.relError.toPrecision(3)
  }`;
}

/** Which output of a second call has other bits than the first; null when none has. */
export function differenceOf(first: Outputs, again: Outputs): string | null {
  if (firstDifference(bytesOf(again.o.data), bytesOf(first.o.data)) >= 0) return "o";
  if (firstDifference(bytesOf(again.stateMemory), bytesOf(first.stateMemory)) >= 0) return "the final state";
  return null;
}

/** What is wrong with a method on a case, as one line with its reproducer; null when nothing is. */
export function failureOf(prepared: Prepared, method: string, device = "cpu"): string | null {
  const { c } = prepared;
  const fail = (what: string): string => `${what}; method=${method} device=${device} ${lineOf(c)}`;
  const first = runOnHost(prepared, method, device, c.threads);
  const fault = faultOf(prepared, first, device);
  if (fault !== null) return fail(fault);
  const again = runOnHost(prepared, method, device, c.threads === 1 ? 3 : 1);
  const difference = differenceOf(first, again);
  return difference === null ? null : fail(`${difference} depends on the threads`);
}
