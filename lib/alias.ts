/** Which arrays share memory. Two arrays do when their ranges in one memory meet, from first to last element. @module */
import { refuse } from "./checks.ts";

/** Bytes begin .. end-1 of a memory: a buffer of the host, or a device by its name. */
export interface Range {
  readonly memory: unknown;
  readonly begin: number | bigint;
  readonly end: number | bigint;
}

/** An array of a call; null where it is left out. */
export interface Region {
  readonly argument: string;
  readonly range: Range | null;
}

/** The bytes of a view; null for none. */
export function rangeOf(view: ArrayBufferView | null): Range | null {
  if (view === null) return null;
  return { memory: view.buffer, begin: view.byteOffset, end: view.byteOffset + view.byteLength };
}

function meet(a: Range, b: Range): boolean {
  return a.memory === b.memory && a.begin < a.end && b.begin < b.end && a.begin < b.end && b.begin < a.end;
}

/** Whether two arrays are the same memory. */
export function sameMemory(a: Range | null, b: Range | null): boolean {
  return a !== null && b !== null && a.memory === b.memory && a.begin === b.begin && a.end === b.end;
}

/** Refuses outputs that share memory with an input or another output. */
export function checkAliases(inputs: readonly Region[], outputs: readonly Region[]): void {
  outputs.forEach((output, index) => {
    if (output.range === null) return;
    for (const other of [...inputs, ...outputs.slice(0, index)]) {
      if (other.range !== null && meet(output.range, other.range)) {
        refuse("INVALID_ALIAS", output.argument, "memory of its own", `memory shared with ${other.argument}`);
      }
    }
  });
}

/**
 * Whether two elements of an array may lie in one place: sorted by stride, each axis must step over all that lies
 * inside it.
 */
export function selfOverlaps(shape: readonly number[], stride: readonly number[]): boolean {
  if (shape.includes(0)) return false;
  let inside = 1;
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] > 1);
  for (const axis of axes.sort((a, b) => stride[a] - stride[b])) {
    if (stride[axis] < inside) return true;
    inside += (shape[axis] - 1) * stride[axis];
  }
  return false;
}
