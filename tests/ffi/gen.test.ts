/** The generator of ffi/symbols.ts. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { generate, INPUTS, type Sources } from "../../scripts/gen.ts";
import { ROOT, run, temporaryFolder, tool } from "./compile.ts";

const read = (name: string): string => readFileSync(ROOT + name, "utf8");
const sources: Sources = {
  header: read(INPUTS.header),
  status: read(INPUTS.status),
  methods: read(INPUTS.methods),
};

/** leet.h with a line put before its last function. */
const headerWith = (line: string): Sources => ({
  ...sources,
  header: sources.header.replace("LEET_API leet_status leet_workspace_release(void);", `$&\n${line}`),
});

test("ffi/symbols.ts is what the sources give", () => {
  expect(generate(sources)).toBe(read("ffi/symbols.ts"));
});

test("ffi/symbols.ts is formatted", () => {
  expect(run(tool("deno"), ["fmt", "--check", "ffi/symbols.ts"])).toMatchObject({ status: 0 });
});

test.each(["bun", "deno"])(
  "under %s --check fails with one line on a stale file, and gen mends it",
  (runtime) => {
    const folder = temporaryFolder();
    for (const file of ["scripts/gen.ts", "scripts/header.ts", "ffi/symbols.ts", ...Object.values(INPUTS)]) {
      cpSync(ROOT + file, `${folder}/${file}`, { recursive: true });
    }
    const gen = (...args: string[]) =>
      run(tool(runtime), [...(runtime === "deno" ? ["run", "-A"] : []), "scripts/gen.ts", ...args], {
        cwd: folder,
      });
    expect(gen("--check")).toEqual({ status: 0, stdout: "", stderr: "" });
    writeFileSync(
      `${folder}/${INPUTS.header}`,
      headerWith("LEET_API leet_status leet_more(int64_t n);").header,
    );
    const stale = "gen: ffi/symbols.ts is stale; run `npm run gen`\n";
    expect(gen("--check")).toEqual({ status: 1, stdout: "", stderr: stale });
    expect(gen().status).toBe(0);
    expect(readFileSync(`${folder}/ffi/symbols.ts`, "utf8")).toContain('"i64", // int64_t n');
    expect(gen("--check").status).toBe(0);
  },
);

test("lays structs out with the holes that C leaves", () => {
  const fields =
    "uint32_t struct_size; int64_t a[2]; char b[3]; float c; char d; double e; int32_t f, g[2], h;";
  const text = generate(headerWith(`typedef struct leet_s { ${fields} } leet_s;`));
  const layout = text.slice(text.indexOf("export const LEET_S ")).split("}\n")[0].replace(/\s+/g, " ");
  expect(layout).toContain("size: 64,");
  const offsets = [...layout.matchAll(/(\w+): \{ offset: (\d+), type: "(\w+)", count: (\d+)/g)].map((m) =>
    m.slice(1)
  );
  expect(offsets.map((field) => field.join(" "))).toEqual([
    "struct_size 0 u32 1",
    "a 8 i64 2",
    "b 24 char 3",
    "c 28 f32 1",
    "d 32 char 1",
    "e 40 f64 1",
    "f 48 i32 1",
    "g 52 i32 2",
    "h 60 i32 1",
  ]);
});

test.each([
  ["typedef void *leet_handle;", "typedef void *leet_handle"],
  ["LEET_API int leet_x(void);", "LEET_API int leet_x(void)"],
  ["LEET_API leet_status leet_x(size_t n);", "size_t n"],
  ["LEET_API leet_status leet_x(int32_t);", '"int32_t"'],
  ["LEET_API leet_status leet_x(const void **p);", "const void **p"],
  ["LEET_API leet_status leet_x(struct other *p);", "struct other *p"],
  ["LEET_API leet_status leet_x(other *p);", "other *p"],
  ["LEET_API leet_status leet_x(void (*f)(void));", "void (*f)(void)"],
  ["#define LEET_FLAG (1 << 2)", "#define LEET_FLAG (1 << 2)"],
  ["#pragma pack(1)", "#pragma pack(1)"],
  ["enum { LEET_A };", "LEET_A"],
  ["enum leet_e { LEET_A = 1 };", "enum leet_e"],
  ["typedef struct leet_s { uint32_t struct_size; void *p; } leet_s;", "void *p"],
  ["typedef struct leet_s { uint32_t struct_size; int32_t a : 3; } leet_s;", "int32_t a : 3"],
  ["typedef struct leet_s { uint32_t struct_size; int32_t a[2][2]; } leet_s;", "int32_t a[2][2]"],
  ["typedef struct leet_s { int32_t a; } leet_s;", "struct_size"],
  ["static int x(void) { return 1; }", "static int x(void)"],
  ["}", "unbalanced"],
])("refuses %s", (line, named) => {
  expect(() => generate(headerWith(line))).toThrow(named);
  expect(() => generate(headerWith(line))).toThrow(/^cuda\/include\/leet\.h: line \d+: /);
});

test.each<[string, Partial<Sources>, string]>([
  [
    "a status that only the table has",
    { status: `${sources.status}LEET_STATUS(4001, NEW, "x")\n` },
    "LEET_NEW = 4001",
  ],
  [
    "a status that only the header has",
    { status: sources.status.replace(/^.*1018.*$/m, "") },
    "LEET_SIZE_OVERFLOW",
  ],
  ["a status of two numbers", { status: sources.status.replace("(1018,", "(1019,") }, "LEET_SIZE_OVERFLOW"],
  [
    "a method that only the table has",
    { methods: `${sources.methods}LEET_METHOD(8, X, x, "x")\n` },
    "LEET_METHOD_X = 8",
  ],
  ["a row of too few columns", { methods: `${sources.methods}LEET_METHOD(8, X, "x")\n` }, "8, X, x"],
  ["a row of another macro", { status: `${sources.status}STATUS(1, X, "x")\n` }, 'STATUS(1, X, "x")'],
])("refuses %s", (_, changed, named) => {
  expect(() => generate({ ...sources, ...changed })).toThrow(named);
});
