/**
 * Runs a benchmark: for each configuration every contestant is checked, warmed up, and then timed in turns, so that
 * whatever disturbs the machine disturbs all of them.
 * @module
 */
import { LeetError } from "../errors.ts";
import { arraysKey, type Config, describeConfig, usefulFlops } from "./config.ts";
import { type Bout, releaseWorkspace } from "./contestant.ts";
import { type Inputs, makeInputs } from "./inputs.ts";
import { type MachineWatch, median } from "./machine.ts";
import { watchResidentSet } from "./memory.ts";
import { type Entry, FEWEST_REPEATS, fitBudget, type PlanSettings, type Round } from "./plan.ts";
import type { Outcome, Result } from "./result.ts";
import { judgeSample, type Sample, takeSample } from "./sample.ts";

/** What a run tells while it goes on. */
export interface BenchEvents {
  /** Something is about to be done; `part` of the work, from 0 to 1, is done. */
  progress(part: number, doing: string): void;
  /** A configuration is through. */
  round(config: Config, results: readonly Result[]): void;
}

/** Shorter calls are repeated within one sample until they take this long. */
const SAMPLE_MS = 0.5;
const MOST_CALLS = 1000;

/** The arrays of a configuration and what is right for them. */
interface Work {
  readonly key: string;
  readonly inputs: Inputs;
  readonly sample: Sample;
}

/** A contestant that is ready to be timed. */
interface Ready {
  readonly entry: Entry;
  readonly bout: Bout;
  /** Calls in one sample. */
  readonly calls: number;
  readonly repeats: number;
  readonly times: number[];
  /** The result without its times; with an error once a call has failed. */
  result: Result;
}

function emptyResult(config: Config, { contestant, device, prediction }: Entry): Result {
  const { dtype, B, H, Hkv, N, dk, dv, threads, decay } = config;
  return {
    method: contestant.name,
    device,
    dtype,
    B,
    H,
    Hkv,
    N,
    dk,
    dv,
    threads: device === "reference" ? 1 : threads,
    median_ms: null,
    min_ms: null,
    peak_bytes: null,
    error: null,
    outcome: "failed",
    decay,
    used: contestant.chosen?.(config) ?? contestant.name,
    origin: contestant.origin,
    repeats: 0,
    peak_source: null,
    rss_growth_bytes: null,
    flops: prediction.flops ?? usefulFlops(config),
    traffic_bytes: prediction.bytes,
    rel_error: null,
    error_ratio: null,
    checked: null,
  };
}

const failed = (result: Result, outcome: Outcome, error: string): Result => ({ ...result, outcome, error });

function outcomeOf(error: unknown): [outcome: Outcome, message: string] {
  const { code } = error as { code?: string };
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof LeetError)) return ["failed", message];
  if (code!.startsWith("UNSUPPORTED")) return ["unsupported", message];
  return code === "OUT_OF_MEMORY" ? ["left out", `left out: ${message}`] : ["failed", message];
}

async function timeCall(bout: Bout, calls: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    const waiting = bout.call();
    if (waiting) await waiting;
  }
  return (performance.now() - start) / calls;
}

/** Checks a contestant and warms it up; the result where it does not get as far as the timing. */
async function prepare(
  config: Config,
  entry: Entry,
  work: Work,
  { warmup }: PlanSettings,
  secondsLeft: () => number,
): Promise<Ready | Result> {
  let result = emptyResult(config, entry);
  let bout: Bout | undefined;
  try {
    releaseWorkspace();
    bout = await entry.contestant.open(config, work.inputs);
    bout.poison();
    const growth = watchResidentSet();
    const ms = await timeCall(bout, 1);
    const rss = growth();
    const { maxRatio, relError, wrong } = judgeSample(
      config,
      bout.output(),
      work.sample,
      entry.contestant.loose,
    );
    result = {
      ...result,
      ...memoryOf(entry, work, rss),
      error_ratio: maxRatio,
      rel_error: relError,
      checked: work.sample.text,
    };
    if (wrong !== null) {
      bout.close();
      return failed(result, "wrong", wrong);
    }
    const affordable = Math.floor(secondsLeft() / (ms / 1000)) - warmup;
    if (affordable < Math.min(FEWEST_REPEATS, entry.repeats)) {
      bout.close();
      return failed(
        result,
        "left out",
        `left out: the budget is spent; one call took ${(ms / 1000).toPrecision(2)} s`,
      );
    }
    for (let i = 0; i < warmup; i++) await timeCall(bout, 1);
    const calls = Math.max(1, Math.min(MOST_CALLS, Math.ceil(SAMPLE_MS / (await timeCall(bout, 1)))));
    return { entry, bout, calls, repeats: Math.min(entry.repeats, affordable), times: [], result };
  } catch (error) {
    bout?.close();
    return failed(result, ...outcomeOf(error));
  }
}

