/** Finding and opening the library: the order, and an error for each way in which it can go wrong. */
import { execFile } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { relative } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { loadNative, openNative } from "../../ffi/open.ts";
import { LEET_VERSION } from "../../ffi/symbols.ts";
import { LeetError } from "../../lib/errors.ts";
import { compile, compileProbe, type Outcome, ROOT, run, temporaryFolder, tool } from "./compile.ts";

let probe: string, otherAbi: string;
beforeAll(() => {
  probe = compileProbe();
  otherAbi = compileProbe("libleet.so", ["-DPROBE_ABI=999"]);
});

function errorOf(action: () => unknown): LeetError {
  try {
    action();
  } catch (error) {
    if (error instanceof LeetError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

function textFile(text: string): string {
  const file = `${temporaryFolder()}/libleet.so`;
  writeFileSync(file, text);
  return file;
}

describe("libPath", () => {
  test("opens that file, once, given as path, relative path or URL", () => {
    const native = openNative({ libPath: probe });
    expect(native.path).toBe(probe);
    expect(native.version().text).toBe("0.0.0 probe");
    expect(openNative({ libPath: new URL(`file://${probe}`) })).toBe(native);
    expect(openNative({ libPath: relative(process.cwd(), probe) })).toBe(native);
  });

  test("the library opened first is the default", () => {
    const native = openNative({ libPath: probe });
    expect(openNative()).toBe(native);
  });

  test("loadNative opens the same", async () => {
    expect(await loadNative({ libPath: probe })).toBe(openNative({ libPath: probe }));
  });

  test.each([[""], [5], [null], [new URL("https://example.org/libleet.so")]])("%s is refused", (libPath) => {
    const error = errorOf(() => openNative({ libPath: libPath as string }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", argument: "libPath" });
    expect(error.message).toContain("expected a path or a file: URL");
  });

  test("a missing file", async () => {
    const libPath = `${temporaryFolder()}/nowhere.so`;
    const error = errorOf(() => openNative({ libPath }));
    expect(error.code).toBe("LIBRARY_NOT_FOUND");
    expect(error.message).toContain(`libPath ${libPath}: no such file`);
    expect(error.message).toContain("check the path");
    expect(error.cause).toBeInstanceOf(Error);
    await expect(loadNative({ libPath })).rejects.toThrow(
      expect.objectContaining({ code: "LIBRARY_NOT_FOUND", message: error.message }),
    );
  });

  test.each([
    ["that is no library", () => textFile("x".repeat(4096)), "invalid ELF header"],
    ["that is cut short", () => textFile("\x7fELF"), "file too short"],
    ["that is a folder", () => temporaryFolder(), "directory"],
  ])("a file %s", (_, make, why) => {
    const error = errorOf(() => openNative({ libPath: make() }));
    expect(error.code).toBe("LIBRARY_NOT_FOUND");
    expect(error.message).toContain(why);
    expect(error.message).toContain("npm run build");
  });

  test("a library of another kind", () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/other.c`, "int other(void) { return 0; }");
    const libPath = compile(`${folder}/other.c`, `${folder}/other.so`, ["-shared", "-fPIC"]);
    const error = errorOf(() => openNative({ libPath }));
    expect(error.code).toBe("LIBRARY_MISMATCH");
    expect(error.message).toContain("no function leet_version");
  });

  test("a library whose own dependency is missing", () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/part.c`, "int part(void) { return 0; }");
    compile(`${folder}/part.c`, `${folder}/libpart.so`, ["-shared", "-fPIC", "-Wl,-soname,libpart-gone.so"]);
    const flags = ["-Wl,--no-as-needed", `${folder}/libpart.so`];
    const error = errorOf(() => openNative({ libPath: compileProbe("libleet.so", flags) }));
    expect(error.code).toBe("LIBRARY_NOT_FOUND");
    expect(error.message).toContain("libpart-gone.so: cannot open shared object file");
  });

  test("a library of another version of the C contract", () => {
    const error = errorOf(() => openNative({ libPath: otherAbi }));
    expect(error.code).toBe("LIBRARY_MISMATCH");
    expect(error.message).toContain("expected version 1 of the C contract, got version 999");
    expect(error.message).toContain("0.0.0 probe");
  });
});

test("a library that cannot tell its version", () => {
  const libPath = compileProbe("libleet.so", ["-DPROBE_VERSION_STATUS=9001"]);
  const error = errorOf(() => openNative({ libPath }));
  expect(error.code).toBe("LIBRARY_MISMATCH");
  expect(error.message).toContain("leet_version failed: a defect of this library");
});

/** A checkout as far as the search for the library goes, with a main.ts that runs `body`. */
function checkout(body: string, library?: string): string {
  const folder = `${realpathSync(temporaryFolder())}/odd name %41 é`;
  mkdirSync(folder);
  cpSync(`${ROOT}ffi`, `${folder}/ffi`, { recursive: true });
  mkdirSync(`${folder}/lib`);
  copyFileSync(`${ROOT}lib/errors.ts`, `${folder}/lib/errors.ts`);
  mkdirSync(`${folder}/build`);
  if (library) copyFileSync(library, `${folder}/build/libleet.so`);
  const main = `import { loadNative, openNative } from "./ffi/open.ts";
    import { Struct } from "./ffi/struct.ts";
    import * as symbols from "./ffi/symbols.ts";
    try { ${body} } catch (error) { console.log(error.code); console.log(error.message); }`;
  writeFileSync(`${folder}/main.ts`, main);
  return folder;
}

/** Puts the package of this platform into the folder's node_modules. */
function addPackage(folder: string, library: string): void {
  const name = `${folder}/node_modules/@leet/${process.platform}-${process.arch}`;
  mkdirSync(name, { recursive: true });
  writeFileSync(`${name}/package.json`, '{"exports":{"./libleet.so":"./libleet.so"}}');
  copyFileSync(library, `${name}/libleet.so`);
}

const SHOW = "const native = openNative(); console.log(native.path, native.version().text);";
const LOAD = "console.log((await loadNative()).path);";

const deno = (folder: string, flags: string[], env: object = {}): Outcome =>
  run(tool("deno"), ["run", "--no-config", ...flags, "main.ts"], { cwd: folder, env });
const bun = (folder: string, env: object = {}): Outcome =>
  run(tool("bun"), ["main.ts"], { cwd: folder, env });

describe("under Deno's permissions", () => {
  test("importing needs none, and does nothing", () => {
    const folder = checkout('console.log("imported");');
    expect(deno(folder, [])).toEqual({ status: 0, stdout: "imported\n", stderr: "" });
  });

  test("--allow-ffi=<file> is enough to open and call the local build, --allow-read beside it does no harm", () => {
    const folder = checkout(SHOW, probe);
    const expected = { status: 0, stdout: `${folder}/build/libleet.so 0.0.0 probe\n`, stderr: "" };
    expect(deno(folder, [`--allow-ffi=${folder}/build/libleet.so`])).toEqual(expected);
    expect(deno(folder, ["--allow-read", `--allow-ffi=${folder}/build/libleet.so`])).toEqual(expected);
    expect(deno(folder, ["--allow-ffi=./build/libleet.so"])).toEqual(expected);
  });

  test("--allow-ffi=<file> is enough for every call", () => {
    const body = `const native = openNative();
      const { bytes } = new Struct(symbols.LEET_PARAMS), a = new Float32Array(4);
      console.log(native.forward(bytes, a, a, a, null, null, null, a, null));
      console.log(await native.forwardAsync(bytes, a, a, a, null, null, null, a, null));
      console.log(native.estimate(bytes, new Struct(symbols.LEET_COST).bytes));
      console.log(native.deviceGet(0, new Struct(symbols.LEET_DEVICE_INFO).bytes));
      console.log(native.methodGet(0, new Struct(symbols.LEET_METHOD_INFO).bytes));
      console.log(native.statusText(3), native.workspaceBytes(), native.workspaceRelease());`;
    const folder = checkout(body, probe);
    const { stdout, stderr } = deno(folder, [`--allow-ffi=${folder}/build/libleet.so`]);
    expect(stderr).toBe("");
    expect(stdout).toBe("0\n0\n0\n0\n0\n3 of 512 bytes 1099511627776 undefined\n");
  });

  test.each([[SHOW], [LOAD]])("a denial names the flag, and that flag mends it", (body) => {
    const folder = checkout(body, probe);
    const { status, stdout } = deno(folder, ["--allow-read"]);
    const flag = `--allow-ffi=${folder}/build/libleet.so`;
    expect(status).toBe(0);
    expect(stdout).toMatch(/^PERMISSION_DENIED\n/);
    expect(stdout).toContain(`run again with ${flag}\n`);
    expect(deno(folder, [flag]).stdout).toContain(`${folder}/build/libleet.so`);
  });

  test("nothing is asked of the user or read without permission", () => {
    const { stdout, stderr } = deno(checkout(SHOW), ["--allow-ffi"], { LEET_LIB: probe });
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^LIBRARY_NOT_FOUND\n/);
    expect(stdout).toContain("LEET_LIB: reading it needs the permission --allow-env=LEET_LIB");
    expect(stdout).toMatch(/package @leet\/\S+: looking needs the permission --allow-read=/);
  });

  test("LEET_LIB is read with --allow-env=LEET_LIB", () => {
    const folder = checkout(SHOW);
    const flags = ["--allow-env=LEET_LIB", `--allow-ffi=${probe}`];
    expect(deno(folder, flags, { LEET_LIB: probe }).stdout).toBe(`${probe} 0.0.0 probe\n`);
  });

  test("a denied libPath names its own flag", () => {
    const folder = checkout(`openNative({ libPath: ${JSON.stringify(probe)} });`, probe);
    const { stdout } = deno(folder, [`--allow-ffi=${folder}/build/libleet.so`]);
    expect(stdout).toMatch(/^PERMISSION_DENIED\n/);
    expect(stdout).toContain(`--allow-ffi=${probe}`);
  });

  test("a module that was not loaded from a file opens the library through the npm locator", async () => {
    const source = checkout(""), folder = temporaryFolder();
    const server = createServer(({ url }, response) => {
      response.setHeader("content-type", "application/typescript");
      response.end(readFileSync(source + url));
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    });
    writeFileSync(
      `${folder}/main.ts`,
      `import { loadNative, openNative } from "http://127.0.0.1:${port}/ffi/open.ts";
        try { openNative(); } catch (error) { console.log(error.code, error.message); }
        console.log((await loadNative()).path);
        console.log(openNative().path);`,
    );
    writeFileSync(`${folder}/locator.js`, `export const getLibraryPath = () => ${JSON.stringify(probe)};`);
    const map = { imports: { [`npm:@leet/native@${LEET_VERSION}`]: "./locator.js" } };
    writeFileSync(`${folder}/map.json`, JSON.stringify(map));
    const flags = ["run", "-q", "--no-config", "-A", "--import-map=map.json", "main.ts"];
    const env = { ...process.env, NO_COLOR: "1", DENO_DIR: `${folder}/cache` };
    const { stdout } = await promisify(execFile)(tool("deno"), flags, { cwd: folder, env });
    server.close();
    expect(stdout).toMatch(/^LIBRARY_NOT_FOUND libleet\.so could not be opened/);
    expect(stdout).toContain("call `await openLibrary()` once");
    expect(stdout).toMatch(new RegExp(`\n${probe}\n${probe}\n$`));
  });

  test("a locator that fails is one more line of the same error", () => {
    const folder = checkout(LOAD);
    writeFileSync(`${folder}/package.json`, '{"type":"module"}');
    const { stdout } = run(tool("deno"), ["run", "-A", "main.ts"], { cwd: folder });
    expect(stdout).toMatch(/^LIBRARY_NOT_FOUND\n/);
    expect(stdout).toContain(`local build ${folder}/build/libleet.so: no such file`);
    expect(stdout).toMatch(/ {2}- npm:@leet\/native@\S+: /);
    expect(stdout).toContain("deno add npm:@leet/native");
  });
});

describe.each([["deno", (folder: string, env?: object) => deno(folder, ["-A"], env)], ["bun", bun]])(
  "the search under %s",
  (_, start) => {
    test("LEET_LIB goes before the local build, and that before the package", () => {
      const folder = checkout(SHOW, probe);
      addPackage(folder, probe);
      expect(start(folder, { LEET_LIB: probe }).stdout).toBe(`${probe} 0.0.0 probe\n`);
      expect(start(folder, { LEET_LIB: "" }).stdout).toBe(`${folder}/build/libleet.so 0.0.0 probe\n`);
      const without = checkout(SHOW);
      addPackage(without, probe);
      expect(start(without).stdout).toMatch(/\/node_modules\/@leet\/\S+\/libleet\.so 0\.0\.0 probe\n$/);
    });

    test("a wrong LEET_LIB is an error, not a reason to use something else", () => {
      const { stdout } = start(checkout(SHOW, probe), { LEET_LIB: "/nowhere/libleet.so" });
      expect(stdout).toMatch(/^LIBRARY_NOT_FOUND\n/);
      expect(stdout).toContain("LEET_LIB /nowhere/libleet.so: no such file");
    });

    test("a local build of another version does not hide a good package", () => {
      const folder = checkout(SHOW, otherAbi);
      expect(start(folder).stdout).toMatch(/^LIBRARY_MISMATCH\n/);
      addPackage(folder, probe);
      expect(start(folder).stdout).toContain("/node_modules/@leet/");
    });

    test("nothing anywhere: every place, its cause, and what to do", () => {
      const folder = checkout(SHOW), name = `@leet/${process.platform}-${process.arch}`;
      const { stdout } = start(folder);
      expect(stdout).toMatch(/^LIBRARY_NOT_FOUND\nlibleet\.so could not be opened by (Deno|Bun) \d/);
      expect(stdout).toContain(`  - local build ${folder}/build/libleet.so: no such file\n`);
      expect(stdout).toContain(`  - package ${name}: not installed\n`);
      expect(stdout).toContain("npm run build");
      expect(stdout).toMatch(new RegExp(`(deno add npm:|bun add )${name}`));
      expect(stdout).toContain("LEET_LIB");
      expect(stdout).toContain("`reference`");
    });

    test("LEET_TRACE=1 reports calls and times on stderr", () => {
      const { stdout, stderr } = start(checkout(SHOW, probe), { LEET_TRACE: "1" });
      expect(stdout).toContain("0.0.0 probe");
      expect(stderr).toMatch(/^leet version \d+\.\d{3} ms \{"text":"0\.0\.0 probe","abi":1\}$/m);
    });
  },
);

test("under a runtime without FFI importing works and opening says what to do", () => {
  const folder = checkout(SHOW, probe);
  const bundle = `--outfile=${folder}/main.mjs`;
  const esbuild = run(tool("esbuild"), [
    `${folder}/main.ts`,
    "--bundle",
    "--format=esm",
    "--platform=neutral",
    bundle,
  ]);
  expect(esbuild).toMatchObject({ status: 0 });
  const { status, stdout, stderr } = run("node", [`${folder}/main.mjs`]);
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^LIBRARY_NOT_FOUND\nlibleet\.so could not be opened by Node v\d/);
  expect(stdout).toContain("run the program with Deno or Bun");
});
