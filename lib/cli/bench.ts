/** `leet bench`: checks methods and measures them beside each other. @module */
import { combine, type Config } from "../bench/config.ts";
import { builtinContestant, type Contestant } from "../bench/contestant.ts";
import { watchMachine } from "../bench/machine.ts";
import { availableMemory } from "../bench/memory.ts";
import { makePlan, type PlanSettings } from "../bench/plan.ts";
import { loadPeers } from "../bench/peers/peers.ts";
import { stderrProgress } from "../bench/progress.ts";
import { reportPage } from "../bench/report/page.ts";
import { type BenchReport, toCsv } from "../bench/result.ts";
import { runPlan } from "../bench/run.ts";
import { describeMachine, describeRound, describeSweep, LEGEND } from "../bench/text.ts";
import { loadScript, loadSymbol, type UserMethod } from "../bench/user.ts";
import { devices, openLibrary } from "../devices.ts";
import { DTYPES } from "../dtype.ts";
import { LeetError, show } from "../errors.ts";
import { writeFiles } from "../io/files.ts";
import { MAX_THREADS } from "../problem.ts";
import { methods } from "../register.ts";
import type { DType } from "../types.ts";
import { type Arguments, didYouMean, type OptionTable, usageError } from "./args.ts";
import type { Command, Output } from "./command.ts";
import { DECAYS } from "./explain.ts";
import { readDevice } from "./run.ts";
import { oneLine } from "./table.ts";

const LENGTHS = "128,512,2048,8192,12800,25600,100000";

const options: OptionTable = {
  methods: {
    value: "LIST",
    help: "of `leet methods`, and auto; default all but auto; none for only those below",
  },
  lengths: { value: "LIST", help: `tokens N; default ${LENGTHS}` },
  batch: { value: "LIST", help: "B; default 1" },
  heads: { value: "LIST", help: "query heads H; default 32" },
  "kv-heads": { value: "LIST", help: "key/value heads Hkv; default H" },
  dk: { value: "LIST", help: "key dimension; default 128" },
  dv: { value: "LIST", help: "value dimension; default dk" },
  dtype: { value: "LIST", help: `${DTYPES.join(", ")}; default f32` },
  decay: { value: "LIST", help: `forms: ${Object.keys(DECAYS).join(", ")}; default decay` },
  device: { value: "LIST", help: "cpu (default), cuda, cuda:N, reference" },
  threads: { value: "LIST", help: "CPU threads; default one per processor" },
  warmup: { value: "n", help: "untimed calls after the checked one; default 1" },
  repeats: { value: "n", help: "timed repetitions; default 5" },
  budget: { value: "SECONDS", help: "what does not fit is left out, and named; default 120" },
  method: {
    value: "FILE.ts,...",
    help: "modules that export name and run; checked on a sweep of shapes first",
  },
  "method-so": { value: "FILE:SYMBOL,...", help: "C functions like leet_forward; checked in the same way" },
  peers: { help: "also ONNX Runtime and ggml, where their packages are installed" },
  json: { help: "print one JSON object { machine, results } instead of tables" },
  csv: { help: "print CSV instead of tables" },
  report: { value: "OUT.html", help: "write a page with plots that needs no other file" },
};

