/** lib/mod.ts where there is no runtime but the language: bundled, and run in a context without any global of Node. */
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { expect, test } from "vitest";

const ENTRY = fileURLToPath(new URL("../../lib/mod.ts", import.meta.url).href);

test("the bundle imports nothing and computes on the reference device", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "iife",
    globalName: "leet",
    logLevel: "silent",
  });
  expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);

  const context = createContext({ setTimeout, performance, TextDecoder });
  runInContext(outputFiles[0].text, context);
  const run = (code: string): unknown =>
    JSON.parse(runInContext(`JSON.stringify((() => { ${code} })())`, context));
  expect(run(`
    const q = leet.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    const { o, method, device } = leet.linearAttention(q, q, q, { decay: [0.5] });
    return [device, method, [...o.data], leet.devices().map(({ name }) => name), leet.explain({ B: 1, H: 1, N: 2, dk: 2 }).device];
  `)).toEqual(["reference", "recurrent", [5, 10, 80.5, 111], ["reference"], "reference"]);
  expect(run(`
    const q = leet.tensor([1], [1, 1, 1, 1]);
    const there = leet.deviceTensor(256n, [1, 1, 1, 1]);
    const codes = [() => q.to("cuda:0"), () => there.toHost(), () => leet.linearAttention(there, there, there)].map((call) => {
      try {
        call();
      } catch (error) {
        return error.code;
      }
    });
    there.dispose();
    return [...codes, q.to("cpu") === q];
  `)).toEqual(["LIBRARY_NOT_FOUND", "LIBRARY_NOT_FOUND", "LIBRARY_NOT_FOUND", true]);
  expect(run(`
    const q = leet.tensor([1], [1, 1, 1, 1]);
    try {
      leet.linearAttention(q, q, q, { device: "cpu" });
    } catch (error) {
      return [error.code, error.message.includes("reference")];
    }
  `)).toEqual(["LIBRARY_NOT_FOUND", true]);
});
