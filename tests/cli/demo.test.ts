/** The first command of a newcomer. The library is built before the tests, so the build has nothing to do. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { runtimeName } from "../../ffi/runtime.ts";
import { methods } from "../../lib/mod.ts";
import { ROOT } from "./workspace.ts";

function demo(env: object = {}) {
  const run = runtimeName() === "deno" ? ["run", "-A"] : [];
  const { status, stdout } = spawnSync(process.execPath, [...run, "scripts/demo.ts"], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  const rows = stdout.split("\n").filter((line) => /^(Bun|Deno) /.test(line)).map((line) => line.split(/ +/));
  return { status, rows, last: stdout.trim().split("\n").at(-1) };
}

const expected = ["Bun", "Deno"].flatMap((runtime) =>
  ["cpu", "reference"].flatMap((device) => methods().map(({ name }) => `${runtime} ${device} ${name}`))
);

test("the demo shows every method on both devices and runtimes, all right", () => {
  const { status, rows, last } = demo();
  expect(rows.map((cells) => cells.slice(0, 3).join(" "))).toEqual(expected);
  for (const cells of rows) {
    expect(cells.at(-1)).toBe("ok");
    for (const number of cells.slice(3, 8)) expect(Number(number)).toBeLessThan(1e4);
    expect(Number(cells[4])).toBeLessThanOrEqual(1);
    expect(Number(cells[6])).toBeLessThanOrEqual(1);
  }
  expect(last).toContain(`All ${expected.length} results are right.`);
  expect(status).toBe(0);
});

test("the demo fails when one runtime cannot compute", () => {
  const { status, rows, last } = demo({ LEET_LIB: "/none/libleet.so" });
  expect(rows.filter((cells) => cells.includes("FAIL:")).map((cells) => cells.slice(0, 2).join(" "))).toEqual(
    methods().map(() => "Bun cpu"),
  );
  expect(last).toBe(`${methods().length} of ${expected.length} FAILED.`);
  expect(status).toBe(1);
});
