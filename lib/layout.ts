/** The two orders of axes. @module */
import { oneOf } from "./checks.ts";
import type { Layout } from "./types.ts";

const LAYOUTS: readonly Layout[] = ["bhnd", "bnhd"];

/** A layout, or undefined where none is given. */
export function layoutOrNone(value: unknown, argument: string = "layout"): Layout | undefined {
  return value === undefined ? undefined : oneOf<Layout>(value, argument, "INVALID_LAYOUT", LAYOUTS, "bhnd");
}

/** Names of the axes in memory order, such as [B,H,N,dk]. */
export function axesOf(layout: Layout, heads: string, dim: string): string[] {
  return layout === "bhnd" ? ["B", heads, "N", dim] : ["B", "N", heads, dim];
}
