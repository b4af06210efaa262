/** Decays of published models, in the forms that {@linkcode linearAttention} takes. @module */
import { integerIn, refuse } from "./checks.ts";
import { show } from "./errors.ts";

/** Heads beyond this are a mistake, not a model. */
const MAX_HEADS = 2 ** 20;

const headsOf = (H: unknown): number => integerIn(H, "H", "INVALID_SHAPE", 1, MAX_HEADS);

/**
 * The factors of RetNet, for the option `decay`: 1 - 2^(-5-h) for head h.
 * Sun et al., arXiv 2307.08621, equation 8. From head 20 on float32 holds 1, no decay.
 *
 * @param H query heads
 * @returns [H] factors
 */
export function retention(H: number): Float32Array {
  return Float32Array.from({ length: headsOf(H) }, (_, h) => 1 - 2 ** (-5 - h));
}

/**
 * The slopes of ALiBi, which TransNormerLLM, Lightning Attention and MiniMax-Text take as rates of decay.
 *
 * For H a power of two, head h has 2^(-8 (h+1) / H). For other H, with P the power of two below: the P slopes of P heads,
 * then every second slope of 2P heads, from the first, until there are H. Press et al., arXiv 2108.12409, section 3 and
 * appendix; Qin et al., TransNormerLLM, arXiv 2307.14995, section 3.
 *
 * @param H query heads
 * @returns [H] rates >= 0; the factor is exp(-rate), so pass them through {@linkcode fromRates} as `logDecay`
 */
export function alibiSlopes(H: number): Float32Array {
  const heads = headsOf(H);
  const power = 2 ** Math.floor(Math.log2(heads));
  const slope = (h: number, of: number): number => 2 ** (-8 * (h + 1) / of);
  return Float32Array.from(
    { length: heads },
    (_, h) => h < power ? slope(h, power) : slope(2 * (h - power), 2 * power),
  );
}

/**
 * The logarithms of decay of a Lightning Attention layer, for the option `logDecay`: the ALiBi slopes, made weaker from
 * layer to layer,
 *
 *     logDecay[h] = -slope[h] * (1 - layer / (layers - 1) + 1e-5)
 *
 * as in the published model code of MiniMax-Text-01 and its vLLM port. With one layer, or without layers, the factor is
 * 1 + 1e-5 as there.
 *
 * @param H query heads
 * @param layer index of the layer among all layers of the model, from 0
 * @param layers layers of the model
 * @returns [H] logarithms <= 0
 */
export function lightning(H: number, layer: number = 0, layers: number = 1): Float32Array {
  const count = integerIn(layers, "layers", "INVALID_ARGUMENT", 1, MAX_HEADS);
  const at = integerIn(layer, "layer", "INVALID_ARGUMENT", 0, count - 1);
  const weight = 1 - (count > 1 ? at / (count - 1) : 0) + 1e-5;
  return alibiSlopes(H).map((slope) => -slope * weight);
}

/**
 * Rates of decay as the option `logDecay`: -rate, so that the factor is exp(-rate).
 *
 * @param rates [H] numbers >= 0; LeetDecoding's gamma with is_need_exp, or slopes
 * @returns [H] logarithms <= 0
 * @throws LeetError INVALID_DECAY for a rate that is negative or NaN
 */
export function fromRates(rates: ArrayLike<number>): Float32Array {
  if (!Array.isArray(rates) && !ArrayBuffer.isView(rates)) {
    refuse("INVALID_ARGUMENT", "rates", "an array of numbers >= 0", show(rates));
  }
  return Float32Array.from(rates, (rate, h) => {
    if (typeof rate !== "number") refuse("INVALID_ARGUMENT", "rates", "numbers", show(rate));
    if (!(rate >= 0)) refuse("INVALID_DECAY", "rates", "numbers >= 0", `${rate} at [${h}]`);
    return -rate;
  });
}
