/** `leet run`: the operator on tensors in files. @module */

import { linearAttention } from "../attention.ts";
import { parseDevice } from "../device.ts";
import { openLibrary } from "../devices.ts";
import { DTYPES } from "../dtype.ts";
import { LeetError, show } from "../errors.ts";
import { methods } from "../register.ts";
import { type Arguments, didYouMean, integerOption, type OptionTable, usageError } from "./args.ts";
import type { Command, Output } from "./command.ts";
import { type Inputs, readInputs } from "./inputs.ts";
import { checkOutputs, planOutputs, writeOutputs } from "./outputs.ts";
import { formatNumber } from "./table.ts";

const options: OptionTable = {
  out: {
    value: "OUT",
    help: "where to write; .npy holds o alone, any other name is a safetensors file (required)",
  },
  method: { value: "M", help: "a method of `leet methods`, or auto (default)" },
  device: { value: "D", help: "auto (default), cpu, cuda, cuda:N or reference" },
  dtype: { value: "T", help: `convert q, k, v first, and compute in: ${DTYPES.join(", ")}`, choices: DTYPES },
  threads: { value: "n", help: "CPU threads at most; default one per processor" },
  scale: { value: "x", help: "multiplies o; default the file's metadata, or 1" },
  layout: {
    value: "L",
    help: "axis order bhnd or bnhd; default the file's metadata, or bhnd",
    choices: ["bhnd", "bnhd"],
  },
  json: { help: "print the report as one JSON object" },
  q: { value: "FILE.npy", help: "queries [B,H,N,dk]" },
  k: { value: "FILE.npy", help: "keys [B,Hkv,N,dk]" },
  v: { value: "FILE.npy", help: "values [B,Hkv,N,dv]" },
  decay: { value: "FILE.npy", help: "factors in [0,1], [H]" },
  "log-decay": { value: "FILE.npy", help: "natural logarithms of the factors, [H]" },
  "log-gates": { value: "FILE.npy", help: "logarithms for each token, [B,H,N] ([B,N,H] in bnhd)" },
  "initial-state": { value: "FILE.npy", help: "state before the first token, float32 [B,H,dk,dv]" },
  "cu-seqlens": {
    value: "FILE.npy",
    help: "ragged batch (B = 1): int64 token offsets [S+1]; states are [S,H,dk,dv]",
  },
  "final-state-out": {
    value: "FILE.npy",
    help: "where to write the final state beside an --out that ends in .npy",
  },
};

const description =
  `Computes  S_t = a_t S_(t-1) + k_t v_t^T,  o_t = scale * q_t^T S_t  for every batch row and head.

IN.safetensors holds q [B,H,N,dk], k [B,Hkv,N,dk], v [B,Hkv,N,dv] in F32, F16 or BF16, and may hold one of
decay [H], log_decay [H], log_gates [B,H,N]; initial_state [B,H,dk,dv] F32; cu_seqlens [S+1] I64; and the metadata
scale and layout (bhnd or bnhd). OUT.safetensors gets o and final_state (F32). Instead of IN, .npy files may be given.
q, k and v have one dtype, which o has too; --dtype converts them first. On failure no file is written or changed.

  leet run in.safetensors --out out.safetensors --method flash
  leet run --q q.npy --k k.npy --v v.npy --decay decay.npy --out o.npy --final-state-out state.npy`;

/** The command. */
export const runCommand: Command = {
  summary: "compute the operator on tensors in files",
  usage: "run IN.safetensors --out OUT.safetensors [options]",
  description,
  options,
  positionals: 1,
  run,
};

async function run(args: Arguments, output: Output): Promise<number> {
  const { values } = args;
  const plan = planOutputs(values);
  const method = readMethod(values.method);
  const device = readDevice(values.device);
  const threads = integerOption(values, "threads");
  const inputs = readInputs(args);
  checkOutputs(plan, inputs.dtype);
  if (device !== "reference") await openLibrary();
  const begin = performance.now();
  const result = compute(inputs, { method, device, threads });
  const ms = Number((performance.now() - begin).toFixed(3));
  const { o, finalState } = result;
  writeOutputs(plan, o, finalState!, { layout: inputs.layout, method: result.method, device: result.device });
  const shape = shapeOf(inputs);
  const { dtype, layout, scale } = inputs;
  if (values.json !== undefined) {
    const decay = (["decay", "logDecay", "logGates"] as const).find((form) =>
      inputs.options[form] !== undefined
    );
    const { method, device } = result;
    const report = { method, device, dtype, shape, layout, decay: decay ?? "none", scale, ms, out: plan.out };
    output.out(
      JSON.stringify(plan.finalState === undefined ? report : { ...report, finalStateOut: plan.finalState }),
    );
  } else {
    const sizes = Object.entries(shape).map(([name, size]) => `${name}=${size}`).join(" ");
    output.out(`${result.method} on ${result.device}, ${dtype} ${layout}, ${sizes}: ${formatNumber(ms)} ms`);
    output.out(
      `wrote ${[plan.out, ...(plan.finalState === undefined ? [] : [plan.finalState])].join(" and ")}`,
    );
  }
  return 0;
}

function compute(inputs: Inputs, settings: { method: string; device: string; threads?: number }) {
  const { q, k, v, options, relabel } = inputs;
  try {
    return linearAttention(q, k, v, { ...options, ...settings, outputFinalState: true });
  } catch (error) {
    throw error instanceof LeetError ? relabel(error) : error;
  }
}

function readMethod(name = "auto"): string {
  const known = ["auto", ...methods().map((method) => method.name)];
  if (known.includes(name)) return name;
  throw usageError(`--method: expected ${known.join(", ")}, got ${show(name)}${didYouMean(name, known)}`);
}

/**
 * Checks the name of a device.
 * @throws LeetError USAGE
 */
export function readDevice(name = "auto"): string {
  try {
    parseDevice(name);
    return name;
  } catch (error) {
    throw error instanceof LeetError ? usageError(`--${error.message}`) : error;
  }
}

/** B, H, Hkv, N, dk, dv, and S of a ragged batch. */
function shapeOf({ q, k, v, layout, options }: Inputs): Record<string, number> {
  const [heads, time] = layout === "bhnd" ? [1, 2] : [2, 1];
  const shape = {
    B: q.shape[0],
    H: q.shape[heads],
    Hkv: k.shape[heads],
    N: q.shape[time],
    dk: q.shape[3],
    dv: v.shape[3],
  };
  return options.cuSeqlens === undefined ? shape : { ...shape, S: options.cuSeqlens.length - 1 };
}
