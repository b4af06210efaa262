/** Predicted cost of a problem for every method and device, and what `auto` chooses. @module */
import { Struct } from "../ffi/struct.ts";
import type { Native } from "../ffi/native.ts";
import { openNative } from "../ffi/open.ts";
import { runtimeName } from "../ffi/runtime.ts";
import { LEET_COST, LEET_FLAG_DEVICE_POINTERS, LEET_FLAG_MODEL_H100, LEET_OK } from "../ffi/symbols.ts";
import { booleanOr, checkKeys, checkObject, integerIn, oneOf, refuse } from "./checks.ts";
import type { DecayForm } from "./decay_form.ts";
import { type Device, parseDevice } from "./device.ts";
import { devices } from "./devices.ts";
import { elementBytes } from "./dtype.ts";
import { errorOfStatus, LeetError } from "./errors.ts";
import { type HeadSizes, METHOD_TABLE, type MethodRow } from "./methods/table.ts";
import { type CallHeader, checkNativeDims, fillHeader, newParams, usedBy } from "./native_call.ts";
import { MAX_THREADS } from "./problem.ts";
import { methods as allMethods } from "./register.ts";
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
  /**
   * Whether the arrays are device tensors of the CUDA device in `device`; false when left out, and then the predicted time
   * on such a device includes copies over the bus.
   */
  deviceTensors?: boolean;
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

/** What a device would do with a problem, or why it would not. */
export interface DeviceCost {
  /** `cpu`, `cuda:N` or `reference`. */
  readonly device: string;
  /** The method that `auto` takes there. */
  readonly method?: string;
  /** Its predicted time, copies over the bus included. */
  readonly seconds?: number;
  /** Why the device cannot do it, in place of the two. */
  readonly refusal?: string;
}

/** What {@linkcode explain} returns. */
export interface Explanation {
  /** The device that the numbers are for: `cpu`, `cuda:N` or `reference`; what `auto` chooses. */
  readonly device: string;
  /** Every device that `auto` had the choice of; the one device where another was asked for. */
  readonly devices: DeviceCost[];
  /** Every built-in method. */
  readonly methods: MethodCost[];
  /** What `auto` chooses. */
  readonly chosen: string;
  /** Why. */
  readonly reason: string;
  /**
   * What every method would take on an H100 SXM whose memory holds the arrays: modelled from the card's published
   * figures, not measured. Missing where the library has no CUDA kernels, cannot be asked or the shape is not for it.
   */
  readonly h100?: readonly MethodCost[];
  /** Methods of the user's own. They have no cost model and run on `reference` when called by name. */
  readonly registered: readonly string[];
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
  "deviceTensors",
  "threads",
];

/** A problem without its arrays, as the estimates take it. */
interface Question extends CallHeader {
  readonly deviceTensors: boolean;
}

function readShape(shape: ProblemShape): Question {
  checkObject(shape, "shape", "{ B, H, N, dk }");
  checkKeys(shape, "a field", FIELDS);
  const size = (name: "B" | "H" | "Hkv" | "N" | "dk" | "dv" | "S", low: number, fallback?: number): number =>
    integerIn(shape[name], name, "INVALID_SHAPE", low, Number.MAX_SAFE_INTEGER, fallback);
  const B = size("B", 0), H = size("H", 1), N = size("N", 0), dk = size("dk", 1);
  const Hkv = size("Hkv", 1, H), dv = size("dv", 1, dk), S = size("S", 0, 0);
  if (H % Hkv !== 0) refuse("INVALID_SHAPE", "Hkv", `a divisor of H = ${H}`, String(Hkv));
  if (S > 0 && B !== 1) refuse("INVALID_CU_SEQLENS", "B", "1 with S > 0", String(B));
  const device = parseDevice(shape.device);
  const deviceTensors = booleanOr(shape.deviceTensors, "deviceTensors", false);
  if (deviceTensors && device.kind !== "cuda") {
    refuse("INVALID_DEVICE", "device", "cuda or cuda:N with deviceTensors", device.kind);
  }
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
    device,
    deviceTensors,
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
  const chosen = cheapestReference(call).name;
  const { seconds } = methods.find(({ method }) => method === chosen)!;
  return conclude(methods, [{ device: "reference", method: chosen, seconds }], 0);
}

