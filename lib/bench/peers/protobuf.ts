/** Writes protocol buffers, as far as an ONNX model with one node needs them. @module */

const encoder = new TextEncoder();

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return [...bytes, value];
}

const VARINT = 0, LENGTH = 2, FIXED32 = 5;

/** An integer from 0. */
export function integer(field: number, value: number): number[] {
  return [...varint(field * 8 + VARINT), ...varint(value)];
}

/** A float. */
export function float(field: number, value: number): number[] {
  return [...varint(field * 8 + FIXED32), ...new Uint8Array(new Float32Array([value]).buffer)];
}

/** A message inside a message. */
export function message(field: number, ...parts: number[][]): number[] {
  const body = parts.flat();
  return [...varint(field * 8 + LENGTH), ...varint(body.length), ...body];
}

/** Text. */
export function text(field: number, value: string): number[] {
  return message(field, [...encoder.encode(value)]);
}
