/** One-line mutants of PTX: where a kernel has which kind, and what the line becomes. @module */

/** A line of a kernel's PTX and what a mutant has there. */
export interface Mutant {
  kernel: string;
  kind: string;
  /** In the PTX file, from 1. */
  line: number;
  original: string;
  text: string;
  /** The kind and a hash of the mutation and the lines around it without register numbers: the same for the same code. */
  id: string;
}

/** A kernel in a PTX file: its lines, from `first` (counted from 1) on. */
export interface KernelText {
  kernel: string;
  first: number;
  lines: string[];
}

const ELEMENT_BYTES: Record<string, number> = { 8: 1, 16: 2, 32: 4, 64: 8 };
const INTEGER = /^setp\.(lt|le|gt|ge)\.([us])(16|32|64)\b/;

/** `text` with its register number `n` (of those in braces group `group`) swapped with the next one. */
function swapInGroup(text: string, group: number): string | null {
  let at = -1;
  for (let k = 0; k <= group; k++) {
    at = text.indexOf("{", at + 1);
    if (at < 0) return null;
  }
  const end = text.indexOf("}", at), registers = text.slice(at + 1, end).split(",").map((r) => r.trim());
  if (registers.length < 2) return null;
  [registers[0], registers[1]] = [registers[1], registers[0]];
  return `${text.slice(0, at + 1)}${registers.join(", ")}${text.slice(end)}`;
}

/** The last operand of an instruction, when it is an integer, plus `by`. */
function shiftImmediate(text: string, by: number): string | null {
  const match = /^(.*, )(-?\d+);$/.exec(text);
  return match && `${match[1]}${BigInt(match[2]) + BigInt(by)};`;
}

/** Each kind: what it does to an instruction (without guard), or null where it does not apply. */
const KINDS: [kind: string, mutate: (text: string, guard: string) => string | null][] = [
  ["barrier", (text) => /^bar(rier)?\.(sync|warp\.sync)/.test(text) ? ";" : null],
  ["wait", (text) => /^cp\.async\.wait_/.test(text) ? ";" : null],
  ["commit", (text) => text.startsWith("cp.async.commit_group") ? ";" : null],
  ["fragment", (text) => {
    if (text.startsWith("ldmatrix")) return swapInGroup(text, 0);
    return text.startsWith("mma.sync") ? swapInGroup(text, 2) ?? swapInGroup(text, 1) : null;
  }],
  ["rows", (text) => text.startsWith("mma.sync") ? swapInGroup(text, 1) : null],
  ["bound", (text) => {
    if (!INTEGER.test(text)) return null;
    return text.replace(
      INTEGER,
      (_, op, sign, bits) => `setp.${op[0]}${op[1] === "t" ? "e" : "t"}.${sign}${bits}`,
    );
  }],
  ["immediate", (text) => INTEGER.test(text) ? shiftImmediate(text, 1) : null],
  ["address", (text) => {
    const match = /^(?:ld|st)\.(?:global|shared)\S*?\.[bsuf](8|16|32|64)\b/.exec(text);
    if (!match) return null;
    return text.replace(
      /\[(%\w+)(?:\+(-?\d+))?\]/,
      (_, base, by) => `[${base}+${Number(by ?? 0) + ELEMENT_BYTES[match[1]]}]`,
    );
  }],
  ["sign", (text) => {
    if (/^add\.(rn\.)?f(32|64)/.test(text)) return text.replace("add", "sub");
    return /^sub\.(rn\.)?f(32|64)/.test(text) ? text.replace("sub", "add") : null;
  }],
  ["term", (text) => {
    const match = /^fma\.rn\.(f32|f64)\s+(\S+), (\S+), (\S+), \S+;$/.exec(text);
    return match && `mul.rn.${match[1]} ${match[2]}, ${match[3]}, ${match[4]};`;
  }],
  ["zero", (text) => {
    const match = /^((?:mul|fma)\.(?:rn\.)?f32\s+\S+, )\S+(, .*)$/.exec(text);
    return match && `${match[1]}0f00000000${match[2]}`;
  }],
  ["guard", (_, guard) => guard ? "" : null],
  ["store", (text) => /^st\.(global|shared)/.test(text) ? ";" : null],
  ["copy", (text) => /^cp\.async\.c[ag]/.test(text) ? ";" : null],
  ["rounding", (text) => /^cvt\.rn\.(bf16|f16)/.test(text) ? text.replace("cvt.rn", "cvt.rz") : null],
];

