/** The snippets of README.md, run as their readers would run them: each must print the block of text that follows it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLibrary } from "../lib/mod.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const BIN = join(ROOT, "node_modules/.bin/");
const LIBRARY = join(ROOT, "build/libleet.so");
const EMULATOR = join(ROOT, "build/emulator/libcuda.so.1");

interface Snippet {
  readonly language: string;
  readonly code: string;
  readonly output: string;
}

/** Code blocks that a block of expected text follows. */
function snippets(): Snippet[] {
  const text = readFileSync(join(ROOT, "README.md"), "utf8");
  const blocks = /```(ts deno|ts bun|ts cuda|c)\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g;
  return [...text.matchAll(blocks)].map(([, language, code, output]) => ({ language, code, output }));
}

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "leet-readme-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Standard output of a command; the test fails with what it wrote to standard error when it does not end well. */
function output(command: string, args: string[], env: Record<string, string> = {}): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  expect(status, `${command} ${args.join(" ")}\n${stderr}`).toBe(0);
  return stdout;
}

const RUNNERS: Record<string, (code: string) => string> = {
  "ts deno": (code) => output(`${BIN}deno`, ["run", "--allow-read", `--allow-ffi=${LIBRARY}`, script(code)]),
  "ts bun": (code) => output(`${BIN}bun`, [script(code)]),
  "ts cuda": (code) => output(`${BIN}bun`, [script(code)], { LEET_CUDA_DRIVER: EMULATOR }),
  c: (code) => {
    const [source, program] = [join(folder, "example.c"), join(folder, "example")];
    writeFileSync(source, code);
    const include = join(ROOT, "cuda/include");
    output("gcc", [source, `-I${include}`, LIBRARY, `-Wl,-rpath,${folder}`, "-o", program]);
    return output("sh", ["-c", `ln -sf ${LIBRARY} ${folder}/libleet.so.1 && ${program}`]);
  },
};

/** The snippet as a file, with imports from the checkout. */
function script(code: string): string {
  const file = join(folder, "example.ts");
  writeFileSync(file, code.replaceAll('"./lib/', `"${ROOT}lib/`));
  return file;
}

describe("README.md", async () => {
  const found = snippets();
  it("has a snippet for Deno, Bun, C and CUDA", () => {
    expect(found.map(({ language }) => language)).toEqual(["ts deno", "ts bun", "c", "ts cuda"]);
  });
  const withCuda = existsSync(EMULATOR) && /\bcuda\(/.test((await openLibrary()).version);
  for (const { language, code, output: expected } of found) {
    it.skipIf(language === "ts cuda" && !withCuda)(
      `${language} prints what it says`,
      () => expect(RUNNERS[language](code)).toBe(expected),
    );
  }
  it("names files that exist", () => {
    const names = readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/`([\w./-]+\.(?:md|ts|h))`/g);
    for (const [, name] of names) expect(() => readFileSync(join(ROOT, name)), name).not.toThrow();
  });
});
