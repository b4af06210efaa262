/**
 * Runs every formatter, linter and type checker and prints one line for each; `--fix` formats instead of complaining.
 * @module
 */
import { existsSync } from "node:fs";
import process from "node:process";
import { checkSymbols, updateSymbols } from "./gen.ts";
import { filesBelow, type Outcome, ROOT, run, tool } from "./shell.ts";

const SHOWN_LINES = 60;

function symbols(fix: boolean): Outcome {
  const start = performance.now();
  let output = "";
  try {
    if (fix) updateSymbols();
    else checkSymbols();
  } catch (error) {
    output = (error as Error).message;
  }
  return { ok: output === "", output, seconds: (performance.now() - start) / 1000 };
}

/** The start of an output; the tool itself shows the rest. */
function firstLines(output: string): string {
  const lines = output.split("\n"), more = lines.length - SHOWN_LINES;
  return more <= 0 ? output : [...lines.slice(0, SHOWN_LINES), `... and ${more} more lines`].join("\n");
}

/** Runs every check and returns how many failed. */
export function check(fix: boolean = false): { passed: number; failed: number } {
  const typescript = ["lib", "ffi", "scripts", "tests"];
  const native = ["cuda", "tests"].flatMap((folder) => filesBelow(folder, /\.(c|cc|h|inc|cu|cuh)$/));
  const checks: [name: string, run: () => Outcome][] = [
    ["gen", () => symbols(fix)],
    ["deno fmt", () => run(tool("deno"), ["fmt", ...(fix ? [] : ["--check"])])],
    ["deno lint", () => run(tool("deno"), ["lint"])],
    [
      "clang-format",
      () => run(tool("clang-format"), [...(fix ? ["-i"] : ["--dry-run", "-Werror"]), ...native]),
    ],
    ["tsc", () => run(tool("tsc"), ["-p", "."])],
    [
      "deno check",
      () => run(tool("deno"), ["check", "-q", ...typescript.filter((folder) => existsSync(ROOT + folder))]),
    ],
  ];
  let failed = 0;
  for (const [name, start] of checks) {
    const { ok, output, error, seconds } = start();
    console.log(`check  ${name.padEnd(20)} ${ok ? "ok" : "FAILED"}  ${seconds.toFixed(1)} s`);
    if (ok) continue;
    failed++;
    console.log(firstLines(output || String(error)));
  }
  return { passed: checks.length - failed, failed };
}

if (import.meta.main && check(process.argv.includes("--fix")).failed) process.exitCode = 1;
