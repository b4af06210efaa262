/** The roofline of the machine: what it can do at most at an arithmetic intensity, and what each method does. @module */
import { formatNumber } from "../../cli/table.ts";
import { axes, drawing, endLabels, grid, roomFor, type Size } from "./frame.ts";
import { decimalTicks, pixel, range } from "./scale.ts";
import { marker } from "./series.ts";
import { element, escape, label } from "./svg.ts";

/** One method on one shape. */
export interface RoofPoint {
  readonly name: string;
  readonly style: number;
  /** Operations for each byte. */
  readonly intensity: number;
  /** 10^9 operations per second. */
  readonly gflops: number;
  readonly title: string;
}

/** What the machine can do. */
export interface Roof {
  readonly fma_gflops: number;
  readonly bandwidth_gbs: number;
}

/** Draws the roof and the points under it. */
export function roofline(
  title: string,
  roof: Roof,
  points: readonly RoofPoint[],
  room: Size,
  classes: string = "",
): string {
  const size = roomFor(room, points.map(({ name }) => name));
  const { fma_gflops: peak, bandwidth_gbs: bandwidth } = roof;
  const ridge = peak / bandwidth;
  const xs = range([...points.map(({ intensity }) => intensity), ridge], 2.5);
  const ys = range([...points.map(({ gflops }) => gflops), peak], 1.7);
  const { x, y } = axes(size, xs, ys);
  const [left, right, top] = [size.left, size.width - size.right, size.top];
  // The roof enters at the left edge, or at the bottom where it is still lower there.
  const start = Math.max(x.low, y.low / bandwidth);
  const roofPath = [
    [pixel(x, start), pixel(y, start * bandwidth)],
    [pixel(x, ridge), pixel(y, peak)],
    [right, pixel(y, peak)],
  ];
  const text = (path: number[][]): string =>
    path.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
  const beyond = [...roofPath, [right, top], [left, top], [left, roofPath[0][1]]];
  const middle = Math.sqrt(start * ridge);
  const slope = -Math.atan2(roofPath[0][1] - roofPath[1][1], roofPath[1][0] - roofPath[0][0]) * 180 / Math.PI;
  const [mx, my] = [pixel(x, middle), pixel(y, middle * bandwidth)];
  const long = Math.hypot(roofPath[1][0] - roofPath[0][0], roofPath[1][1] - roofPath[0][1]) > 70;
  const labels = endLabels(
    size,
    points.map(({ name, style, intensity, gflops }) => ({
      text: name,
      style,
      x: pixel(x, intensity),
      y: pixel(y, gflops),
    })),
  );
  const number = (value: number): string => formatNumber(value);
  return drawing(
    size,
    title,
    classes,
    grid(size, x, y, decimalTicks(x, number), decimalTicks(y, number), "operations per byte"),
    element("polygon", { class: "beyond", points: text(beyond) }),
    element("polyline", { class: "roof", points: text(roofPath) }),
    label(`${number(peak)} GFLOP/s`, right - 4, pixel(y, peak) - 6, {
      class: "roof-name",
      "text-anchor": "end",
    }),
    long
      ? label(`${number(bandwidth)} GB/s`, mx, my - 7, {
        class: "roof-name",
        "text-anchor": "middle",
        transform: `rotate(${slope.toFixed(1)} ${mx.toFixed(1)} ${my.toFixed(1)})`,
      })
      : "",
    ...points.map(({ name, style, intensity, gflops, title }, i) =>
      element(
        "g",
        { class: `series s${style}`, "data-name": name },
        element(
          "g",
          { class: "point" },
          `<title>${escape(title)}</title>`,
          marker(style, pixel(x, intensity), pixel(y, gflops), 1.2),
        ),
        labels[i],
      )
    ),
  );
}
