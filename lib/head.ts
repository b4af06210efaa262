/** One head of one sequence: the unit every readable method works on. @module */

/** Float arrays a method may be given: Float64Array for the built-in references, Float32Array for user methods. */
export type FloatArray = Float32Array | Float64Array;

/**
 * The operator for one sequence of one query head, dense and row-major. A method reads `q`, `k`, `v`, `decay` and
 * `state`, writes all of `o`, and leaves the state after the last token in `state`.
 */
export interface HeadCall<A extends FloatArray = FloatArray> {
  /** Tokens; may be 0. */
  readonly N: number;
  /** Key dimension. */
  readonly dk: number;
  /** Value dimension. */
  readonly dv: number;
  /** Multiplies the output. */
  readonly scale: number;
  /** [N,dk] */
  readonly q: A;
  /** [N,dk] */
  readonly k: A;
  /** [N,dv] */
  readonly v: A;
  /** [N] factor a_t of each token, in [0,1]; decay[0] applies to the initial state. */
  readonly decay: A;
  /** [dk,dv] in: the initial state; out: the final state. */
  readonly state: A;
  /** [N,dv] the output, to be written. */
  readonly o: A;
}

/** Computes one head. */
export type HeadMethod<A extends FloatArray = FloatArray> = (call: HeadCall<A>) => void;
