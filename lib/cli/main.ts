#!/usr/bin/env bun
/**
 * The command line: `leet COMMAND ...`. Exit code 0 = done, 1 = failed with one line on stderr, 2 = wrong usage.
 * @module
 */

import process from "node:process";
import { LEET_VERSION } from "../../ffi/symbols.ts";
import { LeetError, show } from "../errors.ts";
import { describeOptions, didYouMean, parseArguments, usageError } from "./args.ts";
import { benchCommand } from "./bench.ts";
import { type Command, type Output, standardOutput } from "./command.ts";
import { explainCommand } from "./explain.ts";
import { infoCommand } from "./info.ts";
import { methodsCommand } from "./methods.ts";
import { runCommand } from "./run.ts";
import { formatTable, oneLine } from "./table.ts";

/** Every command by name. */
export const commands: Readonly<Record<string, Command>> = {
  run: runCommand,
  info: infoCommand,
  methods: methodsCommand,
  explain: explainCommand,
  bench: benchCommand,
};

/** Runs one command line and returns its exit code. Never throws. */
export async function main(args: readonly string[], output: Output = standardOutput): Promise<number> {
  const name = args[0] ?? "";
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  try {
    if (command === undefined) return withoutCommand(args, output);
    const parsed = parseArguments(args.slice(1), command.options, command.positionals);
    if (parsed.values.help !== undefined) {
      output.out(helpOf(command));
      return 0;
    }
    return await command.run(parsed, output);
  } catch (error) {
    const [speaker, help] = command ? [`leet ${name}`, `leet ${name} --help`] : ["leet", "leet --help"];
    if (error instanceof LeetError && error.code === "USAGE") {
      output.err(oneLine(`${speaker}: ${error.message} (usage: ${help})`));
      return 2;
    }
    output.err(
      oneLine(`${speaker}: ${error instanceof LeetError ? error.message : `internal error: ${error}`}`),
    );
    return 1;
  }
}

function withoutCommand(args: readonly string[], output: Output): number {
  const [word, topic] = args;
  if (word === "--version") {
    output.out(`leet ${LEET_VERSION}`);
    return 0;
  }
  if (word === "--help" || word === "-h" || word === "help") {
    output.out(topic !== undefined && Object.hasOwn(commands, topic) ? helpOf(commands[topic]) : overview());
    return 0;
  }
  if (word === undefined) throw usageError(`expected a command: ${Object.keys(commands).join(", ")}`);
  throw usageError(
    `expected a command out of ${Object.keys(commands).join(", ")}, got ${show(word)}` +
      didYouMean(word, Object.keys(commands)),
  );
}

function overview(): string {
  const rows = Object.values(commands).map(({ usage, summary }) => [`  leet ${usage}`, summary]);
  return [
    "leet: exponentially decaying causal linear attention on the CPU and on GPUs",
    "",
    formatTable([{ title: "usage:" }, { title: "" }], rows),
    "",
    "leet COMMAND --help tells more; leet --version prints the version.",
    "Exit code: 0 = done, 1 = failed (one line on stderr says why), 2 = wrong usage.",
  ].join("\n");
}

function helpOf({ usage, description, options }: Command): string {
  return `usage: leet ${usage}\n\n${description}\n\noptions:\n${describeOptions(options)}`;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
