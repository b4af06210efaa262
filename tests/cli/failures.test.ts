import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { main } from "../../lib/cli/main.ts";
import { writeNpy } from "../../lib/io/npy.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import type { StoredTensor } from "../../lib/io/stored.ts";
import { noise } from "../lib/problems.ts";
import { leet, operands, SIZES, stored, temporaryFolder } from "./workspace.ts";

const path = temporaryFolder();
const { B, H, N, dk, dv } = SIZES;
const { q, k, v } = operands();

const floats = (...values: number[]): StoredTensor => stored(Float32Array.from(values), [values.length]);
const file = (tensors: Record<string, StoredTensor>, metadata?: Record<string, string>): Uint8Array =>
  writeSafetensors({ q, k, v, ...tensors }, metadata);
const gates = (values: Float32Array, shape = [B, H, N]): StoredTensor => stored(values, shape);
const log = noise(B * H * N, 5).map((x) => -Math.abs(x));

/** [what is wrong, the input file, a part of the line on stderr, further arguments] */
const failures: [string, Uint8Array | undefined, string, ...string[]][] = [
  ["no such file", undefined, "cannot read IN: there is no such file or folder"],
  ["empty file", new Uint8Array(0), "IN: not a valid safetensors file: expected at least 8 bytes, got 0"],
  ["a .npy file", writeNpy(q), "IN: not a valid safetensors file: header length"],
  ["data cut", file({}).subarray(0, -1), "IN: not a valid safetensors file: tensor"],
  ["no q", writeSafetensors({ k, v }), 'q: expected a tensor of this name, got "k", "v"'],
  ["no tensors", writeSafetensors({}), "q: expected a tensor of this name, got no tensors"],
  [
    "integer q",
    file({ q: { dtype: "I64", shape: [1], data: BigInt64Array.of(1n) } }),
    "q: expected F32, F16 or BF16, got I64",
  ],
  [
    "integer q, --dtype",
    file({ q: { dtype: "I32", shape: [1], data: new Int32Array(1) } }),
    "q: expected F32, F16 or BF16, got I32",
    "--dtype",
    "f32",
  ],
  [
    "fp8 v",
    file({ v: { dtype: "F8_E4M3", shape: [1], data: new Uint8Array(1) } }),
    "v: expected F32, F16 or BF16, got F8_E4M3",
  ],
  ["mixed dtypes", file({ k: operands("f16").k }), "q, k, v: expected one dtype, got F32, F16, F32; --dtype"],
  [
    "three axes",
    file({ q: stored(new Float32Array(8), [2, 2, 2]) }),
    "q: expected shape [B,H,N,dk], got [2,",
  ],
  ["other N", file({ k: stored(new Float32Array(10), [2, 1, 1, 5]) }), "k: expected the N of q, 21, got 1"],
  [
    "Hkv does not divide H",
    file({
      k: stored(new Float32Array(B * 3 * N * dk), [B, 3, N, dk]),
      v: stored(new Float32Array(B * 3 * N * dv), [B, 3, N, dv]),
    }),
    "k: expected Hkv that divides H = 4, got 3",
  ],
  ["layout contradicts the shapes", file({}, { layout: "bnhd" }), "k: expected the N of q, 4, got 2"],
  ["NaN decay", file({ decay: floats(0.5, NaN, 1, 1) }), "decay: expected factors in [0,1], got NaN at [1]"],
  [
    "decay above 1",
    file({ decay: floats(0.5, 1.5, 1, 1) }),
    "decay: expected factors in [0,1], got 1.5 at [1]",
  ],
  [
    "negative decay",
    file({ decay: floats(-0.5, 1, 1, 1) }),
    "decay: expected factors in [0,1], got -0.5 at [0]",
  ],
  ["short decay", file({ decay: floats(1, 1) }), "decay: expected 4 numbers [H] = [4], got 2"],
  [
    "decay matrix",
    file({ decay: stored(new Float32Array(4), [1, 4]) }),
    "decay: expected shape [H], got [1,4]",
  ],
  [
    "integer decay",
    file({ decay: { dtype: "I32", shape: [4], data: new Int32Array(4) } }),
    "decay: expected F32, F16, BF16 or F64, got I32",
  ],
  [
    "NaN log_decay",
    file({ log_decay: floats(-1, -1, NaN, 0) }),
    "log_decay: expected natural logarithms <= 0, got NaN at [2]",
  ],
  [
    "positive log_decay",
    file({ log_decay: floats(0.5, 0, 0, 0) }),
    "log_decay: expected natural logarithms <= 0, got 0.5",
  ],
  [
    "NaN gate",
    file({ log_gates: gates(log.with(30, NaN)) }),
    "log_gates: expected natural logarithms <= 0, got NaN at batch 0, head 1, token 9",
  ],
  [
    "positive gate",
    file({ log_gates: gates(log.with(0, 1)) }),
    "log_gates: expected natural logarithms <= 0, got 1 at batch 0",
  ],
  ["gates of another shape", file({ log_gates: gates(log, [B, N, H]) }), "log_gates: expected"],
  [
    "two decays",
    file({ decay: floats(1, 1, 1, 1), log_decay: floats(0, 0, 0, 0) }),
    "expected at most one of decay, logDecay, logGates",
  ],
  [
    "misspelt decay",
    file({ logDecay: floats(0, 0, 0, 0) }),
    '"logDecay": expected a known tensor, got this name; did you mean log_decay?',
  ],
  ["misspelt gates", file({ log_gate: gates(log) }), "did you mean log_gates?"],
  [
    "state of another dtype",
    file({ initial_state: stored(new Float32Array(B * H * dk * dv), [B, H, dk, dv], "f16") }),
    "initial_state: expected F32, got F16",
  ],
  [
    "state of another shape",
    file({ initial_state: stored(new Float32Array(B * H * dk * dv), [B, H, dv, dk]) }),
    "initial_state: expected float32 [B,H,dk,dv] = [2,4,5,3], got [2,",
  ],
  ["offsets of floats", file({ cu_seqlens: floats(0, 21) }), "cu_seqlens: expected I64, got F32"],
  [
    "offsets with B = 2",
    file({ cu_seqlens: { dtype: "I64", shape: [2], data: BigInt64Array.of(0n, 21n) } }),
    "cu_seqlens: expected B = 1, got 2",
  ],
  [
    "offsets matrix",
    file({ cu_seqlens: { dtype: "I64", shape: [1, 2], data: BigInt64Array.of(0n, 21n) } }),
    "cu_seqlens: expected shape [S+1], got [1,2]",
  ],
  [
    "offsets past N",
    writeSafetensors({
      ...operands("f32", "bhnd", 1),
      cu_seqlens: { dtype: "I64", shape: [2], data: BigInt64Array.of(0n, 22n) },
    }),
    "cu_seqlens: expected N = 21 at [1], got 22",
  ],
  ["scale text", file({}, { scale: "big" }), 'metadata scale: expected a finite number, got "big"'],
  [
    "scale Infinity",
    file({}, { scale: "Infinity" }),
    'metadata scale: expected a finite number, got "Infinity"',
  ],
  [
    "scale out of range",
    file({}, { scale: "1e999" }),
    'metadata scale: expected a finite number, got "1e999"',
  ],
  ["scale empty", file({}, { scale: "" }), 'metadata scale: expected a finite number, got ""'],
  ["layout text", file({}, { layout: "BHND" }), 'metadata layout: expected bhnd or bnhd, got "BHND"'],
  [
    "too many threads",
    file({}),
    "threads: expected an integer in 0..1024, got 100000",
    "--threads",
    "100000",
  ],
  ["no GPU of that number", file({}), "device", "--device", "cuda:999"],
  ["line break in a name", file({ "log_gates\n": gates(log) }), '"log_gates\\n": expected a known tensor'],
];

