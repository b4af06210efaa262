/** Results as plain text. @module */
import { formatBytes, formatNumber, formatTable } from "../cli/table.ts";
import { type Config, describeConfig, usefulFlops } from "./config.ts";
import type { Machine } from "./machine.ts";
import type { Result } from "./result.ts";
import type { UserMethod } from "./user.ts";

/** The machine on one line. */
export function describeMachine({ cpu, cores, isa, threads, fma_gflops, bandwidth_gbs }: Machine): string {
  return `${cpu}, ${cores} processor${cores === 1 ? "" : "s"}, ${isa}; on ${threads} thread${
    threads === 1 ? "" : "s"
  }: ${formatNumber(fma_gflops)} GFLOP/s of multiply-adds, ${
    formatNumber(bandwidth_gbs)
  } GB/s of reads and writes`;
}

/** The table of one configuration, and below it who is not in it and why. */
export function describeRound(config: Config, results: readonly Result[]): string {
  const timed = results.filter(({ outcome }) => outcome === "timed");
  const best = Math.min(...timed.map(({ median_ms }) => median_ms!));
  const rows = [...timed].sort((a, b) => a.median_ms! - b.median_ms!).map((result) => [
    result.used === result.method ? result.method : `${result.method} (${result.used})`,
    result.device,
    formatNumber(result.median_ms!),
    formatNumber(result.min_ms!),
    `${formatNumber(result.median_ms! / best)}x`,
    formatNumber(usefulFlops(config) / result.median_ms! * 1e-6),
    result.peak_bytes === null ? "-" : formatBytes(result.peak_bytes),
    formatNumber(result.error_ratio!),
  ]);
  const right = ["MEDIAN ms", "LEAST ms", "BEHIND", "GFLOP/s", "PEAK", "ERR/LIMIT"].map((title) => ({
    title,
    right: true,
  }));
  const columns = [{ title: "METHOD" }, { title: "DEVICE" }, ...right];
  return [
    describeConfig(config),
    ...(rows.length > 0 ? formatTable(columns, rows).split("\n").map((line) => `  ${line}`) : []),
    ...results.filter(({ error }) => error !== null).map(describeError),
  ].join("\n");
}

function describeError({ method, outcome, error }: Result): string {
  const what = { wrong: "WRONG, not timed: ", failed: "FAILED: ", unsupported: "not supported: " } as const;
  return `  ${method}: ${what[outcome as keyof typeof what] ?? ""}${error}`;
}

/** What the figures of the tables mean. */
export const LEGEND: string =
  `MEDIAN and LEAST: of the repetitions, methods in turns. BEHIND: times the best. GFLOP/s: of the 4 dk dv B H N operations
that the operator needs. PEAK: arrays and scratch memory. ERR/LIMIT: largest error, 1 = all that rounding may cause.`;

/** What the sweep found about a user's method. */
export function describeSweep({ contestant, report }: UserMethod): string {
  const { cases, passed, unsupported, failures } = report;
  const lines = failures.slice(0, 5).map((failure) => `  wrong: ${failure}`);
  if (failures.length > lines.length) lines.push(`  and ${failures.length - lines.length} more`);
  const refused = unsupported.slice(0, 3).map((line) => `  not supported: ${line}`);
  if (unsupported.length > refused.length) refused.push(`  and ${unsupported.length - refused.length} more`);
  const verdict = failures.length > 0
    ? `WRONG in ${failures.length} of ${cases} cases; it will not be timed`
    : `right in ${passed} of ${cases} cases`;
  const but = unsupported.length > 0 ? `, ${unsupported.length} not supported` : "";
  return [`${contestant.name}: ${verdict}${but}`, ...lines, ...refused].join("\n");
}
