/** Judges elements one by one against a float64 result and its condition bound, by the limits of lib/verify.ts. @module */
import type { DType } from "../types.ts";
import type { Tolerance } from "../verify.ts";

/** Magnitude below which a type cannot be relatively exact: half a step of f16, otherwise numbers flushed to zero. */
const FLOOR: Readonly<Record<DType, number>> = { f32: 2 ** -126, bf16: 2 ** -126, f16: 2 ** -25 };

/** Takes elements in order and remembers the first wrong one. */
export class Judge {
  /** Largest error as a part of what is allowed; Infinity for NaN. */
  maxRatio: number = 0;
  /** The first wrong element as a sentence, or null. */
  wrong: string | null = null;
  #squaredError = 0;
  #squaredNorm = 0;
  readonly #array: string;
  readonly #dtype: DType;
  readonly #tolerance: Tolerance;
  readonly #loose: number;

  /**
   * @param array its name in messages
   * @param loose multiplies what is allowed
   */
  constructor(array: string, dtype: DType, tolerance: Tolerance, loose: number = 1) {
    this.#array = array;
    this.#dtype = dtype;
    this.#tolerance = tolerance;
    this.#loose = loose;
  }

  /** Judges one element; `index` names it in the message. */
  take(got: number, expected: number, bound: number, index: () => readonly number[]): void {
    const allowed = this.#loose * (this.#tolerance.element * bound + FLOOR[this.#dtype]);
    const error = Math.abs(got - expected);
    const ratio = error / allowed;
    if (!(ratio <= this.maxRatio)) this.maxRatio = ratio >= 0 ? ratio : Infinity;
    if (!(ratio <= 1)) this.wrong ??= this.#sentence(index(), expected, got, allowed);
    this.#squaredError += error * error;
    this.#squaredNorm += expected * expected;
  }

  /** ||got - expected|| / ||expected||. */
  relError(): number {
    return this.#squaredError === 0 ? 0 : Math.sqrt(this.#squaredError / this.#squaredNorm);
  }

  /** What is wrong, the whole included; null when nothing is. */
  verdict(N: number): string | null {
    if (this.wrong !== null) return this.wrong;
    const relError = this.relError(), limit = this.#loose * this.#tolerance.overall(N);
    if (relError <= limit || this.#squaredNorm === 0) return null;
    return `${this.#array} as a whole: relative error ${relError.toPrecision(3)}, allowed ${
      limit.toPrecision(3)
    }`;
  }

  #sentence(index: readonly number[], expected: number, got: number, allowed: number): string {
    const show = (x: number): string => String(Number(x.toPrecision(7)));
    return `${this.#array}[${index.join(",")}]: expected ${show(expected)}, got ${
      show(got)
    } (error allowed there ${allowed.toExponential(1)})`;
  }
}
