/** ggml: ggml_gated_linear_attn of the llama.cpp build in @node-llama-cpp/linux-x64, called by FFI. @module */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  type ForeignFunction,
  type ForeignSpec,
  type ForeignType,
  openForeign,
} from "../../../ffi/foreign.ts";
import { LeetError } from "../../errors.ts";
import type { Config } from "../config.ts";
import type { Bout, Contestant } from "../contestant.ts";
import type { Inputs } from "../inputs.ts";
import { commonRefusal, guess, logDecays, timeFirst, timeFirstOperand } from "./layout.ts";
import { PEER_LOOSE } from "./peers.ts";

const spec = (parameters: string, result: ForeignSpec["result"]): ForeignSpec => ({
  parameters: parameters.split(" ").filter((type) => type !== "") as ForeignType[],
  result,
});

/** Pointers are u64. */
const BASE = {
  // struct ggml_init_params { size_t mem_size; void *mem_buffer; bool no_alloc; } by value: on x86-64 a struct of 24
  // bytes lies on the stack, where the seventh argument and those after it go; the first six fill the registers.
  ggml_init: spec("u64 u64 u64 u64 u64 u64 u64 u64 u64", "u64"),
  ggml_free: spec("u64", "void"),
  ggml_new_tensor_2d: spec("u64 i32 i64 i64", "u64"),
  ggml_new_tensor_3d: spec("u64 i32 i64 i64 i64", "u64"),
  ggml_gated_linear_attn: spec("u64 u64 u64 u64 u64 u64 f32", "u64"),
  ggml_new_graph: spec("u64", "u64"),
  ggml_build_forward_expand: spec("u64 u64", "void"),
  ggml_backend_alloc_ctx_tensors: spec("u64 u64", "u64"),
  ggml_backend_buffer_free: spec("u64", "void"),
  ggml_backend_tensor_set: spec("u64 buffer u64 u64", "void"),
  ggml_backend_tensor_get: spec("u64 buffer u64 u64", "void"),
  ggml_backend_graph_compute: spec("u64 u64", "i32"),
  ggml_backend_free: spec("u64", "void"),
} as const;

const CPU = {
  ggml_backend_score: spec("", "i32"),
  ggml_backend_cpu_init: spec("", "u64"),
  ggml_backend_cpu_set_n_threads: spec("u64 i32", "void"),
} as const;

type Base = Record<keyof typeof BASE, ForeignFunction>;
type Cpu = Record<keyof typeof CPU, ForeignFunction>;

const GGML_TYPE_F32 = 0;
/** Room for the descriptions of a handful of tensors and one graph. */
const CONTEXT_BYTES = 4 << 20;

/** The build for the best instruction set that this processor has, by ggml's own score. */
function bestCpu(folder: string): Cpu {
  const builds = readdirSync(folder).filter((name) => /^libggml-cpu-.*\.so$/.test(name))
    .map((name) => openForeign(join(folder, name), CPU))
    .map((cpu) => ({ cpu, score: Number(cpu.ggml_backend_score()) }));
  return builds.reduce((best, one) => one.score > best.score ? one : best).cpu;
}

/** ggml as a contestant; `packageFolder` is that of @node-llama-cpp/linux-x64. */
export function ggmlContestant(packageFolder: string): Contestant {
  const bins = join(packageFolder, "bins");
  const [build] = readdirSync(bins);
  const folder = join(bins, build);
  const base = openForeign(join(folder, "libggml-base.so"), BASE);
  const cpu = bestCpu(folder);
  return {
    name: "ggml",
    origin: "peer",
    wrong: null,
    loose: PEER_LOOSE,
    deviceFor: ({ device }) => device === "cpu" ? device : null,
    refusal: (config) => commonRefusal(config) ?? (config.dk === config.dv ? null : "computes dk = dv only"),
    predict: guess,
    open: (config, inputs) => openBout(base, cpu, config, inputs),
  };
}

function openBout(base: Base, cpu: Cpu, config: Config, inputs: Inputs): Bout {
  const { B, H, N, dk: S, threads } = config;
  const context = base.ggml_init(0n, 0n, 0n, 0n, 0n, 0n, BigInt(CONTEXT_BYTES), 0n, 1n);
  const backend = cpu.ggml_backend_cpu_init();
  cpu.ggml_backend_cpu_set_n_threads(backend, threads);
  const array = (): number | bigint => base.ggml_new_tensor_3d(context, GGML_TYPE_F32, S, H, B * N);
  const [k, v, q, g] = [array(), array(), array(), array()];
  const state = base.ggml_new_tensor_2d(context, GGML_TYPE_F32, S * S * H, B);
  const result = base.ggml_gated_linear_attn(context, k, v, q, g, state, 1);
  const graph = base.ggml_new_graph(context);
  base.ggml_build_forward_expand(graph, result);
  const buffer = base.ggml_backend_alloc_ctx_tensors(context, backend);
  const free = (): void => {
    if (buffer) base.ggml_backend_buffer_free(buffer);
    base.ggml_backend_free(backend);
    base.ggml_free(context);
  };
  if (!buffer) {
    free();
    throw new LeetError("OUT_OF_MEMORY", "ggml: no memory for its tensors");
  }
  const write = (tensor: number | bigint, data: Float32Array): void =>
    void base.ggml_backend_tensor_set(tensor, data, 0, data.byteLength);
  write(k, timeFirst(inputs.k));
  write(v, timeFirst(inputs.v));
  write(q, timeFirst(inputs.q));
  write(g, factors(config, inputs));
  write(state, new Float32Array(S * S * H * B));
  const elements = B * N * H * S;
  return {
    poison: () => write(result, new Float32Array(elements).fill(NaN)),
    call() {
      const status = Number(base.ggml_backend_graph_compute(backend, graph));
      if (status !== 0) throw new Error(`ggml_backend_graph_compute returned ${status}`);
    },
    output() {
      const output = new Float32Array(elements);
      base.ggml_backend_tensor_get(result, output, 0, output.byteLength);
      return timeFirstOperand(output, config);
    },
    close: free,
  };
}

/** The factor of each token, head and key channel, [B,N,H,S]. */
function factors(config: Config, inputs: Inputs): Float32Array {
  const logs = logDecays(config, inputs), { dk } = config;
  const target = new Float32Array(logs.length * dk);
  for (let i = 0; i < logs.length; i++) target.fill(Math.exp(logs[i]), i * dk, (i + 1) * dk);
  return target;
}