describe("a failing run", () => {
  test.each(failures)("%s", async (_, bytes, message, ...args) => {
    if (bytes) writeFileSync(path("IN"), bytes);
    const settings = args.includes("--device") ? args : ["--device", "reference", ...args];
    for (const out of ["new", "old"]) {
      writeFileSync(path("old"), "kept");
      const before = readdirSync(path("")).sort();
      const ended = await leet("run", path("IN"), "--out", path(out), ...settings);
      expect(ended.code).toBe(1);
      expect(ended.out).toEqual([]);
      expect(ended.err).toHaveLength(1);
      expect(ended.err[0]).toMatch(/^leet run: [^\n]+$/);
      expect(ended.err[0].replaceAll(path("IN"), "IN")).toContain(message);
      expect(readdirSync(path("")).sort()).toEqual(before);
      expect(readFileSync(path("old"), "utf8")).toBe("kept");
    }
  });

  test.each<[string, string, string]>([
    ["folder", "folder", "it is a folder"],
    ["no folder", "missing/out", "there is no such file or folder"],
    ["file as folder", "IN/out", "a part of the path is not a folder"],
  ])("output: %s", async (_, out, message) => {
    writeFileSync(path("IN"), file({}));
    mkdirSync(path("folder"));
    const ended = await leet("run", path("IN"), "--out", path(out), "--device", "reference");
    expect(ended).toEqual({ code: 1, out: [], err: [`leet run: cannot write ${path(out)}: ${message}`] });
    expect(readdirSync(path("")).sort()).toEqual(["IN", "folder"]);
  });

  test("a second output that fails leaves no first one", async () => {
    writeFileSync(path("IN"), file({}));
    const outputs = ["--out", path("o.npy"), "--final-state-out", path("no/s.npy")];
    expect((await leet("run", path("IN"), ...outputs, "--device", "reference")).code).toBe(1);
    expect(readdirSync(path(""))).toEqual(["IN"]);
  });

  test("the option and the path are named for .npy files", async () => {
    for (const [name, tensor] of Object.entries({ q, k, v, d: floats(1, 2, 1, 1) })) {
      writeFileSync(path(`${name}.npy`), writeNpy(tensor));
    }
    const files = [
      "--q",
      path("q.npy"),
      "--k",
      path("k.npy"),
      "--v",
      path("v.npy"),
      "--out",
      path("o.npy"),
      "--device",
      "reference",
    ];
    expect((await leet("run", ...files, "--decay", path("d.npy"))).err).toEqual([
      `leet run: --decay ${path("d.npy")}: expected factors in [0,1], got 2 at [1]`,
    ]);
    writeFileSync(path("v.npy"), writeNpy(v).subarray(0, -1));
    expect((await leet("run", ...files)).err[0]).toMatch(
      new RegExp(`^leet run: ${path("v.npy")}: not a valid .npy file: `),
    );
  });
});

