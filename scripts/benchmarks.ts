/**
 * Measures how cost grows with every size, whether `auto` chooses well, and what other libraries take, and writes
 * docs/benchmarks.md with its drawings. On an idle machine it takes some ten minutes; `--quick` is a rehearsal of one.
 *
 *     bun scripts/benchmarks.ts [--quick] [--out docs]
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { combine, type Config, type ConfigLists, describeConfig } from "../lib/bench/config.ts";
import { builtinContestant, type Contestant, explanationOf } from "../lib/bench/contestant.ts";
import { type MachineWatch, watchMachine } from "../lib/bench/machine.ts";
import { availableMemory } from "../lib/bench/memory.ts";
import { loadPeers } from "../lib/bench/peers/peers.ts";
import { makePlan } from "../lib/bench/plan.ts";
import { WIDE } from "../lib/bench/report/frame.ts";
import { groupsOf } from "../lib/bench/report/groups.ts";
import { plotsOf } from "../lib/bench/report/plots.ts";
import { formatCountShort } from "../lib/bench/report/scale.ts";
import { standalone } from "../lib/bench/report/style.ts";
import type { Result } from "../lib/bench/result.ts";
import { runPlan } from "../lib/bench/run.ts";
import { describeMachine } from "../lib/bench/text.ts";
import { formatNumber } from "../lib/cli/table.ts";
import { devices, LeetError, methods, openLibrary } from "../lib/mod.ts";
import { ROOT, run, tool } from "./shell.ts";

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, out: { type: "string", default: `${ROOT}docs` } },
});
const quick = options.quick;
const pick = <T>(full: T, rehearsal: T): T => quick ? rehearsal : full;

const METHODS = methods().map(({ name }) => name);

/** What is not varied. */
const BASE = { device: ["cpu"], dtype: ["f32"], decay: ["decay"], Hkv: [], dv: [] } as const;

/** One size varied, with a name for its files. */
interface Section {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly lists: Omit<ConfigLists, keyof typeof BASE>;
  readonly budget: number;
  /** The plots to write, by their ids. */
  readonly plots: readonly string[];
}

function sections(processors: number): Section[] {
  const threads = [processors];
  const base = { B: [1], H: [pick(32, 4)], N: [pick(2048, 256)], dk: [pick(128, 32)], threads };
  const upTo = (most: number): number[] =>
    Array.from({ length: Math.floor(Math.log2(most)) + 1 }, (_, i) => 2 ** i);
  return [
    {
      id: "length",
      title: "Sequence length",
      text: "All methods but vanilla grow linearly; vanilla grows with the square.",
      lists: { ...base, N: pick([128, 512, 2048, 8192, 12800, 25600, 100000], [64, 256, 1024]) },
      budget: pick(200, 10),
      plots: ["time", "memory", "throughput", "roofline"],
    },
    {
      id: "dim",
      title: "Head dimension",
      text: "dv = dk. The work of a token grows with the square of it.",
      lists: { ...base, dk: pick([16, 32, 64, 128, 256], [8, 16, 32]) },
      budget: pick(60, 10),
      plots: ["time"],
    },
    {
      id: "heads",
      title: "Heads",
      text:
        "With fewer heads than threads, methods that also split the columns or the sequence keep all threads busy.",
      lists: { ...base, H: pick([1, 2, 4, 8, 16, 32, 64], [1, 2, 4]) },
      budget: pick(60, 10),
      plots: ["time"],
    },
    {
      id: "batch",
      title: "Batch",
      text: "A batch row is as good as a set of heads.",
      lists: { ...base, H: [pick(8, 2)], N: [pick(512, 128)], B: pick(upTo(64), [1, 2, 4]) },
      budget: pick(45, 10),
      plots: ["time"],
    },
    {
      id: "threads",
      title: "Threads",
      text: "Results have the same bits for every number of threads.",
      lists: { ...base, threads: [...new Set([...upTo(processors), processors])] },
      budget: pick(30, 10),
      plots: ["time"],
    },
  ];
}

/** Shapes on which the choice of `auto` is checked: small and large in every size, and the 16-bit types. */
function gridConfigs(): Config[] {
  const lists = {
    ...BASE,
    B: [1, 4],
    H: [1, 8],
    N: pick([1, 16, 64, 256, 1024, 4096], [1, 64]),
    threads: [1, 2],
  };
  const dims: [number, number][] = pick([[32, 32], [64, 64], [64, 128], [128, 128]], [[32, 32]]);
  return [
    ...dims.flatMap(([dk, dv]) => combine({ ...lists, dk: [dk], dv: [dv] })),
    ...combine({ ...lists, B: [1], H: [8], N: pick([64, 1024], [64]), dk: [128], dtype: ["f16", "bf16"] }),
    ...combine({
      ...lists,
      B: [1],
      H: [8],
      N: pick([64, 1024], [64]),
      dk: [128],
      decay: ["none", "logGates"],
    }),
  ];
}

