/**
 * Runs the checks, builds, runs the C tests, the CUDA kernels on the emulated driver, and the vitest suite under Bun and
 * under Deno, and sums up on the last line. Arguments go to vitest as filters; then only vitest runs.
 * @module
 */
import { readFileSync, rmSync } from "node:fs";
import process from "node:process";
import { build } from "./build.ts";
import { check } from "./check.ts";
import { ROOT, run, tool } from "./shell.ts";

/** Tests by outcome. */
interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** What a stage needs beside g++, and what is left out without it. */
function missing(...tools: string[]): string | undefined {
  return tools.find((name) => run(name, ["--version"]).error === "ENOENT");
}

/** Every `N passed, N failed` line of a `make` target, added up; a run that ends badly counts as a failure. */
function makeTests(folder: string, target: string, ...needs: string[]): Count {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const tool = missing("make", ...needs);
  if (tool) {
    console.log(`test   ${folder} is skipped: it needs ${tool}`);
    return { ...count, skipped: 1 };
  }
  const { ok, output } = run("make", ["-C", folder, "--no-print-directory", target]);
  for (
    const [, passed, failed, skipped] of output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)
  ) {
    count.passed += Number(passed);
    count.failed += Number(failed);
    count.skipped += Number(skipped ?? 0);
  }
  const silent = count.passed + count.failed === 0;
  if (count.failed === 0 && (!ok || silent)) count.failed = 1;
  if (count.failed) console.log(output);
  return count;
}

/** A few mutants of the kernels, each of which the kernel cases must notice. */
function mutants(): Count {
  const needs = missing("make", "nvcc");
  if (needs) return { passed: 0, failed: 0, skipped: 1 };
  const { ok, output } = run(tool("bun"), ["scripts/mutate.ts", "--smoke"]);
  if (!ok) console.log(output);
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  return { passed: Number(passed ?? 0), failed: ok ? 0 : Number(failed ?? 0) || 1, skipped: 0 };
}

/** The emulated driver, which the vitest files *.cuda.test.ts run on. They skip themselves, with the reason, without it. */
function buildEmulator(): void {
  const { ok, output } = run("make", ["-C", "tests/emulator", "--no-print-directory"]);
  if (!ok) console.log(`test   tests/emulator could not be built, so tests on CUDA are skipped\n${output}`);
}

/** The vitest suite under one runtime, counted from vitest's JSON report. A file that does not load is a failure. */
function vitest(runtime: string[], filters: string[]): Count {
  const report = `${ROOT}build/vitest-${runtime[0]}.json`;
  rmSync(report, { force: true });
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${report}`];
  const [command, ...flags] = runtime;
  const args = [...flags, "node_modules/vitest/vitest.mjs", "run", ...reporters, ...filters];
  const { ok } = run(tool(command), args, { show: true });
  try {
    const json = JSON.parse(readFileSync(report, "utf8"));
    const suites: { status: string; assertionResults: { status: string }[] }[] = json.testResults;
    const unloaded = suites.filter(({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((test) =>
        test.status === "failed"
      )
    ).length;
    const failed = json.numFailedTests + unloaded;
    const skipped = json.numPendingTests + json.numTodoTests;
    return { passed: json.numPassedTests, failed: failed || (ok ? 0 : 1), skipped };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function summary({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`;
}

function main(filters: string[]): boolean {
  const everything: [name: string, run: () => Count][] = [
    // First, because the build mends a stale ffi/symbols.ts and so would hide that it was committed stale.
    ["checks", () => ({ ...check(), skipped: 0 })],
    ["build", () => (build(), buildEmulator(), { passed: 0, failed: 0, skipped: 0 })],
    ["C tests", () => makeTests("cuda", "test")],
    ["C tests, sanitized", () => makeTests("tests/c", "sanitize-boundary")],
    ["emulated driver", () => makeTests("tests/emulator", "test", "nvcc")],
    ["CUDA kernels on it", () => makeTests("tests/cuda", "test", "nvcc")],
    ["mutants of them", mutants],
    ["the check for GPUs", () => makeTests("tests/gpu-check", "test", "nvcc")],
    ["vitest under Bun", () => vitest(["bun", "--bun"], filters)],
    ["vitest under Deno", () => vitest(["deno", "run", "-A"], filters)],
  ];
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const [name, start] of everything) {
    if (filters.length > 0 && name !== "build" && !name.startsWith("vitest")) continue;
    const began = performance.now(), count = start();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    for (const key of ["passed", "failed", "skipped"] as const) total[key] += count[key];
    lines.push(`test   ${name.padEnd(20)} ${name === "build" ? "done" : summary(count)}  ${seconds} s`);
  }
  if (total.skipped) lines.push(`test   ${total.skipped} skipped, for the reasons above`);
  console.log(["", ...lines, `${total.passed} passed, ${total.failed} failed`].join("\n"));
  return total.failed === 0 && total.passed > 0;
}

try {
  if (!main(process.argv.slice(2))) process.exitCode = 1;
} catch (error) {
  console.error(`test: ${(error as Error).message}`);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
}
