/**
 * The first command of a newcomer: builds the library, runs the operator on activations of a trained network with every
 * method under Bun and under Deno, and compares with the output that a float64 computation stored in the file.
 * @module
 */
import process from "node:process";
import { linearAttention } from "../lib/attention.ts";
import { LeetError } from "../lib/errors.ts";
import { formatNumber, formatTable, oneLine } from "../lib/cli/table.ts";
import { readSafetensorsFile } from "../lib/io/files.ts";
import { makeProblem } from "../lib/problem.ts";
import { methods } from "../lib/register.ts";
import { Tensor } from "../lib/tensor.ts";
import type { AttentionOptions } from "../lib/types.ts";
import { compare, oracle, type Verdict } from "../lib/verify.ts";
import { build } from "./build.ts";
import { ROOT, run, tool } from "./shell.ts";

const FILE = "tests/data/retnet-layer1.safetensors";
const DEVICES = ["cpu", "reference"] as const;

/** Repetitions: at least this many, and more as long as they take less than the time. */
const REPETITIONS = 3, MOST_REPETITIONS = 25, ENOUGH_MS = 150;

/** One line of the table. */
interface Row {
  device: string;
  method: string;
  /** The cells behind it: time, errors, verdict. */
  cells: string[];
  ok: boolean;
}

interface Runtime {
  name: string;
  command: string;
  args: string[];
}

/** Deno gets no more permissions than it needs. */
const RUNTIMES: readonly Runtime[] = [
  { name: "Bun", command: tool("bun"), args: [] },
  {
    name: "Deno",
    command: tool("deno"),
    args: ["run", "--no-prompt", `--allow-read=${ROOT}`, `--allow-ffi=${ROOT}build/libleet.so`],
  },
];

/** Runs every method in this runtime. */
function measure(): Row[] {
  const { tensors, metadata } = readSafetensorsFile(ROOT + FILE);
  const load = (name: string): Tensor => {
    const { data, shape } = tensors.get(name)!;
    return new Tensor(data as Float32Array, shape);
  };
  const [q, k, v, o, finalState] = ["q", "k", "v", "o", "final_state"].map(load);
  const options: AttentionOptions = {
    decay: tensors.get("decay")!.data as Float32Array,
    scale: Number(metadata.scale),
    outputFinalState: true,
  };
  const problem = makeProblem(q, k, v, options);
  const stored = {
    ...oracle(problem),
    o: Float64Array.from(o.toFloat32()),
    finalState: Float64Array.from(finalState.toFloat32()),
  };
  return DEVICES.flatMap((device) =>
    methods().map(({ name: method }) => {
      const call = () => linearAttention(q, k, v, { ...options, device, method });
      try {
        const { ok, o, finalState } = compare(call(), problem, stored);
        const errors = [o, finalState!].flatMap(errorCells);
        return { device, method, ok, cells: [medianTime(call).toFixed(2), ...errors, ok ? "ok" : "FAIL"] };
      } catch (error) {
        if (!(error instanceof LeetError)) throw error;
        return { device, method, ok: false, cells: ["", "", "", "", "", oneLine(`FAIL: ${error.message}`)] };
      }
    })
  );
}

function errorCells({ maxRatio, relError }: Verdict): string[] {
  return [formatNumber(maxRatio), formatNumber(relError)];
}

function medianTime(call: () => unknown): number {
  const times: number[] = [];
  const begin = performance.now();
  while (
    times.length < REPETITIONS || (times.length < MOST_REPETITIONS && performance.now() - begin < ENOUGH_MS)
  ) {
    const start = performance.now();
    call();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** The rows of one runtime, in a process of its own. */
function measureIn({ name, command, args }: Runtime): Row[] {
  const { ok, output } = run(command, [...args, "scripts/demo.ts", "--measure"]);
  if (!ok) throw new Error(`${name} failed: ${output}`);
  return JSON.parse(output);
}

function demo(): number {
  build();
  console.log(`
Causal linear attention with decay, as in a retention network: every token t adds k_t v_t^T to a state that fades by a
factor a per token, and reads it:  S_t = a S_(t-1) + k_t v_t^T,  o_t = scale q_t^T S_t.  Here on q, k, v of one layer of a
trained network reading 600 tokens (3 heads, dk=64, dv=128, f32), compared with a float64 result stored in the file.
`);
  const results = RUNTIMES.map((runtime) => ({ runtime, rows: measureIn(runtime) }));
  const right = ["ms", "o ERR/LIMIT", "o REL ERR", "state ERR/LIMIT", "state REL ERR"];
  console.log(formatTable(
    [
      ...["RUNTIME", "DEVICE", "METHOD"].map((title) => ({ title })),
      ...right.map((title) => ({ title, right: true })),
      { title: "" },
    ],
    results.flatMap(({ runtime, rows }) =>
      rows.map(({ device, method, cells }) => [runtime.name, device, method, ...cells])
    ),
  ));
  const all = results.flatMap(({ rows }) => rows);
  const failed = all.filter(({ ok }) => !ok).length;
  console.log(`
ms: median. ERR/LIMIT: largest error, 1 = all that float32 rounding may cause. REL ERR: ||o - stored|| / ||stored||.`);
  console.log(
    failed === 0
      ? `All ${all.length} results are right. Next: \`npm test\` proves it on thousands of cases, ` +
        "`npm run --silent leet -- --help` computes on your own tensors."
      : `${failed} of ${all.length} FAILED.`,
  );
  return failed === 0 ? 0 : 1;
}

if (process.argv.includes("--measure")) {
  console.log(JSON.stringify(measure()));
} else {
  try {
    process.exitCode = demo();
  } catch (error) {
    console.error(`demo: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
