/** What of a benchmark fits the memory and the time, decided by predictions before anything runs. @module */
import { LeetError } from "../errors.ts";
import { arraysKey, type Config } from "./config.ts";
import type { Contestant, Prediction } from "./contestant.ts";
import { inputBytes } from "./inputs.ts";
import { sampleSeconds } from "./sample.ts";

/** Repetitions that a median needs at least; fewer when fewer were asked for. */
export const FEWEST_REPEATS = 3;

/** One contestant on one configuration. */
export interface Entry {
  readonly contestant: Contestant;
  readonly device: string;
  readonly prediction: Prediction;
  /** Time of one call, by the prediction and by how right those of the same contestant were before. */
  seconds: number;
  /** Timed repetitions. */
  repeats: number;
  /** Why it does not run; null when it does. */
  leftOut: string | null;
  /** What not running means. */
  readonly outcome: "left out" | "unsupported" | "wrong";
}

/** A configuration and who takes part. */
export interface Round {
  readonly config: Config;
  readonly entries: Entry[];
}

/** What a plan is made for. */
export interface PlanSettings {
  readonly configs: readonly Config[];
  readonly contestants: readonly Contestant[];
  readonly warmup: number;
  readonly repeats: number;
  /** Seconds for everything. */
  readonly budget: number;
  /** Bytes for the arrays of one configuration and the scratch memory; null when it is not known. */
  readonly memory: number | null;
}

/** A part of the budget that one contestant on one configuration may take. */
const LARGEST_SHARE = 1 / 4;
/** Bytes of random inputs that are made in a second. */
const FILL_RATE = 1e9;
const NOTHING: Prediction = { seconds: 0, workspace: null, flops: null, bytes: null };

const formatSeconds = (s: number): string => `${Number(s.toPrecision(2))} s`;
const formatGiB = (bytes: number): string => `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;

function makeEntry(contestant: Contestant, config: Config, device: string, settings: PlanSettings): Entry {
  const entry = { contestant, device, repeats: settings.repeats };
  const refused = (leftOut: string, outcome: Entry["outcome"]): Entry => ({
    ...entry,
    prediction: NOTHING,
    seconds: 0,
    leftOut,
    outcome,
  });
  if (contestant.wrong !== null) return refused(contestant.wrong, "wrong");
  const refusal = contestant.refusal(config);
  if (refusal !== null) return refused(refusal, "unsupported");
  let prediction: Prediction;
  try {
    prediction = contestant.predict(config);
  } catch (error) {
    if (!(error instanceof LeetError)) throw error;
    return refused(error.message, "unsupported");
  }
  const bytes = inputBytes(config) + (prediction.workspace ?? 0);
  const leftOut = settings.memory !== null && bytes > settings.memory
    ? `left out: needs ${formatGiB(bytes)} of memory, ${formatGiB(settings.memory)} are available`
    : null;
  return { ...entry, prediction, seconds: prediction.seconds, leftOut, outcome: "left out" };
}

/** Who takes part where. A contestant that ignores a setting of the configuration takes part once. */
function makeRounds(settings: PlanSettings): Round[] {
  const seen = new Set<string>();
  return settings.configs.map((config) => ({
    config,
    entries: settings.contestants.flatMap((contestant) => {
      const device = contestant.deviceFor(config);
      if (device === null) return [];
      const key = `${contestant.name} ${device} ${device === "reference" ? 1 : config.threads} ${
        arraysKey(config)
      }`;
      if (seen.has(key)) return [];
      seen.add(key);
      return [makeEntry(contestant, config, device, settings)];
    }),
  }));
}

/** Calls for an entry: the check is one too. */
const callsFor = ({ warmup }: PlanSettings, repeats: number): number => 1 + warmup + repeats;

/** Plans a run. Where one method on one configuration would take a quarter of the budget, it is left out. */
export function makePlan(settings: PlanSettings): Round[] {
  const rounds = makeRounds(settings);
  const calls = callsFor(settings, Math.min(FEWEST_REPEATS, settings.repeats));
  const most = settings.budget * LARGEST_SHARE;
  for (const entry of running(rounds)) {
    const least = entry.seconds * calls;
    if (least <= most) continue;
    entry.leftOut = `left out: ${calls} calls would take ${formatSeconds(least)}, and one method may take ${
      formatSeconds(most)
    } of the budget of ${formatSeconds(settings.budget)}`;
  }
  fitBudget(rounds, settings, settings.budget);
  return rounds;
}

const running = (rounds: readonly Round[]): Entry[] =>
  rounds.flatMap(({ entries }) => entries.filter(({ leftOut }) => leftOut === null));

/**
 * Makes rounds fit into the seconds that are left: the costliest are repeated less often, and where that does not do, the
 * costliest are left out.
 */
export function fitBudget(rounds: readonly Round[], settings: PlanSettings, secondsLeft: number): void {
  const fewest = Math.min(FEWEST_REPEATS, settings.repeats);
  const cost = ({ seconds, repeats }: Entry): number => seconds * callsFor(settings, repeats);
  const total = (): number => overhead(rounds) + running(rounds).reduce((sum, entry) => sum + cost(entry), 0);
  const costliest = (): Entry[] => running(rounds).sort((a, b) => cost(b) - cost(a));
  for (const entry of costliest()) {
    if (total() <= secondsLeft) return;
    entry.repeats = fewest;
  }
  for (const entry of costliest()) {
    if (total() <= secondsLeft) return;
    const calls = callsFor(settings, fewest);
    entry.leftOut = `left out: the budget of ${
      formatSeconds(settings.budget)
    } goes to what is quicker (${calls} calls would take ${formatSeconds(cost(entry))})`;
  }
}

/** Seconds for the arrays and the float64 results of the rounds that run. */
function overhead(rounds: readonly Round[]): number {
  const shapes = new Map<string, number>();
  for (const { config, entries } of rounds) {
    if (entries.every(({ leftOut }) => leftOut !== null)) continue;
    shapes.set(arraysKey(config), sampleSeconds(config) + inputBytes(config) / FILL_RATE);
  }
  return [...shapes.values()].reduce((sum, seconds) => sum + seconds, 0);
}
