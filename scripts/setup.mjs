// Makes a fresh clone ready: checks the compiler and installs the npm packages. Plain Node, no dependencies.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** npm writes this file at the end of an install, so it dates the packages. */
const INSTALLED = "node_modules/.package-lock.json";

function modified(name) {
  return statSync(root + name, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] }).status === 0;
}

function stop(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

if (Number(process.versions.node.split(".")[0]) < 20) {
  stop(`expected Node 20 or newer, got ${process.versions.node}`);
}
if (spawnSync("g++", ["--version"]).status !== 0) {
  stop("g++ was not found; install it (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++)");
}
if (modified(INSTALLED) < modified("package-lock.json")) {
  console.error("setup: installing npm packages (npm ci)");
  if (!run("npm", ["ci", "--no-audit", "--no-fund"])) stop("npm ci failed; its message is above");
}
