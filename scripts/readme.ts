/**
 * Writes the measured blocks of README.md on this machine: the table of the demo, and the speed of the CPU methods. Run it
 * on an idle machine: `bun scripts/readme.ts`.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { ROOT, run, tool } from "./shell.ts";

function output(command: string, args: string[]): string {
  const result = run(command, args);
  if (!result.ok) throw new Error(`${command} ${args.join(" ")} failed\n${result.output}`);
  return result.output;
}

/** The text with what stands between `<!-- name -->` and `<!-- /name -->` replaced. */
function replaceBlock(text: string, name: string, content: string): string {
  const block = new RegExp(`<!-- ${name} -->[^]*<!-- /${name} -->`);
  if (!block.test(text)) throw new Error(`README.md: expected <!-- ${name} --> and <!-- /${name} -->`);
  return text.replace(block, () => `<!-- ${name} -->\n\n${content}\n\n<!-- /${name} -->`);
}

/** The rows of the demo for the native library, which are what a user is after. */
function demoTable(): string {
  const lines = output(tool("bun"), ["scripts/demo.ts"]).split("\n");
  const table = lines.filter((line) => /^RUNTIME|^(Bun|Deno) +cpu /.test(line));
  return `\`\`\`text\n${table.map((line) => line.trimEnd()).join("\n")}\n\`\`\``;
}

function speedTable(): string {
  const shapes = [["--d", "128"], ["--d", "64"]];
  return shapes.map((shape) => output("build/bench/speed", shape)).join("\n\n");
}

output("make", ["-C", "cuda", "--no-print-directory", "../build/bench/speed"]);
const path = `${ROOT}README.md`;
let text = readFileSync(path, "utf8");
text = replaceBlock(text, "demo", demoTable());
text = replaceBlock(text, "speed", speedTable());
writeFileSync(path, text);
output(tool("deno"), ["fmt", "README.md"]);
console.log(`readme ${process.version}: demo and speed written`);
