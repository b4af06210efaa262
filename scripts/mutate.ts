/**
 * Changes one line of a kernel's PTX at a time and shows that the kernel cases notice:
 *
 *     npm run mutate -- [--kernel PART] [--kind KIND] [--limit N] [--seed TEXT] [--per-kind N] [--jobs N]
 *                       [--line N] [--smoke] [--write] [--verbose]
 *
 * Needs a development build (PTX as text) and the emulated driver, which replaces the line as it loads the kernel; the
 * library does not know. A mutant that no case notices survives, unless tests/cuda/equivalent.tsv says why it computes
 * the same. Fails when fewer than 90 % of the mutants that are reached and not equivalent are noticed. `--write` puts
 * the result into docs/mutation.md, `--smoke` runs a few mutants that all must be noticed.
 * @module
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { hash, kernelsOf, KIND_NAMES, type Mutant, mutantsOf, plain, probeOf } from "./mutants.ts";
import { ROOT, run } from "./shell.ts";

const { values: options } = parseArgs({
  options: {
    kernel: { type: "string", default: "" },
    kind: { type: "string", default: "" },
    line: { type: "string" },
    limit: { type: "string" },
    seed: { type: "string", default: "1" },
    "per-kind": { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    build: { type: "string", default: `${ROOT}build` },
    smoke: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

const BUILD = options.build, RUNNER = `${BUILD}/tests/cuda/mutants`;
const EQUIVALENT = `${ROOT}tests/cuda/equivalent.tsv`, DOC = `${ROOT}docs/mutation.md`;
const LEAST_SCORE = 0.9;

/** Environments that launch kernels which the others do not, as in tests/cuda/Makefile. */
const SETTINGS: Record<string, string>[] = [
  {},
  { LEETEMU_SM_COUNT: "1" },
  { LEETEMU_SM_COUNT: "1", LEET_CUDA_SEGMENTS: "3" },
  { LEET_CUDA_SEGMENTS: "2" },
];

/** What `--smoke` runs on the first shapes: the first mutant of a kind in a kernel. */
const SMOKE_SHAPES = "6";
const SMOKE: [kernel: string, kind: string][] = [
  ["flash_k32_bf16", "barrier"],
  ["flash_k32_bf16", "wait"],
  ["flash_k32_bf16", "fragment"],
  ["flash_k32_bf16", "rows"],
  ["flash_k32_bf16", "copy"],
  ["flash_k32_f32", "fragment"],
  ["flash_k32_f32", "rows"],
  ["decode_f32", "barrier"],
  ["decode_f32", "store"],
  ["vanilla_outputs_bf16", "rounding"],
  ["recursion_merge", "store"],
  ["lightning_k64_bf16", "barrier"],
];

/** What became of a mutant. */
interface Finding {
  mutant: Mutant;
  reached: boolean;
  /** What noticed it: a key of the runner's table, or `none`. */
  by: string;
  where: string;
  /** Not one bit of an output changed. */
  same: boolean;
  /** The changed instruction never computed anything else, or nothing used what it computed. */
  idle: boolean;
}

/** A row of the table of mutants that compute the same. */
interface Equivalent {
  kernel: string;
  /** An id, or a kind and an instruction without its register numbers. */
  mutant: string;
  reason: string;
  used: boolean;
}

function environment(setting: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, LEET_CUDA_DRIVER: `${BUILD}/emulator/libcuda.so.1`, ...setting };
}

/** Cases by kernel under each setting; kept until the library changes. */
function casesByKernel(): Map<string, number[]>[] {
  if (options.smoke) return [runCases({}, ["map", "", SMOKE_SHAPES])];
  const kept = `${BUILD}/mutant-cases.json`, changed = (path: string) => statSync(path).mtimeMs;
  if (existsSync(kept) && changed(kept) > Math.max(changed(RUNNER), changed(`${BUILD}/libleet.so`))) {
    const lists: [string, number[]][][] = JSON.parse(readFileSync(kept, "utf8"));
    return lists.map((list) => new Map(list));
  }
  const cases = SETTINGS.map((setting, k) => runCases(setting, k === 0 ? ["map"] : ["map", "flash"]));
  writeFileSync(kept, JSON.stringify(cases.map((map) => [...map])));
  return cases;
}

