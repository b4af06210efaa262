/** The machine, and what it can do at most, measured in the run. @module */
import { openNative } from "../../ffi/open.ts";
import { runtimeLabel } from "../../ffi/runtime.ts";
import { devices, openLibrary } from "../devices.ts";

/** What a run was measured on. */
export interface Machine {
  /** The processor as its maker calls it. */
  readonly cpu: string;
  /** Processors that this process may use. */
  readonly cores: number;
  /** The instruction set in use, such as avx2. */
  readonly isa: string;
  /** Float32 operations of multiply-adds in registers, in 10^9 per second, on `threads` threads; median of the run. */
  readonly fma_gflops: number;
  /** Bytes read plus written by an update in place, in 10^9 per second, on `threads` threads; median of the run. */
  readonly bandwidth_gbs: number;
  /** Threads of the two figures above. */
  readonly threads: number;
  /** Bytes of memory. */
  readonly memory_bytes: number;
  /** Such as `Bun 1.4.5`. */
  readonly runtime: string;
  /** Version of libleet.so and what was built in. */
  readonly library: string;
  /** Other devices that took part, such as `cuda:0: NVIDIA H100, sm_90`. */
  readonly devices: readonly string[];
}

/** Collects the peaks of a run. */
export interface MachineWatch {
  /** Measures the peaks once more, unless that was done a moment ago. */
  measure(): void;
  /** The machine, with the medians. */
  report(used: readonly string[]): Machine;
}

/** The middle of some numbers; the mean of the two middle ones of an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Time from one measurement of the peaks, which takes some tenths of a second, to the next. */
const INTERVAL_MS = 3000;

/**
 * Watches the peaks for a number of threads.
 * @throws LeetError when the native library cannot be opened
 */
export async function watchMachine(threads: number): Promise<MachineWatch> {
  const { version } = await openLibrary();
  const native = openNative();
  const all = devices();
  const cpu = all.find(({ name }) => name === "cpu")!;
  const flops: number[] = [], bytes: number[] = [];
  let last = -Infinity;
  return {
    measure() {
      if (performance.now() - last < INTERVAL_MS) return;
      const peak = native.machinePeak(threads);
      flops.push(peak.flops * 1e-9);
      bytes.push(peak.bytes * 1e-9);
      last = performance.now();
    },
    report: (used) => ({
      cpu: cpu.text,
      cores: cpu.units,
      isa: cpu.isa,
      fma_gflops: Number(median(flops).toPrecision(4)),
      bandwidth_gbs: Number(median(bytes).toPrecision(4)),
      threads,
      memory_bytes: cpu.memory,
      runtime: runtimeLabel(),
      library: version,
      devices: all.filter(({ name }) => name.startsWith("cuda") && used.includes(name))
        .map(({ name, text, isa }) => `${name}: ${text}, ${isa}`),
    }),
  };
}
