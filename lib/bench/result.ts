/** What a benchmark gives: results, as JSON and as CSV. @module */
import type { DecayForm } from "../decay_form.ts";
import type { DType } from "../types.ts";
import type { Machine } from "./machine.ts";

/** How a method came off: `wrong` ones are not timed, and `left out` ones were too large for the memory or the budget. */
export type Outcome = "timed" | "wrong" | "left out" | "unsupported" | "failed";

/** One method on one configuration. Figures are null where there are none. */
export interface Result {
  readonly method: string;
  /** Where it ran: `cpu`, `cuda:N`, or `reference` for TypeScript. */
  readonly device: string;
  readonly dtype: DType;
  readonly B: number;
  readonly H: number;
  readonly Hkv: number;
  readonly N: number;
  readonly dk: number;
  readonly dv: number;
  readonly threads: number;
  /** Of the repetitions. */
  readonly median_ms: number | null;
  readonly min_ms: number | null;
  /** Arrays and scratch memory together; `peak_source` says where the second figure is from. */
  readonly peak_bytes: number | null;
  /** null when all is well; otherwise what was wrong, or why it was left out. */
  readonly error: string | null;

  readonly outcome: Outcome;
  readonly decay: DecayForm;
  /** What `auto` chose; otherwise the method. */
  readonly used: string;
  /** Who made it: `built in`, `user` or `peer`. */
  readonly origin: "built in" | "user" | "peer";
  /** Timed repetitions. */
  readonly repeats: number;
  /** `stated`: arrays plus the scratch memory that the library states; `measured`: arrays plus the growth below. */
  readonly peak_source: "stated" | "measured" | null;
  /** By how much the resident set of the process grew at its peak during the first call. */
  readonly rss_growth_bytes: number | null;
  /** Floating point operations of one call: what the method does, or 4 dk dv N H B where that is not known. */
  readonly flops: number | null;
  /** Least traffic with memory of one call, in bytes. */
  readonly traffic_bytes: number | null;
  /** ||o - expected|| / ||expected|| over what was checked. */
  readonly rel_error: number | null;
  /** Largest error as a part of what is allowed. */
  readonly error_ratio: number | null;
  /** What was compared with the float64 recurrence before the timing. */
  readonly checked: string | null;
}

/** Everything that a run found. */
export interface BenchReport {
  readonly machine: Machine;
  readonly results: readonly Result[];
}

const COLUMNS: readonly (keyof Result)[] = [
  "method",
  "device",
  "dtype",
  "B",
  "H",
  "Hkv",
  "N",
  "dk",
  "dv",
  "threads",
  "median_ms",
  "min_ms",
  "peak_bytes",
  "error",
  "outcome",
  "decay",
  "used",
  "origin",
  "repeats",
  "peak_source",
  "rss_growth_bytes",
  "flops",
  "traffic_bytes",
  "rel_error",
  "error_ratio",
  "checked",
];

/** A cell of CSV; quoted where RFC 4180 wants it. */
function cell(value: Result[keyof Result]): string {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Results as CSV with a header line, without the last line break. */
export function toCsv(results: readonly Result[]): string {
  const rows = results.map((result) => COLUMNS.map((column) => cell(result[column])).join(","));
  return [COLUMNS.join(","), ...rows].join("\n");
}
