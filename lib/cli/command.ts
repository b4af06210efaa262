/** What a command is, and where it prints. @module */

import { writeSync } from "node:fs";
import type { Arguments, OptionTable } from "./args.ts";

/** Where a command prints. */
export interface Output {
  /** Results. */
  out(line: string): void;
  /** Errors. */
  err(line: string): void;
}

/** One command of `leet`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows `leet` in the usage line. */
  readonly usage: string;
  /** Paragraphs of the help text before the options. */
  readonly description: string;
  /** Its options; --help is added. */
  readonly options: OptionTable;
  /** Positional arguments it takes at most. */
  readonly positionals: number;
  /** Does it; failures are thrown. Returns the exit code. */
  run(args: Arguments, output: Output): number | Promise<number>;
}

/** Prints to the standard streams. */
export const standardOutput: Output = {
  out: (line) => writeLine(1, line),
  err: (line) => writeLine(2, line),
};

/** Writes a whole line; a reader that has gone away (`| head`) is no error. */
function writeLine(stream: number, line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(stream, bytes, at, bytes.length - at);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "EPIPE") return;
      if (code !== "EAGAIN") throw error;
      // The pipe is full and set to not wait.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
