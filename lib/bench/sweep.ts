/**
 * Checks a user's method on a sweep of small shapes, every element of every output: no, one, odd and many tokens, one and
 * several chunks, dk unlike dv, every decay form with resets and underflow, fewer key/value heads, states.
 * @module
 */
import { allocate, fromFloats } from "../dtype.ts";
import { LeetError } from "../errors.ts";
import { makeProblem, type Problem } from "../problem.ts";
import { Tensor } from "../tensor.ts";
import type { AttentionOptions, DecayOptions, DType, TensorData } from "../types.ts";
import { type Oracle, oracle, OUTPUT_TOLERANCE, STATE_TOLERANCE } from "../verify.ts";
import { factorOf, poison, randomNumbers } from "./inputs.ts";
import { Judge } from "./judge.ts";

/** One case of the sweep; every field is in its line. */
interface Case {
  readonly B: number;
  readonly H: number;
  readonly Hkv: number;
  readonly N: number;
  readonly dk: number;
  readonly dv: number;
  readonly decay: keyof typeof DECAYS;
  readonly state: "none" | "in" | "out" | "inout";
  readonly dtype: DType;
  readonly threads: number;
}

/** One call of the method under test: it writes all of `o`, and the final state where there is one. */
export interface SweepCall {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** Decay, scale, initial state, threads. */
  readonly options: AttentionOptions;
  readonly o: Tensor;
  readonly finalState: Float32Array | null;
}

/** What the sweep found. */
export interface SweepReport {
  readonly cases: number;
  readonly passed: number;
  /** One line for each case that the method refuses as not supported. */
  readonly unsupported: readonly string[];
  /** One line for each case that is wrong: where, and the case. */
  readonly failures: readonly string[];
  /** Seconds for each of B H N dk dv, on the largest case. */
  readonly secondsPerUnit: number;
}

type Random = () => number;

const perHead = (H: number, of: (h: number) => number): Float32Array =>
  Float32Array.from({ length: H }, (_, h) => of(h));

/** Decays by the name in the line of a case. */
const DECAYS = {
  "none": (): DecayOptions => ({}),
  "decay": ({ H }: Case): DecayOptions => ({ decay: perHead(H, factorOf) }),
  "decay:0,1": ({ H }: Case): DecayOptions => ({ decay: perHead(H, (h) => h % 2) }),
  "log-decay": ({ H }: Case): DecayOptions => ({ logDecay: perHead(H, (h) => -0.5 / (h + 1)) }),
  "log-decay:-40": ({ H }: Case): DecayOptions => ({ logDecay: perHead(H, () => -40) }),
  "log-gates": ({ B, H, N }: Case, next: Random): DecayOptions => ({
    logGates: perHead(B * H * N, () => -0.2 * next()),
  }),
  "log-gates:-inf": ({ B, H, N }: Case, next: Random): DecayOptions => ({
    logGates: perHead(B * H * N, () => next() < 0.1 ? -Infinity : -0.5 * next()),
  }),
};

const DEFAULTS: Omit<Case, "dtype" | "threads"> = {
  B: 1,
  H: 2,
  Hkv: 2,
  N: 65,
  dk: 16,
  dv: 16,
  decay: "decay",
  state: "none",
};

const CASES: readonly Partial<Case>[] = [
  // The shortest come first, so that the first failure is the easiest to follow by hand.
  ...[1, 2, 3].map((N) => ({ N, H: 1, Hkv: 1, dk: 2, dv: 2 })),
  { N: 0 },
  ...[7, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 200, 300, 513].map((N) => ({ N })),
  ...(Object.keys(DECAYS) as Case["decay"][]).map((decay) => ({ decay, N: 70 })),
  ...[[1, 1], [1, 5], [5, 1], [3, 32], [32, 3], [64, 128], [128, 64], [100, 36]].map(([dk, dv]) => ({
    dk,
    dv,
  })),
  { B: 3, H: 1, Hkv: 1 },
  { B: 2, H: 4, Hkv: 1, dv: 24 },
  { B: 2, H: 4, Hkv: 2, decay: "log-gates" },
  ...(["in", "out", "inout"] as const).flatMap((state) => [
    { state, dv: 24 },
    { state, N: 1 },
    { state, decay: "log-gates" as const, B: 2, H: 4, Hkv: 2, N: 130 },
  ]),
  { state: "inout", N: 0 },
  { N: 700, dk: 64, dv: 64 },
];

const lineOf = (c: Case): string => Object.entries(c).map(([name, value]) => `${name}=${value}`).join(" ");

/** Elements before and behind each output that must stay as they are. */
const GUARD = 32;

interface Prepared {
  readonly call: SweepCall;
  readonly problem: Problem;
  readonly memory: TensorData;
  readonly stateMemory: Float32Array;
}