const description =
  `Checks every method against a float64 recurrence and times the right ones in turns. LIST is values with commas;
every combination is measured. Long shapes are checked on a sample of heads and tokens, which each result names, and
everywhere for elements that are not numbers. On cuda the arrays are in host memory, so copies are part of the time.

  leet bench --lengths 512,2048 --heads 8 --report bench.html
  leet bench --methods flash,recurrent --method ./mine.ts
  leet bench --methods flash --method-so ./libmine.so:mine_forward --json

mine.ts exports name, a string, and run({ N, dk, dv, scale, q, k, v, decay, state, o }), which computes one head on
dense Float32Arrays: it reads q, k [N,dk], v [N,dv], decay [N] and state [dk,dv], writes o [N,dv], and leaves the
last state in state. mine_forward has the signature of leet_forward in leet.h; its arrays are dense [B,H,N,d] and
cu_seqlens is NULL; it returns 0, or a status of leet.h, of which 2xxx says that it does not support a call.

In Deno: --allow-ffi and --allow-read; --allow-env to find a library by LEET_LIB; --allow-write=OUT.html for --report.
Memory growth is measured where /proc/self may be read and written (-A).

JSON and CSV have for each result: method, device, dtype, B, H, Hkv, N, dk, dv, threads, median_ms, min_ms,
peak_bytes, error (null when all is well); and outcome, decay, used, origin, repeats, peak_source, rss_growth_bytes,
flops, traffic_bytes, rel_error, error_ratio, checked. Exit code 1 when a method is wrong or fails.`;

/** The command. */
export const benchCommand: Command = {
  summary: "check methods, yours too, and measure them beside each other",
  usage: "bench [options]",
  description,
  options,
  positionals: 0,
  run,
};

/** Values with commas between them, none empty or given twice. */
function listOf(values: Arguments["values"], name: string, fallback: string): string[] {
  const list = (values[name] ?? fallback).split(",").map((item) => item.trim()).filter((item) => item !== "");
  const twice = list.find((item, i) => list.indexOf(item) !== i);
  if (twice !== undefined) throw usageError(`--${name}: ${show(twice)} is given twice`);
  if (list.length === 0 && fallback !== "") throw usageError(`--${name}: expected a value`);
  return list;
}

function integers(
  values: Arguments["values"],
  name: string,
  fallback: string,
  least = 1,
  most = 2 ** 31,
): number[] {
  return listOf(values, name, fallback).map((text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw usageError(`--${name}: expected integers from ${least} to ${most}, got ${show(text)}`);
    }
    return value;
  });
}

function words<T extends string>(
  values: Arguments["values"],
  name: string,
  fallback: string,
  known: readonly T[],
): T[] {
  return listOf(values, name, fallback).map((word) => {
    if ((known as readonly string[]).includes(word)) return word as T;
    throw usageError(`--${name}: expected ${known.join(", ")}, got ${show(word)}${didYouMean(word, known)}`);
  });
}

function single(values: Arguments["values"], name: string, fallback: number, least: number): number {
  const list = integers(values, name, String(fallback), least);
  if (list.length !== 1) throw usageError(`--${name}: expected one value, got ${list.length}`);
  return list[0];
}

/** `auto` is the CPU, `cuda` is cuda:0: results name the device that ran. */
function readDevices(values: Arguments["values"]): string[] {
  const names = listOf(values, "device", "cpu").map((name) => {
    readDevice(name);
    return name === "auto" ? "cpu" : name === "cuda" ? "cuda:0" : name;
  });
  return [...new Set(names)];
}

function readConfigs(values: Arguments["values"], processors: number): Config[] {
  const configs = combine({
    device: readDevices(values),
    dtype: words<DType>(values, "dtype", "f32", DTYPES),
    decay: words(values, "decay", "decay", Object.keys(DECAYS)).map((name) => DECAYS[name]),
    B: integers(values, "batch", "1"),
    H: integers(values, "heads", "32"),
    Hkv: integers(values, "kv-heads", ""),
    dk: integers(values, "dk", "128"),
    dv: integers(values, "dv", ""),
    N: integers(values, "lengths", LENGTHS).sort((a, b) => a - b),
    threads: integers(values, "threads", String(processors), 1, MAX_THREADS),
  });
  if (configs.length === 0) throw usageError("--kv-heads: expected divisors of --heads");
  return configs;
}

async function loadUserMethods(
  values: Arguments["values"],
  configs: readonly Config[],
): Promise<UserMethod[]> {
  const settings = {
    dtypes: [...new Set(configs.map(({ dtype }) => dtype))],
    threads: Math.max(...configs.map(({ threads }) => threads)),
  };
  const loaded: UserMethod[] = [];
  try {
    for (const path of listOf(values, "method", "")) loaded.push(await loadScript(path, settings));
    for (const spec of listOf(values, "method-so", "")) loaded.push(await loadSymbol(spec, settings));
  } catch (error) {
    for (const { close } of loaded) close();
    throw error;
  }
  return loaded;
}

