/** Memory of this process and machine, where Linux tells. @module */
import { readFileSync, writeFileSync } from "node:fs";

/** A figure in kB from a file such as /proc/meminfo, as bytes; null where it cannot be read. */
function kilobytes(file: string, name: string): number | null {
  try {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(file, "utf8"));
    return found ? Number(found[1]) * 1024 : null;
  } catch {
    return null;
  }
}

/** Bytes that new arrays may take before the system swaps. */
export function availableMemory(): number | null {
  return kilobytes("/proc/meminfo", "MemAvailable");
}

/**
 * Starts to watch the resident set of this process. The returned function tells by how many bytes it was larger at its
 * peak than at the start; null where the system does not tell.
 */
export function watchResidentSet(): () => number | null {
  try {
    writeFileSync("/proc/self/clear_refs", "5"); // resets the peak
  } catch {
    return () => null;
  }
  const before = kilobytes("/proc/self/status", "VmRSS");
  return () => {
    const peak = kilobytes("/proc/self/status", "VmHWM");
    return before === null || peak === null ? null : Math.max(0, peak - before);
  };
}
