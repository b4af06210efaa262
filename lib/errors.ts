/** The one error class of the library, and how a native status becomes one. @module */
import { STATUS, type StatusName } from "../ffi/symbols.ts";

/** Codes that only the TypeScript side uses, and what each means. */
export type OwnCode =
  /** libleet.so was not found or cannot be opened; the message lists what was tried. */
  | "LIBRARY_NOT_FOUND"
  /** libleet.so speaks another version of the C contract. */
  | "LIBRARY_MISMATCH"
  /** The runtime denies what the call needs; the message names the flag to add. */
  | "PERMISSION_DENIED"
  /** An argument has the wrong JavaScript type or is outside what the call takes. */
  | "INVALID_ARGUMENT"
  /** A device tensor was used after its disposal. */
  | "DISPOSED"
  /** A tensor file is malformed. */
  | "INVALID_FILE"
  /** A buffer is detached, resizable or too short. */
  | "INVALID_BUFFER"
  /** The command line is wrong. */
  | "USAGE"
  /** A file or name does not exist. */
  | "NOT_FOUND";

/** Codes of a status that is newer than this file, by its group of thousands. */
export type GroupCode = "INVALID_ARGUMENT" | "UNSUPPORTED" | "OUT_OF_RESOURCES" | "DEVICE_ERROR" | "INTERNAL";

/** Every `code` that a {@linkcode LeetError} can carry. */
export type LeetErrorCode = Exclude<StatusName, "OK"> | OwnCode | GroupCode;

/** What a {@linkcode LeetError} can carry beside its code and message. */
export interface LeetErrorOptions extends ErrorOptions {
  /** The number that the native library returned. */
  status?: number;
  /** The argument that was wrong. */
  argument?: string;
}

/**
 * The only error that this library throws on purpose. Branch on `code`; the message is for people and says what was
 * wrong, what was expected and what came.
 */
export class LeetError extends Error {
  /** Always `LeetError`. */
  override readonly name: string = "LeetError";
  /** The kind of failure, stable between versions. */
  readonly code: LeetErrorCode;
  /** The number that the native library returned, where it was the one to complain. */
  declare readonly status?: number;
  /** The argument that was wrong, where it was one. */
  declare readonly argument?: string;

  /** Makes an error; `options.cause` is the error behind this one. */
  constructor(code: LeetErrorCode, message: string, options: LeetErrorOptions = {}) {
    super(message, options);
    this.code = code;
    if (options.status !== undefined) this.status = options.status;
    if (options.argument !== undefined) this.argument = options.argument;
  }
}

const GROUPS: { readonly [thousand: number]: GroupCode } = {
  1: "INVALID_ARGUMENT",
  2: "UNSUPPORTED",
  3: "OUT_OF_RESOURCES",
  4: "DEVICE_ERROR",
  9: "INTERNAL",
};

/** The code of a native status; by its group of thousands for a status that this version does not know. */
export function codeOfStatus(status: number): LeetErrorCode {
  const known = STATUS.find(({ code }) => code === status);
  if (known && known.name !== "OK") return known.name;
  return GROUPS[Math.floor(status / 1000)] ?? "INTERNAL";
}

/**
 * The error for a native status other than OK. `message` is what the library wrote; an empty one is replaced by the
 * meaning of the status. The argument that the message starts with, as `cu_seqlens[2]: expected ...` does, becomes
 * `argument` in the spelling of TypeScript: `cuSeqlens`.
 */
export function errorOfStatus(status: number, message: string): LeetError {
  const meaning = STATUS.find(({ code }) => code === status)?.text ?? `unknown status ${status}`;
  const named = /^([A-Za-z]\w*)(?:\[[^\]]*\])?(?: \([^)]*\))?: /.exec(message)?.[1];
  const argument = named?.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return new LeetError(codeOfStatus(status), message || meaning, { status, argument });
}

/** Throws {@linkcode errorOfStatus} unless the status is OK. */
export function throwOnStatus(status: number, message: string = ""): void {
  if (status !== 0) throw errorOfStatus(status, message);
}

/** Shows a value in a message: short, on one line, with its type where that is the point. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map((item) => Array.isArray(item) ? "[...]" : show(item));
    return `[${items.join(", ")}${value.length > 8 ? ", ..." : ""}]`;
  }
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "an object";
  return String(value);
}

/** The error for a wrong argument: `argument: expected ..., got ...`. */
export function wrongArgument(
  argument: string,
  expected: string,
  got: unknown,
  code: LeetErrorCode = "INVALID_ARGUMENT",
): LeetError {
  return new LeetError(code, `${argument}: expected ${expected}, got ${show(got)}`, { argument });
}
