/** The plots of a group. @module */
import { formatBytes, formatNumber } from "../../cli/table.ts";
import type { Machine } from "../machine.ts";
import type { Result } from "../result.ts";
import { barPlot } from "./bars.ts";
import { NARROW, type Size, WIDE } from "./frame.ts";
import { AXIS_NAMES, type Group, type Series, timedOf } from "./groups.ts";
import { linePlot, type Point } from "./lines.ts";
import { roofline, type RoofPoint } from "./roofline.ts";
import { byteTicks, decimalTicks, formatCountShort, formatMs, type Tick } from "./scale.ts";

/** One plot: its heading, what it means, and how to draw it. */
export interface Plot {
  readonly id: string;
  readonly heading: string;
  readonly caption: string;
  draw(size: Size, classes?: string): string;
}

/** A quantity to draw. */
interface Measure {
  readonly id: string;
  readonly heading: string;
  readonly caption: string;
  of(result: Result): number | null;
  least?(result: Result): number;
  text(value: number): string;
  ticks(axis: { low: number; high: number }): Tick[];
}

/** Tokens of all batch rows per second. */
export const tokensPerSecond = ({ B, N, median_ms }: Result): number => B * N / median_ms! * 1000;

/** A rate on one word: 113k, 2.4M. */
export const formatTokens = (rate: number): string => {
  const [size, unit] = rate >= 1e6 ? [1e6, "M"] : rate >= 1e3 ? [1e3, "k"] : [1, ""];
  return `${formatNumber(rate / size)}${unit}`;
};

const MEASURES: readonly Measure[] = [
  {
    id: "time",
    heading: "Time of one call",
    caption:
      "Median of the repetitions; the thin stroke below a point reaches to the best one. Lower is better.",
    of: ({ median_ms }) => median_ms,
    least: ({ min_ms }) => min_ms!,
    text: formatMs,
    ticks: (axis) => decimalTicks(axis, formatMs),
  },
  {
    id: "memory",
    heading: "Peak memory",
    caption: "Inputs, output and scratch memory. Lower is better.",
    of: ({ peak_bytes }) => peak_bytes,
    text: formatBytes,
    ticks: byteTicks,
  },
  {
    id: "throughput",
    heading: "Throughput, tokens per second",
    caption: "B times N, divided by the time of one call. Higher is better.",
    of: tokensPerSecond,
    text: (value) => `${formatTokens(value)} tokens/s`,
    ticks: (axis) => decimalTicks(axis, formatTokens),
  },
];

function titleOf(name: string, group: Group, result: Result, what: string): string {
  return `${name}, ${group.varied} = ${result[group.varied]}: ${what}`;
}

function pointsOf(measure: Measure, group: Group, series: Series): Point[] {
  return timedOf(series).flatMap((result) => {
    const y = measure.of(result);
    if (y === null) return [];
    const least = measure.least?.(result);
    const what = least === undefined ? measure.text(y) : `${measure.text(y)}, best ${measure.text(least)}`;
    return [{ x: result[group.varied], y, least, title: titleOf(series.name, group, result, what) }];
  });
}

function measurePlot(measure: Measure, group: Group): Plot | null {
  const lines = group.series.map((series) => ({ ...series, points: pointsOf(measure, group, series) }))
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return null;
  const { id, heading, caption } = measure;
  const title = `${heading} of ${lines.map(({ name }) => name).join(", ")}; ${group.title}`;
  if (group.values.length === 1) {
    const bars = lines.map(({ name, style, points: [{ y, title }] }) => ({
      name,
      style,
      value: y,
      text: measure.text(y),
      title,
    }));
    return { id, heading, caption, draw: (size, classes) => barPlot(title, bars, size, classes) };
  }
  const plot = {
    title,
    lines,
    xName: AXIS_NAMES[group.varied],
    xText: formatCountShort,
    yTicks: measure.ticks,
  };
  return { id, heading, caption, draw: (size, classes) => linePlot(plot, size, classes) };
}

/** Part of the methods that must have been timed for figures at one size. */
const MOST_METHODS = 0.6;

/** The largest value of the varied size at which most methods were timed. */
export function largestValue({ varied, values, series }: Group): number {
  const count = (value: number): number =>
    series.filter((one) => timedOf(one).some((result) => result[varied] === value)).length;
  const enough = MOST_METHODS * Math.max(...values.map(count));
  return values.findLast((value) => count(value) >= enough)!;
}

function rooflinePlot(group: Group, machine: Machine): Plot | null {
  const at = largestValue(group);
  const points = group.series.flatMap((series): RoofPoint[] => {
    const result = timedOf(series).find((one) => one[group.varied] === at);
    if (!result || !result.flops || !result.traffic_bytes || result.device.startsWith("cuda")) return [];
    const gflops = result.flops / result.median_ms! * 1e-6, intensity = result.flops / result.traffic_bytes;
    const what = `${formatNumber(gflops)} GFLOP/s, ${
      formatNumber(gflops / machine.fma_gflops * 100)
    } % of the peak, at ${formatNumber(intensity)} operations per byte`;
    return [{
      name: series.name,
      style: series.style,
      intensity,
      gflops,
      title: titleOf(series.name, group, result, what),
    }];
  });
  if (points.length === 0) return null;
  const title = `Roofline of the machine with ${points.map(({ name }) => name).join(", ")}; ${group.title}`;
  return {
    id: "roofline",
    heading: `Roofline, GFLOP/s at ${group.varied} = ${at}`,
    caption: `Under the roof of what this machine can do on ${machine.threads} thread${
      machine.threads === 1 ? "" : "s"
    }, measured in this run: operations that each method does, against operations per byte of inputs and output. Near the roof is well made; a method high on the right may still be slow, because it does more.`,
    draw: (size, classes) => roofline(title, machine, points, size, classes),
  };
}

/** Every plot that the results of a group allow. */
export function plotsOf(group: Group, machine: Machine): Plot[] {
  const plots = [...MEASURES.map((measure) => measurePlot(measure, group)), rooflinePlot(group, machine)];
  return plots.filter((plot) => plot !== null);
}

/** A plot in the sizes of a page; style sheets show one of them. */
export function bothSizes(plot: Plot): string {
  return plot.draw(WIDE, "wide") + plot.draw(NARROW, "narrow");
}
