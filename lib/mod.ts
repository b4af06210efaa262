/**
 * Exponentially decaying causal linear attention for Deno and Bun.
 *
 * @example
 * ```ts
 * import { linearAttention, retention, tensor } from "./mod.ts";
 *
 * const q = tensor([1, 0, 0, 1], [1, 1, 2, 2]); // [B,H,N,d]
 * const { o } = linearAttention(q, q, q, { decay: retention(1) });
 * console.log(String(o));
 * ```
 * @module
 */
export { type AttentionResult, linearAttention, linearAttentionAsync } from "./attention.ts";
export { alibiSlopes, fromRates, lightning, retention } from "./decay.ts";
export type { DecayForm } from "./decay_form.ts";
export { DeviceTensor, deviceTensor, type DeviceTensorOptions } from "./device_tensor.ts";
export { memory, type MemoryUse } from "./device_use.ts";
export { type DeviceInfo, devices, type LibraryInfo, openLibrary } from "./devices.ts";
export {
  type GroupCode,
  LeetError,
  type LeetErrorCode,
  type LeetErrorOptions,
  type OwnCode,
} from "./errors.ts";
export { type DeviceCost, explain, type Explanation, type MethodCost, type ProblemShape } from "./explain.ts";
export type { FloatArray, HeadCall, HeadMethod } from "./head.ts";
export {
  causalLinearDecoder,
  type CausalLinearDecoderOptions,
  type LeetDecodingMethod,
} from "./leetdecoding.ts";
export {
  type MethodInfo,
  type MethodRegistration,
  methods,
  registerMethod,
  unregisterMethod,
} from "./register.ts";
export { type PlacedTensorOptions, Tensor, tensor, type TensorOptions, zeros } from "./tensor.ts";
export type {
  AttentionOptions,
  BuiltinMethod,
  CudaDevice,
  DecayOptions,
  DeviceAttentionOptions,
  DType,
  Float16ArrayLike,
  Layout,
  TensorData,
  TensorLike,
} from "./types.ts";
export { type AnyOutcome, type Outcome, type Verdict, type Verification, verify } from "./verify.ts";
export type { OpenOptions } from "../ffi/open.ts";
export type { StatusName } from "../ffi/symbols.ts";