function runCases(setting: Record<string, string>, args: string[]): Map<string, number[]> {
  const { ok, output } = run(RUNNER, args, { env: environment(setting) });
  if (!ok) throw new Error(`the kernels are wrong without a mutation:\n${output}`);
  const cases = new Map<string, number[]>();
  for (const line of output.split("\n")) {
    const [number, kernels] = line.split("\t");
    for (const name of (kernels ?? "").trim().split(" ")) {
      const kernel = name.replace("leet_", "");
      cases.set(kernel, [...cases.get(kernel) ?? [], Number(number)]);
    }
  }
  return cases;
}

/** Runs mutants of one kernel under one setting. The lines that the cases reach, and a finding per mutant. */
function runMutants(kernel: string, cases: number[], setting: Record<string, string>, mutants: Mutant[]) {
  return new Promise<{ lines: Set<number>; findings: string[][] }>((resolve, reject) => {
    const child = spawn(RUNNER, [`leet_${kernel}`, cases.join(",")], {
      env: environment(setting),
      stdio: ["pipe", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
    child.on("error", reject).on("close", () => {
      const [first, ...rest] = output.trimEnd().split("\n").map((line) => line.split("\t"));
      if (first[0] !== "lines") reject(new Error(`${kernel}: ${output}`));
      else resolve({ lines: new Set(first[2].trim().split(" ").map(Number)), findings: rest });
    });
    child.stdin.end(mutants.map(({ line, text }, n) => `${n}\t${line}\t${text}\n`).join(""));
  });
}

/** A fixed order by seed: mutants sorted by a hash of what they are. */
function shuffled(mutants: Mutant[], seed: string): Mutant[] {
  const key = ({ kernel, kind, line }: Mutant) => hash(`${seed} ${kernel} ${kind} ${line}`);
  return [...mutants].sort((a, b) => key(a) - key(b) || a.line - b.line);
}

function choose(all: Mutant[]): Mutant[] {
  if (options.line) return all.filter(({ line }) => line === Number(options.line));
  const perKind = Number(options["per-kind"]), limit = Number(options.limit ?? Infinity);
  const chosen = KIND_NAMES.flatMap((kind) =>
    shuffled(all.filter((mutant) => mutant.kind === kind), options.seed).slice(0, perKind)
  );
  return shuffled(chosen, options.seed).slice(0, limit);
}

/** Every finding of one kernel: each mutant meets the cases of every setting until one notices it. */
async function meetCases(
  kernel: string,
  mutants: Mutant[],
  cases: Map<string, number[]>[],
): Promise<Finding[]> {
  const done = mutants.map((mutant): Finding => ({
    mutant,
    reached: false,
    by: "none",
    where: "",
    same: true,
    idle: false,
  }));
  let alive = done;
  for (const [k, setting] of SETTINGS.entries()) {
    // Cases that an earlier setting runs with the same kernel say little that is new; a few of them are kept.
    const earlier = cases.slice(0, k).some((map) => map.has(kernel));
    const all = cases[k]?.get(kernel) ?? [], numbers = earlier ? all.filter((_, n) => n % 5 === 0) : all;
    if (numbers.length === 0 || alive.length === 0) continue;
    const { lines, findings } = await runMutants(kernel, numbers, setting, alive.map(({ mutant }) => mutant));
    const names = Object.entries(setting).map(([name, value]) => `${name}=${value} `).join("");
    for (const [number, by, at, schedule, what] of findings) {
      const finding = alive[Number(number)];
      finding.reached ||= lines.has(finding.mutant.line);
      finding.by = by;
      finding.where = `${names}case ${at} ${schedule}: ${what}`;
      finding.same &&= what === "same bits";
    }
    alive = alive.filter(({ by }) => by === "none");
  }
  return done;
}

/** The same, and for those that change no bit whether they ever could have. */
async function judge(kernel: string, mutants: Mutant[], cases: Map<string, number[]>[]): Promise<Finding[]> {
  const findings = await meetCases(kernel, mutants, cases);
  const quiet = findings.filter(({ by, reached, same, mutant }) =>
    by === "none" && reached && same && probeOf(mutant)
  );
  const probes = quiet.map(({ mutant }) => ({ ...mutant, text: probeOf(mutant)! }));
  for (const [n, { by, same }] of (await meetCases(kernel, probes, cases)).entries()) {
    quiet[n].idle = by === "none" && same;
  }
  return findings;
}

function readEquivalents(): Equivalent[] {
  return readFileSync(EQUIVALENT, "utf8").split("\n").filter((line) => line && !line.startsWith("#")).map(
    (line) => {
      const [kernel, mutant, reason] = line.split("\t");
      return { kernel, mutant, reason, used: false };
    },
  );
}

/** Whether a row of the table means a mutant; * in the name of the kernel stands for anything. */
function isRowOf(row: Equivalent, { kernel, id, kind, original }: Mutant): boolean {
  if (row.mutant !== id && row.mutant !== `${kind} ${plain(original)}`) return false;
  return new RegExp(`^${row.kernel.replaceAll("*", ".*")}$`).test(kernel);
}

const percent = (part: number, whole: number) => whole === 0 ? "" : `${(100 * part / whole).toFixed(1)} %`;

/** Rows of numbers by kind, and their sum. */
function table(findings: Finding[], equivalent: (finding: Finding) => boolean): string {
  const BY = ["wrong value", "race", "init", "bounds", "barrier", "timeout", "refused"];
  const row = (name: string, list: Finding[]) => {
    const reached = list.filter((f) => f.reached), idle = reached.filter((f) => f.idle).length;
    const same = reached.filter(equivalent).length, caught = reached.filter((f) => f.by !== "none");
    const by = BY.map((name) => caught.filter((f) => f.by === name).length || "");
    const score = percent(caught.length, reached.length - idle - same);
    return `| ${[name, list.length, reached.length, idle, same, caught.length, score, ...by].join(" | ")} |`;
  };
  const kinds = KIND_NAMES.filter((kind) => findings.some(({ mutant }) => mutant.kind === kind));
  const head = ["kind", "made", "reached", "idle", "equivalent", "noticed", "score", ...BY];
  return [
    `| ${head.join(" | ")} |`,
    `| ${head.map(() => "---").join(" | ")} |`,
    ...kinds.map((kind) => row(kind, findings.filter(({ mutant }) => mutant.kind === kind))),
    row("all", findings),
  ].join("\n");
}

async function main(): Promise<boolean> {
  const began = performance.now();
  const made = run("make", ["-C", "tests/cuda", "--no-print-directory", `BUILD=${BUILD}`, RUNNER]);
  if (!made.ok) throw new Error(made.output);
  const modules = readFileSync(`${ROOT}cuda/kernels/modules.def`, "utf8").matchAll(/^LEET_MODULE\((\w+)\)/gm);
  const texts = [...modules].flatMap(([, name]) =>
    kernelsOf(readFileSync(`${BUILD}/kernels/${name}.ptx`, "utf8"))
  );
  const cases = casesByKernel(), equivalents = readEquivalents();
  const work: [kernel: string, mutants: Mutant[]][] = [];
  for (const text of texts) {
    const all = mutantsOf(text).filter(({ kind }) => options.kind === "" || kind === options.kind);
    for (const row of equivalents) row.used ||= all.some((mutant) => isRowOf(row, mutant));
    const smoke = SMOKE.filter(([kernel]) => kernel === text.kernel).map(([, kind]) => kind);
    const chosen = options.smoke
      ? smoke.flatMap((kind) => all.filter((mutant) => mutant.kind === kind).slice(0, 1))
      : text.kernel.includes(options.kernel)
      ? choose(all)
      : [];
    if (chosen.length > 0) work.push([text.kernel, chosen]);
  }
  /* Both what the table says and what was seen: a mutant that changes a bit is not equivalent. */
  const isEquivalent = ({ mutant, by, same, idle }: Finding) =>
    by === "none" && same && !idle && equivalents.some((row) => isRowOf(row, mutant));

  const findings: Finding[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: Number(options.jobs) }, async () => {
    while (next < work.length) {
      const [kernel, mutants] = work[next++];
      const found = await judge(kernel, mutants, cases);
      findings.push(...found.filter(({ by }) => by !== "invalid"));
      const lost = found.filter(({ by, reached, idle }) => reached && !idle && by === "none").length;
      console.log(`mutate ${kernel.padEnd(26)} ${found.length} mutants, ${lost} not noticed`);
      for (const { mutant, reached, by, where, idle } of options.verbose ? found : []) {
        const result = by === "none" && !reached ? "not reached" : idle ? "idle" : `${by} ${where}`;
        console.log(
          `       ${mutant.kind} line ${mutant.line}: ${mutant.original} -> ${mutant.text}: ${result}`,
        );
      }
    }
  }));
  findings.sort((a, b) => a.mutant.kernel.localeCompare(b.mutant.kernel) || a.mutant.line - b.mutant.line);

  const survivors = findings.filter((f) => f.reached && f.by === "none" && !f.idle && !isEquivalent(f));
  for (const { mutant, same } of survivors) {
    const bits = same ? "same bits" : "other bits";
    console.log(`SURVIVES ${mutant.id} ${mutant.kernel}: ${mutant.original} -> ${mutant.text} (${bits})`);
    console.log(
      `         npm run mutate -- --kernel ${mutant.kernel} --kind ${mutant.kind} --line ${mutant.line}`,
    );
  }
  const stale = options.kind === "" ? equivalents.filter(({ used }) => !used) : [];
  for (const { kernel, mutant } of stale) console.log(`NO SUCH MUTANT ${kernel} ${mutant} of equivalent.tsv`);

  const counts = table(findings, isEquivalent);
  const reached = findings.filter((f) => f.reached && !f.idle && !isEquivalent(f));
  const score = reached.filter((f) => f.by !== "none").length / Math.max(reached.length, 1);
  console.log(
    `\n${counts}\n\n${percent(score, 1)} noticed in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  writeFileSync(`${BUILD}/mutants.json`, JSON.stringify(findings, null, 1));
  if (options.write) writeDoc(counts, survivors, equivalents);
  const enough = options.smoke
    ? survivors.length === 0 && reached.length === SMOKE.length
    : score >= LEAST_SCORE;
  console.log(`${reached.length - survivors.length} passed, ${enough ? 0 : survivors.length || 1} failed`);
  return enough && stale.length === 0;
}

function writeDoc(counts: string, survivors: Finding[], equivalents: Equivalent[]): void {
  const [mark, end] = ["<!-- mutants -->", "<!-- end of mutants -->"];
  const doc = readFileSync(DOC, "utf8");
  const lines = survivors.map(({ mutant: { kernel, kind, original, text }, same }) =>
    `- \`${kernel}\`, ${kind}, ${same ? "same bits" : "within the tolerance"}: \`${original}\` -> \`${text}\``
  );
  const rows = equivalents.map(({ kernel, mutant, reason }) =>
    `| \`${kernel}\` | \`${mutant}\` | ${reason} |`
  );
  const text = [
    mark,
    "",
    `Seed ${options.seed}, at most ${options["per-kind"]} of each kind per kernel.`,
    "",
    counts,
    "",
    lines.length ? "Not noticed:" : "",
    "",
    ...lines,
    "",
    "Equivalent:",
    "",
    "| kernel | mutant | why it computes the same |",
    "| --- | --- | --- |",
    ...rows,
    "",
    end,
  ].join("\n");
  writeFileSync(DOC, doc.slice(0, doc.indexOf(mark)) + text + doc.slice(doc.indexOf(end) + end.length));
}

if (!await main()) process.exitCode = 1;
