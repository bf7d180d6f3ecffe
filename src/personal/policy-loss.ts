import { checkNumber, checkOptions, checkPositive, describe, InputError } from "../core/index.ts";
import {
  type AverageOptions,
  averageNames,
  averageWeights,
  readList,
  readMask,
  readValues,
  weightedSum,
} from "./batches.ts";
import { tamedExp, tamedExpExcess, tamedExpSlope } from "./ratio.ts";

export interface PolicyLossOptions extends AverageOptions {
  /** [N, T]: log pi(a_t | s_t) of the policy that is trained, natural logarithm. */
  readonly logProbs: ArrayLike<number>;
  /** [N, T]: the same of the policy that sampled. */
  readonly oldLogProbs: ArrayLike<number>;
  /** [N, T], as a rule whitened. */
  readonly advantages: ArrayLike<number>;
  /** epsilon: ratios are clipped to [1 - epsilon, 1 + epsilon], or [1 - low, 1 + high] of a pair. Default 0.2. */
  readonly clipRange?: number | readonly [low: number, high: number];
}

export interface PolicyLoss {
  /** To be minimised. */
  readonly value: number;
  /** [N, T]: derivative of `value` with respect to `logProbs`. */
  readonly gradient: Float64Array;
  /** Share of the entries whose gradient is cut off by the clipping. */
  readonly clipFraction: number;
  /** Mean of ratio - 1 - log ratio >= 0: estimate of KL(old || new). */
  readonly approximateKl: number;
}

export interface ValueLossOptions extends AverageOptions {
  /** [N, T]: values of the critic that is trained. */
  readonly values: ArrayLike<number>;
  /** [N, T]: targets, see `gae`. */
  readonly returns: ArrayLike<number>;
  /** [N, T]: values of the critic when the batch was sampled; needed with `clipRange`. */
  readonly oldValues?: ArrayLike<number>;
  /** How far values may move from the old ones before moving further gains nothing. Default: not clipped. */
  readonly clipRange?: number;
}

export interface ValueLoss {
  /** To be minimised. */
  readonly value: number;
  /** [N, T]: derivative of `value` with respect to `values`. */
  readonly gradient: Float64Array;
  /** Share of the entries whose gradient is cut off by the clipping. */
  readonly clipFraction: number;
}

/**
 * PPO's clipped surrogate (Schulman, Wolski, Dhariwal, Radford and Klimov, "Proximal policy optimization algorithms",
 * arXiv:1707.06347, equation 7),
 *
 *   value = -mean_t min(rho_t A_t, clip(rho_t, 1 - epsilon, 1 + epsilon) A_t),   rho_t = exp(logProb_t - oldLogProb_t).
 *
 * The gradient -rho_t A_t/count is 0 where the clipped term is the smaller one: A > 0 and rho above, or A < 0 and rho below
 * the range; on its edges it is that of the inside. Above a log-ratio of 20 rho goes on along the tangent of the
 * exponential, in values and gradients: nothing overflows.
 *
 * @throws InputError on arrays of other lengths, unmasked entries that are not finite, or where everything is masked.
 */
export function policyLoss(options: PolicyLossOptions): PolicyLoss {
  const names = ["logProbs", "oldLogProbs", "advantages", "clipRange", ...averageNames];
  checkOptions(options, "policyLoss", names);
  const { length } = readList(options.logProbs, "logProbs");
  const mask = readMask(options.mask, length);
  const logProbs = readValues(options.logProbs, "logProbs", mask);
  const oldLogProbs = readValues(options.oldLogProbs, "oldLogProbs", mask);
  const advantages = readValues(options.advantages, "advantages", mask);
  const [low, high] = readClipRange(options.clipRange ?? 0.2);
  const weights = averageWeights(options, length, mask);
  const gradient = new Float64Array(length);
  let value = 0;
  let clipFraction = 0;
  let approximateKl = 0;
  for (let i = 0; i < length; i++) {
    const weight = weights[i]!;
    if (weight === 0) continue;
    const logRatio = logProbs[i]! - oldLogProbs[i]!;
    const advantage = advantages[i]!;
    const ratio = tamedExp(logRatio);
    approximateKl += weight * tamedExpExcess(logRatio);
    if (advantage > 0 ? ratio > 1 + high : advantage < 0 && ratio < 1 - low) {
      value -= weight * (advantage > 0 ? 1 + high : 1 - low) * advantage;
      clipFraction += weight;
      continue;
    }
    value -= weight * ratio * advantage;
    gradient[i] = -weight * tamedExpSlope(logRatio) * advantage;
  }
  return { value, gradient, clipFraction, approximateKl };
}

/**
 * The critic's loss,
 *
 *   value = 1/2 mean_t max((V_t - R_t)^2, (clip(V_t, Vold_t - epsilon, Vold_t + epsilon) - R_t)^2),
 *
 * without `clipRange` the first square alone. The gradient (V_t - R_t)/count is 0 where the second is the larger one
 * (there V_t has left the range towards R_t).
 *
 * @throws InputError on arrays of other lengths, unmasked entries that are not finite, or where everything is masked.
 */
export function valueLoss(options: ValueLossOptions): ValueLoss {
  const names = ["values", "returns", "oldValues", "clipRange", ...averageNames];
  checkOptions(options, "valueLoss", names);
  const { length } = readList(options.values, "values");
  const mask = readMask(options.mask, length);
  const values = readValues(options.values, "values", mask);
  const returns = readValues(options.returns, "returns", mask);
  const isClipped = options.clipRange !== undefined;
  const range = isClipped ? checkPositive(options.clipRange, "clipRange") : 0;
  if (isClipped !== (options.oldValues !== undefined)) {
    const missing = isClipped ? "oldValues" : "clipRange";
    throw new InputError(missing, "nothing", "oldValues and clipRange, both or none");
  }
  const oldValues = isClipped ? readValues(options.oldValues, "oldValues", mask) : values;
  const weights = averageWeights(options, length, mask);
  const gradient = new Float64Array(length);
  const squares = new Float64Array(length);
  let clipFraction = 0;
  for (let i = 0; i < length; i++) {
    if (weights[i] === 0) continue;
    const error = values[i]! - returns[i]!;
    squares[i] = error * error;
    if (isClipped) {
      const moved = values[i]! - oldValues[i]!;
      const clipped = oldValues[i]! + Math.min(range, Math.max(-range, moved)) - returns[i]!;
      if (Math.abs(moved) > range && Math.abs(clipped) > Math.abs(error)) {
        squares[i] = clipped * clipped;
        clipFraction += weights[i]!;
        continue;
      }
    }
    gradient[i] = weights[i]! * error;
  }
  return { value: weightedSum(weights, squares) / 2, gradient, clipFraction };
}

function readClipRange(value: unknown): readonly [number, number] {
  if (typeof value === "number") {
    checkNumber(value, "clipRange", 0, 1);
    return [value, value];
  }
  if (!Array.isArray(value) || value.length !== 2) {
    throw new InputError("clipRange", describe(value), "a number from 0 to 1, or a pair [low, high]");
  }
  return [checkNumber(value[0], "clipRange[0]", 0, 1), checkNumber(value[1], "clipRange[1]", 0, 1e6)];
}
