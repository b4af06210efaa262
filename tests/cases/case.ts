/**
 * One test case as one line of text, so that a failure is its own reproducer:
 *
 *     B=1 H=4 Hkv=2 N=100 dk=64 dv=128 dtype=f32 decay=gates:mixed layout=bnhd state=inout seqs=- values=signed threads=2 seed=7
 *
 * What is left out has the default of DEFAULTS. In a .cases file a value may be a set, `N={0,1,63}`: the line then stands
 * for the product of all its sets. `#` starts a comment.
 * @module
 */
import { readFileSync } from "node:fs";
import type { DType } from "../../lib/mod.ts";

/** A case; every field as in the line. */
export interface Case {
  readonly B: number;
  readonly H: number;
  readonly Hkv: number;
  readonly N: number;
  readonly dk: number;
  readonly dv: number;
  readonly dtype: DType;
  /** Form and strength, see inputs.ts. */
  readonly decay: string;
  /** `bhnd`, `bnhd`, or either with `-padded`: gaps between rows, heads and batches, and an offset. */
  readonly layout: string;
  /** Which states: none, in, out, inout, inplace. */
  readonly state: string;
  /** Lengths of ragged sequences, `3+0+60`, or `-`. */
  readonly seqs: string;
  /** Distribution of q, k, v: signed, ones, wide (magnitudes 1e-3 .. 1e3) or sparse. */
  readonly values: string;
  readonly scale: number;
  readonly threads: number;
  readonly seed: number;
}

const DEFAULTS: Record<keyof Case, string> = {
  B: "1",
  H: "2",
  Hkv: "H",
  N: "64",
  dk: "32",
  dv: "dk",
  dtype: "f32",
  decay: "factor:mixed",
  layout: "bhnd",
  state: "inout",
  seqs: "-",
  values: "signed",
  scale: "0.5",
  threads: "2",
  seed: "1",
};

const TEXT: ReadonlySet<string> = new Set(["dtype", "decay", "layout", "state", "seqs", "values"]);

/** The line of a case, complete: what a failure prints. */
export function lineOf(c: Case): string {
  return (Object.keys(DEFAULTS) as (keyof Case)[]).map((key) => `${key}=${c[key]}`).join(" ");
}

/** The case of a line without sets. Hkv may be `H` or `H/n`; dv may be `dk` or `2dk`; N of ragged lines is their sum. */
export function parseCase(line: string): Case {
  const fields: Record<string, string> = { ...DEFAULTS };
  for (const word of line.trim().split(/\s+/)) {
    const [key, value] = word.split("=", 2);
    if (!(key in DEFAULTS) || !value) {
      throw new Error(`case: expected key=value with a known key, got "${word}"`);
    }
    fields[key] = value;
  }
  const sum = fields.seqs === "-" ? fields.N : fields.seqs.split("+").reduce((n, l) => n + Number(l), 0);
  const related: Record<string, number> = {
    N: Number(sum),
    Hkv: /^H(\/\d+)?$/.test(fields.Hkv)
      ? Number(fields.H) / Number(fields.Hkv.slice(2) || 1)
      : Number(fields.Hkv),
    dv: fields.dv === "dk"
      ? Number(fields.dk)
      : fields.dv === "2dk"
      ? 2 * Number(fields.dk)
      : Number(fields.dv),
  };
  const parsed = Object.entries(fields).map(([key, text]) => {
    const value = TEXT.has(key) ? text : related[key] ?? Number(text);
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new Error(`case: ${key}=${text} is no number`);
    }
    return [key, value];
  });
  return Object.fromEntries(parsed) as unknown as Case;
}

/** All lines that a line with sets stands for. */
export function expand(line: string): string[] {
  const set = /\{([^{}]*)\}/.exec(line);
  if (!set) return [line];
  const [before, after] = [line.slice(0, set.index), line.slice(set.index + set[0].length)];
  return set[1].split(",").flatMap((value) => expand(before + value + after));
}

/** The cases of a .cases file, each once. */
export function readCases(url: URL): Case[] {
  const lines = readFileSync(url, "utf8").split("\n").map((line) => line.replace(/#.*/, "").trim()).filter(
    Boolean,
  );
  const unique = new Map(lines.flatMap(expand).map(parseCase).map((c) => [lineOf(c), c]));
  return [...unique.values()];
}