function prepare(c: Case): Prepared {
  const { B, H, Hkv, N, dk, dv, dtype, decay, state, threads } = c;
  const next = randomNumbers(N * 31 + dk * 7 + dv);
  const random = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * next() - 1);
  const input = (heads: number, dim: number): Tensor =>
    new Tensor(fromFloats(random(B * heads * N * dim), dtype), [B, heads, N, dim], { dtype });
  const [q, k, v] = [input(H, dk), input(Hkv, dk), input(Hkv, dv)];
  const memory = allocate(dtype, B * H * N * dv + 2 * GUARD);
  const stateMemory = new Float32Array(B * H * dk * dv + 2 * GUARD);
  poison(memory, dtype);
  poison(stateMemory, "f32");
  const options: AttentionOptions = { ...DECAYS[decay](c, next), scale: 0.5, threads };
  if (state.startsWith("in")) options.initialState = random(B * H * dk * dv);
  const finalState = state.endsWith("out") ? stateMemory.subarray(GUARD, stateMemory.length - GUARD) : null;
  const problem = makeProblem(q, k, v, options);
  const o = new Tensor(memory, [B, H, N, dv], { dtype, offset: GUARD });
  return { call: { q, k, v, options, o, finalState }, problem, memory, stateMemory };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const inputsOf = ({ q, k, v, options }: SweepCall): Uint8Array[] =>
  [q.data, k.data, v.data, options.decay, options.logDecay, options.logGates, options.initialState]
    .filter((data) => ArrayBuffer.isView(data)).map(bytesOf);

/** Whether the elements around an output still hold the pattern. */
function guarded(memory: TensorData, dtype: DType): boolean {
  const clean = allocate(dtype, GUARD);
  poison(clean, dtype);
  const expected = bytesOf(clean), got = bytesOf(memory), last = got.length - expected.length;
  return expected.every((byte, i) => byte === got[i] && byte === got[last + i]);
}

function wrongElement(c: Case, { call }: Prepared, right: Oracle): string | null {
  const { B, H, N, dk, dv, dtype } = c;
  const judgeAll = (
    judge: Judge,
    got: Float32Array,
    exact: Float64Array,
    bound: Float64Array,
    shape: number[],
  ) => {
    for (let i = 0; i < exact.length; i++) judge.take(got[i], exact[i], bound[i], () => unravel(i, shape));
    return judge.verdict(N);
  };
  const o = judgeAll(
    new Judge("o", dtype, OUTPUT_TOLERANCE[dtype]),
    call.o.toFloat32(),
    right.o,
    right.oBound,
    [B, H, N, dv],
  );
  if (o !== null || call.finalState === null) return o;
  const judge = new Judge("final_state", "f32", STATE_TOLERANCE);
  return judgeAll(judge, call.finalState, right.finalState, right.finalStateBound, [B, H, dk, dv]);
}

function unravel(at: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  for (const size of shape.toReversed()) {
    index.unshift(at % size);
    at = Math.floor(at / size);
  }
  return index;
}

/** Runs a method on one case; null when it is right. */
async function failureOf(c: Case, prepared: Prepared, run: SweepRunner): Promise<string | null> {
  const { call, problem, memory, stateMemory } = prepared;
  const before = inputsOf(call).map((bytes) => bytes.slice());
  const right = oracle(problem);
  await run(call);
  if (inputsOf(call).some((bytes, i) => bytes.some((byte, at) => byte !== before[i][at]))) {
    return "an input was written";
  }
  if (!guarded(memory, c.dtype)) return "memory outside o was written";
  if (!guarded(stateMemory, "f32")) return "memory outside final_state was written";
  return wrongElement(c, prepared, right);
}

/** Runs the method under test. Throws a LeetError UNSUPPORTED_... for a case that it does not support. */
export type SweepRunner = (call: SweepCall) => void | Promise<void>;

/** Runs the sweep. */
export async function sweep(
  dtypes: readonly DType[],
  threads: number,
  run: SweepRunner,
): Promise<SweepReport> {
  const cases = dtypes.flatMap((dtype) => CASES.map((c): Case => ({ ...DEFAULTS, ...c, dtype, threads })));
  const unsupported: string[] = [], failures: string[] = [];
  let secondsPerUnit = 0;
  for (const c of cases) {
    let seconds = 0;
    try {
      const failure = await failureOf(c, prepare(c), async (call) => {
        const start = performance.now();
        await run(call);
        seconds = (performance.now() - start) / 1000;
      });
      if (failure) failures.push(`${failure}; ${lineOf(c)}`);
    } catch (error) {
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      const refused = error instanceof LeetError && error.code.startsWith("UNSUPPORTED");
      (refused ? unsupported : failures).push(`${message}; ${lineOf(c)}`);
    }
    secondsPerUnit = seconds / (c.B * c.H * c.N * c.dk * c.dv);
  }
  const passed = cases.length - failures.length - unsupported.length;
  return { cases: cases.length, passed, unsupported, failures, secondsPerUnit };
}
