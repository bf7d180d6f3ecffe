import { checkChoice, checkInteger, checkOptions, InputError } from "../core/index.ts";
import {
  type AverageOptions,
  averageNames,
  averageWeights,
  checkEntries,
  readList,
  readMask,
  readValues,
  weightedSum,
} from "./batches.ts";
import { tamedExpExcess, tamedExpExcessSlope } from "./ratio.ts";

export type KlEstimator = "k1" | "k2" | "k3";

export interface TokenKlOptions extends AverageOptions {
  /** [N, T]: log-probabilities of the sampled tokens under the policy that sampled them. */
  readonly logProbs: ArrayLike<number>;
  /** [N, T]: the same under the reference. */
  readonly referenceLogProbs: ArrayLike<number>;
  /** Default "k3". */
  readonly kind?: KlEstimator;
}

export interface LogitOptions extends AverageOptions {
  /** [N, T, V]: of the policy; log-probabilities are logits too. Very negative ones (-1e30) rule tokens out. */
  readonly logits: ArrayLike<number>;
  /** V, size of the vocabulary. */
  readonly classes: number;
}

export interface ExactKlOptions extends LogitOptions {
  /** [N, T, V]: of the reference. */
  readonly referenceLogits: ArrayLike<number>;
}

/** A term of the loss, or of the reward. */
export interface TokenTerm {
  /** Mean over the unmasked tokens, in nats. */
  readonly value: number;
  /** [N, T]: of every token, in nats; 0 where masked. */
  readonly perToken: Float64Array;
  /** Derivative of `value`: [N, T] with respect to log-probabilities, [N, T, V] with respect to logits. */
  readonly gradient: Float64Array;
}

/**
 * Estimates of KL(policy || reference) from the sampled tokens alone, x = logProb - referenceLogProb:
 *
 *   k1 = x (unbiased, of either sign),   k2 = x^2/2 (biased, >= 0),   k3 = e^-x - 1 + x (unbiased, >= 0)
 *
 * (J. Schulman, "Approximating KL divergence", 2020). `perToken` is what is taken off the reward. `gradient` is the
 * derivative of the estimates as they stand (1, x, 1 - e^-x, over the count), as finite differences give it. In the mean
 * over samples that is the gradient of the divergence for k2 only; for k1 it is 0 and for k3 that of KL(reference ||
 * policy) (docs/personal-tuning.md, section 4). For x < -20, e^-x goes on along its tangent.
 *
 * @throws InputError on arrays of other lengths, unmasked entries that are not finite, or where everything is masked.
 */
export function tokenKl(options: TokenKlOptions): TokenTerm {
  checkOptions(options, "tokenKl", ["logProbs", "referenceLogProbs", "kind", ...averageNames]);
  const { length } = readList(options.logProbs, "logProbs");
  const mask = readMask(options.mask, length);
  const logProbs = readValues(options.logProbs, "logProbs", mask);
  const reference = readValues(options.referenceLogProbs, "referenceLogProbs", mask);
  const kind = checkChoice(options.kind ?? "k3", "kind", ["k1", "k2", "k3"]);
  const weights = averageWeights(options, length, mask);
  const perToken = new Float64Array(length);
  const gradient = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    if (mask[i] === 0) continue;
    const x = logProbs[i]! - reference[i]!;
    perToken[i] = kind === "k1" ? x : kind === "k2" ? (x * x) / 2 : tamedExpExcess(-x);
    gradient[i] = weights[i]! * (kind === "k1" ? 1 : kind === "k2" ? x : -tamedExpExcessSlope(-x));
  }
  return { value: weightedSum(weights, perToken), perToken, gradient };
}

/**
 * KL(policy || reference) = sum_v p_v (log p_v - log q_v) of every token from all logits, and its gradient
 * p_v (log p_v - log q_v - KL) with respect to those of the policy.
 *
 * @throws InputError on arrays of other lengths, unmasked entries that are not finite, or where everything is masked.
 */
