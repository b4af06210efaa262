/** The tables of the page. @module */
import { formatBytes, formatNumber } from "../../cli/table.ts";
import { usefulFlops } from "../config.ts";
import type { Machine } from "../machine.ts";
import type { Result } from "../result.ts";
import { type Group, type Series, timedOf } from "./groups.ts";
import { formatTokens, tokensPerSecond } from "./plots.ts";
import { formatCountShort, formatMs } from "./scale.ts";
import { marker } from "./series.ts";
import { element, escape } from "./svg.ts";

/** The marker of a series as an inline drawing. */
export function swatch(style: number): string {
  return element(
    "svg",
    { class: `swatch s${style}`, viewBox: "-7 -7 14 14", "aria-hidden": "true" },
    marker(style, 0, 0),
  );
}

const nameCell = ({ name, style }: Series): string =>
  element("th", { scope: "row", class: "method" }, `${swatch(style)}${escape(name)}`);

function cell(content: string, attributes: Record<string, string> = {}): string {
  return element("td", attributes, content);
}

/** A cell for a result that has no time: a dash that says why. */
function emptyCell(result: Result | undefined): string {
  if (!result) return cell("");
  const text = result.outcome === "wrong" ? "wrong" : "–";
  return cell(escape(text), { class: `none ${result.outcome.replace(" ", "-")}`, title: result.error ?? "" });
}

function table(head: readonly string[], rows: readonly string[], caption: string): string {
  const columns = head.map((title, i) =>
    element("th", { scope: "col", class: i === 0 ? "method" : "" }, escape(title))
  );
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...columns)),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, row))),
    ),
  );
}

/** The method that others are compared with: recurrent, the plainest, or else the slowest where most are timed. */
export function baselineOf(group: Group): Series | null {
  const timed = group.series.filter((series) => timedOf(series).length > 0);
  const slowest = (series: Series): number => timedOf(series).at(-1)!.median_ms!;
  return timed.find(({ name }) => name === "recurrent") ??
    (timed.length > 0 ? timed.reduce((a, b) => slowest(a) >= slowest(b) ? a : b) : null);
}

const at = (series: Series, group: Group, value: number): Result | undefined =>
  series.results.find((result) => result[group.varied] === value);

/** How many times faster than the baseline, for each method and size; the best of each size stands out. */
export function speedupTable(group: Group): string {
  const baseline = baselineOf(group);
  if (!baseline) return "";
  const best = new Map(group.values.map((value) => {
    const times = group.series.map((series) => at(series, group, value)?.median_ms ?? Infinity);
    return [value, Math.min(...times)];
  }));
  const rows = group.series.map((series) =>
    nameCell(series) + group.values.map((value) => {
      const result = at(series, group, value);
      if (!result?.median_ms) return emptyCell(result);
      const base = at(baseline, group, value)?.median_ms;
      const ratio = base ? `<b>${escape(formatNumber(base / result.median_ms))}×</b>` : "";
      const isBest = result.median_ms === best.get(value);
      return cell(
        `${ratio}<small>${escape(formatMs(result.median_ms))}</small>`,
        isBest ? { class: "best" } : {},
      );
    }).join("")
  );
  const head = [
    `against ${baseline.name}`,
    ...group.values.map((value) => `${group.varied}=${formatCountShort(value)}`),
  ];
  return table(head, rows, `Speed against ${baseline.name}`);
}

/** One line for each method at one size: time, rates, memory, error. */
export function detailTable(group: Group, value: number, machine: Machine): string {
  const timed = group.series.map((series) => ({ series, result: at(series, group, value) }))
    .filter(({ result }) => result?.median_ms)
    .sort((a, b) => a.result!.median_ms! - b.result!.median_ms!);
  const rows = timed.map(({ series, result }) => {
    const useful = usefulFlops(result!) / result!.median_ms! * 1e-6;
    return nameCell(series) + [
      formatMs(result!.median_ms!),
      formatMs(result!.min_ms!),
      formatTokens(tokensPerSecond(result!)),
      formatNumber(useful),
      result!.device.startsWith("cuda") ? "–" : `${formatNumber(useful / machine.fma_gflops * 100)} %`,
      result!.peak_bytes === null ? "–" : formatBytes(result!.peak_bytes),
      formatNumber(result!.error_ratio!),
    ].map((text) => cell(escape(text))).join("");
  });
  const head = [
    "method",
    "median",
    "best",
    "tokens/s",
    "useful GFLOP/s",
    "of the peak",
    "peak memory",
    "error / limit",
  ];
  return table(head, rows, `Figures at ${group.varied}=${value}`);
}

/** Who is not in the plots, and why: an item for each method; one reason for all of its shapes stands once. */
export function missingList(results: readonly Result[]): string {
  const methods = new Map<string, Map<string, string[]>>();
  for (const { method, error, B, H, N, dk } of results) {
    if (error === null) continue;
    const reasons = methods.get(method) ?? new Map<string, string[]>();
    methods.set(method, reasons);
    const reason = error.replace(/^left out: /, "");
    reasons.set(reason, [...reasons.get(reason) ?? [], `B=${B} H=${H} N=${N} dk=${dk}`]);
  }
  return [...methods].map(([method, reasons]) => {
    const texts = [...reasons].map(([reason, shapes]) => {
      const where = shapes.length > 2 ? `${shapes.length} shapes` : shapes.join(" and ");
      return reasons.size === 1 && shapes.length > 1 ? escape(reason) : `${escape(where)}: ${escape(reason)}`;
    });
    return element("li", {}, `<b>${escape(method)}</b><br>${texts.join("<br>")}`);
  }).join("");
}