function builtins(values: Arguments["values"]): Contestant[] {
  const known = methods().filter(({ builtin }) => builtin).map(({ name }) => name);
  const names = words(values, "methods", known.join(","), [...known, "auto", "none"]);
  if (names.includes("none") && names.length > 1) throw usageError("--methods: none goes with no other");
  return names.filter((name) => name !== "none").map(builtinContestant);
}

/** A part of what is free: the runtime needs some for itself. */
const MEMORY_PART = 0.7;

async function run({ values }: Arguments, output: Output): Promise<number> {
  if (values.json !== undefined && values.csv !== undefined) throw usageError("--csv: not beside --json");
  const ours = builtins(values);
  const warmup = single(values, "warmup", 1, 0), repeats = single(values, "repeats", 5, 1);
  const budget = single(values, "budget", 120, 1);
  readConfigs(values, 1);
  await openLibrary();
  const configs = readConfigs(values, devices().find(({ name }) => name === "cpu")!.units);
  const quiet = values.json !== undefined || values.csv !== undefined;
  const print = (text: string): void =>
    quiet ? undefined : text.split("\n").forEach((line) => output.out(line));
  const users = await loadUserMethods(values, configs);
  const progress = stderrProgress();
  try {
    for (const user of users) print(describeSweep(user));
    const peers = values.peers === undefined ? [] : loadPeers();
    const contestants = [...ours, ...users.map(({ contestant }) => contestant), ...peers];
    if (contestants.length === 0) {
      throw usageError("--methods: none, and no --method, --method-so or --peers");
    }
    const free = availableMemory();
    const memory = free === null ? null : free * MEMORY_PART;
    const settings: PlanSettings = { configs, contestants, warmup, repeats, budget, memory };
    const watch = await watchMachine(Math.max(...configs.map(({ threads }) => threads)));
    const results = await runPlan(makePlan(settings), settings, watch, {
      progress: (part, doing) => progress.show(part, doing),
      round(config, results) {
        progress.clear();
        print(`\n${describeRound(config, results)}`);
      },
    });
    const machine = watch.report(results.map(({ device }) => device));
    print(`\n${LEGEND}\n\n${describeMachine(machine)}`);
    finish({ machine, results }, values, output, print);
    return failIfWrong(results);
  } finally {
    progress.clear();
    for (const { close } of users) close();
  }
}

function finish(
  report: BenchReport,
  values: Arguments["values"],
  output: Output,
  print: (text: string) => void,
): void {
  if (values.json !== undefined) output.out(JSON.stringify(report));
  if (values.csv !== undefined) output.out(toCsv(report.results));
  if (values.report === undefined) return;
  const page = reportPage(report, commandOf(values));
  writeFiles([{ path: values.report, bytes: new TextEncoder().encode(page) }]);
  print(`wrote ${values.report}`);
}

/** The command line that these options make, as a shell takes it. */
function commandOf(values: Arguments["values"]): string {
  const quote = (text: string): string =>
    /^[\w./:,=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  const given = Object.entries(values).map(([name, value]) =>
    value === "" ? `--${name}` : `--${name} ${quote(value!)}`
  );
  return ["leet bench", ...given].join(" ");
}

function failIfWrong(results: BenchReport["results"]): number {
  const bad = results.filter(({ outcome }) => outcome === "wrong" || outcome === "failed");
  if (bad.length === 0) return 0;
  const names = [...new Set(bad.map(({ method }) => method))];
  throw new LeetError(
    "INVALID_METHOD",
    oneLine(`${names.join(", ")}: ${bad[0].outcome === "wrong" ? "wrong" : "failed"}: ${bad[0].error}`),
  );
}