const CUDA: Device = parseDevice("cuda");

interface Estimate extends MethodCost {
  readonly device: string;
}

/** What the library says of a problem on a device with a method; each of the two may be `auto`. */
function estimate(
  native: Native,
  question: Question,
  device: Device,
  method: string,
  flags: number = question.deviceTensors ? LEET_FLAG_DEVICE_POINTERS : 0,
): Estimate {
  const params = newParams();
  const cost = new Struct(LEET_COST);
  fillHeader(params, { ...question, device, method });
  params.set("flags", flags);
  const status = native.estimate(params.bytes, cost.bytes);
  if (status !== LEET_OK) throw errorOfStatus(status, params.text("message"));
  return {
    ...usedBy(params),
    flops: cost.get("flops"),
    bytes: cost.get("bytes"),
    memory: cost.get("workspace"),
    seconds: cost.get("seconds"),
  };
}

function explainNative(question: Question): Explanation {
  checkNativeDims(question);
  const native = openNative();
  const { device: name } = estimate(native, question, question.device, "auto");
  const device = parseDevice(name);
  const methods = METHOD_TABLE.map((row) => {
    const { device: _, ...cost } = estimate(native, question, device, row.name);
    return cost;
  });
  const names = question.device.kind === "auto" ? nativeDevices() : [name];
  const choices = names.map((other): DeviceCost => {
    try {
      const { method, seconds } = estimate(native, question, parseDevice(other), "auto");
      return { device: other, method, seconds };
    } catch (error) {
      if (error instanceof LeetError) return { device: other, refusal: error.message };
      throw error;
    }
  });
  const h100 = modelH100(native, question);
  return { ...conclude(methods, choices, names.indexOf(name)), ...(h100 && { h100 }) };
}

/** The methods on the modelled H100, where the library has a model of it. */
function modelH100(native: Native, question: Question): MethodCost[] | undefined {
  try {
    return METHOD_TABLE.map((row) => {
      const { device: _, ...cost } = estimate(native, question, CUDA, row.name, LEET_FLAG_MODEL_H100);
      return cost;
    });
  } catch (error) {
    if (error instanceof LeetError) return undefined;
    throw error;
  }
}

/** Every native device, and the first CUDA device where there is none, so that its refusal tells why. */
function nativeDevices(): string[] {
  const names = devices().map(({ name }) => name).filter((name) => name !== "reference");
  return names.some((name) => name.startsWith("cuda")) ? names : [...names, "cuda:0"];
}

const UNITS: readonly [seconds: number, unit: string][] = [[1, "s"], [1e-3, "ms"], [0, "us"]];

function showTime(seconds: number): string {
  const [size, unit] = UNITS.find(([least]) => seconds >= least) as [number, string];
  return `${Number((seconds / (size || 1e-6)).toPrecision(3))} ${unit}`;
}

function conclude(methods: MethodCost[], choices: DeviceCost[], taken: number): Explanation {
  const time = ({ method, seconds }: { method?: string; seconds?: number }): string =>
    `${method} ${showTime(seconds as number)}`;
  const { device, method: chosen = "" } = choices[taken];
  const others = methods.filter(({ method }) => method !== chosen).sort((a, b) => a.seconds - b.seconds);
  const elsewhere = choices.filter((_, index) => index !== taken).map((other) =>
    other.refusal === undefined ? `${other.device} ${time(other)}` : `not ${other.device} (${other.refusal})`
  );
  return {
    device,
    devices: choices,
    methods,
    chosen,
    reason: [
      `least predicted time on ${device}: ${time(choices[taken])}, then ${time(others[0])}`,
      ...elsewhere,
    ].join("; "),
    registered: allMethods().filter(({ builtin }) => !builtin).map(({ name }) => name),
  };
}

/**
 * Floating point operations, memory and predicted time of a problem for every built-in method, and what `auto`
 * chooses, of methods and of devices. Runs nothing.
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
