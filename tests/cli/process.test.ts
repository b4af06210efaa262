/** The command line as a process of the runtime that runs the tests. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { runtimeName } from "../../ffi/runtime.ts";
import { linearAttention } from "../../lib/mod.ts";
import { readSafetensorsFile } from "../../lib/io/files.ts";
import {
  asTensor,
  commandLine,
  NO_PERMISSIONS,
  operands,
  ROOT,
  spawnLeet,
  temporaryFolder,
  writeInput,
} from "./workspace.ts";

const path = temporaryFolder();
const LIBRARY = `${ROOT}build/libleet.so`;

describe("exit codes and streams", () => {
  test("0: the report on stdout, nothing on stderr, the output written", () => {
    const { q, k, v } = operands();
    const ended = spawnLeet(["run", writeInput(path("in"), { q, k, v }), "--out", path("out"), "--json"]);
    expect(ended).toMatchObject({ code: 0, err: [] });
    expect(Object.keys(JSON.parse(ended.out.join("\n")))).toEqual(
      ["method", "device", "dtype", "shape", "layout", "decay", "scale", "ms", "out"],
    );
    const right = linearAttention(asTensor(q), asTensor(k), asTensor(v));
    expect(readSafetensorsFile(path("out")).tensors.get("o")!.data).toEqual(right.o.data);
  });

  test("1: one line on stderr, nothing on stdout, no output", () => {
    writeFileSync(path("in"), "junk");
    const ended = spawnLeet(["run", path("in"), "--out", path("out"), "--json"]);
    expect([ended.code, ended.out, ended.err.length]).toEqual([1, [], 1]);
    expect(ended.err[0]).toContain("not a valid safetensors file");
    expect(readdirSync(path(""))).toEqual(["in"]);
  });

  test("2: wrong usage", () => {
    const ended = spawnLeet(["run", "--nope"]);
    expect(ended).toEqual({
      code: 2,
      out: [],
      err: ['leet run: unknown option "--nope" (usage: leet run --help)'],
    });
  });

  test("info without a library shows why, and fails", () => {
    const ended = spawnLeet(["info"], undefined, { LEET_LIB: path("none.so") });
    expect(ended.code).toBe(1);
    expect(ended.err).toEqual(["leet info: the native library cannot be opened"]);
    expect(ended.out.join("\n")).toContain(`LEET_LIB ${path("none.so")}: no such file`);
    const report = spawnLeet(["info", "--json"], undefined, { LEET_LIB: path("none.so") });
    expect(report.code).toBe(1);
    expect(JSON.parse(report.out[0])).toMatchObject({ library: null, error: { code: "LIBRARY_NOT_FOUND" } });
  });

  test("run without a library: one line, and reference still works", () => {
    const env = { LEET_LIB: path("none.so") };
    const args = ["run", writeInput(path("in"), operands()), "--out", path("out")];
    const ended = spawnLeet(args, undefined, env);
    expect([ended.code, ended.out, ended.err.length]).toEqual([1, [], 1]);
    expect(ended.err[0]).toContain("libleet.so could not be opened");
    expect(existsSync(path("out"))).toBe(false);
    expect(spawnLeet([...args, "--device", "reference"], undefined, env).code).toBe(0);
  });

  test("a reader that goes away is no error", async () => {
    for (const args of [["run", "--help"], ["methods"], ["info", "--json"]]) {
      const [program, ...before] = commandLine();
      const child = spawn(program, [...before, ...args], { stdio: ["ignore", "pipe", "pipe"] });
      child.stdout.destroy();
      let stderr = "";
      child.stderr.on("data", (chunk) => stderr += chunk);
      const code = await new Promise((resolve) => child.on("close", resolve));
      expect([code, stderr]).toEqual([0, ""]);
    }
  });
});

describe("started from the project folder", () => {
  const starts = runtimeName() === "deno"
    ? [["deno", "task", "-q", "leet"]]
    : [["bun", "run", "--silent", "leet"], ["npm", "run", "--silent", "leet", "--"]];

  test.each(starts)("%s %s", (program, ...args) => {
    const command = program === "npm" ? program : process.execPath;
    const { status, stdout, stderr } = spawnSync(command, [...args, "--version"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect([status, stdout, stderr]).toEqual([0, "leet 0.1.0\n", ""]);
    const failed = spawnSync(command, [...args, "run", path("a b"), "--out", path("c")], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect([failed.status, failed.stdout]).toEqual([1, ""]);
    expect(failed.stderr).toBe(`leet run: cannot read ${path("a b")}: there is no such file or folder\n`);
  });
});

if (runtimeName() === "deno") {
  describe("permissions of Deno", () => {
    const ffi = `--allow-ffi=${LIBRARY}`;
    const run = (permissions: readonly string[], ...args: string[]) =>
      spawnLeet(["run", writeInput(path("in"), operands()), "--out", path("out"), ...args], permissions);

    test("read, write to the folder of OUT and the library are enough", () => {
      expect(run(["--allow-read", `--allow-write=${path("")}`, ffi])).toMatchObject({ code: 0, err: [] });
      expect(readdirSync(path("")).sort()).toEqual(["in", "out"]);
    });

    test("reference needs no library, methods and help need nothing", () => {
      const permissions = [`--allow-read=${path("")}`, `--allow-write=${path("")}`];
      expect(run(permissions, "--device", "reference")).toMatchObject({ code: 0, err: [] });
      for (const args of [["methods"], ["--help"], ["explain", "N=8,dk=8", "--device", "reference"]]) {
        expect(spawnLeet(args, NO_PERMISSIONS)).toMatchObject({ code: 0, err: [] });
      }
    });

    test.each<[string, readonly string[], () => string]>([
      [
        "no read",
        NO_PERMISSIONS,
        () => `cannot read ${path("in")}: needs the permission --allow-read=${path("in")}`,
      ],
      [
        "no write",
        ["--allow-read", ffi],
        () =>
          `cannot write ${path("out")}: needs the permission --allow-write=${path("")}`.replace(/\/$/, ""),
      ],
      ["no ffi", ["--allow-read", "--allow-write"], () => `needs the permission ${ffi}`],
    ])("%s: one line names the flag", (_, permissions, message) => {
      const ended = run(permissions);
      expect([ended.code, ended.out, ended.err.length]).toEqual([1, [], 1]);
      expect(ended.err[0]).toContain(message());
      expect(readdirSync(path(""))).toEqual(["in"]);
    });
  });
}
