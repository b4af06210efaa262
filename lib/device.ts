/** Names of devices. @module */
import { refuse } from "./checks.ts";
import { show } from "./errors.ts";
import type { CudaDevice } from "./types.ts";

/** A kind of device. `reference` is float64 TypeScript, `cpu` and `cuda` are the native library. */
export type DeviceKind = "auto" | "cpu" | "cuda" | "reference";

/** A device as a call names it. */
export interface Device {
  readonly kind: DeviceKind;
  /** Which one of its kind, from 0. */
  readonly index: number;
}

/** Reads `auto`, `cpu`, `cuda`, `cuda:N` or `reference`; undefined is `auto`. */
export function parseDevice(value: unknown): Device {
  if (value === undefined) return { kind: "auto", index: 0 };
  const expected = "auto, cpu, cuda, cuda:N or reference";
  if (typeof value !== "string") refuse("INVALID_ARGUMENT", "device", expected, show(value));
  const found = /^(auto|cpu|reference|cuda)$|^cuda:(\d{1,4})$/.exec(value);
  if (found === null) refuse("INVALID_DEVICE", "device", expected, show(value));
  return found[1] ? { kind: found[1] as DeviceKind, index: 0 } : { kind: "cuda", index: Number(found[2]) };
}

/** The name of a CUDA device. */
export function deviceName(index: number): CudaDevice {
  return `cuda:${index}`;
}

/** Which CUDA device `cuda` (the first) or `cuda:N` names. */
export function parseCudaDevice(value: unknown): number {
  const { kind, index } = parseDevice(value);
  if (kind !== "cuda") refuse("INVALID_DEVICE", "device", "cuda or cuda:N", show(value));
  return index;
}

/** Where a tensor goes: a CUDA device by its index, or null for host memory, `cpu`. */
export function parseTensorDevice(value: unknown): number | null {
  const { kind, index } = parseDevice(value);
  if (kind === "cuda") return index;
  if (kind !== "cpu") refuse("INVALID_DEVICE", "device", "cpu, cuda or cuda:N", show(value));
  return null;
}
