/** Runs of `leet bench` and methods of users, for the tests of lib/bench. @module */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../lib/bench/config.ts";
import type { Machine } from "../../lib/bench/machine.ts";
import type { BenchReport, Result } from "../../lib/bench/result.ts";
import { type Ended, leet } from "../cli/workspace.ts";
import { temporaryFolder } from "../ffi/compile.ts";

/** A small shape, quickly measured. */
const SMALL: readonly [option: string, value: string][] = [
  ["--heads", "2"],
  ["--dk", "16"],
  ["--repeats", "2"],
  ["--warmup", "0"],
];

/** Runs `leet bench` on a small shape, as far as the arguments do not say otherwise. */
export function bench(...args: string[]): Promise<Ended> {
  return leet("bench", ...SMALL.filter(([option]) => !args.includes(option)).flat(), ...args);
}

/** The report of `leet bench ... --json`. */
export async function benchJson(...args: string[]): Promise<BenchReport & { ended: Ended }> {
  const ended = await bench(...args, "--json");
  if (ended.out.length !== 1) throw new Error(`expected one line, got ${JSON.stringify(ended)}`);
  return { ...JSON.parse(ended.out[0]), ended };
}

/** The statements of a right method, one head in float64; `mutation` is put behind the output of each token. */
function body(mutation: string): string {
  return `const s = Float64Array.from(state);
  for (let t = 0; t < N; t++) {
    for (let c = 0; c < dv; c++) {
      let sum = 0;
      for (let r = 0; r < dk; r++) {
        const at = r * dv + c;
        s[at] = decay[t] * s[at] + k[t * dk + r] * v[t * dv + c];
        sum += q[t * dk + r] * s[at];
      }
      o[t * dv + c] = scale * sum;
      ${mutation}
    }
  }
  state.set(s);`;
}

let files = 0;

/** A module with a method of a user's, right but for the mutation. */
export function scriptMethod(name: string, mutation: string = "", after: string = ""): string {
  // Every file has a name of its own: a module is loaded once.
  const path = join(temporaryFolder(), `method${files++}.ts`);
  const run = `export function run({ N, dk, dv, scale, q, k, v, decay, state, o }) {\n  ${
    body(mutation)
  }\n${after}}`;
  writeFileSync(path, `export const name = ${JSON.stringify(name)};\n${run}\n`);
  return path;
}

/** A configuration with some of its fields given. */
export function configOf(some: Partial<Config> = {}): Config {
  const { dk = 16, H = 2 } = some;
  const base = {
    device: "cpu",
    dtype: "f32",
    decay: "decay",
    B: 1,
    H,
    Hkv: H,
    N: 100,
    dk,
    dv: dk,
    threads: 2,
  } as const;
  return { ...base, ...some };
}

/** A machine for reports. */
export const MACHINE: Machine = {
  cpu: "Test & <Sons>",
  cores: 2,
  isa: "avx2",
  fma_gflops: 200,
  bandwidth_gbs: 40,
  threads: 2,
  memory_bytes: 2 ** 34,
  runtime: "Bun 1.4.5",
  library: "0.1.0 cpu(scalar,avx2)",
  devices: [],
};

/** A timed result with some of its fields given. */
export function resultOf(some: Partial<Result> = {}): Result {
  const { device: _device, ...config } = configOf({ N: some.N ?? 128, dk: some.dk ?? 16, H: some.H ?? 2 });
  const method = some.method ?? "flash";
  return {
    method,
    device: "cpu",
    ...config,
    median_ms: 2,
    min_ms: 1.5,
    peak_bytes: 1 << 20,
    error: null,
    outcome: "timed",
    used: method,
    origin: "built in",
    repeats: 5,
    peak_source: "stated",
    rss_growth_bytes: null,
    flops: 1e9,
    traffic_bytes: 1e7,
    rel_error: 1e-7,
    error_ratio: 0.05,
    checked: "all 2 heads, all 128 tokens",
    ...some,
  };
}
