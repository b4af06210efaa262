/** Logarithmic axes: where a value stands, and which values have a tick. @module */
import { formatBytes, formatNumber } from "../../cli/table.ts";

/** An axis from `low` to `high`, drawn from pixel `from` to pixel `to`. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly from: number;
  readonly to: number;
}

/** A place on an axis with its text. */
export interface Tick {
  readonly value: number;
  readonly text: string;
}

/** The pixel of a value. */
export function pixel({ low, high, from, to }: Axis, value: number): number {
  const part = high > low ? Math.log(value / low) / Math.log(high / low) : 0.5;
  return from + (to - from) * part;
}

/** Room on both sides of some values, as a factor. */
export function range(values: readonly number[], room: number): { low: number; high: number } {
  return { low: Math.min(...values) / room, high: Math.max(...values) * room };
}

/** Values m * base^n inside the axis. */
function powers(
  { low, high }: Pick<Axis, "low" | "high">,
  base: number,
  factors: readonly number[],
): number[] {
  const found: number[] = [];
  const first = Math.floor(Math.log(low) / Math.log(base)), last = Math.ceil(Math.log(high) / Math.log(base));
  for (let n = first; n <= last; n++) for (const m of factors) found.push(m * base ** n);
  return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

/** Steps from coarse to fine; the first that gives enough ticks is taken. */
function firstWithEnough(
  axis: Pick<Axis, "low" | "high">,
  steps: readonly [number, readonly number[]][],
): number[] {
  const enough = 3;
  const all = steps.map(([base, factors]) => powers(axis, base, factors));
  return all.find((values) => values.length >= enough && values.length <= 8) ?? all.at(-1)!;
}

/** Ticks at round decimal numbers. */
export function decimalTicks(axis: Pick<Axis, "low" | "high">, format: (value: number) => string): Tick[] {
  const values = firstWithEnough(axis, [[100, [1]], [10, [1]], [10, [1, 3]], [10, [1, 2, 5]], [10, [
    1,
    1.5,
    2,
    3,
    4,
    5,
    7,
  ]]]);
  return values.map((value) => ({ value, text: format(value) }));
}

/** Ticks at round binary numbers of bytes. */
export function byteTicks(axis: Pick<Axis, "low" | "high">): Tick[] {
  const values = firstWithEnough(axis, [[64, [1]], [16, [1]], [4, [1]], [2, [1]], [2, [1, 1.5]]]);
  return values.map((value) => ({ value, text: formatBytes(value) }));
}

/** Ticks at the values that were measured, without those whose text would meet its neighbour's. */
export function measuredTicks(
  axis: Axis,
  values: readonly number[],
  format: (value: number) => string,
): Tick[] {
  const PER_CHARACTER = 6.6, GAP = 8;
  const ticks = [...new Set(values)].sort((a, b) => a - b).map((value) => ({ value, text: format(value) }));
  const half = ({ text }: Tick): number => text.length * PER_CHARACTER / 2;
  const kept: Tick[] = [];
  const fits = (tick: Tick): boolean =>
    kept.every((other) =>
      Math.abs(pixel(axis, tick.value) - pixel(axis, other.value)) >= half(tick) + half(other) + GAP
    );
  // The ends first: they are what a reader looks for.
  for (const tick of [ticks[0], ticks.at(-1)!, ...ticks]) if (fits(tick)) kept.push(tick);
  return kept;
}

/** A count without decimals where it can be: 128, 2048, 12.8k, 100k. */
export function formatCountShort(value: number): string {
  return value >= 10000 ? `${formatNumber(value / 1000)}k` : String(value);
}

/** Milliseconds as a person says it: 12 us, 3.4 ms, 1.2 s. */
export function formatMs(ms: number): string {
  if (ms < 1) return `${formatNumber(ms * 1000)} µs`;
  return ms < 1000 ? `${formatNumber(ms)} ms` : `${formatNumber(ms / 1000)} s`;
}
