/** Predicted cost of a problem for every method, and what `auto` chooses. @module */
import { Struct } from "../ffi/struct.ts";
import type { Native } from "../ffi/native.ts";
import { openNative } from "../ffi/open.ts";
import { runtimeName } from "../ffi/runtime.ts";
import { LEET_COST } from "../ffi/symbols.ts";
import { checkKeys, checkObject, integerIn, oneOf, refuse } from "./checks.ts";
import type { DecayForm } from "./decay_form.ts";
import { parseDevice } from "./device.ts";
import { elementBytes } from "./dtype.ts";
import { throwOnStatus } from "./errors.ts";
import { type HeadSizes, METHOD_TABLE, type MethodRow } from "./methods/table.ts";
import { type CallHeader, checkNativeDims, fillHeader, methodName, newParams } from "./native_call.ts";
import { MAX_THREADS } from "./problem.ts";
import type { DType, Layout } from "./types.ts";

/** The shape of a problem, without its arrays. */
export interface ProblemShape {
  /** Batch. */
  B: number;
  /** Query heads. */
  H: number;
  /** Key/value heads; H when left out. */
  Hkv?: number;
  /** Tokens. */
  N: number;
  /** Key dimension. */
  dk: number;
  /** Value dimension; dk when left out. */
  dv?: number;
  /** Sequences of a ragged batch (B = 1); 0 when left out. */
  S?: number;
  /** Storage type; f32 when left out. */
  dtype?: DType;
  /** How the decay is given; `decay` when left out. */
  decayForm?: DecayForm;
  /** Axis order; bhnd when left out. */
  layout?: Layout;
  /** As for {@linkcode linearAttention}. */
  device?: string;
  /** As for {@linkcode linearAttention}. */
  threads?: number;
}

/** What one method costs. */
export interface MethodCost {
  /** The method. */
  readonly method: string;
  /** Floating point operations; a multiply and an add count as two. */
  readonly flops: number;
  /** Least traffic with memory in bytes: inputs and states read once, outputs written once. */
  readonly bytes: number;
  /** Bytes of scratch memory beside the arrays. */
  readonly memory: number;
  /** Predicted time. */
  readonly seconds: number;
}

/** What {@linkcode explain} returns. */
export interface Explanation {
  /** The device that the numbers are for: `cpu`, `cuda:N` or `reference`. */
  readonly device: string;
  /** Every built-in method. */
  readonly methods: MethodCost[];
  /** What `auto` chooses. */
  readonly chosen: string;
  /** Why. */
  readonly reason: string;
}

const FIELDS: readonly string[] = [
  "B",
  "H",
  "Hkv",
  "N",
  "dk",
  "dv",
  "S",
  "dtype",
  "decayForm",
  "layout",
  "device",
  "threads",
];

function readShape(shape: ProblemShape): CallHeader {
  checkObject(shape, "shape", "{ B, H, N, dk }");
  checkKeys(shape, "a field", FIELDS);
  const size = (name: "B" | "H" | "Hkv" | "N" | "dk" | "dv" | "S", low: number, fallback?: number): number =>
    integerIn(shape[name], name, "INVALID_SHAPE", low, Number.MAX_SAFE_INTEGER, fallback);
  const B = size("B", 0), H = size("H", 1), N = size("N", 0), dk = size("dk", 1);
  const Hkv = size("Hkv", 1, H), dv = size("dv", 1, dk), S = size("S", 0, 0);
  if (H % Hkv !== 0) refuse("INVALID_SHAPE", "Hkv", `a divisor of H = ${H}`, String(Hkv));
  if (S > 0 && B !== 1) refuse("INVALID_CU_SEQLENS", "B", "1 with S > 0", String(B));
  return {
    B,
    H,
    Hkv,
    N,
    dk,
    dv,
    S,
    dtype: oneOf<DType>(shape.dtype, "dtype", "INVALID_DTYPE", ["f32", "f16", "bf16"], "f32"),
    layout: oneOf<Layout>(shape.layout, "layout", "INVALID_LAYOUT", ["bhnd", "bnhd"], "bhnd"),
    decayForm: oneOf<DecayForm>(
      shape.decayForm,
      "decayForm",
      "INVALID_DECAY",
      ["none", "decay", "logDecay", "logGates"],
      "decay",
    ),
    device: parseDevice(shape.device),
    threads: integerIn(shape.threads, "threads", "INVALID_THREADS", 0, MAX_THREADS, 0),
    method: "auto",
    scale: 1,
  };
}

