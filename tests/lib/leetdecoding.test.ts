/** The port of LeetDecoding's entry point: the documented meaning of every argument, under every name. */
import { describe, expect, test } from "vitest";
import {
  causalLinearDecoder,
  type CausalLinearDecoderOptions,
  type LeetDecodingMethod,
  linearAttention,
} from "../../lib/mod.ts";
import { errorOf } from "../io/error_of.ts";
import { bits, inputs } from "./problems.ts";

const NAMES: LeetDecodingMethod[] = [
  "vanilla",
  "causal_dot_product",
  "causal_dot_product_torch",
  "block-based",
  "recursion",
  "lightningAttention2",
  "lightningAttention2_torch",
  "FleetAttention",
  "FleetAttention_torch",
];
const SHAPE = { B: 2, H: 3, Hkv: 3, N: 70, dk: 6, dv: 33 };
const { q, k, v } = inputs(SHAPE);
const device = "reference";
const GAMMA = [0.5, 0, 0.03];

/** [B H N d] values in order. */
const [Q, K, V] = [q, k, v].map((t) => t.toFloat32());

/** ((Q K^T) . M) V with M[i,j] = decay^(i-j). */
function masked(decay: number[]): Float64Array {
  const { B, H, N, dk, dv } = SHAPE;
  const o = new Float64Array(B * H * N * dv);
  for (let head = 0; head < B * H; head++) {
    for (let i = 0; i < N; i++) {
      for (let j = 0; j <= i; j++) {
        let score = 0;
        for (let r = 0; r < dk; r++) score += Q[(head * N + i) * dk + r] * K[(head * N + j) * dk + r];
        score *= decay[head % H] ** (i - j);
        for (let e = 0; e < dv; e++) o[(head * N + i) * dv + e] += score * V[(head * N + j) * dv + e];
      }
    }
  }
  return o;
}

/** The largest difference between the decoder and the masked product. */
function distance(options: CausalLinearDecoderOptions, decay: number[]): number {
  const o = causalLinearDecoder(q, k, v, { device, ...options });
  expect(o.shape).toEqual([2, 3, 70, 33]);
  const got = o.toFloat32();
  return masked(decay).reduce((most, x, at) => {
    const error = Math.abs(got[at] - x);
    return error <= most ? most : error;
  }, 0);
}

describe.each([undefined, null, ...NAMES])("attnMethod %s", (attnMethod) => {
  test("without weights: the plain causal mask", () => {
    expect(!(distance({ attnMethod }, [1, 1, 1]) <= 1e-5)).toBe(false);
  });

  test("gamma as a rate, which is the default: decay exp(-gamma)", () => {
    const options = { attnMethod, isMaskWeight: true, gamma: GAMMA };
    const decay = GAMMA.map((gamma) => Math.exp(-gamma));
    expect(!(distance(options, decay) <= 1e-5)).toBe(false);
    expect(!(distance({ ...options, isNeedExp: true }, decay) <= 1e-5)).toBe(false);
  });

  test("gamma as the factor", () => {
    const options = { attnMethod, isMaskWeight: true, gamma: GAMMA, isNeedExp: false };
    expect(!(distance(options, GAMMA) <= 1e-5)).toBe(false);
  });
});

test("every dtype, and the dtype of the inputs comes back", () => {
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    const o = causalLinearDecoder(q.cast(dtype), k.cast(dtype), v.cast(dtype), { device });
    expect(o.dtype).toBe(dtype);
    expect(bits(o)).toBe(bits(linearAttention(q.cast(dtype), k.cast(dtype), v.cast(dtype), { device }).o));
  }
});

test.each(
  [
    ["gamma without weights", "INVALID_DECAY", "gamma", { gamma: GAMMA }],
    ["weights without gamma", "INVALID_DECAY", "gamma", { isMaskWeight: true }],
    ["weights with gamma null", "INVALID_DECAY", "gamma", { isMaskWeight: true, gamma: null }],
    ["a negative rate", "INVALID_DECAY", "gamma", { isMaskWeight: true, gamma: [-1, 0, 0] }],
    ["a factor above 1", "INVALID_DECAY", "gamma", {
      isMaskWeight: true,
      isNeedExp: false,
      gamma: [2, 0, 0],
    }],
    ["gamma of another length, as a rate", "INVALID_LENGTH", "gamma", { isMaskWeight: true, gamma: [1] }],
    ["gamma of another length, as a factor", "INVALID_LENGTH", "gamma", {
      isMaskWeight: true,
      isNeedExp: false,
      gamma: [1],
    }],
    ["gamma a number", "INVALID_ARGUMENT", "gamma", { isMaskWeight: true, gamma: 1 }],
    ["an unknown name", "INVALID_METHOD", "attnMethod", { attnMethod: "flash" }],
    ["a name from Object", "INVALID_METHOD", "attnMethod", { attnMethod: "toString" }],
    ["a name that is a number", "INVALID_ARGUMENT", "attnMethod", { attnMethod: 1 }],
    ["isNeedExp a number", "INVALID_ARGUMENT", "isNeedExp", { isNeedExp: 1 }],
    ["isMaskWeight a string", "INVALID_ARGUMENT", "isMaskWeight", { isMaskWeight: "yes" }],
    ["a Python name", "INVALID_ARGUMENT", "is_mask_weight", { is_mask_weight: true }],
  ] as [string, string, string, object][],
)("%s: %s, %s", (_what, code, argument, options) => {
  const error = errorOf(() =>
    causalLinearDecoder(q, k, v, { device, ...options } as CausalLinearDecoderOptions)
  );
  expect(error).toMatchObject({ code, argument });
  expect(error.message.startsWith(`${argument}: expected`)).toBe(true);
});
