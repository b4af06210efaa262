import { expect } from "vitest";
import { LeetError } from "../../lib/errors.ts";

/** The LeetError that `run` throws; fails on anything else. */
export function errorOf(run: () => unknown): LeetError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(LeetError);
    return error as LeetError;
  }
  throw new Error("expected an error, got none");
}
