/** Compiles small C programs for these tests, in temporary folders that go away with the test file. @module */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

/** The project folder, with a slash at the end. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url).href);

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A temporary folder. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "leet-test-"));
  folders.push(folder);
  return folder;
}

/** How a program ended. */
export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, in the project folder unless told otherwise. */
export function run(command: string, args: string[], options: { cwd?: string; env?: object } = {}): Outcome {
  const env = { ...process.env, NO_COLOR: "1", ...options.env };
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: options.cwd ?? ROOT,
    encoding: "utf8",
    env,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** Compiles one file with g++ or gcc, by its ending, and returns the path of the output. */
export function compile(source: string, output: string, flags: string[] = []): string {
  const compiler = source.endsWith(".c") ? "gcc" : "g++";
  const { status, stderr } = run(compiler, [
    "-O1",
    `-I${ROOT}cuda/include`,
    ...flags,
    "-o",
    output,
    source,
    "-pthread",
  ]);
  if (status !== 0) throw new Error(`${compiler} ${source}:\n${stderr}`);
  return output;
}

/** Compiles the text of a C++ program, runs it and returns what it printed. */
export function runCpp(text: string): string {
  const folder = temporaryFolder();
  writeFileSync(`${folder}/main.cc`, text);
  const { status, stdout, stderr } = run(compile(`${folder}/main.cc`, `${folder}/main`), []);
  if (status !== 0) throw new Error(`the program ended with ${status}: ${stderr}`);
  return stdout;
}

/** Compiles tests/ffi/probe.c to a library of the given name in a temporary folder. */
export function compileProbe(name: string = "libleet.so", flags: string[] = []): string {
  return compile(`${ROOT}tests/ffi/probe.c`, `${temporaryFolder()}/${name}`, ["-shared", "-fPIC", ...flags]);
}

/** A program that npm installed. */
export function tool(name: string): string {
  return `${ROOT}node_modules/.bin/${name}`;
}
