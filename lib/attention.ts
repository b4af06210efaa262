/** The operator: exponentially decaying causal linear attention. @module */
import { loadNative, openNative } from "../ffi/open.ts";
import { runtimeName } from "../ffi/runtime.ts";
import { LEET_OK } from "../ffi/symbols.ts";
import { checkBuffer } from "./array_view.ts";
import { refuse } from "./checks.ts";
import { errorOfStatus, show } from "./errors.ts";
import { cheapestReference } from "./explain.ts";
import type { HeadMethod } from "./head.ts";
import { methodRow } from "./methods/table.ts";
import { arraysOf, checkNativeDims, fillParams, methodName, newParams, type Params } from "./native_call.ts";
import { type Outputs, takeOutputs, toTensors } from "./outputs.ts";
import { makeProblem, type Problem } from "./problem.ts";
import { evaluate, evaluateAsync, type Evaluation, store } from "./reference.ts";
import { registeredHead } from "./register.ts";
import type { Tensor } from "./tensor.ts";
import type { AttentionOptions, TensorLike } from "./types.ts";

/** What {@linkcode linearAttention} returns. */
export interface AttentionResult {
  /** The output, in the shape of q but with dv as last axis; dtype and layout are those of q. */
  readonly o: Tensor;
  /** The state after the last token, f32 [B,H,dk,dv], [S,H,dk,dv] when ragged; only where it was asked for. */
  readonly finalState?: Tensor;
  /** The method that ran; what `auto` chose. */
  readonly method: string;
  /** The device it ran on: `cpu`, `cuda:N` or `reference`. */
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

/** The outputs of a native call, and the device that it names; fills the params. */
function prepare(params: Params, problem: Problem): { outputs: Outputs; device: string } {
  const { device } = problem;
  const outputs = takeOutputs(problem);
  fillParams(params, problem, outputs);
  return { outputs, device: device.kind === "cuda" ? `cuda:${device.index}` : "cpu" };
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
 * @throws LeetError with a stable `code` and the name of the `argument`; outputs are then untouched
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
  options: AttentionOptions = {},
): AttentionResult {
  const problem = makeProblem(q, k, v, options);
  const script = scriptOf(problem);
  if (script) {
    const outputs = takeOutputs(problem);
    return finishScript(problem, script, script.evaluate(problem), outputs);
  }
  checkNativeDims(problem);
  const native = openNative();
  const params = reused ??= newParams();
  const { outputs, device } = prepare(params, problem);
  const status = native.forward(params.bytes, ...arraysOf(problem, outputs));
  return finishNative(problem, params, status, outputs, device);
}

/**
 * {@linkcode linearAttention} without blocking the event loop: native devices work on another thread, `reference`
 * gives way between heads. Every array must stay untouched until the promise settles. Buffers must not be resizable.
 */
export async function linearAttentionAsync(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: AttentionOptions = {},
): Promise<AttentionResult> {
  const problem = makeProblem(q, k, v, options, true);
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
  const { outputs, device } = prepare(params, problem);
  const status = await native.forwardAsync(params.bytes, ...arraysOf(problem, outputs));
  return finishNative(problem, params, status, outputs, device);
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
  device: string,
): AttentionResult {
  if (status !== LEET_OK) throw errorOfStatus(status, params.text("message"));
  return { ...toTensors(problem, outputs), method: methodName(params.get("method_used")), device };
}