/** Sizes of a typical head: of one batch row, or of the mean sequence of a ragged batch. */
function headSizes({ N, S, dk, dv }: Pick<CallHeader, "N" | "S" | "dk" | "dv">): HeadSizes {
  return { N: S > 0 ? Math.ceil(N / S) : N, dk, dv };
}

const timeOf = (row: MethodRow, sizes: HeadSizes): number => row.flops(sizes) / row.rate;

/** The method that `auto` takes on the reference device: the least predicted time. */
export function cheapestReference(problem: Pick<CallHeader, "N" | "S" | "dk" | "dv">): MethodRow {
  const sizes = headSizes(problem);
  return METHOD_TABLE.reduce((best, row) => timeOf(row, sizes) < timeOf(best, sizes) ? row : best);
}

function explainReference(call: CallHeader): Explanation {
  const { B, H, Hkv, N, dk, dv, S, dtype } = call;
  const sizes = headSizes(call);
  const heads = (S > 0 ? S : B) * H;
  const bytes = B * N * (dk + dv) * (H + Hkv) * elementBytes(dtype) + heads * dk * dv * 4;
  const held = B * H * N * dv + heads * dk * dv + 2 * sizes.N * (dk + dv);
  const methods = METHOD_TABLE.map((row) => ({
    method: row.name,
    flops: heads * row.flops(sizes),
    bytes,
    memory: 8 * (held + row.scratch(sizes)),
    seconds: heads * timeOf(row, sizes),
  }));
  return conclude("reference", methods, cheapestReference(call).name);
}

function estimate(native: Native, call: CallHeader, method: string): MethodCost {
  const params = newParams();
  const cost = new Struct(LEET_COST);
  fillHeader(params, { ...call, method });
  throwOnStatus(native.estimate(params.bytes, cost.bytes), params.text("message"));
  return {
    method: methodName(cost.get("method")),
    flops: cost.get("flops"),
    bytes: cost.get("bytes"),
    memory: cost.get("workspace"),
    seconds: cost.get("seconds"),
  };
}

function explainNative(call: CallHeader): Explanation {
  checkNativeDims(call);
  const native = openNative();
  const methods = METHOD_TABLE.map(({ name }) => estimate(native, call, name));
  const { kind, index } = call.device;
  return conclude(kind === "cuda" ? `cuda:${index}` : "cpu", methods, estimate(native, call, "auto").method);
}

const UNITS: readonly [seconds: number, unit: string][] = [[1, "s"], [1e-3, "ms"], [0, "us"]];

function showTime(seconds: number): string {
  const [size, unit] = UNITS.find(([least]) => seconds >= least) as [number, string];
  return `${Number((seconds / (size || 1e-6)).toPrecision(3))} ${unit}`;
}

function conclude(device: string, methods: MethodCost[], chosen: string): Explanation {
  const time = ({ method, seconds }: MethodCost): string => `${method} ${showTime(seconds)}`;
  const first = methods.find(({ method }) => method === chosen);
  const others = methods.filter((cost) => cost !== first).sort((a, b) => a.seconds - b.seconds);
  const reason = first
    ? `least predicted time on ${device}: ${time(first)}, then ${time(others[0])}`
    : `the choice of the library for ${device}`;
  return { device, methods, chosen, reason };
}

/**
 * Floating point operations, memory and predicted time of a problem for every built-in method, and what `auto`
 * chooses. Runs nothing.
 *
 * @throws LeetError naming the field that is wrong, or as {@linkcode linearAttention} where the library is needed
 *
 * @example
 * ```ts
 * import { explain } from "./mod.ts";
 *
 * console.log(explain({ B: 1, H: 32, N: 2048, dk: 128, device: "reference" }).reason);
 * ```
 */
export function explain(shape: ProblemShape): Explanation {
  const call = readShape(shape);
  const { kind } = call.device;
  const script = kind === "reference" || (kind === "auto" && runtimeName() === "other");
  return script ? explainReference(call) : explainNative(call);
}