export function exactKl(options: ExactKlOptions): TokenTerm {
  checkOptions(options, "exactKl", ["logits", "referenceLogits", "classes", ...averageNames]);
  const { logits, classes, mask, weights } = readLogits(options);
  const reference = readList(options.referenceLogits, "referenceLogits", logits.length);
  checkEntries(reference, "referenceLogits", mask, classes);
  const perToken = new Float64Array(mask.length);
  const gradient = new Float64Array(logits.length);
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 0) continue;
    const from = i * classes;
    const top = largestOf(logits, from, classes);
    const norm = logSum(logits, from, classes, top);
    const referenceTop = largestOf(reference, from, classes);
    const referenceNorm = logSum(reference, from, classes, referenceTop);
    let sum = 0;
    for (let v = from; v < from + classes; v++) {
      const logP = logits[v]! - top - norm;
      const difference = logP - (reference[v]! - referenceTop - referenceNorm);
      gradient[v] = difference;
      sum += Math.exp(logP) * difference;
    }
    // rounding alone can take it below
    perToken[i] = Math.max(0, sum);
    for (let v = from; v < from + classes; v++) {
      gradient[v] = weights[i]! * Math.exp(logits[v]! - top - norm) * (gradient[v]! - sum);
    }
  }
  return { value: weightedSum(weights, perToken), perToken, gradient };
}

/**
 * Entropy H = -sum_v p_v log p_v of every token's distribution, to be maximised, and its gradient -p_v (log p_v + H) with
 * respect to the logits.
 *
 * @throws InputError on arrays of other lengths, unmasked entries that are not finite, or where everything is masked.
 */
export function entropyBonus(options: LogitOptions): TokenTerm {
  checkOptions(options, "entropyBonus", ["logits", "classes", ...averageNames]);
  const { logits, classes, mask, weights } = readLogits(options);
  const perToken = new Float64Array(mask.length);
  const gradient = new Float64Array(logits.length);
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 0) continue;
    const from = i * classes;
    const top = largestOf(logits, from, classes);
    const norm = logSum(logits, from, classes, top);
    let entropy = 0;
    for (let v = from; v < from + classes; v++) {
      const logP = logits[v]! - top - norm;
      entropy -= Math.exp(logP) * logP;
    }
    perToken[i] = Math.max(0, entropy);
    for (let v = from; v < from + classes; v++) {
      const logP = logits[v]! - top - norm;
      gradient[v] = -weights[i]! * Math.exp(logP) * (logP + entropy);
    }
  }
  return { value: weightedSum(weights, perToken), perToken, gradient };
}

function readLogits(options: LogitOptions): {
  readonly logits: ArrayLike<number>;
  readonly classes: number;
  readonly mask: Uint8Array;
  readonly weights: Float64Array;
} {
  const logits = readList(options.logits, "logits");
  const classes = checkInteger(options.classes, "classes", 1);
  if (logits.length % classes !== 0) {
    throw new InputError(
      "classes",
      `${classes} for ${logits.length} logits`,
      "a number that divides the logits",
    );
  }
  const mask = readMask(options.mask, logits.length / classes);
  checkEntries(logits, "logits", mask, classes);
  return { logits, classes, mask, weights: averageWeights(options, mask.length, mask) };
}

function largestOf(values: ArrayLike<number>, from: number, count: number): number {
  let largest = values[from]!;
  for (let v = from + 1; v < from + count; v++) if (values[v]! > largest) largest = values[v]!;
  return largest;
}

/** log sum_v exp(values_v - top): kept apart from `top`, which would swallow it where logits are large. */
function logSum(values: ArrayLike<number>, from: number, count: number, top: number): number {
  let sum = 0;
  for (let v = from; v < from + count; v++) sum += Math.exp(values[v]! - top);
  return Math.log(sum);
}