const usage: [string[], string][] = [
  [[], "leet: expected a command: run, info, methods, explain, bench (usage: leet --help)"],
  [
    ["rum"],
    'leet: expected a command out of run, info, methods, explain, bench, got "rum"; did you mean run?',
  ],
  [["constructor"], 'leet: expected a command out of run, info, methods, explain, bench, got "constructor"'],
  [["--json"], "leet: expected a command out of"],
  [["run"], "leet run: --out: missing (usage: leet run --help)"],
  [["run", "--out", "o"], "leet run: expected IN.safetensors, or .npy files with --q, --k and --v"],
  [["run", "IN"], "leet run: --out: missing"],
  [["run", "IN", "IN2", "--out", "o"], 'leet run: expected at most 1 argument, got "IN2" as well'],
  [
    ["run", "IN", "--q", "q.npy", "--out", "o"],
    'leet run: expected either IN.safetensors or .npy files, got "IN" and --q',
  ],
  [["run", "--q", "q.npy", "--k", "k.npy", "--out", "o"], "leet run: --v: missing"],
  [
    ["run", "IN", "--out", "o", "--methd", "flash"],
    'leet run: unknown option "--methd"; did you mean --method?',
  ],
  [["run", "IN", "--out", "o", "--method", "flahs"], "did you mean flash?"],
  [
    ["run", "IN", "--out", "o", "--device", "gpu"],
    '--device: expected auto, cpu, cuda, cuda:N or reference, got "gpu"',
  ],
  [
    ["run", "IN", "--out", "o", "--device", "cuda:"],
    '--device: expected auto, cpu, cuda, cuda:N or reference, got "cuda:"',
  ],
  [["run", "IN", "--out", "o", "--dtype", "f64"], '--dtype: expected f32, f16, bf16, got "f64"'],
  [["run", "IN", "--out", "o", "--layout", "nbhd"], '--layout: expected bhnd, bnhd, got "nbhd"'],
  [["run", "IN", "--out", "o", "--threads", "-1"], '--threads: expected an integer from 0, got "-1"'],
  [["run", "IN", "--out", "o", "--threads", "two"], '--threads: expected an integer from 0, got "two"'],
  [["run", "IN", "--out", "o", "--scale", "NaN"], '--scale: expected a finite number, got "NaN"'],
  [["run", "IN", "--out", "o", "--scale", "0x10"], '--scale: expected a finite number, got "0x10"'],
  [["run", "IN", "--out"], "--out: expected a value OUT"],
  [["run", "IN", "--out", "--json"], "--out: expected a value OUT"],
  [
    ["run", "IN", "--out", "o", "--final-state-out", "s.npy"],
    "--final-state-out: only beside an --out that ends in .npy",
  ],
  [
    ["run", "IN", "--out", "o.npy", "--final-state-out", "s"],
    "--final-state-out: expected a path that ends in .npy",
  ],
  [
    ["run", "IN", "--out", "o.npy", "--final-state-out", "o.npy"],
    "--final-state-out: expected another path than --out",
  ],
  [["info", "x"], 'leet info: expected at most 0 arguments, got "x" as well'],
  [["methods", "--jsn"], 'leet methods: unknown option "--jsn"; did you mean --json?'],
  [["explain"], "leet explain: expected SHAPE, such as B=1,H=32,N=2048,dk=128,dv=128"],
  [["explain", "N=5"], 'leet explain: SHAPE: expected N and dk, got "N=5"'],
  [["explain", "N=5,dk"], 'SHAPE: expected NAME=SIZE, got "dk"'],
  [["explain", "N=5,dk=-1"], 'SHAPE: expected NAME=SIZE, got "dk=-1"'],
  [["explain", "N=5,,dk=1"], 'SHAPE: expected NAME=SIZE, got ""'],
  [
    ["explain", "N=5,dk=1,hkv=1"],
    'SHAPE: expected a name out of B, H, Hkv, N, dk, dv, S, got "hkv"; did you mean Hkv?',
  ],
  [["explain", "N=5,N=6,dk=1"], "SHAPE: N given twice"],
  [
    ["explain", "N=5,dk=1", "--decay", "gamma"],
    '--decay: expected none, decay, log-decay, log-gates, got "gamma"',
  ],
];

describe("wrong usage", () => {
  test.each(usage)("leet %j", async (args, message) => {
    const ended = await leet(...args);
    expect(ended.code).toBe(2);
    expect(ended.out).toEqual([]);
    expect(ended.err).toHaveLength(1);
    expect(ended.err[0]).toContain(message);
    expect(ended.err[0]).toMatch(/ \(usage: leet (\w+ )?--help\)$/);
  });
});

test("a defect is reported in one line too", async () => {
  const err: string[] = [];
  const broken = () => {
    throw new TypeError("first\nsecond");
  };
  const code = await main(["methods"], { out: broken, err: (line) => err.push(line) });
  expect([code, err]).toEqual([1, ["leet methods: internal error: TypeError: first; second"]]);
});
