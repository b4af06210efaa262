/** Arrays in the order of the peers, [B,N,H,d] float32. @module */
import type { Operand } from "../../problem.ts";
import type { Tensor } from "../../tensor.ts";
import { type Config, usefulFlops } from "../config.ts";
import type { Prediction } from "../contestant.ts";
import { factorOf, inputBytes, type Inputs } from "../inputs.ts";

/** Why a peer has no part in a configuration; null when it has. Both compute f32 with one decay for each key/value head. */
export function commonRefusal({ dtype, H, Hkv }: Config): string | null {
  if (dtype !== "f32") return `computes f32 only, not ${dtype}`;
  return H === Hkv ? null : "its decay goes with key/value heads, ours with query heads; they differ";
}

/** A [B,H,N,d] tensor as [B,N,H,d]. */
export function timeFirst({ data, shape: [B, H, N, d] }: Tensor): Float32Array {
  const source = data as Float32Array, target = new Float32Array(source.length);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let n = 0; n < N; n++) {
        const from = ((b * H + h) * N + n) * d;
        target.set(source.subarray(from, from + d), ((b * N + n) * H + h) * d);
      }
    }
  }
  return target;
}

/** The natural logarithm of the factor of each token and head, [B,N,H]. */
export function logDecays({ decay, B, H, N }: Config, inputs: Inputs): Float32Array {
  const gates = inputs.decay.logGates as Float32Array | undefined;
  const target = new Float32Array(B * N * H);
  for (let b = 0; b < B; b++) {
    for (let n = 0; n < N; n++) {
      for (let h = 0; h < H; h++) {
        const log = decay === "none" ? 0 : gates ? gates[(b * H + h) * N + n] : Math.log(factorOf(h));
        target[(b * N + n) * H + h] = log;
      }
    }
  }
  return target;
}

/** An output [B,N,H,d] as the benchmark reads it. */
export function timeFirstOperand(data: Float32Array, { N, H, dv }: Config): Operand {
  return { data, offset: 0, span: data.length, stride: [N * H * dv, dv, H * dv] };
}

/** A guess that errs on the side of too long: a peer does about one multiply-add in a cycle. */
export function guess(config: Config): Prediction {
  const flops = usefulFlops(config);
  return { seconds: flops / 2e10, workspace: null, flops: null, bytes: inputBytes(config) };
}
