/** Bars: one value for each method, where there is nothing to draw a line over. @module */
import { drawing, roomFor, shorten, type Size } from "./frame.ts";
import { marker } from "./series.ts";
import { element, escape, label, line } from "./svg.ts";

/** One bar. */
export interface Bar {
  readonly name: string;
  readonly style: number;
  readonly value: number;
  /** The value as text. */
  readonly text: string;
  readonly title: string;
}

const ROW = 34;

/** Draws horizontal bars from zero, the smallest first. The height of the size is not used. */
export function barPlot(title: string, bars: readonly Bar[], size: Size, classes: string = ""): string {
  const sorted = [...bars].sort((a, b) => a.value - b.value);
  const left = roomFor(size, bars.map(({ name }) => name)).right + 4, right = 76;
  const scale = (size.width - left - right) / Math.max(...sorted.map(({ value }) => value));
  const height = sorted.length * ROW + 12;
  return drawing(
    { ...size, height },
    title,
    classes,
    line(left, 2, left, height - 2, { class: "axis" }),
    ...sorted.map(({ name, style, value, text, title }, i) => {
      const y = 8 + i * ROW, end = left + value * scale;
      return element(
        "g",
        { class: `series s${style}`, "data-name": name },
        element(
          "g",
          { class: "point" },
          `<title>${escape(title)}</title>`,
          element("rect", {
            class: "bar",
            x: left,
            y,
            width: Math.max(1, value * scale),
            height: ROW - 12,
            rx: 3,
          }),
        ),
        marker(style, 10, y + 11, 0.8),
        label(shorten(name), 22, y + 15, { class: "name" }),
        label(text, end + 8, y + 15, { class: "tick" }),
      );
    }),
  );
}
