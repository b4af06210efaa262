/** Rows of strided storage to and from dense floats. @module */
import { decodeTable, isUint16Array, toBf16Bits, toF16Bits } from "./dtype.ts";
import type { FloatArray } from "./head.ts";
import type { DType, TensorData } from "./types.ts";

/** Rows in storage: the first starts at `start`, each is contiguous, the next is `step` elements on. */
export interface Rows {
  readonly data: TensorData;
  readonly dtype: DType;
  readonly start: number;
  readonly step: number;
}

/** Reads a dense [rows,columns] matrix. */
export function readRows({ data, dtype, start, step }: Rows, columns: number, target: FloatArray): void {
  const table = isUint16Array(data) ? decodeTable(dtype === "f16" ? "f16" : "bf16") : null;
  for (let at = 0, from = start; at < target.length; at += columns, from += step) {
    for (let c = 0; c < columns; c++) target[at + c] = table ? table[data[from + c]] : data[from + c];
  }
}

/** Writes a dense [rows,columns] matrix, each element rounded once. */
export function writeRows({ data, dtype, start, step }: Rows, columns: number, source: FloatArray): void {
  const encode = !isUint16Array(data) ? (x: number): number => x : dtype === "f16" ? toF16Bits : toBf16Bits;
  const target = data as Float32Array;
  for (let at = 0, to = start; at < source.length; at += columns, to += step) {
    for (let c = 0; c < columns; c++) target[to + c] = encode(source[at + c]);
  }
}