/** Methods that the cost model takes for this many times slower than the best are not measured on the grid. */
const HOPELESS = 6;
/** What `auto` may be slower than the best. */
const ALLOWED = 1.1;

/** One shape of the grid: what auto chose, and what was best. */
interface Choice {
  readonly config: Config;
  readonly chosen: string;
  readonly best: string;
  readonly ratio: number;
  readonly times: string;
}

let watch: MachineWatch;

/** Measures; what is in `contestants` but not on time is left out. */
function measure(
  configs: readonly Config[],
  contestants: readonly Contestant[],
  repeats: number,
  budget: number,
): Promise<Result[]> {
  const memory = availableMemory();
  const settings = {
    configs,
    contestants,
    warmup: 1,
    repeats,
    budget,
    memory: memory === null ? null : memory * 0.7,
  };
  return runPlan(makePlan(settings), settings, watch, {
    progress: () => undefined,
    round: (config, results) => {
      const timed = results.filter(({ median_ms }) => median_ms !== null).length;
      console.log(`${describeConfig(config)}: ${timed} of ${results.length} timed`);
      for (const { method, outcome, error } of results) {
        if (outcome === "wrong" || outcome === "failed") throw new Error(`${method}: ${error}`);
      }
    },
  });
}

async function choiceOn(config: Config, repeats: number): Promise<Choice> {
  const { chosen, methods } = explanationOf(config);
  const least = Math.min(...methods.map(({ seconds }) => seconds));
  const names = methods.filter(({ method, seconds }) => method === chosen || seconds <= HOPELESS * least).map(
    ({ method }) => method,
  );
  const results = (await measure([config], names.map(builtinContestant), repeats, 60))
    .filter(({ median_ms }) => median_ms !== null)
    .sort((a, b) => a.median_ms! - b.median_ms!);
  const own = results.find(({ method }) => method === chosen)!;
  const times = results.slice(0, 3).map(({ method, median_ms }) => `${method} ${formatNumber(median_ms!)} ms`)
    .join(", ");
  return { config, chosen, best: results[0].method, ratio: own.median_ms! / results[0].median_ms!, times };
}

/** Checks `auto` on the grid. A shape where it seems off is measured again, longer, before it counts. */
async function checkAuto(): Promise<Choice[]> {
  const choices: Choice[] = [];
  for (const config of gridConfigs()) {
    let choice = await choiceOn(config, 7);
    for (const repeats of [15, 31]) if (choice.ratio > ALLOWED) choice = await choiceOn(config, repeats);
    choices.push(choice);
  }
  return choices;
}

