/** Other libraries that compute the operator, measured beside it where their packages are installed. @module */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LeetError } from "../../errors.ts";
import type { Contestant } from "../contestant.ts";
import { ggmlContestant } from "./ggml.ts";
import { onnxContestant } from "./onnx.ts";

/** npm packages of the peers. They are large and no dependency of this one. */
export const PEER_PACKAGES: readonly string[] = ["onnxruntime-node", "@node-llama-cpp/linux-x64"];

/** The folder of an installed package: in the nearest node_modules, from a folder upwards; null when there is none. */
export function packageFolder(name: string, from: string): string | null {
  const folder = join(from, "node_modules", name);
  if (existsSync(join(folder, "package.json"))) return folder;
  const above = dirname(from);
  return above === from ? null : packageFolder(name, above);
}

/** What a peer may differ from the float64 recurrence, as a multiple of what this library promises. */
export const PEER_LOOSE = 16;

/**
 * The peers.
 * @param from where to look for their packages
 * @throws LeetError NOT_FOUND when one is not installed; the message says how to install them
 */
export function loadPeers(from: string = dirname(fileURLToPath(import.meta.url))): Contestant[] {
  const folders = PEER_PACKAGES.map((name) => packageFolder(name, from));
  const missing = PEER_PACKAGES.filter((_, i) => folders[i] === null);
  if (missing.length > 0) {
    const install = `npm install --no-save --ignore-scripts ${PEER_PACKAGES.join(" ")}`;
    throw new LeetError(
      "NOT_FOUND",
      `--peers: not installed: ${missing.join(", ")}; they take some 320 MB: ${install}`,
    );
  }
  return [onnxContestant(folders[0]!), ggmlContestant(folders[1]!)];
}
