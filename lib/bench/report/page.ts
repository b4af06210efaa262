/** The report: one HTML page that needs no network, no script and no other file. @module */
import { formatBytes, formatNumber } from "../../cli/table.ts";
import { usefulFlops } from "../config.ts";
import type { Machine } from "../machine.ts";
import type { BenchReport, Result } from "../result.ts";
import { type Group, groupsOf, timedOf } from "./groups.ts";
import { bothSizes, formatTokens, largestValue, plotsOf, tokensPerSecond } from "./plots.ts";
import { formatCountShort, formatMs } from "./scale.ts";
import { pageStyle } from "./style.ts";
import { element, escape } from "./svg.ts";
import { baselineOf, detailTable, missingList, speedupTable } from "./tables.ts";

/** The page for a run; `command` is the command line that made it. */
export function reportPage(report: BenchReport, command: string): string {
  const { machine, results } = report;
  const groups = groupsOf(results);
  const body = [
    element(
      "header",
      {},
      "<h1>leet bench</h1>",
      element("p", { class: "lead" }, escape(subtitle(machine, results))),
    ),
    cards(groups, machine),
    ...groups.map((group) => section(group, machine)),
    missing(results),
    about(machine, results, command),
    data(report),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>leet bench: ${escape(subtitle(machine, results))}</title>
<link rel="icon" href="data:,">
<style>${pageStyle()}</style>
</head>
<body>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}

function subtitle({ cpu, isa }: Machine, results: readonly Result[]): string {
  const methods = new Set(results.map(({ method }) => method)).size;
  return `${methods} method${methods === 1 ? "" : "s"} of decaying causal linear attention on ${cpu}, ${isa}`;
}

/** What a reader wants first, of the first group. */
function cards([group]: readonly Group[], machine: Machine): string {
  if (!group) return "";
  const value = largestValue(group);
  const timed = group.series.flatMap((series) =>
    timedOf(series).filter((result) => result[group.varied] === value)
  );
  if (timed.length === 0) return "";
  const best = timed.reduce((a, b) => a.median_ms! <= b.median_ms! ? a : b);
  const where = `${group.varied}=${formatCountShort(value)}`;
  const baseline = baselineOf(group)!;
  const base = timed.find(({ method, device }) =>
    baseline.results.some((r) => r.method === method && r.device === device)
  );
  const useful = usefulFlops(best) / best.median_ms! * 1e-6;
  const facts: [string, string][] = [
    [best.method, `fastest at ${where}: ${formatMs(best.median_ms!)} a call`],
    ...(base && base !== best
      ? [
        [`${formatNumber(base.median_ms! / best.median_ms!)}×`, `as fast as ${baseline.name}`] as [
          string,
          string,
        ],
      ]
      : []),
    [formatTokens(tokensPerSecond(best)), `tokens per second, ${best.H} head${best.H === 1 ? "" : "s"}`],
    ...(best.device.startsWith("cuda") ? [] : [
      [
        `${formatNumber(useful / machine.fma_gflops * 100)} %`,
        "of the multiply-add peak, counting useful work",
      ] as [
        string,
        string,
      ],
    ]),
  ];
  return element(
    "div",
    { class: "cards" },
    ...facts.map(([value, text]) =>
      element("div", { class: "card" }, `<b>${escape(value)}</b><span>${escape(text)}</span>`)
    ),
  );
}

function section(group: Group, machine: Machine): string {
  const plots = plotsOf(group, machine);
  if (plots.length === 0) return "";
  const value = largestValue(group);
  return element(
    "section",
    {},
    element("h2", {}, escape(group.title)),
    element(
      "div",
      { class: "plots" },
      ...plots.map((plot) =>
        element(
          "figure",
          { "data-plot": plot.id },
          element("h3", {}, escape(plot.heading)),
          bothSizes(plot),
          element("figcaption", {}, escape(plot.caption)),
        )
      ),
    ),
    element(
      "div",
      { class: "box" },
      `<h3>Speed-up</h3>`,
      speedupTable(group),
    ),
    element(
      "div",
      { class: "box" },
      element("h3", {}, escape(`Figures at ${group.varied} = ${value}`)),
      detailTable(group, value, machine),
    ),
  );
}

function missing(results: readonly Result[]): string {
  const bad = results.filter(({ outcome }) => outcome === "wrong" || outcome === "failed");
  const left = results.filter((result) => result.error !== null && !bad.includes(result));
  const box = (title: string, list: readonly Result[], classes: string): string =>
    list.length === 0
      ? ""
      : element("div", { class: classes }, `<h3>${escape(title)}</h3>`, element("ul", {}, missingList(list)));
  return box("Wrong, and therefore not timed", bad, "box bad") + box("Not measured", left, "box");
}

function about(machine: Machine, results: readonly Result[], command: string): string {
  const checks = [...new Set(results.flatMap(({ checked, N }) => checked ? [`N=${N}: ${checked}`] : []))];
  const repeats = [...new Set(results.filter(({ repeats }) => repeats > 0).map(({ repeats }) => repeats))]
    .sort((a, b) => a - b);
  const facts: [string, string][] = [
    ["processor", machine.cpu],
    ["processors", String(machine.cores)],
    ["instruction set", machine.isa],
    [
      "multiply-add peak",
      `${formatNumber(machine.fma_gflops)} GFLOP/s in float32 on ${machine.threads} threads`,
    ],
    ["memory bandwidth", `${formatNumber(machine.bandwidth_gbs)} GB/s, reads and writes together`],
    ["memory", formatBytes(machine.memory_bytes)],
    ...machine.devices.map((device): [string, string] => ["device", device]),
    ["runtime", machine.runtime],
    ["library", machine.library],
  ];
  return element(
    "section",
    {},
    "<h2>How this was measured</h2>",
    element(
      "div",
      { class: "box" },
      element("dl", {}, ...facts.map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`)),
      element("pre", {}, `<code>${escape(command)}</code>`),
    ),
    element(
      "div",
      { class: "box" },
      element(
        "p",
        {},
        escape(
          `Every method was compared with a float64 recurrence before it was timed, and every element of its output had to be a number. Methods ran in turns, so that what disturbs the machine disturbs all of them; times are medians of ${
            repeats.join(", ")
          } repetitions of whole calls from ${
            machine.runtime.split(" ")[0]
          }. Useful work is 4 dk dv operations for each token and head. Peaks are medians of measurements between the rounds.`,
        ),
      ),
      element("ul", {}, ...checks.map((check) => element("li", {}, escape(check)))),
    ),
  );
}

/** The results themselves, for whoever wants to draw them in another way. */
function data(report: BenchReport): string {
  const json = JSON.stringify(report).replaceAll("<", "\\u003c");
  return `<script type="application/json" id="leet-bench">${json}</script>`;
}
