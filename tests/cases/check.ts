/** Runs one case with one method and says what is wrong with it. @module */
import { type AttentionOptions, linearAttention } from "../../lib/mod.ts";
import { makeProblem, type Problem } from "../../lib/problem.ts";
import { compare, type Oracle, oracle } from "../../lib/verify.ts";
import { type Case, lineOf } from "./case.ts";
import { type Inputs, makeInputs, place, type Placed, poison } from "./inputs.ts";

const GUARD = 32;

const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : Math.min(a.length, b.length);
}

/** Outputs of one call: o where the layout puts it, the final state between guards. */
interface Outputs {
  readonly o: Placed;
  readonly stateMemory: Float32Array;
  readonly finalState?: Float32Array;
}

/** The prepared case: its inputs, what is right, and what its inputs looked like before. */
export interface Prepared {
  readonly c: Case;
  readonly inputs: Inputs;
  readonly problem: Problem;
  readonly right: Oracle;
  readonly before: Uint8Array[];
}

const inputArrays = ({ q, k, v, options }: Inputs): ArrayBufferView[] =>
  [q.data, k.data, v.data, options.decay, options.logDecay, options.logGates]
    .filter((array): array is Float32Array => ArrayBuffer.isView(array));

/** Makes the inputs and the oracle, which all methods of a case share. */
export function prepare(c: Case): Prepared {
  const inputs = makeInputs(c);
  const problem = makeProblem(inputs.q, inputs.k, inputs.v, inputs.options);
  const before = inputArrays(inputs).map((array) => bytesOf(array).slice());
  return { c, inputs, problem, right: oracle(problem), before };
}

function runOnce({ c, inputs }: Prepared, method: string, device: string, threads: number): Outputs {
  const o = place(c, c.H, c.dv);
  const states = inputs.options.cuSeqlens ? inputs.options.cuSeqlens.length - 1 : c.B;
  const elements = states * c.H * c.dk * c.dv;
  const stateMemory = poison("f32", elements + 2 * GUARD) as Float32Array;
  const wanted = ["out", "inout", "inplace"].includes(c.state);
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
  return { o, stateMemory, finalState };
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

/** What is wrong with a method on a case, as one line with its reproducer; null when nothing is. */
export function failureOf(prepared: Prepared, method: string, device = "cpu"): string | null {
  const { c, inputs, problem, right, before } = prepared;
  const fail = (what: string): string => `${what}; method=${method} device=${device} ${lineOf(c)}`;
  const first = runOnce(prepared, method, device, c.threads);

  const stray = strayWrite(first.o);
  if (stray >= 0) return fail(`byte ${stray} outside o was written`);
  const strayState = strayStateWrite(first);
  if (strayState >= 0) return fail(`byte ${strayState} outside the final state was written`);
  const arrays = inputArrays(inputs);
  const changed = arrays.findIndex((array, i) => firstDifference(bytesOf(array), before[i]) >= 0);
  if (changed >= 0) return fail(`input array ${changed} was written`);

  const finalState = first.finalState && {
    data: first.finalState,
    shape: [problem.sequences, c.H, c.dk, c.dv],
  };
  const verdict = compare({ o: first.o, finalState }, problem, right);
  if (!verdict.ok) {
    const state = verdict.finalState ? `, state ${verdict.finalState.maxRatio.toPrecision(3)}` : "";
    return fail(
      `error is ${verdict.o.maxRatio.toPrecision(3)} of the bound for o${state}, overall ${
        verdict.relError.toPrecision(3)
      }`,
    );
  }

  const again = runOnce(prepared, method, device, c.threads === 1 ? 3 : 1);
  if (firstDifference(bytesOf(again.o.data), bytesOf(first.o.data)) >= 0) {
    return fail("o depends on the threads");
  }
  if (firstDifference(bytesOf(again.stateMemory), bytesOf(first.stateMemory)) >= 0) {
    return fail("the final state depends on the threads");
  }
  return null;
}
