import { checkOptions } from "../core/index.ts";
import {
  type AverageOptions,
  averageNames,
  averageWeights,
  type PaddingOptions,
  readList,
  readMask,
  readValues,
  weightedSum,
} from "./batches.ts";

export interface WhitenOptions extends PaddingOptions {
  /** false leaves the mean where it is and only scales the deviations from it. Default true. */
  readonly shiftMean?: boolean;
}

/** Deviations from the mean of this many ulps of the largest value are rounding, not variance. */
const ROUNDING = 8 * Number.EPSILON;

/**
 * Mean over the unmasked entries.
 *
 * @throws InputError on entries that are not finite, or where everything is masked.
 */
export function maskedMean(values: ArrayLike<number>, options: AverageOptions = {}): number {
  checkOptions(options, "maskedMean", averageNames);
  const list = readList(values, "values");
  const mask = readMask(options.mask, list.length);
  readValues(list, "values", mask);
  return weightedSum(averageWeights(options, list.length, mask), list);
}

/**
 * (x - mean)/deviation over the unmasked entries, with the population variance (divisor n): mean 0 and variance 1, to
 * rounding, at any scale. Equal values, one value included, have no deviation to divide by and become 0 (or their mean,
 * without `shiftMean`). Masked entries become 0.
 *
 * @throws InputError on entries that are not finite, or where everything is masked.
 */
export function whiten(values: ArrayLike<number>, options: WhitenOptions = {}): Float64Array {
  checkOptions(options, "whiten", ["mask", "shiftMean"]);
  const list = readList(values, "values");
  const { length } = list;
  const mask = readMask(options.mask, length);
  readValues(list, "values", mask);
  const weights = averageWeights({}, length, mask);
  const out = new Float64Array(length);
  let size = 0;
  let reference = 0;
  for (let i = 0; i < length; i++) {
    if (mask[i] === 0) continue;
    if (Math.abs(list[i]!) >= size) [size, reference] = [Math.abs(list[i]!), list[i]!];
  }
  // differences to one of the values: a common offset then costs no digits of the deviations
  for (let i = 0; i < length; i++) if (mask[i] === 1) out[i] = list[i]! - reference;
  const offset = weightedSum(weights, out);
  let largest = 0;
  for (let i = 0; i < length; i++) {
    if (mask[i] === 0) continue;
    out[i]! -= offset;
    largest = Math.max(largest, Math.abs(out[i]!));
  }
  const shift = (options.shiftMean ?? true) ? 0 : reference + offset;
  if (largest <= ROUNDING * size) {
    for (let i = 0; i < length; i++) out[i] = mask[i]! * shift;
    return out;
  }
  // in units of the largest deviation, so that squares neither overflow nor vanish
  let variance = 0;
  for (let i = 0; i < length; i++) if (mask[i] === 1) variance += weights[i]! * (out[i]! / largest) ** 2;
  const root = Math.sqrt(variance);
  for (let i = 0; i < length; i++) if (mask[i] === 1) out[i] = out[i]! / largest / root + shift;
  return out;
}
