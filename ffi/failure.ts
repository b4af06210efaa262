/** Why libleet.so could not be opened, and the one error that says so. @module */
import { LeetError, type LeetErrorCode } from "../lib/errors.ts";
import { platform, runtimeLabel } from "./runtime.ts";
import { LEET_VERSION } from "./symbols.ts";

/** One place where the library could be, and why it was not opened there. */
export interface Failure {
  /** The place as the user knows it, such as `local build /path/libleet.so`. */
  place: string;
  /**
   * `absent`: nothing is there. `remote`: nothing can be there. `unread`: not looked at, for want of a permission.
   * `denied`: the runtime refuses to open it. `broken`: the loader refuses it. `mismatch`: it is no libleet.so of this
   * version of the C contract.
   */
  kind: "absent" | "remote" | "unread" | "denied" | "broken" | "mismatch";
  why: string;
  /** What the user can do about it. */
  remedy: string;
  cause?: unknown;
}

const CODES: { readonly [kind in Failure["kind"]]: LeetErrorCode } = {
  absent: "LIBRARY_NOT_FOUND",
  remote: "LIBRARY_NOT_FOUND",
  unread: "LIBRARY_NOT_FOUND",
  broken: "LIBRARY_NOT_FOUND",
  denied: "PERMISSION_DENIED",
  mismatch: "LIBRARY_MISMATCH",
};

const REBUILD = `build it on this machine (npm run build) or install version ${LEET_VERSION} of its package`;

/** Nothing is there. */
export function absent(place: string, why: string, remedy: string, cause?: unknown): Failure {
  return { place, kind: "absent", why, remedy, cause };
}

/** The runtime refuses to open the file. */
export function denied(place: string, path: string): Failure {
  const flag = `--allow-ffi=${path}`;
  return { place, kind: "denied", why: `needs the permission ${flag}`, remedy: `run again with ${flag}` };
}

/** The file is a library, and not ours or of another version. */
export function mismatch(place: string, why: string, cause?: unknown): Failure {
  return { place, kind: "mismatch", why, remedy: REBUILD, cause };
}

/** What dlopen's error means. `remedy` is for a file that is not there. */
export function dlopenFailure(place: string, path: string, remedy: string, cause: unknown): Failure {
  const why = (cause as Error).message.replace(
    /^(Could not open library: |Failed to open library "[^"]*": )+/,
    "",
  );
  if (why.startsWith(`${path}: cannot open shared object file: No such file`)) {
    return absent(place, "no such file", remedy, cause);
  }
  if (/^Failed to register symbol|^Symbol ".*" not found/.test(why)) {
    return mismatch(place, "it has no function leet_version, so it is no libleet.so", cause);
  }
  return { place, kind: "broken", why, remedy: REBUILD, cause };
}

/** Whether the failure says no more than that the library is elsewhere. */
export function isElsewhere({ kind }: Failure): boolean {
  return kind === "absent" || kind === "remote" || kind === "unread";
}

/** The error for a search that found nothing: every place and its cause, then what to do. */
export function libraryError(failures: Failure[]): LeetError {
  const decisive = failures.find((failure) => !isElsewhere(failure));
  const remedies = new Set((decisive ? [decisive] : failures).map(({ remedy }) => remedy));
  const lines = [
    `libleet.so could not be opened by ${runtimeLabel()} on ${platform()}`,
    "tried:",
    ...failures.map(({ place, why }) => `  - ${place}: ${why}`),
    "what to do:",
    ...[...remedies].map((remedy) => `  - ${remedy}`),
    ...(decisive || failures.length === 1 ? [] : ["  - or name the file with libPath or LEET_LIB"]),
    "  - or use the device `reference`, which needs no library",
  ];
  const causes = failures.map(({ cause }) => cause).filter((cause) => cause !== undefined);
  const cause = causes.length > 1 ? new AggregateError(causes, "several places failed") : causes[0];
  return new LeetError(CODES[decisive?.kind ?? "absent"], lines.join("\n"), { cause });
}
