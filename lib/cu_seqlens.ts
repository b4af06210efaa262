/** The offsets of a ragged batch, read and checked. @module */
import { checkBuffer } from "./array_view.ts";
import { refuse } from "./checks.ts";
import { show } from "./errors.ts";

const INTEGER_ARRAYS: readonly unknown[] = ["Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array"];

/**
 * S+1 token offsets as an own array; null when none are given.
 *
 * @param value numbers or bigints, in an array or an array of 32- or 64-bit integers
 * @throws LeetError INVALID_CU_SEQLENS unless they start at 0, never fall and end at N, and B is 1
 */
export function readCuSeqlens(value: unknown, B: number, N: number, outlives: boolean): BigInt64Array | null {
  if (value === undefined) return null;
  const isView = ArrayBuffer.isView(value);
  if (isView) {
    const kind = (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag];
    if (!INTEGER_ARRAYS.includes(kind)) {
      refuse("INVALID_DTYPE", "cuSeqlens", "32- or 64-bit integers", show(value));
    }
    checkBuffer(value, "cuSeqlens", outlives);
  } else if (!Array.isArray(value)) {
    refuse("INVALID_ARGUMENT", "cuSeqlens", "an array of integers", show(value));
  }
  if (B !== 1) refuse("INVALID_CU_SEQLENS", "cuSeqlens", "B = 1", String(B));
  const given = value as unknown as ArrayLike<number | bigint>;
  if (given.length < 2) {
    refuse("INVALID_CU_SEQLENS", "cuSeqlens", "at least 2 offsets", String(given.length));
  }
  const offsets = new BigInt64Array(given.length);
  let before = 0;
  for (let s = 0; s < given.length; s++) {
    const raw = given[s];
    if (typeof raw !== "number" && typeof raw !== "bigint") {
      refuse("INVALID_ARGUMENT", "cuSeqlens", "integers", `${show(raw)} at [${s}]`);
    }
    const offset = Number(raw);
    const [low, high] = [s === 0 ? 0 : before, s === 0 ? 0 : N];
    if (
      !Number.isSafeInteger(offset) || offset < low || offset > high ||
      (s === given.length - 1 && offset !== N)
    ) {
      const expected = s === given.length - 1 ? `N = ${N}` : s === 0 ? "0" : `an integer in ${low}..${high}`;
      refuse("INVALID_CU_SEQLENS", "cuSeqlens", `${expected} at [${s}]`, show(raw));
    }
    offsets[s] = BigInt(offset);
    before = offset;
  }
  return offsets;
}
