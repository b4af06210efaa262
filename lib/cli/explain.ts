/** `leet explain`: what a shape costs with every method, and which one `auto` takes. @module */

import { openLibrary } from "../devices.ts";
import { DTYPES } from "../dtype.ts";
import { show } from "../errors.ts";
import { explain, type Explanation, type MethodCost, type ProblemShape } from "../explain.ts";
import type { DecayForm } from "../decay_form.ts";
import type { DType } from "../types.ts";
import { type Arguments, didYouMean, integerOption, usageError } from "./args.ts";
import type { Command, Output } from "./command.ts";
import { readDevice } from "./run.ts";
import { formatBytes, formatCount, formatNumber, formatTable } from "./table.ts";

const SIZES = ["B", "H", "Hkv", "N", "dk", "dv", "S"] as const;

/** Decay forms by the names of the options of `leet run`. */
export const DECAYS: Readonly<Record<string, DecayForm>> = {
  none: "none",
  decay: "decay",
  "log-decay": "logDecay",
  "log-gates": "logGates",
};

/** The command. */
export const explainCommand: Command = {
  summary: "show what each method costs for a shape, and what auto picks",
  usage: "explain SHAPE [options]",
  description:
    `SHAPE is a list such as B=1,H=32,N=2048,dk=128,dv=128. N and dk are required; B and H are 1, Hkv is H, dv is dk
when left out; S sequences make a ragged batch. Nothing is computed: times are predicted by the cost model.`,
  options: {
    dtype: { value: "T", help: `${DTYPES.join(", ")}; default f32`, choices: DTYPES },
    decay: {
      value: "FORM",
      help: `${Object.keys(DECAYS).join(", ")}; default decay`,
      choices: Object.keys(DECAYS),
    },
    device: { value: "D", help: "auto (default), cpu, cuda, cuda:N or reference" },
    "device-tensors": { help: "the arrays are on the CUDA device: no copies over the bus" },
    threads: { value: "n", help: "CPU threads at most; default one per processor" },
    json: { help: "print one JSON object" },
  },
  positionals: 1,
  run,
};

async function run({ positionals, values }: Arguments, output: Output): Promise<number> {
  if (positionals.length === 0) throw usageError("expected SHAPE, such as B=1,H=32,N=2048,dk=128,dv=128");
  const device = readDevice(values.device);
  const shape: ProblemShape = {
    ...readShape(positionals[0]),
    dtype: values.dtype as DType | undefined,
    decayForm: DECAYS[values.decay ?? "decay"],
    threads: integerOption(values, "threads"),
    device,
    deviceTensors: values["device-tensors"] !== undefined,
  };
  if (device !== "reference") await openLibrary();
  const explanation = explain(shape);
  if (values.json !== undefined) {
    const asked = { ...shape, device: undefined, deviceTensors: undefined };
    output.out(JSON.stringify({ shape: asked, ...explanation }));
  } else output.out(describe(shape, explanation));
  return 0;
}

function readShape(text: string): Pick<ProblemShape, (typeof SIZES)[number]> {
  const sizes: Partial<Record<(typeof SIZES)[number], number>> = {};
  for (const part of text.split(",")) {
    const [, name, digits] = /^\s*(\w+)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    if (name === undefined) throw usageError(`SHAPE: expected NAME=SIZE, got ${show(part)}`);
    const known = SIZES.find((size) => size === name);
    if (known === undefined) {
      throw usageError(
        `SHAPE: expected a name out of ${SIZES.join(", ")}, got ${show(name)}${didYouMean(name, SIZES)}`,
      );
    }
    if (sizes[known] !== undefined) throw usageError(`SHAPE: ${known} given twice`);
    sizes[known] = Number(digits);
  }
  const { N, dk } = sizes;
  if (N === undefined || dk === undefined) throw usageError(`SHAPE: expected N and dk, got ${show(text)}`);
  return { B: 1, H: 1, ...sizes, N, dk };
}

function describe(shape: ProblemShape, { device, methods, chosen, reason, h100 }: Explanation): string {
  const { Hkv = shape.H, dv = shape.dk, S, dtype = "f32", decayForm } = shape;
  const sizes = Object.entries({
    B: shape.B,
    H: shape.H,
    Hkv,
    N: shape.N,
    dk: shape.dk,
    dv,
    ...(S ? { S } : {}),
  });
  const time = (cost?: MethodCost): string => cost ? `${formatNumber(cost.seconds * 1e3)} ms` : "";
  const rows = methods.toSorted((a, b) => a.seconds - b.seconds).map((cost) => [
    cost.method,
    formatCount(cost.flops),
    formatBytes(cost.bytes),
    formatBytes(cost.memory),
    time(cost),
    ...(h100 ? [time(h100.find(({ method }) => method === cost.method))] : []),
    cost.method === chosen ? "<- auto" : "",
  ]);
  const model = h100 ? ["H100, MODELLED"] : [];
  const right = ["FLOP", "TRAFFIC", "SCRATCH", "PREDICTED", ...model].map((title) => ({
    title,
    right: true,
  }));
  return [
    `${
      sizes.map(([name, size]) => `${name}=${size}`).join(" ")
    }, ${dtype}, decay form ${decayForm}, device ${device}`,
    "",
    formatTable([{ title: "METHOD" }, ...right, { title: "" }], rows),
    "",
    `auto picks ${chosen}: ${reason}`,
  ].join("\n");
}
