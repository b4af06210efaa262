/** What the scripts share: the project folder, its tools, and running a program. @module */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The project folder, with a slash at the end. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url).href);

/** A program that npm installed. */
export function tool(name: string): string {
  return `${ROOT}node_modules/.bin/${name}`;
}

/** How a program ended. */
export interface Outcome {
  ok: boolean;
  /** stdout and stderr, empty where they were shown. */
  output: string;
  /** ENOENT when there is no such program. */
  error?: string;
  seconds: number;
}

/** Runs a program in the project folder. `show` passes its output on instead of keeping it. */
export function run(
  command: string,
  args: string[],
  options: { show?: boolean; env?: object } = {},
): Outcome {
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", ...(options.show ? ["inherit", "inherit"] as const : ["pipe", "pipe"] as const)],
    env: { ...process.env, ...options.env },
  });
  return {
    ok: status === 0,
    output: `${stdout ?? ""}${stderr ?? ""}`.trim(),
    error: (error as { code?: string } | undefined)?.code,
    seconds: (performance.now() - start) / 1000,
  };
}

/** Every file below a folder of the project whose name matches, as paths from the project folder, sorted. */
export function filesBelow(folder: string, name: RegExp): string[] {
  const entries = readdirSync(ROOT + folder, { recursive: true, encoding: "utf8" });
  return entries.filter((entry) => name.test(entry)).map((entry) => `${folder}/${entry}`).sort();
}

/** When a file was last written, in ms; 0 when it is not there. */
export function modified(path: string): number {
  return statSync(ROOT + path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
