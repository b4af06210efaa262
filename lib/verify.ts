/**
 * How right a result is: against a float64 recurrence, by element and as a whole.
 *
 * An element may differ by `tolerance * B`, where B is the same sum with absolute values: the bound on what rounding the
 * terms can do to it, whatever the order of summation.
 * @module
 */
import { refuse } from "./checks.ts";
import { overflowOf } from "./dtype.ts";
import { show } from "./errors.ts";
import type { HeadCall } from "./head.ts";
import { recurrent } from "./methods/recurrent.ts";
import { outputShape } from "./call.ts";
import { DeviceTensor } from "./device_tensor.ts";
import { makeProblem, type Problem } from "./problem.ts";
import { evaluate } from "./reference.ts";
import { Tensor } from "./tensor.ts";
import type { AttentionOptions, DeviceAttentionOptions, DType, TensorLike } from "./types.ts";

/** Limits on the error of a result. */
export interface Tolerance {
  /** Of an element: at most this times its condition bound. */
  readonly element: number;
  /** Of the whole: ||got - expected|| / ||expected|| for N tokens. */
  readonly overall: (N: number) => number;
}

const F32: Tolerance = { element: 2e-6, overall: (N) => 2e-6 * Math.max(1, Math.sqrt(N / 4096)) };

/** Limits for o by storage type, with float32 accumulation. */
export const OUTPUT_TOLERANCE: Readonly<Record<DType, Tolerance>> = {
  f32: F32,
  f16: { element: 2e-3, overall: () => 1e-3 },
  bf16: { element: 1.6e-2, overall: () => 6e-3 },
};

/** Limits for the final state, which is float32 for every storage type. */
export const STATE_TOLERANCE: Tolerance = F32;

/** Limits for the final state where tensor cores multiply f16 or bf16 operands. */
export const TENSOR_CORE_STATE_TOLERANCE: Tolerance = { element: 4e-3, overall: () => 5e-4 };

/** The limits for the final state by the device that computed it. */
export function stateTolerance(device: string | undefined, dtype: DType): Tolerance {
  return device?.startsWith("cuda") && dtype !== "f32" ? TENSOR_CORE_STATE_TOLERANCE : STATE_TOLERANCE;
}

/** What is right: float64, dense, [B,H,N,dv] and [sequences,H,dk,dv], each with its condition bound. */
export interface Oracle {
  readonly o: Float64Array;
  readonly oBound: Float64Array;
  readonly finalState: Float64Array;
  readonly finalStateBound: Float64Array;
}

const absolute = (x: Float64Array): Float64Array => x.map(Math.abs);

/** The recurrence on the absolute values of q, k, v, the initial state and the scale. */
function bound(call: HeadCall<Float64Array>): void {
  const state = absolute(call.state);
  const [q, k, v] = [call.q, call.k, call.v].map(absolute);
  recurrent({ ...call, q, k, v, state, scale: Math.abs(call.scale) });
  call.state.set(state);
}

/** The float64 recurrence of a problem, and the condition bound of every element. */
export function oracle(problem: Problem): Oracle {
  const exact = evaluate(problem, recurrent, Float64Array);
  const bounds = evaluate(problem, bound, Float64Array);
  return { o: exact.o, oBound: bounds.o, finalState: exact.finalState, finalStateBound: bounds.finalState };
}

/** How far a result is from the oracle. */
export interface Verdict {
  /** Largest of |got - expected| / (tolerance * B); above 1 is wrong. Infinity for NaN or a missing infinity. */
  readonly maxRatio: number;
  /** ||got - expected|| / ||expected||. */
  readonly relError: number;
  /** Whether both stay within the tolerance. */
  readonly ok: boolean;
}

/** Verdicts on the outputs of a call. */
export interface Verification extends Verdict {
  /** The verdict on o alone. */
  readonly o: Verdict;
  /** The verdict on the final state, where there is one. */
  readonly finalState?: Verdict;
}

/** Magnitude below which a type cannot be relatively exact: half a step of f16, otherwise numbers flushed to zero. */
const FLOOR: Readonly<Record<DType, number>> = { f32: 2 ** -126, bf16: 2 ** -126, f16: 2 ** -25 };

