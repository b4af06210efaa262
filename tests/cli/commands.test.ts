import { describe, expect, test } from "vitest";
import { commands } from "../../lib/cli/main.ts";
import { oneLine } from "../../lib/cli/table.ts";
import { devices, explain, methods } from "../../lib/mod.ts";
import { leet } from "./workspace.ts";

describe("help", () => {
  test.each([["--help"], ["-h"], ["help"]])("leet %s lists every command", async (...args) => {
    const { code, out, err } = await leet(...args);
    expect([code, err]).toEqual([0, []]);
    for (const { usage, summary } of Object.values(commands)) {
      expect(out.some((line) => line.includes(`leet ${usage}`) && line.includes(summary))).toBe(true);
    }
  });

  test.each(Object.keys(commands))("leet %s --help describes every option", async (name) => {
    const { code, out } = await leet(name, "--help");
    expect(code).toBe(0);
    expect(out[0]).toBe(`usage: leet ${commands[name].usage}`);
    for (const [option, { help }] of Object.entries(commands[name].options)) {
      expect(out.some((line) => line.trim().startsWith(`--${option}`) && line.endsWith(help))).toBe(true);
    }
    expect(await leet("help", name)).toEqual({ code, out, err: [] });
    expect(await leet(name, "-h", "--json")).toEqual({ code, out, err: [] });
  });

  test("--version", async () => {
    expect((await leet("--version")).out).toEqual(["leet 0.1.0"]);
  });

  test("no line of a help text is wider than a terminal of 120 columns", async () => {
    for (const args of [["--help"], ...Object.keys(commands).map((name) => [name, "--help"])]) {
      for (const line of (await leet(...args)).out) expect(line.length).toBeLessThanOrEqual(120);
    }
  });
});

describe("methods", () => {
  test("as text and as JSON", async () => {
    const text = await leet("methods");
    expect(text.code).toBe(0);
    expect(text.out.slice(1).map((line) => line.split(" ")[0])).toEqual(methods().map(({ name }) => name));
    expect(JSON.parse((await leet("methods", "--json")).out[0])).toEqual(methods());
  });
});

describe("info", () => {
  test("as text and as JSON", async () => {
    const { code, out } = await leet("info");
    expect(code).toBe(0);
    expect(out[0]).toMatch(/^leet 0\.1\.0 on (Bun|Deno) \d/);
    expect(out[1]).toMatch(/^library: .*libleet\.so$/);
    expect(out[2]).toMatch(
      /^ {2}0\.1\.0 cpu\(.*scalar.*\).*, C contract 1, built for (CPU only|CPU and CUDA)$/,
    );
    for (const { name, text } of devices()) {
      expect(out.some((line) => line.startsWith(name) && line.endsWith(text))).toBe(true);
    }
    const report = JSON.parse((await leet("info", "--json")).out[0]);
    expect(report).toMatchObject({ version: "0.1.0", abi: 1, devices: devices() });
    expect(Object.keys(report.library).sort()).toEqual(["builtFor", "path", "version"]);
  });
});

describe("explain", () => {
  test.each(["reference", "cpu"])("on %s, as JSON", async (device) => {
    const args = [
      "explain",
      "B=1,H=32,N=2048,dk=128,dv=64,Hkv=8",
      "--device",
      device,
      "--dtype",
      "bf16",
      "--threads",
      "2",
    ];
    const { code, out } = await leet(...args, "--decay", "log-gates", "--json");
    expect(code).toBe(0);
    const shape = {
      B: 1,
      H: 32,
      Hkv: 8,
      N: 2048,
      dk: 128,
      dv: 64,
      dtype: "bf16",
      decayForm: "logGates",
      threads: 2,
    } as const;
    expect(JSON.parse(out[0])).toEqual({ shape, ...explain({ ...shape, device }) });
  });

  test("as text: cheapest first, the choice is marked and explained", async () => {
    const { code, out } = await leet("explain", " N = 512 , dk=16", "--device", "reference");
    expect(code).toBe(0);
    expect(out[0]).toBe("B=1 H=1 Hkv=1 N=512 dk=16 dv=16, f32, decay form decay, device reference");
    const { methods: costs, chosen, reason } = explain({ B: 1, H: 1, N: 512, dk: 16, device: "reference" });
    const rows = out.slice(3, 3 + costs.length);
    expect(rows.map((row) => row.split(" ")[0])).toEqual(
      costs.toSorted((a, b) => a.seconds - b.seconds).map(({ method }) => method),
    );
    expect(rows.filter((row) => row.endsWith("<- auto")).map((row) => row.split(" ")[0])).toEqual([chosen]);
    expect(out.at(-1)).toBe(`auto picks ${chosen}: ${reason}`);
  });

  test.each([["N=5,dk=0", "dk"], ["N=5,dk=1,H=3,Hkv=2", "Hkv"], ["N=5,dk=99999999999999999999", "dk"]])(
    "%s fails in one line",
    async (shape, name) => {
      const { code, out, err } = await leet("explain", shape, "--device", "reference");
      expect([code, out, err.length]).toEqual([1, [], 1]);
      expect(err[0]).toContain(`leet explain: ${name}: expected`);
    },
  );
});

test("a message of several lines becomes one, and cannot forge output", () => {
  expect(oneLine("not opened\ntried:\n  - a: no\n\n  - b: no\nwhat to do:\n  - build")).toBe(
    "not opened; tried: a: no; b: no; what to do: build",
  );
  expect(oneLine("a\rb\x1b[2Jc\u2028d\x9be")).toBe("a\\u000db\\u001b[2Jc\\u2028d\\u009be");
});
