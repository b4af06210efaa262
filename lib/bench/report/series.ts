/** How each method is drawn: a colour and a marker, so that neither alone has to be told apart. @module */
import { element } from "./svg.ts";

/** Colours on light and on dark paper, at least 4.5 to 1 against either. */
const COLOURS: readonly [light: string, dark: string][] = [
  ["#0b5fc4", "#6db3ff"],
  ["#b8420a", "#ff9d66"],
  ["#04765b", "#4fd6ab"],
  ["#8434a8", "#d9a4f5"],
  ["#8a6100", "#ecc452"],
  ["#0a6f86", "#62d5ea"],
  ["#5c6470", "#aab3bf"],
  ["#b01657", "#ff8cba"],
  ["#4e6200", "#bfd65a"],
  ["#6b4a2f", "#d9b18f"],
  ["#a02c2c", "#ff8f86"],
  ["#3d4fb8", "#a3b1ff"],
  ["#1f6e2f", "#86d98f"],
];

/** Outlines around (0,0), about 5 pixels in radius. */
const MARKERS: readonly string[] = [
  "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z",
  "M-4.4-4.4H4.4V4.4H-4.4Z",
  "M0-5.6L5.2 4.2H-5.2Z",
  "M0-6L6 0L0 6L-6 0Z",
  "M0 5.6L5.2-4.2H-5.2Z",
  "M-2-5.4H2V-2H5.4V2H2V5.4H-2V2H-5.4V-2H-2Z",
  "M-5-3.4L-3.4-5L0-1.6L3.4-5L5-3.4L1.6 0L5 3.4L3.4 5L0 1.6L-3.4 5L-5 3.4L-1.6 0Z",
  "M0-6L1.6-2L5.8-1.9L2.5 .8L3.6 4.9L0 2.5L-3.6 4.9L-2.5 .8L-5.8-1.9L-1.6-2Z",
  "M-5.6 0L-2.8-4.8H2.8L5.6 0L2.8 4.8H-2.8Z",
  "M-5.5-2.6H5.5V2.6H-5.5Z",
  "M-2.6-5.5H2.6V5.5H-2.6Z",
  "M-5-4H5L2.4 4.4H-2.4Z",
  "M-5 4H5L2.4-4.4H-2.4Z",
];

/** Methods that always look the same. */
const FIXED: readonly string[] = [
  "flash",
  "lightning",
  "block",
  "recurrent",
  "fleet",
  "recursion",
  "vanilla",
];

/** Number of a style for each name; names beyond the known ones share what is left, in the order given. */
export function stylesFor(names: readonly string[]): Map<string, number> {
  const others = names.filter((name) => !FIXED.includes(name)), left = COLOURS.length - FIXED.length;
  return new Map(names.map((name) => {
    const fixed = FIXED.indexOf(name);
    return [name, fixed >= 0 ? fixed : FIXED.length + others.indexOf(name) % left];
  }));
}

/** The marker of a style at a place. */
export function marker(style: number, x: number, y: number, size: number = 1): string {
  const transform = `translate(${x.toFixed(2)} ${y.toFixed(2)})${size === 1 ? "" : ` scale(${size})`}`;
  return element("path", { class: "mark", d: MARKERS[style], transform });
}

/** Declares the colours and the classes s0, s1, ... that set --c to one. `root` is a selector. */
export function colourRules(root: string): string {
  const variables = (side: 0 | 1): string => COLOURS.map((pair, i) => `--s${i}:${pair[side]}`).join(";");
  const classes = COLOURS.map((_, i) => `.s${i}{--c:var(--s${i})}`).join("");
  return `${root}{${variables(0)}}@media(prefers-color-scheme:dark){${root}{${variables(1)}}}${classes}`;
}
