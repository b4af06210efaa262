/** Which arrays share memory. Two arrays do when their byte ranges in one buffer meet, from first to last element. @module */
import { refuse } from "./checks.ts";

/** An array of a call; `data` holds its elements from the first to the last and nothing else around them. */
export interface Region {
  readonly argument: string;
  readonly data: ArrayBufferView | null;
}

function meet(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return a.byteLength > 0 && b.byteLength > 0 && a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}

/** Whether two arrays are the same memory. */
export function sameMemory(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}

/** Refuses outputs that share memory with an input or another output. */
export function checkAliases(inputs: readonly Region[], outputs: readonly Region[]): void {
  outputs.forEach((output, index) => {
    if (output.data === null) return;
    for (const other of [...inputs, ...outputs.slice(0, index)]) {
      if (other.data !== null && meet(output.data, other.data)) {
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