/** Arrays plus scratch memory: as the library states it, or as the process was seen to grow. */
function memoryOf({ prediction }: Entry, { inputs }: Work, rss: number | null): Partial<Result> {
  const { workspace } = prediction;
  const scratch = workspace ?? rss;
  return {
    rss_growth_bytes: rss,
    peak_bytes: scratch === null ? null : inputs.bytes + scratch,
    peak_source: scratch === null ? null : workspace === null ? "measured" : "stated",
  };
}

/** Times all that are ready, in turns; whoever starts a turn is another one each time. Who fails is out. */
async function timeAll(ready: Ready[]): Promise<void> {
  const turns = Math.max(0, ...ready.map(({ repeats }) => repeats));
  for (let turn = 0; turn < turns; turn++) {
    for (let i = 0; i < ready.length; i++) {
      const one = ready[(i + turn) % ready.length];
      if (turn >= one.repeats || one.result.error !== null) continue;
      try {
        one.times.push(await timeCall(one.bout, one.calls));
        const { restMs } = one.entry.contestant;
        if (restMs) await new Promise((resume) => setTimeout(resume, restMs));
      } catch (error) {
        one.result = failed(one.result, ...outcomeOf(error));
      }
    }
  }
}

/** The results of those that run, in the order of the entries. */
async function runRound(
  { config, entries }: Round,
  work: Work,
  settings: PlanSettings,
  secondsLeft: () => number,
): Promise<Result[]> {
  const all: (Ready | Result)[] = [];
  for (const entry of entries) {
    all.push(
      entry.leftOut === null
        ? await prepare(config, entry, work, settings, secondsLeft)
        : failed(emptyResult(config, entry), entry.outcome, entry.leftOut),
    );
  }
  const ready = all.filter((one) => "bout" in one);
  await timeAll(ready);
  for (const { bout } of ready) bout.close();
  return all.map((one) => {
    if (!("bout" in one)) return one;
    const { times, result } = one;
    if (result.error !== null) return result;
    return {
      ...result,
      outcome: "timed",
      median_ms: median(times),
      min_ms: Math.min(...times),
      repeats: times.length,
    };
  });
}

/** Runs a plan. The arrays of one configuration are kept for the next when it has the same. */
export async function runPlan(
  rounds: readonly Round[],
  settings: PlanSettings,
  watch: MachineWatch,
  events: BenchEvents,
): Promise<Result[]> {
  const begin = performance.now();
  const secondsLeft = (): number => settings.budget - (performance.now() - begin) / 1000;
  const all: Result[] = [];
  let work: Work | null = null;
  for (const [i, round] of rounds.entries()) {
    const { config, entries } = round;
    events.progress(i / rounds.length, describeConfig(config));
    fitBudget(rounds.slice(i), settings, secondsLeft());
    const key = arraysKey(config);
    if (work?.key !== key) {
      work = null; // before the new arrays take their memory
      const started: Work | string = entries.some(({ leftOut }) => leftOut === null) ? makeWork(config) : "";
      if (typeof started === "string") leaveOut(entries, `left out: ${started}`);
      else work = started;
    }
    watch.measure();
    const results = await runRound(round, work!, settings, secondsLeft);
    learnPace(rounds, round, results);
    events.round(config, results);
    all.push(...results);
  }
  events.progress(1, "");
  return all;
}

/** Corrects the predictions by how wrong those of this round were. */
function learnPace(rounds: readonly Round[], { entries }: Round, results: readonly Result[]): void {
  for (const [i, { contestant, prediction }] of entries.entries()) {
    const ms = results[i].median_ms;
    if (ms === null || prediction.seconds === 0) continue;
    const pace = ms / 1000 / prediction.seconds;
    for (const { entries: later } of rounds) {
      for (const entry of later) {
        if (entry.contestant === contestant) entry.seconds = entry.prediction.seconds * pace;
      }
    }
  }
}

function leaveOut(entries: readonly Entry[], reason: string): void {
  for (const entry of entries) entry.leftOut ??= reason;
}

/** The arrays of a configuration, or why there are none. */
function makeWork(config: Config): Work | string {
  try {
    const inputs = makeInputs(config);
    return { key: arraysKey(config), inputs, sample: takeSample(config, inputs) };
  } catch (error) {
    if (error instanceof LeetError) return error.message;
    throw error;
  }
}
