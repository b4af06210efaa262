/** Sorts results into groups that one set of plots can show. @module */
import type { Result } from "../result.ts";
import { stylesFor } from "./series.ts";

/** The size that a group varies. */
export type Varied = "N" | "dk" | "H" | "B" | "threads";

/** Results that differ in the method, the device and one size. */
export interface Group {
  /** What its results have in common, on one line. */
  readonly title: string;
  readonly varied: Varied;
  /** Values of that size, ascending. */
  readonly values: readonly number[];
  readonly series: readonly Series[];
}

/** One method of a group. */
export interface Series {
  readonly name: string;
  readonly style: number;
  /** By the varied size, ascending, whatever came of them. */
  readonly results: readonly Result[];
}

/** What each varied size is called on an axis. */
export const AXIS_NAMES: Readonly<Record<Varied, string>> = {
  N: "sequence length N, tokens",
  dk: "head dimension dk",
  H: "heads H",
  B: "batch B",
  threads: "threads",
};

const VARIED: readonly Varied[] = ["N", "dk", "H", "B", "threads"];

function pickVaried(results: readonly Result[]): Varied {
  return VARIED.find((size) => new Set(results.map((result) => result[size])).size > 1) ?? "N";
}

/** What a group has in common; sizes that follow from the varied one do not count. */
function titleOf(result: Result, varied: Varied): string {
  const { B, H, Hkv, N, dk, dv, dtype, decay, threads } = result;
  const sizes = { B, H, N, dk, threads };
  const parts = (["B", "H", "N", "dk"] as const).filter((size) => size !== varied).map((size) =>
    `${size}=${sizes[size]}`
  );
  if (Hkv !== H) parts.push(`Hkv=${Hkv}`);
  parts.push(`dv=${dv === dk && varied === "dk" ? "dk" : dv}`);
  const rest = [dtype, decay === "none" ? "no decay" : decay];
  if (varied !== "threads") rest.push(`${threads} thread${threads === 1 ? "" : "s"}`);
  return `${parts.join(" ")}, ${rest.join(", ")}`;
}

/** TypeScript runs on one thread however many the others have, so it belongs to every group of its sizes. */
const titlesOf = (result: Result, all: readonly Result[], varied: Varied): string[] => {
  if (result.device !== "reference" || varied === "threads") return [titleOf(result, varied)];
  const threads = new Set(all.filter(({ device }) => device !== "reference").map((other) => other.threads));
  return threads.size === 0
    ? [titleOf(result, varied)]
    : [...threads].map((count) => titleOf({ ...result, threads: count }, varied));
};

/** The groups of a run, in the order of its results. */
export function groupsOf(results: readonly Result[]): Group[] {
  const varied = pickVaried(results);
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    for (const title of titlesOf(result, results, varied)) {
      groups.set(title, [...groups.get(title) ?? [], result]);
    }
  }
  const devices = new Map<string, Set<string>>();
  for (const { method, device } of results) {
    devices.set(method, (devices.get(method) ?? new Set()).add(device));
  }
  const nameOf = ({ method, device }: Result): string =>
    devices.get(method)!.size > 1 ? `${method} ${device}` : method;
  const styles = stylesFor([...new Set(results.map(nameOf))]);
  return [...groups].map(([title, members]) => ({
    title,
    varied,
    values: [...new Set(members.map((result) => result[varied]))].sort((a, b) => a - b),
    series: [...new Set(members.map(nameOf))].map((name) => ({
      name,
      style: styles.get(name)!,
      results: members.filter((result) => nameOf(result) === name).sort((a, b) => a[varied] - b[varied]),
    })),
  }));
}

/** The timed results of a series. */
export function timedOf({ results }: Series): Result[] {
  return results.filter(({ median_ms }) => median_ms !== null);
}
