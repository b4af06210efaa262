/** Methods of users: right ones are timed, wrong ones are told where. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { methods } from "../../lib/mod.ts";
import { leet } from "../cli/workspace.ts";
import { compile, ROOT, temporaryFolder } from "../ffi/compile.ts";
import { bench, benchJson, scriptMethod } from "./work.ts";

describe("TypeScript", () => {
  test("a right method is checked and timed beside the others, and then forgotten", async () => {
    const path = scriptMethod("mine");
    const { code, out } = await bench(
      "--methods",
      "flash",
      "--lengths",
      "70",
      "--method",
      path,
    );
    expect(out[0]).toMatch(/^mine: right in (\d+) of \1 cases$/);
    expect(out.join("\n")).toMatch(/^ {2}mine +reference +[\d.]+/m);
    expect(code).toBe(0);
    expect(methods().some(({ name }) => name === "mine")).toBe(false);
    const { results } = await benchJson("--methods", "none", "--lengths", "70", "--method", path);
    expect(results).toMatchObject([{ method: "mine", device: "reference", error: null, origin: "user" }]);
  });

  test.each([
    [
      "only beyond 64 tokens",
      "if (t > 64) o[t * dv + c] *= 1.001;",
      "",
      /^o\[0,0,65,0\]: expected \S+, got \S+/,
    ],
    ["a NaN", "if (t === 2 && c === 1) o[t * dv + c] = NaN;", "", /^o\[0,0,2,1\]: expected \S+, got NaN/],
    [
      "an element left as it was",
      "if (t === 2 && c === 1) o[t * dv + c] = 0;",
      "",
      /^o\[0,0,2,1\]: expected \S+, got 0/,
    ],
    ["the sum over dk", "", "if (dk === 5) o[0] += 1;", /^o\[0,0,0,0\]: .*dk=5/],
    ["the final state", "", "state[1] += 0.5;", /^final_state\[0,0,0,1\]: expected/],
    ["an exception", "if (N === 31) throw new Error('odd');", "", /^Error: odd; .*N=31/],
  ])("wrong: %s", async (_, mutation, after, message) => {
    const path = scriptMethod("mine", mutation, after);
    const { results, ended } = await benchJson("--methods", "flash", "--lengths", "70", "--method", path);
    expect(results.map(({ method, outcome }) => [method, outcome])).toEqual([["flash", "timed"], [
      "mine",
      "wrong",
    ]]);
    expect(results[1].median_ms).toBe(null);
    expect(results[1].error).toMatch(message);
    expect(results[1].error).toMatch(
      /; B=\d+ H=\d+ Hkv=\d+ N=\d+ dk=\d+ dv=\d+ decay=\S+ state=\S+ dtype=f32 threads=\d+$/,
    );
    expect(ended.code).toBe(1);
    expect(ended.err).toEqual([`leet bench: mine: wrong: ${results[1].error}`]);
  });

  test("files that are none, or export something else", async () => {
    const missing = await leet("bench", "--method", "./no-such.ts");
    expect([missing.code, missing.err]).toEqual([1, ["leet bench: --method: no such file: ./no-such.ts"]]);
    const path = join(temporaryFolder(), "empty.ts");
    writeFileSync(path, "export const name = 3;\n");
    const empty = await leet("bench", "--method", path);
    expect(empty.err[0]).toContain(
      "expected exports name (a string) and run (a function), got name 3 and run undefined",
    );
    const broken = join(temporaryFolder(), "broken.ts");
    writeFileSync(broken, "throw new Error('at once');\n");
    expect((await leet("bench", "--method", broken)).err[0]).toContain("at once");
    const taken = await leet("bench", "--method", scriptMethod("flash"));
    expect(taken.err[0]).toContain("name: expected a name that is not built in");
  });
});

const C = `#include "leet.h"
#include <math.h>
#include <stdlib.h>
leet_status mine(leet_params *p, const void *q0, const void *k0, const void *v0, const float *decay,
                 const int64_t *cu, const float *s0, void *o0, float *s1) {
  const float *q = q0, *k = k0, *v = v0;
  float *o = o0;
  (void)cu;
  if (p->dtype != LEET_F32) return LEET_UNSUPPORTED_SHAPE;
  if (UNSUPPORTED) return LEET_UNSUPPORTED_SHAPE;
  const int64_t n = p->dk * p->dv;
  double *s = malloc(8 * n);
  for (int64_t i = 0; i < p->B * p->H; i++) {
    const int64_t h = i % p->H, j = i / p->H * p->Hkv + h / (p->H / p->Hkv);
    for (int64_t x = 0; x < n; x++) s[x] = s0 ? s0[i * n + x] : 0;
    for (int64_t t = 0; t < p->N; t++) {
      const int form = p->decay_form;
      const double a = form == LEET_DECAY_NONE ? 1 : form == LEET_DECAY_FACTOR ? decay[h]
                     : exp(form == LEET_DECAY_LOG ? decay[h] : decay[i * p->N + t]);
      for (int64_t c = 0; c < p->dv; c++) {
        double sum = 0;
        for (int64_t r = 0; r < p->dk; r++) {
          double *x = s + r * p->dv + c;
          *x = a * *x + (double)k[(j * p->N + t) * p->dk + r] * v[(j * p->N + t) * p->dv + c];
          sum += *x * q[(i * p->N + t) * p->dk + r];
        }
        o[(i * p->N + t) * p->dv + c] = (float)(p->scale * sum);
      }
    }
    if (s1) for (int64_t x = 0; x < n; x++) s1[i * n + x] = (float)s[x];
  }
  MUTATION;
  free(s);
  return 0;
}
`;

function symbolMethod(mutation: string, unsupported = "0"): string {
  const folder = temporaryFolder(), source = join(folder, "mine.c");
  writeFileSync(source, C);
  const flags = ["-shared", "-fPIC", "-lm", `-DMUTATION=${mutation}`, `-DUNSUPPORTED=${unsupported}`];
  return compile(source, join(folder, "libmine.so"), flags);
}

describe("a function in a shared library", () => {
  test("a right one, and a copy of leet_forward", async () => {
    const own = symbolMethod("(void)0");
    const library = `${process.env.LEET_LIB ?? `${ROOT}build/libleet.so`}:leet_forward`;
    const { results } = await benchJson(
      "--methods",
      "none",
      "--lengths",
      "70",
      "--dtype",
      "f32,bf16",
      "--method-so",
      `${own}:mine,${library}`,
    );
    expect(results.map(({ method, dtype, outcome }) => [method, dtype, outcome])).toEqual([
      ["mine", "f32", "timed"],
      ["leet_forward", "f32", "timed"],
      ["mine", "bf16", "unsupported"],
      ["leet_forward", "bf16", "timed"],
    ]);
  });

  test.each([
    [
      "an element that is not written",
      "if (p->N == 33) ((unsigned *)o)[5] = 0x7fc0dead",
      /^o\[0,0,0,5\]: .*got NaN.*N=33/,
    ],
    ["memory outside o", "if (p->N) o[p->B * p->H * p->N * p->dv] = 1", /^memory outside o was written/],
    ["an input", "if (p->N) ((float *)k)[0] = 9", /^an input was written/],
    ["another status", "return LEET_OUT_OF_MEMORY", /^LeetError: .*memory/],
  ])("wrong: %s", async (_, mutation, message) => {
    const { results, ended } = await benchJson(
      "--methods",
      "none",
      "--lengths",
      "9",
      "--method-so",
      `${symbolMethod(mutation)}:mine`,
    );
    expect(results[0]).toMatchObject({ method: "mine", outcome: "wrong" });
    expect(results[0].error).toMatch(message);
    expect(ended.code).toBe(1);
  });

  test("what it does not support is told, and is not wrong", async () => {
    const path = symbolMethod("(void)0", "s0||p->decay_form==LEET_DECAY_LOG_GATES");
    const { code, out } = await bench(
      "--methods",
      "none",
      "--lengths",
      "9",
      "--method-so",
      `${path}:mine`,
    );
    expect(code).toBe(0);
    expect(out[0]).toMatch(/^mine: right in \d+ of \d+ cases, \d+ not supported$/);
    expect(out[1]).toMatch(/^ {2}not supported: .*(log-gates|state=in)/);
  });

  test("a library or symbol that is not there", async () => {
    expect((await leet("bench", "--method-so", "./no.so:mine")).err[0]).toContain(
      "--method-so: no such file: ./no.so",
    );
    const none = await leet("bench", "--method-so", `${symbolMethod("(void)0")}:nothing`);
    expect([none.code, none.out]).toEqual([1, []]);
    expect(none.err[0]).toContain("nothing");
  });
});
