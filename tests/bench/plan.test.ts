/** What of a run fits the budget and the memory. */
import { describe, expect, test } from "vitest";
import type { Contestant, Prediction } from "../../lib/bench/contestant.ts";
import { fitBudget, makePlan, type PlanSettings } from "../../lib/bench/plan.ts";
import { configOf } from "./work.ts";

/** A contestant whose calls take `seconds` for each token. */
function contestant(name: string, seconds: number, some: Partial<Contestant> = {}): Contestant {
  const predict = ({ N }: { N: number }): Prediction => ({
    seconds: seconds * N,
    workspace: 1024,
    flops: null,
    bytes: null,
  });
  const base = {
    origin: "built in",
    wrong: null,
    loose: 1,
    deviceFor: () => "cpu",
    refusal: () => null,
  } as const;
  return { name, ...base, predict, open: () => Promise.reject(new Error("not opened")), ...some };
}

function plan(contestants: Contestant[], lengths: number[], some: Partial<PlanSettings> = {}): string[] {
  const configs = lengths.map((N) => configOf({ N }));
  const rounds = makePlan({
    configs,
    contestants,
    warmup: 1,
    repeats: 5,
    budget: 100,
    memory: null,
    ...some,
  });
  return rounds.flatMap(({ config, entries }) =>
    entries.map(({ contestant, repeats, leftOut }) => `${contestant.name} ${config.N}: ${leftOut ?? repeats}`)
  );
}

describe("the budget", () => {
  test("allows what fits", () => {
    expect(plan([contestant("a", 0.01), contestant("b", 0.02)], [10, 100])).toEqual([
      "a 10: 5",
      "b 10: 5",
      "a 100: 5",
      "b 100: 5",
    ]);
  });

  test("one call that alone would take a quarter of it is left out", () => {
    expect(plan([contestant("a", 0.01), contestant("b", 0.1)], [10, 100])).toEqual([
      "a 10: 5",
      "b 10: 5",
      "a 100: 5",
      "b 100: left out: 5 calls would take 50 s, and one method may take 25 s of the budget of 100 s",
    ]);
  });

  test("first the costliest are repeated less often, then left out", () => {
    const two = [contestant("a", 0.03), contestant("b", 0.04)];
    expect(plan(two, [100, 110], { budget: 97 })).toEqual(["a 100: 5", "b 100: 5", "a 110: 5", "b 110: 3"]);
    expect(plan(two, [100, 101, 102])).toEqual([
      "a 100: 3",
      "b 100: 3",
      "a 101: 3",
      "b 101: 3",
      "a 102: 3",
      "b 102: left out: the budget of 100 s goes to what is quicker (5 calls would take 20 s)",
    ]);
  });

  test("holds for what is left of it later", () => {
    const settings: PlanSettings = {
      configs: [configOf({ N: 10 }), configOf({ N: 100 })],
      contestants: [contestant("a", 0.01)],
      warmup: 1,
      repeats: 5,
      budget: 100,
      memory: null,
    };
    const rounds = makePlan(settings);
    fitBudget(rounds.slice(1), settings, 1);
    expect(rounds.map(({ entries: [{ leftOut }] }) => leftOut)).toEqual([
      null,
      "left out: the budget of 100 s goes to what is quicker (5 calls would take 5 s)",
    ]);
  });
});

test("what needs more memory than there is is left out", () => {
  const small = configOf({ N: 10 });
  const bytes = 4 * 2 * 10 * 16 * 4 + 2 * 4 + 1024;
  const settings = { configs: [small], contestants: [contestant("a", 0)], warmup: 0, repeats: 1, budget: 9 };
  expect(makePlan({ ...settings, memory: bytes })[0].entries[0].leftOut).toBe(null);
  expect(makePlan({ ...settings, memory: bytes - 1 })[0].entries[0].leftOut).toMatch(
    /^left out: needs \S+ GiB of memory/,
  );
});

test("a refusal, a known mistake and a device without part", () => {
  expect(plan([contestant("a", 0, { refusal: () => "f32 only" })], [10])).toEqual(["a 10: f32 only"]);
  expect(plan([contestant("a", 0, { wrong: "o[0]: expected 1" })], [10])).toEqual(["a 10: o[0]: expected 1"]);
  expect(plan([contestant("a", 0, { deviceFor: () => null })], [10])).toEqual([]);
});
