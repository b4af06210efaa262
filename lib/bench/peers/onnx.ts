/** ONNX Runtime: com.microsoft.LinearAttention with update_rule gated, through onnxruntime-node. @module */
import { createRequire } from "node:module";
import { LeetError } from "../../errors.ts";
import type { Config } from "../config.ts";
import type { Bout, Contestant } from "../contestant.ts";
import type { Inputs } from "../inputs.ts";
import { commonRefusal, guess, logDecays, timeFirst, timeFirstOperand } from "./layout.ts";
import { linearAttentionModel } from "./onnx_model.ts";
import { PEER_LOOSE } from "./peers.ts";

interface OnnxTensor {
  readonly data: Float32Array;
}

/** Its threads go on waiting actively after a call; the next in turn is not to suffer from that. */
const SPINNING_MS = 20;

/** The part of onnxruntime-node used here. */
interface Runtime {
  Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OnnxTensor;
  InferenceSession: {
    create(model: Uint8Array, options: object): Promise<{
      run(feeds: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>>;
      release(): Promise<void>;
    }>;
  };
}

/** ONNX Runtime as a contestant; `folder` is its package. */
export function onnxContestant(folder: string): Contestant {
  let runtime: Runtime;
  try {
    runtime = createRequire(import.meta.url)(folder) as Runtime;
  } catch (cause) {
    throw new LeetError("NOT_FOUND", `--peers: onnxruntime-node does not load: ${(cause as Error).message}`, {
      cause,
    });
  }
  return {
    name: "onnxruntime",
    origin: "peer",
    wrong: null,
    loose: PEER_LOOSE,
    restMs: SPINNING_MS,
    deviceFor: ({ device }) => device === "cpu" ? device : null,
    refusal: commonRefusal,
    predict: guess,
    open: (config, inputs) => openBout(runtime, config, inputs),
  };
}

async function openBout(
  { Tensor, InferenceSession }: Runtime,
  config: Config,
  inputs: Inputs,
): Promise<Bout> {
  const { B, H, N, dk, dv, threads } = config;
  const session = await InferenceSession.create(linearAttentionModel(H), {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const feeds = {
    query: new Tensor("float32", timeFirst(inputs.q), [B, N, H * dk]),
    key: new Tensor("float32", timeFirst(inputs.k), [B, N, H * dk]),
    value: new Tensor("float32", timeFirst(inputs.v), [B, N, H * dv]),
    decay: new Tensor("float32", logDecays(config, inputs), [B, N, H]),
  };
  let output = new Float32Array(0);
  return {
    poison: () => void (output = new Float32Array(B * N * H * dv).fill(NaN)),
    async call() {
      output = (await session.run(feeds)).output.data as Float32Array<ArrayBuffer>;
    },
    output: () => timeFirstOperand(output, config),
    close: () => void session.release(),
  };
}
