/** Folders, input files and calls for the tests of the command line. @module */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach } from "vitest";
import { runtimeName } from "../../ffi/runtime.ts";
import { main } from "../../lib/cli/main.ts";
import { fromFloats, toFloat32 } from "../../lib/dtype.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import type { NumericTensor, StoredTensor } from "../../lib/io/stored.ts";
import { Tensor } from "../../lib/tensor.ts";
import type { DType } from "../../lib/types.ts";
import { noise } from "../lib/problems.ts";

/** A folder of its own for each test; `path(name)` is inside it. */
export function temporaryFolder(): (name: string) => string {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "leet-cli-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

/** How a command line ended. */
export interface Ended {
  code: number;
  out: string[];
  err: string[];
}

/** Runs a command line in this process. */
export async function leet(...args: string[]): Promise<Ended> {
  const out: string[] = [], err: string[] = [];
  const code = await main(args, {
    out: (line) => out.push(...line.split("\n")),
    err: (line) => err.push(line),
  });
  return { code, out, err };
}

const MAIN = fileURLToPath(new URL("../../lib/cli/main.ts", import.meta.url).href);

/** Folder of the project. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url).href);

/** Grants nothing. Without any such flag, node:child_process of Deno starts another Deno with -A. */
export const NO_PERMISSIONS: readonly string[] = ["--deny-net"];

/** Program and arguments that start the command line in the runtime that runs the tests. */
export function commandLine(permissions: readonly string[] = ["-A"]): string[] {
  return runtimeName() === "deno"
    ? [process.execPath, "run", "--no-prompt", "--no-check", ...permissions, MAIN]
    : [process.execPath, MAIN];
}

/** Runs a command line in a process of its own. `permissions` are flags of Deno. */
export function spawnLeet(args: readonly string[], permissions?: readonly string[], env: object = {}): Ended {
  const [program, ...before] = commandLine(permissions);
  const { status, stdout, stderr, error } = spawnSync(program, [...before, ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  if (error) throw error;
  const lines = (text: string): string[] => text === "" ? [] : text.replace(/\n$/, "").split("\n");
  return { code: status ?? -1, out: lines(stdout), err: lines(stderr) };
}

const STORED: Readonly<Record<DType, "F32" | "F16" | "BF16">> = { f32: "F32", f16: "F16", bf16: "BF16" };

/** Numbers as a stored tensor, rounded to its type. */
export function stored(values: Float32Array, shape: number[], dtype: DType = "f32"): NumericTensor {
  if (dtype === "f32") return { dtype: "F32", shape, data: values };
  const { buffer, byteOffset, length } = fromFloats(values, dtype);
  return { dtype: STORED[dtype] as "F16", shape, data: new Uint16Array(buffer, byteOffset, length) };
}

/** A stored tensor as the library takes it. */
export function asTensor({ dtype, shape, data }: StoredTensor): Tensor {
  const known = (Object.keys(STORED) as DType[]).find((name) => STORED[name] === dtype);
  if (known === undefined) throw new Error(`${dtype} is no dtype of the library`);
  return new Tensor(data as Float32Array, shape, { dtype: known });
}

/** The numbers of a stored float tensor. */
export function numbersOf(tensor: StoredTensor): Float32Array {
  const { data, dtype } = asTensor(tensor);
  return toFloat32(data, dtype);
}

/** Sizes of the inputs of most tests. */
export const SIZES = { B: 2, H: 4, Hkv: 2, N: 21, dk: 5, dv: 3 } as const;

/** q, k and v of those sizes. */
export function operands(
  dtype: DType = "f32",
  layout = "bhnd",
  B: number = SIZES.B,
): Record<"q" | "k" | "v", NumericTensor> {
  const { H, Hkv, N, dk, dv } = SIZES;
  const make = (heads: number, dim: number, seed: number): NumericTensor =>
    stored(
      noise(B * heads * N * dim, seed),
      layout === "bhnd" ? [B, heads, N, dim] : [B, N, heads, dim],
      dtype,
    );
  return { q: make(H, dk, 1), k: make(Hkv, dk, 2), v: make(Hkv, dv, 3) };
}

/** Writes a safetensors file and returns its path. */
export function writeInput(
  path: string,
  tensors: Record<string, StoredTensor>,
  metadata?: Record<string, string>,
): string {
  writeFileSync(path, writeSafetensors(tensors, metadata));
  return path;
}
