/** The operator: exponentially decaying causal linear attention. @module */
import { loadNative, openNative } from "../ffi/open.ts";
import { runtimeName } from "../ffi/runtime.ts";
import { LEET_OK } from "../ffi/symbols.ts";
import { checkBuffer } from "./array_view.ts";
import { refuse } from "./checks.ts";
import { type DeviceOutputs, discardOutputs, takeDeviceOutputs, toDeviceTensors } from "./device_outputs.ts";
import { type DeviceProblem, isOnDevice, makeDeviceProblem } from "./device_problem.ts";
import { type DeviceTensor, during } from "./device_tensor.ts";
import { errorOfStatus, show } from "./errors.ts";
import { cheapestReference } from "./explain.ts";
import type { HeadMethod } from "./head.ts";
import { methodRow } from "./methods/table.ts";
import {
  checkNativeDims,
  fillDeviceParams,
  fillParams,
  newParams,
  type Params,
  usedBy,
} from "./native_call.ts";
import { type Outputs, takeOutputs, toTensors } from "./outputs.ts";
import { makeProblem, type Problem } from "./problem.ts";
import { evaluate, evaluateAsync, type Evaluation, store } from "./reference.ts";
import { registeredHead } from "./register.ts";
import type { Tensor } from "./tensor.ts";
import type { AttentionOptions, DeviceAttentionOptions, TensorLike } from "./types.ts";

/** What {@linkcode linearAttention} returns: host tensors for host arrays, device tensors for device tensors. */
export interface AttentionResult<T extends Tensor | DeviceTensor = Tensor> {
  /** The output, in the shape of q but with dv as last axis; dtype and layout are those of q. */
  readonly o: T;
  /** The state after the last token, f32 [B,H,dk,dv], [S,H,dk,dv] when ragged; only where it was asked for. */
  readonly finalState?: T;
  /** The method that ran; what `auto` chose. */
  readonly method: string;
  /** The device it ran on: `cpu`, `cuda:N` or `reference`; what `auto` chose. */
  readonly device: string;
}

/** Work for TypeScript: the method's name, and how to evaluate it at once or in turns. */
interface Script {
  readonly method: string;
  evaluate(problem: Problem): Evaluation;
  evaluateAsync(problem: Problem): Promise<Evaluation>;
}

/** Built-in methods on `reference` run in float64, methods of the user's own in float32. */
function scriptOf(problem: Problem): Script | null {
  const { method, device } = problem;
  const own = registeredHead(method);
  if (own) {
    if (device.kind !== "auto" && device.kind !== "reference") {
      refuse(
        "UNSUPPORTED_DEVICE",
        "device",
        `auto or reference for the registered method ${method}`,
        show(device.kind),
      );
    }
    return {
      method,
      evaluate: (p) => evaluate(p, own, Float32Array),
      evaluateAsync: (p) => evaluateAsync(p, own, Float32Array),
    };
  }
  if (device.kind !== "reference" && !(device.kind === "auto" && runtimeName() === "other")) return null;
  const row = methodRow(method) ?? cheapestReference(problem);
  const head: HeadMethod = row.head;
  return {
    method: row.name,
    evaluate: (p) => evaluate(p, head, Float64Array),
    evaluateAsync: (p) => evaluateAsync(p, head, Float64Array),
  };
}

/** Refuses what cannot run on device tensors. */
function checkNativeMethod({ method }: DeviceProblem): void {
  if (registeredHead(method)) {
    refuse("UNSUPPORTED_DEVICE", "method", "a built-in method for device tensors", show(method));
  }
}

/** One descriptor for all synchronous calls: no two of them are ever in flight. */
let reused: Params | undefined;

/**
 * Exponentially decaying causal linear attention: per batch and head, with a state S in R^{dk x dv},
 *
 *     S_t = a_t S_{t-1} + k_t v_t^T        o_t = scale * q_t^T S_t
 *
 * equivalently o_i = scale * sum_{j<=i} (prod_{j<t<=i} a_t) (q_i . k_j) v_j. The current token has weight 1.
 *
 * @param q [B,H,N,dk] (`bhnd`) or [B,N,H,dk] (`bnhd`), float32, f16 or bf16
 * @param k [B,Hkv,N,dk] of the same dtype; Hkv divides H, and query head h reads key/value head floor(h Hkv / H)
 * @param v [B,Hkv,N,dv] of the same dtype
 * @param options decay, layout, states, device and method; see {@linkcode AttentionOptions}
 * @returns o [B,H,N,dv] of the dtype of q, and what was asked for
 * @throws LeetError with a stable `code` and the name of the `argument`; outputs are then untouched, unless a CUDA device
 * that was asked for failed (status 4xxx) while they were written
 *
 * @example
 * ```ts
 * import { linearAttention, retention, tensor } from "./mod.ts";
 *
 * const q = tensor([1, 0, 0, 1], [1, 1, 2, 2]);
 * const { o } = linearAttention(q, q, q, { decay: retention(1), device: "reference" });
 * console.log(String(o)); // Tensor f32 [1,1,2,2] bhnd (1, 0, 0, 1)
 * ```
 */
export function linearAttention(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options?: AttentionOptions,
): AttentionResult;
/**
 * The same on device tensors, all of one device: nothing is copied but host decays, which go to the device for the call.
 * The results are device tensors, which the caller disposes; where `out` or `outFinalState` is given they are views of
 * it. Waits for the end of the work unless a `stream` is given; see {@linkcode DeviceAttentionOptions} for what that
 * obliges the caller to.
 *
 * @throws LeetError also INVALID_DEVICE, naming an array that is elsewhere than q, and DISPOSED
 */
