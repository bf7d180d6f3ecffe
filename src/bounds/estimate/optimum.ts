import { endpointLimit, largestOf, meanOf, studentHalfWidth } from "./statistics.ts";

/** One number of each kind per round. */
export interface RoundTable {
  readonly loss: readonly number[];
  /** ||grad f||^2 less the variance of the noise where that is known; may be negative then. */
  readonly gradientSquared: readonly number[];
  /** 0 where unknown. */
  readonly gradientVariance: readonly number[];
  readonly lossVariance: readonly number[];
}

export interface OptimumEstimate {
  readonly value: number;
  readonly interval: readonly [number, number];
  readonly samples: number;
  readonly method: string;
  readonly note?: string;
}

/** Logs may hold single precision; a difference of losses must be this much above its rounding. */
export const lossResolution: number = 100 * 2 ** -24;
const mostBlocks = 6;
/** So many standard deviations of its noise a loss may lie below f*. */
const clearLoss = 5;

/**
 * The least loss f*, by following f against ||grad f||^2 to 0. Under smoothness and the PL inequality f - f* lies between
 * ||grad f||^2 / (2L) and ||grad f||^2 / (2 mu); along gradient descent the slope df/d||grad f||^2 rises towards the
 * larger one. So f* = f_end - slope ||grad f_end||^2 with the slope of the last rounds that still tell one, and an
 * interval from 1/(2L) to the end-point limit of these slopes.
 *
 * @param smoothness upper limit of L, or undefined
 * @returns why not, as text, where the log cannot tell
 */
export function estimateOptimum(
  table: RoundTable,
  smoothness: number | undefined,
  confidence: number,
): OptimumEstimate | string {
  const { loss, gradientSquared } = table;
  const count = loss.length;
  const last = count - 1;
  if (gradientSquared[last] === 0 && table.gradientVariance[last] === 0) {
    const value = loss[last]!;
    return {
      value,
      interval: [value, value],
      samples: 1,
      method: "loss of the last round, where the gradient is 0",
    };
  }
  if (count < 3) return "fewer than 3 rounds; give the option optimum";
  const size = largestOf(loss.map(Math.abs), 0);
  const told = loss.flatMap((f, t) => (f - loss[last]! > lossResolution * size || t === last ? [t] : []));
  const tail = told.slice(-Math.max(Math.ceil(told.length / 2), mostBlocks));
  const isSmooth = tail.every((t, i) => i === 0 || loss[t]! < loss[tail[i - 1]!]!);
  const blocks = Math.min(mostBlocks, tail.length);
  const slopes: number[] = [];
  let before: readonly [number, number] | undefined;
  for (let b = 0; b < blocks; b++) {
    const members = tail.slice(
      Math.floor((b * tail.length) / blocks),
      Math.floor(((b + 1) * tail.length) / blocks),
    );
    const height = meanOf(members.map((t) => loss[t]!));
    const square = meanOf(members.map((t) => gradientSquared[t]!));
    if (before !== undefined && before[0] > height && before[1] > square) {
      slopes.push((before[0] - height) / (before[1] - square));
    }
    before = [height, square];
  }
  const limit = endpointLimit(slopes, confidence);
  if (limit === undefined || !Number.isFinite(limit.upper)) {
    return "loss and gradient do not fall together in the last half of the log; give the option optimum";
  }
  const least = smoothness === undefined ? 0 : 1 / (2 * smoothness);
  const slope = Math.max(least, isSmooth ? slopes[slopes.length - 1]! : regressionSlope(table, tail));
  // a noisy end is averaged over its block, an exact one is taken as it is
  const end = isSmooth ? [last] : tail.slice(-Math.ceil(tail.length / blocks));
  const height = meanOf(end.map((t) => loss[t]!));
  const square = Math.max(0, meanOf(end.map((t) => gradientSquared[t]!)));
  const deviations = studentHalfWidth(confidence, 1000) / Math.sqrt(end.length);
  const noise = deviations * Math.sqrt(meanOf(end.map((t) => table.lossVariance[t]!)));
  // ||grad + noise||^2 - variance has at most this variance: that of noise along a single direction
  const squareNoise =
    deviations *
    Math.sqrt(
      meanOf(
        end.map((t) => {
          const variance = table.gradientVariance[t]!;
          return 2 * variance ** 2 + 4 * variance * square;
        }),
      ),
    );
  return {
    value: height - slope * square,
    interval: [
      height - Math.max(slope, limit.upper) * (square + squareNoise) - noise,
      height - least * Math.max(0, square - squareNoise) + noise,
    ],
    samples: tail.length,
    method: "loss against squared gradient norm over the last rounds, followed to gradient 0",
    ...(isSmooth ? {} : { note: "the loss does not fall steadily at the end of the log" }),
  };
}

/**
 * A given f* cannot lie above a loss. A loss is above its mean by chance only, so that 5 standard deviations are allowed
 * for, of its own replicates or, as two of them may agree by chance, of all rounds.
 *
 * @returns the least loss that f* is above by more than that, or undefined
 */
export function lossBelow(optimum: number, { loss, lossVariance }: RoundTable): number | undefined {
  const common = lossVariance.length === 0 ? 0 : meanOf(lossVariance);
  let least: number | undefined;
  for (let t = 0; t < loss.length; t++) {
    const value = loss[t]!;
    const noise = clearLoss * Math.sqrt(Math.max(common, lossVariance[t]!));
    const rounding = lossResolution * Math.max(Math.abs(value), Math.abs(optimum));
    if (optimum - value > noise + rounding && !(value >= least!)) least = value;
  }
  return least;
}

/** Least squares slope of the loss over the squared gradient norm, not below 0. */
function regressionSlope({ loss, gradientSquared }: RoundTable, rounds: readonly number[]): number {
  const x = meanOf(rounds.map((t) => gradientSquared[t]!));
  const y = meanOf(rounds.map((t) => loss[t]!));
  let covariance = 0;
  let variance = 0;
  for (const t of rounds) {
    covariance += (gradientSquared[t]! - x) * (loss[t]! - y);
    variance += (gradientSquared[t]! - x) ** 2;
  }
  return variance > 0 ? Math.max(0, covariance / variance) : 0;
}
