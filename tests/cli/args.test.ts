import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  describeOptions,
  didYouMean,
  editDistance,
  integerOption,
  type OptionTable,
  parseArguments,
} from "../../lib/cli/args.ts";
import { formatBytes, formatCount, formatNumber, formatTable } from "../../lib/cli/table.ts";
import { errorOf } from "../io/error_of.ts";

const table: OptionTable = {
  out: { value: "OUT", help: "where to" },
  scale: { value: "x", help: "a number" },
  dtype: { value: "T", help: "a type", choices: ["f32", "bf16"] },
  json: { help: "a flag" },
};

describe("arguments", () => {
  test.each<[string[], string[], Record<string, string>]>([
    [[], [], {}],
    [["a", "--out", "b", "c"], ["a", "c"], { out: "b" }],
    [["--out=b", "--json"], [], { out: "b", json: "" }],
    [["--scale", "-1.5"], [], { scale: "-1.5" }],
    [["--scale", "-.5"], [], { scale: "-.5" }],
    [["--out=--json"], [], { out: "--json" }],
    [["--out", "-"], [], { out: "-" }],
    [["--", "--json"], ["--json"], {}],
    [["-h"], [], { help: "" }],
    [["--dtype", "bf16", "--help"], [], { dtype: "bf16", help: "" }],
  ])("%j", (args, positionals, values) => {
    const parsed = parseArguments(args, table, 2);
    expect(parsed.positionals).toEqual(positionals);
    expect({ ...parsed.values }).toEqual(values);
  });

  test.each<[string[], string]>([
    [["--jsn"], 'unknown option "--jsn"; did you mean --json?'],
    [["--otu", "x"], 'unknown option "--otu"; did you mean --out?'],
    [["--entirely-else"], 'unknown option "--entirely-else"'],
    [["-o", "x"], 'unknown option "-o"'],
    [["--toString"], 'unknown option "--toString"'],
    [["--__proto__=1"], 'unknown option "--__proto__"'],
    [["--no-json"], 'unknown option "--no-json"'],
    [["--out"], "--out: expected a value OUT"],
    [["--out="], "--out: expected a value OUT"],
    [["--out", "--json"], "--out: expected a value OUT"],
    [["--out", "a", "--out", "b"], "--out: given twice"],
    [["--json", "--json"], "--json: given twice"],
    [["--json=yes"], '--json: takes no value, got "yes"'],
    [["--dtype", "bf17"], '--dtype: expected f32, bf16, got "bf17"; did you mean bf16?'],
    [["a", "b", "c"], 'expected at most 2 arguments, got "c" as well'],
  ])("%j is refused", (args, message) => {
    const error = errorOf(() => parseArguments(args, table, 2));
    expect([error.code, error.message]).toEqual(["USAGE", message]);
  });

  test("any arguments give a result or a USAGE error", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("--out", "--json", "--", "-h", "--dtype=f32", "-", "--scale"),
    );
    fc.assert(fc.property(fc.array(word), (args) => {
      let code = "";
      try {
        parseArguments(args, table, 3);
      } catch (error) {
        code = (error as { code: string }).code;
        expect(code).toBe("USAGE");
      }
    }));
  });

  test.each<[string, number | undefined]>([["0", 0], ["12", 12], ["007", 7]])(
    "the integer %s",
    (text, value) => {
      expect(integerOption({ n: text }, "n")).toBe(value);
      expect(integerOption({}, "n")).toBeUndefined();
    },
  );

  test.each(["-1", "1.5", "1e3", "x", "", " 1", "0x1", "99999999999999999999"])(
    "%j is no integer",
    (text) => {
      expect(errorOf(() => integerOption({ n: text }, "n")).code).toBe("USAGE");
    },
  );

  test("help lists every option, aligned", () => {
    expect(describeOptions({ out: table.out, json: table.json })).toBe(
      "  --out OUT  where to\n  --json     a flag\n  --help     show this text",
    );
  });
});

describe("suggestions", () => {
  test.each([["run", "run", 0], ["rnu", "run", 1], ["un", "run", 1], ["runn", "run", 1], ["", "run", 3], [
    "ca",
    "abc",
    3,
  ]])(
    "%s to %s: %i",
    (a, b, distance) => {
      expect(editDistance(a, b)).toBe(distance);
      expect(editDistance(b, a)).toBe(distance);
    },
  );

  test("only near words are suggested", () => {
    expect(didYouMean("flahs", ["fleet", "flash", "auto"])).toBe("; did you mean flash?");
    expect(didYouMean("xyz", ["fleet", "flash", "auto"])).toBe("");
  });

  test("long words take no time", () => {
    const begin = performance.now();
    didYouMean("x".repeat(1e6), ["y".repeat(1e6)]);
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});

describe("tables and quantities", () => {
  test("columns are as wide as their widest cell", () => {
    const text = formatTable([{ title: "A" }, { title: "B", right: true }, { title: "" }], [
      ["long", "1", ""],
      ["x", "22", "!"],
    ]);
    expect(text).toBe("A      B\nlong   1\nx     22  !");
  });

  test.each<[number, string]>([
    [0, "0"],
    [1, "1"],
    [1234567, "1.2e+6"],
    [999.4, "999"],
    [999.9, "1000"],
    [0.00123456, "0.00123"],
    [0.0001, "1.0e-4"],
    [12.345, "12.3"],
    [-5.5555, "-5.56"],
    [Infinity, "Infinity"],
    [NaN, "NaN"],
  ])("%d is %s", (value, text) => expect(formatNumber(value)).toBe(text));

  test.each<[number, string, string]>([
    [0, "0", "0 B"],
    [999, "999", "999 B"],
    [1023.9, "1.02 k", "1 KiB"],
    [1536, "1.54 k", "1.5 KiB"],
    [1e9, "1 G", "954 MiB"],
    [1e30, "1.0e+12 E", "8.7e+11 EiB"],
  ])("%d as a count and in bytes", (value, count, bytes) => {
    expect([formatCount(value), formatBytes(value)]).toEqual([count, bytes]);
  });
});
