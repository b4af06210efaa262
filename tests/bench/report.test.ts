/** The report page as text, and the geometry behind it. */
import { describe, expect, test } from "vitest";
import { groupsOf } from "../../lib/bench/report/groups.ts";
import { spread } from "../../lib/bench/report/labels.ts";
import { reportPage } from "../../lib/bench/report/page.ts";
import { largestValue } from "../../lib/bench/report/plots.ts";
import { byteTicks, decimalTicks, measuredTicks, pixel } from "../../lib/bench/report/scale.ts";
import { standalone } from "../../lib/bench/report/style.ts";
import { MACHINE, resultOf } from "./work.ts";

const results = ["flash", "recurrent", "vanilla", "my<method>"].flatMap((method, i) =>
  [128, 512, 2048].map((N) => resultOf({ method, N, median_ms: (i + 1) * N / 100, min_ms: N / 200 }))
);
const leftOut = resultOf({
  method: "vanilla",
  N: 8192,
  median_ms: null,
  min_ms: null,
  outcome: "left out",
  error: "left out: 5 calls would take 90 s",
});
const wrong = resultOf({
  method: "bad",
  median_ms: null,
  min_ms: null,
  outcome: "wrong",
  error: "o[0,0,65,0]: expected 1, got 2 & 3",
});
const page = reportPage(
  { machine: MACHINE, results: [...results, leftOut, wrong] },
  "leet bench --methods 'a<b'",
);

describe("the page", () => {
  test("needs nothing from anywhere and runs nothing", () => {
    expect(page.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(
      /https?:|\bsrc=|@import|url\(|<link rel="style/,
    );
    expect(page.match(/<script[^>]*>/g)).toEqual(['<script type="application/json" id="leet-bench">']);
  });

  test("has the plots, a series for each method, the tables and the machine", () => {
    for (const plot of ["time", "memory", "throughput", "roofline"]) {
      expect(page).toContain(`data-plot="${plot}"`);
    }
    for (const name of ["flash", "recurrent", "vanilla", "my&lt;method&gt;"]) {
      // Four plots in two sizes.
      expect(page.split(`data-name="${name}"`).length - 1).toBe(8);
    }
    expect(page).toContain("<title>flash, N = 2048: 20.5 ms, best 10.2 ms</title>");
    expect(page).toContain("Test &amp; &lt;Sons&gt;");
    expect(page).toContain("200 GFLOP/s in float32 on 2 threads");
    expect(page).toContain("leet bench --methods &#39;a&lt;b&#39;");
  });

  test("tells what is wrong and what is missing", () => {
    expect(page).toContain("Wrong, and therefore not timed");
    expect(page).toContain("o[0,0,65,0]: expected 1, got 2 &amp; 3");
    expect(page).toContain("5 calls would take 90 s");
    expect(page).not.toContain("my<method>");
  });

  test("holds the results themselves", () => {
    const json = /<script type="application\/json" id="leet-bench">(.*)<\/script>/.exec(page)![1];
    expect(JSON.parse(json)).toEqual({ machine: MACHINE, results: [...results, leftOut, wrong] });
  });

  test("draws bars where there is one size, and nothing where nothing was timed", () => {
    const one = reportPage(
      { machine: MACHINE, results: [resultOf(), resultOf({ method: "block" })] },
      "leet bench",
    );
    expect(one).toContain('class="bar"');
    expect(reportPage({ machine: MACHINE, results: [wrong] }, "leet bench")).not.toContain("data-plot");
  });
});

describe("groups", () => {
  test("vary N, or else another size; what differs otherwise is apart", () => {
    const both = [...results, ...results.map((result) => ({ ...result, dtype: "f16" as const }))];
    expect(groupsOf(both).map(({ title, varied }) => [title, varied])).toEqual([
      ["B=1 H=2 dk=16 dv=16, f32, decay, 2 threads", "N"],
      ["B=1 H=2 dk=16 dv=16, f16, decay, 2 threads", "N"],
    ]);
    const dims = [16, 32].map((dk) => resultOf({ dk }));
    expect(groupsOf(dims).map(({ title, varied, values }) => [title, varied, values])).toEqual([
      ["B=1 H=2 N=128 dv=dk, f32, decay, 2 threads", "dk", [16, 32]],
    ]);
  });

  test("TypeScript, which has one thread, is in the group of each number of threads", () => {
    const group = groupsOf([
      ...results,
      ...[128, 512].map((N) => resultOf({ method: "mine", device: "reference", threads: 1, N })),
    ]);
    expect(group.map(({ series }) => series.map(({ name }) => name))).toEqual([
      ["flash", "recurrent", "vanilla", "my<method>", "mine"],
    ]);
  });

  test("the figures are those of the largest size at which most methods were timed", () => {
    expect(largestValue(groupsOf([...results, leftOut])[0])).toBe(2048);
  });
});

describe("labels", () => {
  test.each([
    [[10, 11, 12], [10, 20, 30]],
    [[100, 0, 99], [50, 0, 40]],
    [[5, 95, 96, 97], [5, 80, 90, 100]],
    [[50], [50]],
    [[], []],
  ])("%j do not cover each other", (heights) => {
    const placed = spread(heights, 10, 0, 100);
    const sorted = [...placed].sort((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++) {
      expect(sorted[i] - sorted[i - 1]).toBeGreaterThanOrEqual(10 - 1e-9);
    }
    for (const at of placed) expect(at >= 0 && at <= 100).toBe(true);
    for (let i = 0; i < heights.length; i++) {
      for (let j = 0; j < heights.length; j++) {
        if (heights[i] < heights[j]) expect(placed[i]).toBeLessThan(placed[j]);
      }
    }
  });
});

describe("axes", () => {
  test("ticks are inside, and their texts do not meet", () => {
    for (const high of [1.5, 7, 80, 4000, 1e7]) {
      const decimal = decimalTicks({ low: 1, high }, String), bytes = byteTicks({ low: 1, high });
      for (const { value } of [...decimal, ...bytes]) {
        expect(value >= 0.99 && value <= high * 1.01).toBe(true);
      }
      expect(decimal.length).toBeGreaterThanOrEqual(2);
      expect(decimal.length).toBeLessThanOrEqual(9);
    }
    const axis = { low: 100, high: 120000, from: 50, to: 300 };
    const lengths = [128, 512, 2048, 8192, 12800, 25600, 100000];
    const ticks = measuredTicks(axis, lengths, String);
    expect(ticks.map(({ value }) => value)).toEqual(expect.arrayContaining([128, 100000]));
    const at = ticks.map(({ value }) => pixel(axis, value)).sort((a, b) => a - b);
    for (let i = 1; i < at.length; i++) expect(at[i] - at[i - 1]).toBeGreaterThan(25);
  });

  test("a value stands where it should", () => {
    const axis = { low: 1, high: 100, from: 0, to: 200 };
    expect([1, 10, 100].map((value) => pixel(axis, value))).toEqual(
      [0, 100, 200].map((x) => expect.closeTo(x, 9)),
    );
    expect(pixel({ ...axis, high: 1 }, 1)).toBe(100);
  });
});

test("a drawing alone has its own style and paper", () => {
  expect(standalone('<svg viewBox="0 0 1 1"><g/></svg>')).toMatch(
    /^<svg viewBox="0 0 1 1"><style>.*<\/style><rect .*<g\/><\/svg>$/s,
  );
});
