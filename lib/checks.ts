/** What every argument check is made of: refusals with one form of message, and checks of plain values. @module */
import { LeetError, type LeetErrorCode, show } from "./errors.ts";

/** Throws a LeetError whose message reads `<argument>: expected <expected>, got <got>`. */
export function refuse(code: LeetErrorCode, argument: string, expected: string, got: string): never {
  throw new LeetError(code, `${argument}: expected ${expected}, got ${got}`, { argument });
}

/** Refuses anything but a non-null object that is not an array. */
export function checkObject(value: unknown, argument: string, expected: string): asserts value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse("INVALID_ARGUMENT", argument, expected, show(value));
  }
}

/** Refuses keys that no reader knows, so that a misspelt option is not silently ignored. */
export function checkKeys(value: object, argument: string, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      refuse("INVALID_ARGUMENT", key, `${argument} out of ${known.join(", ")}`, "that name");
    }
  }
}

/** The value when it is one of the words, `fallback` when it is undefined. */
export function oneOf<T extends string>(
  value: unknown,
  argument: string,
  code: LeetErrorCode,
  words: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  if (words.includes(value as T)) return value as T;
  refuse(typeof value === "string" ? code : "INVALID_ARGUMENT", argument, words.join(", "), show(value));
}

/** The value when it is an integer in low..high, `fallback` when it is undefined. */
export function integerIn(
  value: unknown,
  argument: string,
  code: LeetErrorCode,
  low: number,
  high: number,
  fallback?: number,
): number {
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
  const expected = high === Number.MAX_SAFE_INTEGER ? `>= ${low}` : `in ${low}..${high}`;
  refuse(
    typeof value === "number" ? code : "INVALID_ARGUMENT",
    argument,
    `an integer ${expected}`,
    show(value),
  );
}

/** The value when it is a boolean, `fallback` when it is undefined. */
export function booleanOr(value: unknown, argument: string, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== "boolean") refuse("INVALID_ARGUMENT", argument, "true or false", show(value));
  return value;
}

/** The value when it is a finite number, `fallback` when it is undefined. */
export function finiteOr(value: unknown, argument: string, code: LeetErrorCode, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== "number") refuse("INVALID_ARGUMENT", argument, "a finite number", show(value));
  if (!Number.isFinite(value)) refuse(code, argument, "a finite number", show(value));
  return value;
}