/**
 * What shows whether a mutant can matter: for a comparison a trap where the changed one has another outcome, for a
 * floating-point result or a store to shared memory a NaN in its place. Null for other instructions.
 */
export function probeOf({ kind, original }: Mutant): string | null {
  const compare = /^setp\.(l|g)(t|e)\.(\S+)\s+(\S+), (\S+), (\S+);$/.exec(original);
  if (compare && (kind === "bound" || kind === "immediate")) {
    const [, side, end, type, predicate, a, b] = compare;
    const next = kind === "immediate" && (side === "l") === (end === "e") ? 1n : 0n;
    const other = kind === "immediate" ? `${BigInt(b) + next}` : b;
    return `setp.eq.${type} ${predicate}, ${a}, ${other}; @${predicate} trap; ${
      original.replace(/\s+/g, " ")
    }`;
  }
  const store = /^(st\.shared(?:\.v[24])?\.[fub](32|64)\s+\[\S+, )(.*);$/.exec(original);
  if (store && kind === "store") {
    const nan = store[2] === "32" ? "0f7FC00000" : "0d7FF8000000000000";
    return `${store[1]}${store[3].replace(/%\w+/g, nan)};`;
  }
  const float = /^(?:add|sub|mul|fma)\.(?:rn\.)?(f32|f64)\s+(\S+), /.exec(original);
  if (!float) return null;
  return `mov.${float[1]} ${float[2]}, ${float[1] === "f32" ? "0f7FC00000" : "0d7FF8000000000000"};`;
}

/** Every kind of mutation. */
export const KIND_NAMES: readonly string[] = KINDS.map(([kind]) => kind);

/** A line without the numbers of registers and labels. */
export function plain(line: string): string {
  return line.trim().replace(/\s+/g, " ").replace(/%([a-z]+)\d+/g, "%$1").replace(/\$L__BB\d+_\d+/g, "$L");
}

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let k = 0; k < text.length; k++) h = Math.imul(h ^ text.charCodeAt(k), 0x01000193) >>> 0;
  return h;
}

/** Every mutant that a kernel could have. */
export function mutantsOf({ kernel, first, lines }: KernelText): Mutant[] {
  const mutants: Mutant[] = [];
  lines.forEach((whole, k) => {
    const match = /^\s*(@!?%p\d+ )?(\S.*;)\s*$/.exec(whole);
    if (!match) return;
    const [guard, instruction] = [match[1] ?? "", match[2].replace(/\s+/g, " ")];
    for (const [kind, mutate] of KINDS) {
      const changed = mutate(instruction, guard);
      if (changed === null) continue;
      const negated = guard.startsWith("@!") ? guard.replace("@!", "@") : guard.replace("@", "@!");
      const text = kind === "guard" ? negated + instruction : changed === ";" ? ";" : guard + changed;
      const around = lines.slice(Math.max(0, k - 4), k + 5).map(plain).join("\n");
      const id = `${kind}-${hash(`${around}\n${plain(text)}`).toString(16).padStart(8, "0")}`;
      mutants.push({ kernel, kind, line: first + k, original: whole.trim(), text, id });
    }
  });
  return mutants;
}

/** The kernels of a PTX file. */
export function kernelsOf(ptx: string): KernelText[] {
  const kernels: KernelText[] = [], lines = ptx.split("\n");
  lines.forEach((line, k) => {
    const match = /\.entry leet_(\w+)\(/.exec(line);
    if (!match) return;
    const start = lines.indexOf("{", k), end = lines.indexOf("}", start);
    kernels.push({ kernel: match[1], first: start + 1, lines: lines.slice(start, end) });
  });
  return kernels;
}
