/** Command-line arguments by a table of options: parsing, checks, suggestions and help text. @module */

import { parseArgs } from "node:util";
import { LeetError, show } from "../errors.ts";

/** One option; without `value` it is a flag. */
export interface Option {
  /** Placeholder of its value in the help text. */
  readonly value?: string;
  /** One line. */
  readonly help: string;
  /** What the value may be, when that is a fixed list. */
  readonly choices?: readonly string[];
}

/** Options by name, without the dashes. */
export type OptionTable = Readonly<Record<string, Option>>;

/** Options and positionals as given. A flag that was given has the value "". */
export interface Arguments {
  /** In order. */
  readonly positionals: readonly string[];
  /** By option name. */
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** Understood by every command. */
export const helpOption: OptionTable = { help: { help: "show this text" } };

/** What is wrong with the arguments. Exit code 2. */
export function usageError(message: string): LeetError {
  return new LeetError("USAGE", message);
}

/**
 * Checks arguments against a table.
 * @param most positionals allowed
 * @throws LeetError USAGE
 */
export function parseArguments(args: readonly string[], table: OptionTable, most: number): Arguments {
  const known = { ...table, ...helpOption };
  const { tokens, positionals } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(known).map(([name, option]) => [name, {
        type: option.value === undefined ? "boolean" as const : "string" as const,
        ...(name === "help" && { short: "h" }),
      }]),
    ),
  });
  const values: Record<string, string | undefined> = Object.create(null);
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    if (!Object.hasOwn(known, name)) {
      throw usageError(`unknown option ${show(rawName)}${didYouMean(name, Object.keys(known), "--")}`);
    }
    if (name in values) throw usageError(`${rawName}: given twice`);
    values[name] = checkValue(rawName, known[name], value, inlineValue === true);
  }
  if (positionals.length > most) {
    throw usageError(
      `expected at most ${most} argument${most === 1 ? "" : "s"}, got ${show(positionals[most])} as well`,
    );
  }
  return { positionals, values };
}

function checkValue(rawName: string, option: Option, value: string | undefined, inline: boolean): string {
  if (option.value === undefined) {
    if (value !== undefined) throw usageError(`${rawName}: takes no value, got ${show(value)}`);
    return "";
  }
  // "--out --json" is a forgotten value; "--scale -1" is not.
  if (value === undefined || value === "" || (!inline && /^-(?![\d.])./.test(value))) {
    throw usageError(`${rawName}: expected a value ${option.value}`);
  }
  if (option.choices && !option.choices.includes(value)) {
    throw usageError(
      `${rawName}: expected ${option.choices.join(", ")}, got ${show(value)}${
        didYouMean(value, option.choices)
      }`,
    );
  }
  return value;
}

/** `; did you mean X?` when a known word is near, else nothing. */
export function didYouMean(word: string, known: readonly string[], prefix = ""): string {
  const near = known
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near ? `; did you mean ${prefix}${near.name}?` : "";
}

/** Least number of characters to insert, delete, replace or swap with their neighbour; only the first 40 count. */
export function editDistance(a: string, b: string): number {
  [a, b] = [a.slice(0, 40), b.slice(0, 40)];
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
      }
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/**
 * An option that is an integer from 0.
 * @throws LeetError USAGE
 */
export function integerOption(values: Arguments["values"], name: string): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw usageError(`--${name}: expected an integer from 0, got ${show(text)}`);
  }
  return value;
}

/** The options of a table, aligned, for a help text. */
export function describeOptions(table: OptionTable): string {
  const rows = Object.entries({ ...table, ...helpOption }).map(([name, { value, help }]) =>
    [`  --${name}${value === undefined ? "" : ` ${value}`}`, help] as const
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, help]) => `${left.padEnd(width)}  ${help}`).join("\n");
}
