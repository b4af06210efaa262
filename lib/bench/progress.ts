/** A progress bar on stderr, where that is a terminal. @module */
import process from "node:process";

/** Shows how far a run is. */
export interface Progress {
  /** Draws `part` (0 to 1) and what is being done; nothing of it is left once `part` is 1. */
  show(part: number, doing: string): void;
  /** Takes the bar away, so that other lines can be written. */
  clear(): void;
}

const WIDTH = 24;
/** Returns to the start of the line and empties it. */
const ERASE = "\r\x1b[2K";

/** A bar on stderr; without a terminal it does nothing. */
export function stderrProgress(): Progress {
  if (!process.stderr.isTTY) return { show: () => undefined, clear: () => undefined };
  const columns = process.stderr.columns ?? 80;
  return {
    show(part, doing) {
      const full = Math.round(part * WIDTH);
      const bar = `${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${
        String(Math.round(part * 100)).padStart(3)
      } %  ${doing}`;
      process.stderr.write(part >= 1 ? ERASE : ERASE + bar.slice(0, columns - 1));
    },
    clear: () => void process.stderr.write(ERASE),
  };
}