function judge(
  got: Float32Array,
  expected: Float64Array,
  bounds: Float64Array,
  dtype: DType,
  tolerance: Tolerance,
  N: number,
): Verdict {
  let maxRatio = 0, squaredError = 0, squaredNorm = 0;
  for (let i = 0; i < expected.length; i++) {
    const allowed = tolerance.element * bounds[i] + FLOOR[dtype];
    // IEEE rounding makes an infinity of a value out of range; one that may have been out of range passes as well.
    const overflow = Math.abs(got[i]) === Infinity && Math.sign(got[i]) === Math.sign(expected[i]) &&
      Math.abs(expected[i]) + allowed >= overflowOf(dtype);
    if (overflow || (!Number.isFinite(expected[i]) && Object.is(got[i], expected[i]))) continue;
    const error = Math.abs(got[i] - expected[i]);
    const ratio = error / allowed;
    if (!(ratio <= maxRatio)) maxRatio = ratio >= 0 ? ratio : Infinity;
    squaredError += error * error;
    squaredNorm += expected[i] * expected[i];
  }
  const relError = squaredError === 0 ? 0 : Math.sqrt(squaredError / squaredNorm);
  const small = Math.sqrt(squaredError) <= FLOOR[dtype] * Math.sqrt(expected.length);
  return { maxRatio, relError, ok: maxRatio <= 1 && (relError <= tolerance.overall(N) || small) };
}

/** The outputs that {@linkcode compare} judges. */
export interface Outcome {
  /** The output, in the layout of the call. */
  readonly o: TensorLike;
  /** The state after the last token; judged where it is given. */
  readonly finalState?: TensorLike;
}

/** The elements of a tensor in bhnd order; it must have the given shape. */
function valuesOf(
  value: TensorLike,
  argument: string,
  shape: readonly number[],
  swap: boolean,
): Float32Array {
  const { data, dtype, stride, offset } = value;
  if (value.shape.length !== shape.length || shape.some((size, axis) => size !== value.shape[axis])) {
    refuse("INVALID_SHAPE", argument, show(shape), show(value.shape));
  }
  const given = new Tensor(data, value.shape, { dtype, stride, offset });
  if (!swap) return given.toFloat32();
  const [b, t, h, e] = given.stride;
  const [B, N, H, dv] = shape;
  return new Tensor(data, [B, H, N, dv], { dtype: given.dtype, stride: [b, h, t, e], offset: given.offset })
    .toFloat32();
}

/**
 * Judges the outputs of a problem, by the limits of its dtype.
 *
 * @param got o in the layout of the problem, and the final state where it is to be judged
 * @param right the oracle of the problem, for callers that judge several results of it
 * @param state the limits of the final state
 */
export function compare(
  got: Outcome,
  problem: Problem,
  right: Oracle = oracle(problem),
  state: Tolerance = STATE_TOLERANCE,
): Verification {
  const { dtype, N, layout, sequences, H, dk, dv } = problem;
  const values = valuesOf(got.o, "o", outputShape(problem), layout === "bnhd");
  const o = judge(values, right.o, right.oBound, dtype, OUTPUT_TOLERANCE[dtype], N);
  if (got.finalState === undefined) return { ...o, o };
  const states = valuesOf(got.finalState, "finalState", [sequences, H, dk, dv], false);
  const finalState = judge(states, right.finalState, right.finalStateBound, "f32", state, N);
  return {
    maxRatio: Math.max(o.maxRatio, finalState.maxRatio),
    relError: Math.max(o.relError, finalState.relError),
    ok: o.ok && finalState.ok,
    o,
    finalState,
  };
}

/** The outputs that {@linkcode verify} judges: an {@linkcode Outcome}, or one in device memory. */
export interface AnyOutcome {
  /** The output, in the layout of the call. */
  readonly o: TensorLike | DeviceTensor;
  /** The state after the last token; judged where it is given. */
  readonly finalState?: TensorLike | DeviceTensor;
  /** Where it was computed. A final state of f16 or bf16 inputs from `cuda:N` has the limits of tensor cores. */
  readonly device?: string;
}

/**
 * Judges a result of {@linkcode linearAttention}, or of anything else, for the same arguments, against a float64
 * recurrence. `q`, `k`, `v` and an initial state must still hold what the call was given. Device tensors are copied to the
 * host for it.
 *
 * @throws LeetError as linearAttention; INVALID_SHAPE when the result has another shape
 */
export function verify(
  got: AnyOutcome,
  q: TensorLike | DeviceTensor,
  k: TensorLike | DeviceTensor,
  v: TensorLike | DeviceTensor,
  options: AttentionOptions | DeviceAttentionOptions = {},
): Verification {
  const { out: _out, outFinalState: _outFinalState, stream: _stream, device, ...inputs } =
    options as DeviceAttentionOptions;
  const onHost = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toHost(value)]));
  const problem = makeProblem(toHost(q), toHost(k), toHost(v), { device, ...onHost });
  const outcome = { o: toHost(got.o), finalState: toHost(got.finalState) } as Outcome;
  return compare(outcome, problem, oracle(problem), stateTolerance(got.device, problem.dtype));
}

function toHost(value: unknown): unknown {
  return value instanceof DeviceTensor ? value.toHost() : value;
}
