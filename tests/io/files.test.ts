import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readFile, readNpyFile, readSafetensorsFile, writeFiles } from "../../lib/io/files.ts";
import { writeNpy } from "../../lib/io/npy.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { errorOf } from "./error_of.ts";

let folder = "";
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "leet-files-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("reading", () => {
  test("a file, an empty file", () => {
    writeFileSync(at("a"), "abc");
    writeFileSync(at("b"), "");
    expect(readFile(at("a"))).toEqual(Uint8Array.of(97, 98, 99));
    expect(readFile(at("b"))).toEqual(new Uint8Array(0));
  });

  test("a missing file, a folder, a path through a file, a device", () => {
    writeFileSync(at("a"), "abc");
    expect(errorOf(() => readFile(at("no")))).toMatchObject({
      code: "NOT_FOUND",
      argument: at("no"),
      message: `cannot read ${at("no")}: there is no such file or folder`,
    });
    expect(errorOf(() => readFile(folder)).code).toBe("INVALID_FILE");
    expect(errorOf(() => readFile(folder)).message).toContain("expected a regular file");
    expect(errorOf(() => readFile(at("a/b"))).code).toBe("NOT_FOUND");
    expect(errorOf(() => readFile("/dev/null")).code).toBe("INVALID_FILE");
    expect(errorOf(() => readFile(at("a\0b"))).code).toBe("INVALID_ARGUMENT");
  });

  test("tensor files, and the path in their errors", () => {
    const tensor = { dtype: "F32", shape: [1], data: Float32Array.of(2) } as const;
    writeFileSync(at("x.safetensors"), writeSafetensors({ x: tensor }));
    writeFileSync(at("x.npy"), writeNpy(tensor));
    expect(readSafetensorsFile(at("x.safetensors")).tensors.get("x")).toEqual(tensor);
    expect(readNpyFile(at("x.npy"))).toEqual(tensor);
    const error = errorOf(() => readNpyFile(at("x.safetensors")));
    expect(error.code).toBe("INVALID_FILE");
    expect(error.message).toMatch(new RegExp(`^${at("x.safetensors")}: not a valid .npy file: `));
    expect(errorOf(() => readSafetensorsFile(at("x.npy"))).argument).toBe(at("x.npy"));
  });
});

describe("writing", () => {
  const bytes = Uint8Array.of(1, 2, 3);

  test("new files and files that exist, nothing else in the folder", () => {
    writeFileSync(at("b"), "old and longer");
    writeFiles([{ path: at("a"), bytes }, { path: at("b"), bytes }, {
      path: at("c"),
      bytes: new Uint8Array(0),
    }]);
    expect(readdirSync(folder).sort()).toEqual(["a", "b", "c"]);
    expect([...readFileSync(at("a"))]).toEqual([1, 2, 3]);
    expect([...readFileSync(at("b"))]).toEqual([1, 2, 3]);
    expect(readFileSync(at("c")).length).toBe(0);
  });

  test.each<[string, string, string]>([
    ["no/out", "NOT_FOUND", "there is no such file or folder"],
    ["file/out", "NOT_FOUND", "a part of the path is not a folder"],
    ["folder", "INVALID_FILE", "it is a folder"],
    ["n".repeat(300), "INVALID_ARGUMENT", "name too long"],
  ])("%s fails and leaves every file as it was", (name, code, message) => {
    writeFileSync(at("file"), "old");
    mkdirSync(at("folder"));
    const before = readdirSync(folder).sort();
    const error = errorOf(() =>
      writeFiles([{ path: at("file"), bytes }, { path: at("new"), bytes }, { path: at(name), bytes }])
    );
    expect(error.code).toBe(code);
    expect(error.message).toContain(`cannot write ${at(name)}: `);
    expect(error.message).toContain(message);
    expect(readdirSync(folder).sort()).toEqual(before);
    expect(readFileSync(at("file"), "utf8")).toBe("old");
  });

  test("a link stays a link", () => {
    writeFileSync(at("a"), "old");
    symlinkSync(at("a"), at("link"));
    writeFiles([{ path: at("link"), bytes }]);
    expect(lstatSync(at("link")).isSymbolicLink()).toBe(true);
    expect([...readFileSync(at("a"))]).toEqual([1, 2, 3]);
  });

  test.runIf(existsSync("/dev/full"))(
    "a device is written to, never replaced; a full one undoes the other files",
    () => {
      writeFiles([{ path: "/dev/null", bytes }, { path: at("a"), bytes }]);
      expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
      const error = errorOf(() => writeFiles([{ path: at("b"), bytes }, { path: "/dev/full", bytes }]));
      expect(error.code).toBe("OUT_OF_RESOURCES");
      expect(error.message.toLowerCase()).toContain("no space left");
      expect(readdirSync(folder)).toEqual(["a"]);
      expect(lstatSync("/dev/full").isCharacterDevice()).toBe(true);
    },
  );
});
