/** What every plot has: a size, two axes with grid and ticks, labels on the right. @module */
import { spread } from "./labels.ts";
import { type Axis, pixel, type Tick } from "./scale.ts";
import { marker } from "./series.ts";
import { element, label, line } from "./svg.ts";

/** The size of a drawing in pixels, and the room around the plot in it. */
export interface Size {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** For a column of a page. */
export const WIDE: Size = { width: 620, height: 400, left: 66, right: 116, top: 16, bottom: 46 };
/** For a phone. */
export const NARROW: Size = { width: 350, height: 360, left: 56, right: 92, top: 14, bottom: 44 };

/** Characters of a label that are shown, and the pixels that one takes. */
const LONGEST_LABEL = 14, PER_CHARACTER = 8.2;

/** A name as a label. */
export function shorten(name: string): string {
  return name.length > LONGEST_LABEL ? `${name.slice(0, LONGEST_LABEL - 1)}…` : name;
}

/** A size with as much room on the right as the labels take. */
export function roomFor(size: Size, names: readonly string[]): Size {
  const longest = Math.max(...names.map((name) => shorten(name).length));
  return { ...size, right: Math.round(30 + longest * PER_CHARACTER) };
}

/** A label that belongs to a point. */
export interface EndLabel {
  readonly text: string;
  readonly style: number;
  readonly x: number;
  readonly y: number;
  /** Where the label would like to be; beside its point when left out. */
  readonly wish?: number;
}

/** The axes of a plot over a range. */
export function axes(
  size: Size,
  x: { low: number; high: number },
  y: { low: number; high: number },
): { x: Axis; y: Axis } {
  return {
    x: { ...x, from: size.left, to: size.width - size.right },
    y: { ...y, from: size.height - size.bottom, to: size.top },
  };
}

/** Grid, ticks and the names of the axes. */
export function grid(
  size: Size,
  x: Axis,
  y: Axis,
  xTicks: readonly Tick[],
  yTicks: readonly Tick[],
  name: string,
): string {
  const bottom = size.height - size.bottom, right = size.width - size.right;
  return [
    ...yTicks.map(({ value, text }) => {
      const at = pixel(y, value);
      return line(size.left, at, right, at, { class: "grid" }) +
        label(text, size.left - 8, at + 4, { class: "tick", "text-anchor": "end" });
    }),
    ...xTicks.map(({ value, text }) => {
      const at = pixel(x, value);
      return line(at, size.top, at, bottom, { class: "grid" }) +
        label(text, at, bottom + 17, { class: "tick", "text-anchor": "middle" });
    }),
    line(size.left, bottom, right, bottom, { class: "axis" }),
    label(name, (size.left + right) / 2, size.height - 6, { class: "axis-name", "text-anchor": "middle" }),
  ].join("");
}

const LABEL_GAP = 17;

/** Labels in a column on the right, each tied to its point by a thin line. */
export function endLabels(size: Size, labels: readonly EndLabel[]): string[] {
  const x = size.width - size.right + 14;
  const heights = spread(
    labels.map(({ y, wish }) => wish ?? y),
    LABEL_GAP,
    size.top + 4,
    size.height - size.bottom - 2,
  );
  return labels.map(({ text, style, x: fromX, y: fromY }, i) =>
    element("polyline", {
      class: "leader",
      points: `${(fromX + 7).toFixed(1)},${fromY.toFixed(1)} ${x - 3},${heights[i].toFixed(1)}`,
    }) + marker(style, x + 4, heights[i], 0.8) +
    label(shorten(text), x + 14, heights[i] + 4, { class: "name" })
  );
}

/** The drawing. `title` is what a screen reader says. */
export function drawing(size: Size, title: string, classes: string, ...content: string[]): string {
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${size.width} ${size.height}`,
      role: "img",
      "aria-label": title,
      class: classes,
    },
    ...content,
  );
}