/** Rows of methods, columns of sizes, cells of milliseconds; the best of a column in bold. */
function timeTable(results: readonly Result[]): string {
  const [group] = groupsOf(results);
  const { varied, values, series } = group;
  const ms = (i: number, value: number): number | null =>
    series[i].results.find((result) => result[varied] === value)?.median_ms ?? null;
  const best = values.map((value) => Math.min(...series.map((_, i) => ms(i, value) ?? Infinity)));
  const rows = series.map(({ name }, i) => {
    const cells = values.map((value, v) => {
      const time = ms(i, value);
      if (time === null) return "";
      return time === best[v] ? `**${formatNumber(time)}**` : formatNumber(time);
    });
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return [
    `| ms | ${values.map((value) => `${varied}=${formatCountShort(value)}`).join(" | ")} |`,
    `| --- | ${values.map(() => "---:").join(" | ")} |`,
    ...rows,
  ].join("\n");
}

/** Why cells are empty. */
function leftOutText(results: readonly Result[]): string {
  const left = results.filter(({ error }) => error !== null);
  return left.length === 0
    ? ""
    : `\nEmpty cells: ${
      left.map(({ method, N, error }) => `${method} at N=${N} was ${error}`).join("; ")
    }.\n`;
}

function writeSection({ id, title, text, plots }: Section, results: readonly Result[]): string {
  const machine = watch.report([]);
  const [group] = groupsOf(results);
  const drawn = plotsOf(group, machine).filter((plot) => plots.includes(plot.id)).map((plot) => {
    const name = `benchmarks/${id}-${plot.id}.svg`;
    writeFileSync(`${options.out}/${name}`, `${standalone(plot.draw(WIDE))}\n`);
    return `### ${plot.heading}\n\n![${plot.heading}](${name})\n\n${plot.caption}`;
  });
  return `## ${title}\n\n${text} Here ${group.title}.\n\n${timeTable(results)}\n${leftOutText(results)}\n${
    drawn.join("\n\n")
  }\n`;
}

function writeAuto(choices: readonly Choice[]): string {
  const off = choices.filter(({ ratio }) => !(ratio <= ALLOWED));
  const worst = Math.max(...choices.map(({ ratio }) => ratio));
  const mean = Math.exp(choices.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / choices.length);
  const rows = off.map(({ config, chosen, ratio, times }) =>
    `| ${describeConfig(config)} | ${chosen} | ${ratio.toFixed(2)} | ${times} |`
  );
  const table = off.length === 0
    ? ""
    : ["| shape | auto | auto / best | fastest |", "| --- | --- | ---: | --- |", ...rows].join("\n");
  return `## What auto chooses

On ${choices.length} shapes auto's choice was within ${ALLOWED} times the best measured method on ${
    choices.length - off.length
  }; the worst is
${worst.toFixed(2)} times, the geometric mean ${
    mean.toFixed(3)
  } times. Methods that the cost model takes for ${HOPELESS} times slower than the best
were not measured; a shape that seemed off was measured again, longer.

${table}
`;
}

async function writePeers(processors: number): Promise<string> {
  let peers: Contestant[];
  try {
    peers = loadPeers();
  } catch (error) {
    if (!(error instanceof LeetError)) throw error;
    console.log(error.message);
    return "## Other libraries\n\nNot measured in this run: their packages were not installed.\n";
  }
  const configs = combine({
    ...BASE,
    B: [1],
    H: [pick(32, 4)],
    N: pick([128, 512, 2048, 8192], [64, 256]),
    dk: [pick(128, 32)],
    threads: [processors],
  });
  const contestants = ["flash", "recurrent"].map(builtinContestant);
  const results = await measure(configs, [...contestants, ...peers], 9, pick(120, 20));
  const flash = (N: number): number =>
    results.find((result) => result.method === "flash" && result.N === N)!.median_ms!;
  const ratios = results.filter(({ origin, median_ms }) => origin === "peer" && median_ms !== null)
    .map(({ method, N, median_ms }) => `${method} / flash at N=${N}: ${(median_ms! / flash(N)).toFixed(1)}`);
  console.log(ratios.join("\n"));
  const section: Section = {
    id: "peers",
    title: "Other libraries",
    text:
      `ONNX Runtime's com.microsoft.LinearAttention (onnxruntime-node) and ggml's ggml_gated_linear_attn (@node-llama-cpp/linux-x64),
same inputs, same threads, in turns, and checked against the same float64 results. ${ratios.join("; ")}.`,
    lists: { B: [], H: [], N: [], dk: [], threads: [] },
    budget: 0,
    plots: ["time"],
  };
  return writeSection(section, results);
}

async function main(): Promise<void> {
  const start = performance.now();
  await openLibrary();
  const processors = devices().find(({ name }) => name === "cpu")!.units;
  watch = await watchMachine(processors);
  mkdirSync(`${options.out}/benchmarks`, { recursive: true });
  const parts: string[] = [];
  for (const section of sections(processors)) {
    const configs = combine({ ...BASE, ...section.lists });
    parts.push(
      writeSection(
        section,
        await measure(configs, METHODS.map(builtinContestant), pick(7, 3), section.budget),
      ),
    );
  }
  parts.push(await writePeers(processors));
  const choices = await checkAuto();
  const seconds = (performance.now() - start) / 1000;
  const machine = watch.report([]);
  const path = `${options.out}/benchmarks.md`;
  writeFileSync(
    path,
    `# Benchmarks

Written by \`bun scripts/benchmarks.ts${quick ? " --quick" : ""}\` in ${
      formatNumber(seconds)
    } s; run it again on an idle machine. Every method was checked
against a float64 recurrence before it was timed. Times are medians of repetitions in turns, of whole calls from ${machine.runtime}.

${describeMachine(machine)}

${parts.join("\n")}
${writeAuto(choices)}`,
  );
  const formatted = run(tool("deno"), ["fmt", "-q", path]);
  if (!formatted.ok) throw new Error(formatted.output);
  const off = choices.filter(({ ratio }) => !(ratio <= ALLOWED));
  for (const { config, chosen, ratio, times } of off) {
    console.log(`auto off by ${ratio.toFixed(2)}: ${describeConfig(config)}: ${chosen}; ${times}`);
  }
  console.log(
    `auto: ${choices.length - off.length} of ${choices.length} shapes within ${ALLOWED}; ${
      formatNumber(seconds)
    } s`,
  );
}

try {
  await main();
} catch (error) {
  console.error(`benchmarks: ${(error as Error).message}`);
  process.exitCode = 1;
}
