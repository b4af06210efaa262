/**
 * Builds what has changed: the generated table, build/libleet.so, and the npm package in build/npm.
 * Needs g++; uses make where there is one.
 * @module
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import { updateSymbols } from "./gen.ts";
import { filesBelow, modified, type Outcome, ROOT, run, tool } from "./shell.ts";

const LIBRARY = "build/libleet.so";
const BUNDLE = "build/npm/leet.js";
const TYPES = "build/npm/types/lib/mod.d.ts";
const TYPES_CONFIG = "build/tsconfig.types.json";

function mustSucceed(what: string, { ok, output, error }: Outcome): void {
  if (!ok) throw new Error(`${what} failed${error ? ` (${error})` : ""}\n${output}`);
}

/** True when `output` is missing or older than one of the inputs. */
function stale(output: string, inputs: string[]): boolean {
  const built = modified(output);
  return inputs.some((input) => modified(input) >= built);
}

/** The one line that cuda/Makefile states for machines without make, with its flags and sources: a CPU-only library. */
function buildLibraryDirectly(): void {
  if (!stale(LIBRARY, filesBelow("cuda", /\.(cc|h|inc|def|map)$|Makefile$/))) return;
  const makefile = readFileSync(`${ROOT}cuda/Makefile`, "utf8");
  const words = (line: RegExp): string[] => {
    const match = line.exec(makefile);
    if (!match) throw new Error(`cuda/Makefile: expected a line like ${line.source}`);
    return match[1].trim().split(/\s+/).map((word) => word.replace("src/", "cuda/src/"));
  };
  const sources = words(/^SOURCES := \$\(sort \$\(wildcard ([^)]*)\)\)$/m).flatMap((pattern) => {
    const folder = pattern.slice(0, pattern.lastIndexOf("/"));
    return filesBelow(folder, /^[^/]*\.cc$/);
  });
  const output = `${LIBRARY}.tmp`;
  mkdirSync(`${ROOT}build`, { recursive: true });
  const args = [...words(/^CXXFLAGS = (.*)$/m), ...sources, ...words(/^LDFLAGS = (.*)$/m), "-o", output];
  mustSucceed("g++", run("g++", args));
  renameSync(ROOT + output, ROOT + LIBRARY);
}

function buildLibrary(): void {
  const make = run("make", ["-C", "cuda", "--no-print-directory", `-j${availableParallelism()}`]);
  if (make.error === "ENOENT") buildLibraryDirectly();
  else mustSucceed("make -C cuda", make);
}

function buildBundle(): void {
  const flags = ["--bundle", "--format=esm", "--platform=neutral", "--target=es2022", "--log-level=warning"];
  const externals = ["--external:bun:ffi", "--external:node:*"];
  mustSucceed("esbuild", run(tool("esbuild"), ["lib/mod.ts", ...flags, ...externals, `--outfile=${BUNDLE}`]));
}

function buildTypes(): void {
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: "..",
    outDir: "npm/types",
  };
  const config = { extends: "../tsconfig.json", compilerOptions, include: [], files: ["../lib/mod.ts"] };
  writeFileSync(ROOT + TYPES_CONFIG, `${JSON.stringify(config, null, 2)}\n`);
  mustSucceed("tsc", run(tool("tsc"), ["-p", TYPES_CONFIG]));
}

/** Builds everything that is out of date and prints what it did. Throws on the first failure. */
export function build(): void {
  const sources = () => [...filesBelow("lib", /\.ts$/), ...filesBelow("ffi", /\.ts$/), "tsconfig.json"];
  const steps: [name: string, output: string, build: () => void][] = [
    ["ffi/symbols.ts", "ffi/symbols.ts", updateSymbols],
    [LIBRARY, LIBRARY, buildLibrary],
    [BUNDLE, BUNDLE, () => stale(BUNDLE, sources()) && buildBundle()],
    ["build/npm/types", TYPES, () => stale(TYPES, sources()) && buildTypes()],
  ];
  for (const [name, output, step] of steps) {
    const before = modified(output), start = performance.now();
    step();
    const done = modified(output) === before ? "up to date" : "built";
    console.log(`build  ${name.padEnd(20)} ${done}  ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
}

if (import.meta.main) {
  try {
    build();
  } catch (error) {
    console.error(`build: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
