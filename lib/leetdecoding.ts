/**
 * The entry point of the Python package LeetDecoding, for programs that move from it line by line:
 *
 *     causal_linear_decoder(q, k, v, is_mask_weight=True, gamma=gamma, is_need_exp=True, attn_method="recursion")
 *     causalLinearDecoder(q, k, v, { isMaskWeight: true, gamma, isNeedExp: true, attnMethod: "recursion" }).data
 *
 * Wang et al., LeetDecoding, arXiv 2501.02573.
 * @module
 */
import { linearAttention } from "./attention.ts";
import { booleanOr, checkKeys, checkObject, refuse } from "./checks.ts";
import { fromRates } from "./decay.ts";
import { LeetError, show } from "./errors.ts";
import type { DeviceTensor } from "./device_tensor.ts";
import type { Tensor } from "./tensor.ts";
import type { AttentionOptions, BuiltinMethod, TensorLike } from "./types.ts";

/** A method by its name in LeetDecoding. */
export type LeetDecodingMethod =
  | "vanilla"
  | "causal_dot_product"
  | "causal_dot_product_torch"
  | "block-based"
  | "recursion"
  | "lightningAttention2"
  | "lightningAttention2_torch"
  | "FleetAttention"
  | "FleetAttention_torch";

const METHODS: Readonly<Record<LeetDecodingMethod, BuiltinMethod>> = {
  "vanilla": "vanilla",
  "causal_dot_product": "recurrent",
  "causal_dot_product_torch": "recurrent",
  "block-based": "block",
  "recursion": "recursion",
  "lightningAttention2": "lightning",
  "lightningAttention2_torch": "lightning",
  "FleetAttention": "fleet",
  "FleetAttention_torch": "fleet",
};

/** Arguments of {@linkcode causalLinearDecoder}; the defaults are those of LeetDecoding. */
export interface CausalLinearDecoderOptions {
  /** `is_mask_weight`: true weighs the causal mask with the decay that gamma gives, false does not. Default false. */
  isMaskWeight?: boolean;
  /** `gamma`: [H], the decay of each head; its meaning depends on `isNeedExp`. Default none. */
  gamma?: ArrayLike<number> | null;
  /** `is_need_exp`: true, gamma is a rate >= 0 and the decay exp(-gamma); false, gamma is the decay. Default true. */
  isNeedExp?: boolean;
  /** `attn_method`: one of LeetDecoding's nine names. Default none, and the library chooses. */
  attnMethod?: LeetDecodingMethod | null;
  /** Where to compute; as for {@linkcode linearAttention}. LeetDecoding takes it from the tensors. */
  device?: string;
}

/**
 * Causal linear attention with the arguments of LeetDecoding's `causal_linear_decoder`: o = ((Q K^T) . M) V with
 * M[i,j] = decay^(i-j) for j <= i.
 *
 * Where the dispatch of LeetDecoding depends on dtype, length and method, this computes the documented meaning always:
 * `gamma` goes through exp(-gamma) exactly when `isNeedExp` says so. Two more differences: weights without a gamma are
 * refused, not silently left out, and bf16 is taken beside f16 and f32. `autotune_configs` of later versions has no
 * counterpart, as nothing is tuned at run time.
 *
 * @param q [B,H,N,rank]
 * @param k [B,H,N,rank] of the same dtype
 * @param v [B,H,N,dim] of the same dtype
 * @returns [B,H,N,dim] of the same dtype
 * @throws LeetError INVALID_DECAY (argument `gamma`) for a gamma without `isMaskWeight`, as LeetDecoding raises; for
 * `isMaskWeight` without a gamma; and for one out of range. INVALID_METHOD (argument `attnMethod`) for another name.
 * Otherwise as {@linkcode linearAttention}
 */
export function causalLinearDecoder(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options?: CausalLinearDecoderOptions,
): Tensor;
/** The same on device tensors: gamma stays an array of the host, and the result is a device tensor. */
export function causalLinearDecoder(
  q: DeviceTensor,
  k: DeviceTensor,
  v: DeviceTensor,
  options?: CausalLinearDecoderOptions,
): DeviceTensor;
export function causalLinearDecoder(
  q: TensorLike | DeviceTensor,
  k: TensorLike | DeviceTensor,
  v: TensorLike | DeviceTensor,
  options: CausalLinearDecoderOptions = {},
): Tensor | DeviceTensor {
  checkObject(options, "options", "an object");
  checkKeys(options, "an option", ["isMaskWeight", "gamma", "isNeedExp", "attnMethod", "device"]);
  const isMaskWeight = booleanOr(options.isMaskWeight, "isMaskWeight", false);
  const isNeedExp = booleanOr(options.isNeedExp, "isNeedExp", true);
  const gamma = options.gamma ?? null;
  if (gamma !== null && !isMaskWeight) {
    refuse("INVALID_DECAY", "gamma", "none, or isMaskWeight: true", "a gamma without it");
  }
  if (gamma === null && isMaskWeight) {
    refuse("INVALID_DECAY", "gamma", "[H] numbers with isMaskWeight: true", "none");
  }
  const call: AttentionOptions = { method: methodOf(options.attnMethod ?? null), layout: "bhnd" };
  if (options.device !== undefined) call.device = options.device;
  try {
    if (gamma !== null) Object.assign(call, isNeedExp ? { logDecay: fromRates(gamma) } : { decay: gamma });
    return linearAttention(q as TensorLike, k as TensorLike, v as TensorLike, call).o;
  } catch (error) {
    throw renamed(error);
  }
}

function methodOf(name: unknown): BuiltinMethod | "auto" {
  if (name === null) return "auto";
  const known = Object.keys(METHODS).join(", ");
  if (typeof name !== "string") refuse("INVALID_ARGUMENT", "attnMethod", known, show(name));
  if (!Object.hasOwn(METHODS, name)) refuse("INVALID_METHOD", "attnMethod", known, show(name));
  return METHODS[name as LeetDecodingMethod];
}

const GAMMA: readonly (string | undefined)[] = ["rates", "decay", "logDecay"];

/** The same error, with gamma under the name that the caller gave it. */
function renamed(error: unknown): unknown {
  if (!(error instanceof LeetError) || !GAMMA.includes(error.argument)) return error;
  const message = error.message.replace(`${error.argument}:`, "gamma:");
  return new LeetError(error.code, message, { argument: "gamma", cause: error });
}
