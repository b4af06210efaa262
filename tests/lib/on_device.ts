/** Device tensors for tests, disposed all together at the end of each. @module */
import type { DeviceTensor, Layout, Tensor } from "../../lib/mod.ts";
import { inputs } from "./problems.ts";

/** Sizes of the tensors of {@linkcode onDevice}. */
export const SHAPE = { B: 2, H: 4, Hkv: 2, N: 37, dk: 8, dv: 12 };
/** A decay [H] for them. */
export const DECAY: readonly number[] = [0.9, 0.5, 1, 0];
/** The shape of their states. */
export const STATE: readonly number[] = [2, 4, 8, 12];

/** q, k and v of the host. */
export const hosts = inputs(SHAPE);

const there: DeviceTensor[] = [];

/** A copy on the device. */
export function upload(t: Tensor): DeviceTensor {
  const moved = t.to("cuda:0");
  there.push(moved);
  return moved;
}

/** The result of a call, to be disposed with the rest. */
export function keep<T extends { o: DeviceTensor; finalState?: DeviceTensor }>(result: T): T {
  there.push(result.o, ...(result.finalState ? [result.finalState] : []));
  return result;
}

/** q, k and v on the device. */
export function onDevice(layout?: Layout): { q: DeviceTensor; k: DeviceTensor; v: DeviceTensor } {
  const { q, k, v } = layout ? inputs(SHAPE, layout) : hosts;
  return { q: upload(q), k: upload(k), v: upload(v) };
}

/** Disposes everything that came from here. */
export function disposeAll(): void {
  for (const t of there.splice(0)) t.dispose();
}
