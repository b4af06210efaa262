/** The report in a real browser: no errors, nothing wider than a phone, every series drawn, dark where wanted. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { reportPage } from "../../lib/bench/report/page.ts";
import { run, temporaryFolder } from "../ffi/compile.ts";
import { MACHINE, resultOf } from "./work.ts";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const browser = BROWSERS.find((name) => !spawnSync(name, ["--version"]).error);
if (!browser) console.warn(`tests/bench/browser.test.ts is SKIPPED: it needs one of ${BROWSERS.join(", ")}`);

const NAMES = [
  "flash",
  "lightning",
  "block",
  "recurrent",
  "fleet",
  "recursion",
  "vanilla",
  "a-method-with-a-very-long-name",
  "onnxruntime",
];
const LENGTHS = [128, 512, 2048, 8192, 12800, 25600, 100000];
const results = NAMES.flatMap((method, i) =>
  LENGTHS.map((N) => {
    const ms = 0.01 * N * (1 + i / 7) ** 2;
    const timed = method !== "vanilla" || N < 10000;
    return resultOf({
      method,
      N,
      median_ms: timed ? ms : null,
      min_ms: timed ? ms * 0.9 : null,
      peak_bytes: timed ? N * 4096 * (1 + i / 5) : null,
      outcome: timed ? "timed" : "left out",
      error: timed
        ? null
        : "left out: 5 calls would take 90 s, and one method may take 30 s of the budget of 120 s",
      flops: N * 1e6 * (1 + i),
      traffic_bytes: N * 4e4,
    });
  })
);

/** Looks into the page in a frame of the width of a phone and in one of a desk, and writes down what it finds. */
const PROBE = `
const seen = [];
for (const width of [390, 1400]) {
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.style.cssText = "border:0;height:900px;width:" + width + "px";
  frame.srcdoc = document.getElementById("page").textContent;
  frame.onload = () => {
    const { documentElement: root } = frame.contentDocument, style = frame.contentWindow.getComputedStyle;
    const shown = [...frame.contentDocument.querySelectorAll("figure svg")].filter((svg) => svg.getBoundingClientRect().width > 0);
    const overlaps = shown.flatMap((svg) => {
      const boxes = [...svg.querySelectorAll("text.name")].map((text) => text.getBoundingClientRect());
      return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
        a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom));
    }).length;
    const outside = shown.flatMap((svg) => [...svg.querySelectorAll("text")].filter((text) => {
      const box = text.getBoundingClientRect(), edge = svg.getBoundingClientRect();
      return box.right > edge.right + 1 || box.left < edge.left - 1;
    }).map((text) => text.textContent));
    seen.push({
      width,
      scroll: root.scrollWidth - root.clientWidth,
      shown: shown.map((svg) => svg.getAttribute("class")),
      series: shown.map((svg) => new Set([...svg.querySelectorAll("[data-name]")].map((g) => g.dataset.name)).size),
      font: Math.min(...shown.flatMap((svg) => [...svg.querySelectorAll("text")].map((text) =>
        parseFloat(style(text).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))),
      overlaps, outside,
      paper: style(root).getPropertyValue("--paper"),
    });
    if (seen.length === 2) document.getElementById("found").textContent = JSON.stringify(seen);
  };
}`;

interface Seen {
  width: number;
  /** Pixels by which the page is wider than its window. */
  scroll: number;
  shown: string[];
  series: number[];
  font: number;
  overlaps: number;
  outside: string[];
  paper: string;
}

function look(dark: boolean): { seen: Seen[]; console: string[] } {
  const folder = temporaryFolder(), path = join(folder, "probe.html");
  const page = reportPage({ machine: MACHINE, results }, "leet bench");
  const text = page.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  writeFileSync(
    path,
    `<!doctype html><meta charset="utf-8"><textarea id="page" hidden>${text}</textarea><pre id="found"></pre><script>${PROBE}</script>`,
  );
  const { stdout, stderr } = run(browser!, [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    `--user-data-dir=${join(folder, "profile")}`,
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    `--blink-settings=preferredColorScheme=${dark ? 0 : 1}`,
    "--window-size=1500,2000",
    "--dump-dom",
    `file://${path}`,
  ]); // deno-fmt-ignore
  const found = /<pre id="found">(\[.*?\])<\/pre>/.exec(stdout);
  if (!found) throw new Error(`the page was not looked at:\n${stderr}`);
  return {
    seen: JSON.parse(found[1]),
    console: stderr.split("\n").filter((line) => line.includes("CONSOLE")),
  };
}

describe.skipIf(!browser)("the report in a browser", () => {
  const looks = new Map<boolean, ReturnType<typeof look>>();
  const lookOnce = (dark: boolean) => looks.get(dark) ?? looks.set(dark, look(dark)).get(dark)!;
  afterAll(() => looks.clear());

  test("writes nothing to the console", () => {
    expect(lookOnce(false).console).toEqual([]);
  });

  test.each([[390, "narrow"], [1400, "wide"]])("at a width of %i pixels", (width, classes) => {
    const seen = lookOnce(false).seen.find((one) => one.width === width)!;
    expect(seen.scroll).toBe(0);
    expect(seen.shown).toEqual(Array(4).fill(classes));
    // The roofline is of the longest sequence, where vanilla was left out.
    expect(seen.series).toEqual([NAMES.length, NAMES.length, NAMES.length, NAMES.length - 1]);
    expect([seen.overlaps, seen.outside]).toEqual([0, []]);
    expect(seen.font).toBeGreaterThanOrEqual(9.5);
  });

  test("is light or dark as the reader prefers", () => {
    const papers = [false, true].map((dark) => lookOnce(dark).seen[0].paper.trim());
    expect(papers).toEqual(["#fff", "#171b21"]);
  });
});
