/** `leet bench` as a command: options, tables, JSON, CSV, exit codes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { METHODS } from "../../ffi/symbols.ts";
import { leet } from "../cli/workspace.ts";
import { temporaryFolder } from "../ffi/compile.ts";
import { bench, benchJson } from "./work.ts";

const names = METHODS.map(({ name }) => name);

describe("options", () => {
  test.each([
    [["--lengths", "0"], "--lengths: expected integers from 1"],
    [["--lengths", "8,x"], '--lengths: expected integers from 1 to 2147483648, got "x"'],
    [["--lengths", "8,8"], '--lengths: "8" is given twice'],
    [["--lengths", ","], "--lengths: expected a value"],
    [["--methods", "flahs"], "did you mean flash?"],
    [["--methods", "none"], "--methods: none, and no --method"],
    [["--methods", "none,flash"], "--methods: none goes with no other"],
    [["--dtype", "f64"], "--dtype: expected f32, f16, bf16"],
    [["--decay", "gamma"], "--decay: expected none, decay, log-decay, log-gates"],
    [["--device", "tpu"], "--device: expected auto, cpu, cuda, cuda:N or reference"],
    [["--kv-heads", "3"], "--kv-heads: expected divisors of --heads"],
    [["--threads", "1025"], "--threads: expected integers from 1 to 1024"],
    [["--repeats", "0"], "--repeats: expected integers from 1"],
    [["--repeats", "1,2"], "--repeats: expected one value, got 2"],
    [["--budget", "0"], "--budget: expected integers from 1"],
    [["--json", "--csv"], "--csv: not beside --json"],
    [["--method-so", "x.so"], '--method-so: expected FILE:SYMBOL, got "x.so"'],
    [["extra"], 'expected at most 0 arguments, got "extra" as well'],
  ])("%j is wrong usage", async (args, message) => {
    const { code, out, err } = await leet("bench", ...args);
    expect([code, out]).toEqual([2, []]);
    expect(err[0]).toContain(message);
  });
});

describe("JSON", () => {
  test("is one object { machine, results } with what the contract lists", async () => {
    const { machine, results, ended } = await benchJson("--lengths", "33,7", "--threads", "1,2");
    expect([ended.code, ended.err]).toEqual([0, []]);
    expect(machine).toMatchObject({
      cpu: expect.any(String),
      cores: expect.any(Number),
      isa: expect.any(String),
    });
    expect(machine.fma_gflops).toBeGreaterThan(0.01);
    expect(machine.bandwidth_gbs).toBeGreaterThan(0.01);
    expect(results.map(({ method, N, threads }) => [method, N, threads])).toEqual(
      [7, 33].flatMap((N) => [1, 2].flatMap((threads) => names.map((name) => [name, N, threads]))),
    );
    for (const result of results) {
      expect(Object.keys(result).slice(0, 14)).toEqual([
        "method",
        "device",
        "dtype",
        "B",
        "H",
        "Hkv",
        "N",
        "dk",
        "dv",
        "threads",
        "median_ms",
        "min_ms",
        "peak_bytes",
        "error",
      ]); // deno-fmt-ignore
      expect(result).toMatchObject({ device: "cpu", dtype: "f32", B: 1, H: 2, Hkv: 2, dk: 16, dv: 16, error: null });
      expect(result.min_ms!).toBeGreaterThan(0);
      expect(result.median_ms!).toBeGreaterThanOrEqual(result.min_ms!);
      expect(result.peak_bytes!).toBeGreaterThanOrEqual(4 * 2 * result.N * 16 * 4);
      expect(result).toMatchObject({
        repeats: 2,
        outcome: "timed",
        peak_source: "stated",
        origin: "built in",
      });
      expect(result.error_ratio!).toBeLessThanOrEqual(1);
    }
  });

  test("lists combine; auto names what it chose", async () => {
    const { results } = await benchJson(
      "--methods",
      "auto",
      "--lengths",
      "9",
      "--batch",
      "1,2",
      "--heads",
      "2,4",
      "--kv-heads",
      "2",
      "--dk",
      "8",
      "--dv",
      "24",
      "--dtype",
      "f16,bf16",
      "--decay",
      "none,log-gates",
      "--device",
      "cpu",
    ); // deno-fmt-ignore
    expect(results.length).toBe(16);
    expect(new Set(results.map((r) => `${r.B} ${r.H} ${r.Hkv} ${r.dk} ${r.dv} ${r.dtype} ${r.decay}`)).size)
      .toBe(16);
    for (const { method, used, error } of results) {
      expect([method, error]).toEqual(["auto", null]);
      expect(names).toContain(used);
    }
  });

  test("the reference device takes part once, whatever the threads", async () => {
    const { results } = await benchJson(
      "--methods",
      "block",
      "--lengths",
      "9",
      "--device",
      "reference,cpu",
      "--threads",
      "1,2",
    );
    expect(results.map(({ device, threads }) => `${device} ${threads}`)).toEqual([
      "reference 1",
      "cpu 1",
      "cpu 2",
    ]);
  });

  test("a device that is not there is not supported, with its reason", async () => {
    const { results, ended } = await benchJson("--methods", "flash", "--lengths", "9", "--device", "cuda:7");
    expect(ended.code).not.toBe(2);
    expect(results[0]).toMatchObject({ device: "cuda:7", median_ms: null });
    expect(results[0].error).toBeTruthy();
  });
});

test("CSV has a header and a line for each result", async () => {
  const { code, out } = await bench("--methods", "flash,block", "--lengths", "5", "--csv");
  expect([code, out.length]).toEqual([0, 3]);
  expect(out[0].startsWith("method,device,dtype,B,H,Hkv,N,dk,dv,threads,median_ms,min_ms,peak_bytes,error,"))
    .toBe(true);
  expect(out[1].startsWith("flash,cpu,f32,1,2,2,5,16,16,")).toBe(true);
  expect(out[2].split(",").length).toBeGreaterThanOrEqual(out[0].split(",").length);
});

test("tables name the shape, the methods and what the figures mean", async () => {
  const { code, out, err } = await bench(
    "--methods",
    "flash,block",
    "--lengths",
    "5,6",
    "--threads",
    "1",
  );
  expect([code, err]).toEqual([0, []]);
  const text = out.join("\n");
  expect(text).toContain("B=1 H=2 N=5 dk=16 dv=16 f32, decay, cpu, 1 thread\n  METHOD");
  expect(text).toContain("B=1 H=2 N=6 ");
  expect(text.match(/^ {2}(flash|block) +cpu +[\d.]+ +[\d.]+ /gm)?.length).toBe(4);
  expect(text).toContain("ERR/LIMIT: largest error");
  expect(text).toMatch(/GFLOP\/s of multiply-adds, [\d.]+ GB\/s of reads and writes$/m);
});

test("what the budget or the memory does not allow is left out and named", async () => {
  const lengths = ["--lengths", "16,400000,2000000000", "--budget", "60"];
  const { results, ended } = await benchJson("--methods", "vanilla", ...lengths);
  expect(ended.code).toBe(0);
  expect(results.map(({ outcome, median_ms }) => [outcome, median_ms !== null])).toEqual([
    ["timed", true],
    ["left out", false],
    ["left out", false],
  ]);
  expect(results[1].error).toMatch(
    /^left out: 3 calls would take \S+ s, and one method may take 15 s of the budget of 60 s$/,
  );
  expect(results[2].error).toMatch(/^left out: needs \S+ GiB of memory, \S+ GiB are available$/);
});

test("--report writes a page and says so", async () => {
  const path = join(temporaryFolder(), "out.html");
  const { code, out } = await bench(
    "--methods",
    "flash",
    "--lengths",
    "5",
    "--report",
    path,
  );
  expect(code).toBe(0);
  expect(out.at(-1)).toBe(`wrote ${path}`);
  expect(readFileSync(path, "utf8")).toContain("leet bench --heads 2 --dk 16");
});
