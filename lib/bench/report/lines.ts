/** Line plots with logarithmic axes. @module */
import { axes, drawing, type EndLabel, endLabels, grid, roomFor, type Size } from "./frame.ts";
import { type Axis, measuredTicks, pixel, range, type Tick } from "./scale.ts";
import { marker } from "./series.ts";
import { element, escape, line } from "./svg.ts";

/** One measured point. */
export interface Point {
  readonly x: number;
  readonly y: number;
  /** The best of the repetitions, where it is drawn too. */
  readonly least?: number;
  /** What is shown when the pointer rests on it. */
  readonly title: string;
}

/** One line. */
export interface Line {
  readonly name: string;
  readonly style: number;
  /** By x, ascending; not empty. */
  readonly points: readonly Point[];
}

/** What a plot shows. */
export interface LinePlot {
  /** What it is about, for a screen reader. */
  readonly title: string;
  readonly lines: readonly Line[];
  /** Name of the x axis. */
  readonly xName: string;
  readonly xText: (value: number) => string;
  readonly yTicks: (axis: { low: number; high: number }) => Tick[];
}

interface Place {
  readonly x: number;
  readonly y: number;
}

/** The height, within the plot, at which a line would meet the right edge if it went on as between its last two points. */
function ahead(before: Place, last: Place, edge: number, { from: bottom, to: top }: Axis): number {
  const slope = last.x > before.x ? (last.y - before.y) / (last.x - before.x) : 0;
  return Math.min(bottom, Math.max(top, last.y + slope * (edge - last.x)));
}

/** Draws a plot. `classes` go to the svg element. */
export function linePlot(plot: LinePlot, room: Size, classes: string = ""): string {
  const size = roomFor(room, plot.lines.map(({ name }) => name));
  const points = plot.lines.flatMap((one) => one.points);
  const { x, y } = axes(
    size,
    range(points.map((point) => point.x), 1.12),
    range(points.flatMap(({ y, least }) => [y, least ?? y]), 1.3),
  );
  const labels: EndLabel[] = plot.lines.map(({ name, style, points }) => {
    const [before, last] = [points.at(-2) ?? points[0], points.at(-1)!].map((point) => ({
      x: pixel(x, point.x),
      y: pixel(y, point.y),
    }));
    return { text: name, style, ...last, wish: ahead(before, last, x.to, y) };
  });
  const tied = endLabels(size, labels);
  const series = plot.lines.map(({ name, style, points }, i) => {
    const at = points.map((point) => [pixel(x, point.x), pixel(y, point.y)]);
    const whiskers = points.map(({ least }, n) =>
      least === undefined ? "" : line(at[n][0], at[n][1], at[n][0], pixel(y, least), { class: "whisker" })
    );
    const marks = points.map(({ title }, n) =>
      element("g", { class: "point" }, `<title>${escape(title)}</title>`, marker(style, at[n][0], at[n][1]))
    );
    const path = at.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
    return element(
      "g",
      { class: `series s${style}`, "data-name": name },
      element("polyline", { class: "line", points: path }),
      ...whiskers,
      ...marks,
      tied[i],
    );
  });
  const xTicks = measuredTicks(x, points.map((point) => point.x), plot.xText);
  return drawing(size, plot.title, classes, grid(size, x, y, xTicks, plot.yTicks(y), plot.xName), ...series);
}