export function linearAttention(
  q: DeviceTensor,
  k: DeviceTensor,
  v: DeviceTensor,
  options?: DeviceAttentionOptions,
): AttentionResult<DeviceTensor>;
export function linearAttention(
  q: TensorLike | DeviceTensor,
  k: TensorLike | DeviceTensor,
  v: TensorLike | DeviceTensor,
  options: AttentionOptions | DeviceAttentionOptions = {},
): AttentionResult | AttentionResult<DeviceTensor> {
  if (isOnDevice(q, k, v, options)) {
    const problem = deviceProblem(q, k, v, options, false);
    const native = openNative();
    const params = reused ??= newParams();
    const outputs = takeDeviceOutputs(native, problem);
    try {
      const arrays = fillDeviceParams(params, problem, outputs);
      return finishDevice(problem, params, native.forward(params.bytes, ...arrays), outputs);
    } catch (error) {
      discardOutputs(problem, outputs);
      throw error;
    }
  }
  const problem = makeProblem(q, k, v, options as AttentionOptions);
  const script = scriptOf(problem);
  if (script) {
    const outputs = takeOutputs(problem);
    return finishScript(problem, script, script.evaluate(problem), outputs);
  }
  checkNativeDims(problem);
  const native = openNative();
  const params = reused ??= newParams();
  const outputs = takeOutputs(problem);
  const arrays = fillParams(params, problem, outputs);
  return finishNative(problem, params, native.forward(params.bytes, ...arrays), outputs);
}

/**
 * {@linkcode linearAttention} without blocking the event loop: native devices work on another thread, `reference`
 * gives way between heads. Every array must stay untouched until the promise settles. Buffers must not be resizable.
 */
export async function linearAttentionAsync(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options?: AttentionOptions,
): Promise<AttentionResult>;
/** The same on device tensors. Their memory outlasts the call even when they are disposed before it ends. */
export async function linearAttentionAsync(
  q: DeviceTensor,
  k: DeviceTensor,
  v: DeviceTensor,
  options?: DeviceAttentionOptions,
): Promise<AttentionResult<DeviceTensor>>;
export async function linearAttentionAsync(
  q: TensorLike | DeviceTensor,
  k: TensorLike | DeviceTensor,
  v: TensorLike | DeviceTensor,
  options: AttentionOptions | DeviceAttentionOptions = {},
): Promise<AttentionResult | AttentionResult<DeviceTensor>> {
  if (isOnDevice(q, k, v, options)) {
    const problem = deviceProblem(q, k, v, options, true);
    return await during(usedIn(problem), onDeviceAsync(problem));
  }
  const problem = makeProblem(q, k, v, options as AttentionOptions, true);
  const script = scriptOf(problem);
  if (script) {
    const outputs = takeOutputs(problem);
    const results = await script.evaluateAsync(problem);
    checkStillAttached(problem);
    return finishScript(problem, script, results, outputs);
  }
  checkNativeDims(problem);
  const native = await loadNative();
  const params = newParams();
  const outputs = takeOutputs(problem);
  const arrays = fillParams(params, problem, outputs);
  return finishNative(problem, params, await native.forwardAsync(params.bytes, ...arrays), outputs);
}

function deviceProblem(
  q: unknown,
  k: unknown,
  v: unknown,
  options: AttentionOptions | DeviceAttentionOptions,
  outlives: boolean,
): DeviceProblem {
  const [a, b, c] = [q, k, v] as DeviceTensor[];
  const problem = makeDeviceProblem(a, b, c, options as DeviceAttentionOptions, outlives);
  checkNativeMethod(problem);
  checkNativeDims(problem);
  return problem;
}

/** The tensors of the caller's that a call reads or writes. */
function usedIn({ q, k, v, decay, initialState, out, outFinalState }: DeviceProblem): DeviceTensor[] {
  return [q.data, k.data, v.data, decay.source, initialState, out?.data ?? null, outFinalState]
    .filter((tensor) => tensor !== null);
}

async function onDeviceAsync(problem: DeviceProblem): Promise<AttentionResult<DeviceTensor>> {
  const native = await loadNative();
  const params = newParams();
  const outputs = takeDeviceOutputs(native, problem);
  const arrays = fillDeviceParams(params, problem, outputs);
  try {
    return finishDevice(problem, params, await native.forwardAsync(params.bytes, ...arrays), outputs);
  } catch (error) {
    discardOutputs(problem, outputs);
    throw error;
  }
}

/** Refuses buffers that were transferred away while `reference` gave way: what was read from them is not trustworthy. */
function checkStillAttached({ q, k, v, decay, initialState, out, outFinalState }: Problem): void {
  const arrays = {
    q: q.data,
    k: k.data,
    v: v.data,
    [decay.form]: decay.values,
    initialState,
    out: out?.data,
    outFinalState,
  };
  for (const [argument, data] of Object.entries(arrays)) {
    if (data) checkBuffer(data as ArrayBufferView, argument, true);
  }
}

function finishScript(
  problem: Problem,
  { method }: Script,
  results: Evaluation,
  outputs: Outputs,
): AttentionResult {
  store(problem, results, outputs);
  return { ...toTensors(problem, outputs), method, device: "reference" };
}

function finishNative(
  problem: Problem,
  params: Params,
  status: number,
  outputs: Outputs,
): AttentionResult {
  if (status !== LEET_OK) throw errorOfStatus(status, params.text("message"));
  return { ...toTensors(problem, outputs), ...usedBy(params) };
}

function finishDevice(
  problem: DeviceProblem,
  params: Params,
  status: number,
  outputs: DeviceOutputs,
): AttentionResult<DeviceTensor> {
  if (status !== LEET_OK) throw errorOfStatus(status, params.text("message"));
  return { ...toDeviceTensors(problem, outputs), ...usedBy(params) };
}
