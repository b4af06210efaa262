/** What one measurement is about: a shape, a storage type, a decay form, a device. @module */
import type { DecayForm } from "../decay_form.ts";
import type { DType } from "../types.ts";

/** Sizes and settings of one group of calls that are compared with each other. */
export interface Config {
  readonly device: string;
  readonly dtype: DType;
  readonly decay: DecayForm;
  readonly B: number;
  readonly H: number;
  readonly Hkv: number;
  readonly N: number;
  readonly dk: number;
  readonly dv: number;
  /** CPU threads at most, from 1. */
  readonly threads: number;
}

/** Values to combine; an empty list of Hkv or dv means H and dk. */
export type ConfigLists = { readonly [K in keyof Config]: readonly Config[K][] };

/** Every combination, lengths and threads innermost, so that neighbours share their arrays. Hkv must divide H. */
export function combine(lists: ConfigLists): Config[] {
  let all: Partial<Config>[] = [{}];
  const axes = ["device", "dtype", "decay", "B", "H", "Hkv", "dk", "dv", "N", "threads"] as const;
  for (const axis of axes) {
    all = all.flatMap((config) => {
      const same = axis === "Hkv" ? config.H : config.dk;
      const values = lists[axis].length > 0 ? lists[axis] : [same];
      return values.map((value) => ({ ...config, [axis]: value }));
    });
  }
  return (all as Config[]).filter(({ H, Hkv }) => H % Hkv === 0);
}

/** What decides the arrays of a configuration: all of it but the device and the threads. */
export function arraysKey({ dtype, decay, B, H, Hkv, N, dk, dv }: Config): string {
  return [dtype, decay, B, H, Hkv, N, dk, dv].join(" ");
}

/** A configuration on one line, such as `B=1 H=32 N=2048 dk=128 dv=128 f32, decay, cpu, 2 threads`. */
export function describeConfig({ device, dtype, decay, B, H, Hkv, N, dk, dv, threads }: Config): string {
  const heads = Hkv === H ? `H=${H}` : `H=${H} Hkv=${Hkv}`;
  const form = decay === "none" ? "no decay" : decay;
  const on = device === "cpu" ? `cpu, ${threads} thread${threads === 1 ? "" : "s"}` : device;
  return `B=${B} ${heads} N=${N} dk=${dk} dv=${dv} ${dtype}, ${form}, ${on}`;
}

/** Floating point operations that the operator itself needs: 4 dk dv for each token and head. */
export function usefulFlops({ B, H, N, dk, dv }: Config): number {
  return 4 * B * H * N * dk * dv;
}
