import { checkOptions } from "../core/index.ts";
import {
  type CheckedErrorInput,
  checkErrorInput,
  type ErrorInput,
  errorInputNames,
  errorSources,
  leastSlope,
  noBoundReason,
} from "./error-sources.ts";
import {
  type ErrorSource,
  type Evaluation,
  largestScale,
  splitErrors,
  sumOverShares,
} from "./error-split.ts";
import { solveReserved } from "./subspace.ts";

/** Input of the non-convex form: no mu and no residual. */
export type GradientBoundInput = ErrorInput;

/** The bound, additively: the terms sum to it. */
export interface GradientBoundTerms {
  /** 2 L Delta0 / T over 1 - b2. */
  readonly initial: number;
  /** Error of the air. */
  readonly air: number;
  /** Error of the stochastic gradients. */
  readonly stochastic: number;
  /** Error of the missing devices. */
  readonly participation: number;
}

export interface GradientBoundResult {
  /**
   * Bound on (1/T) sum_t E||grad f(phi_t)||^2, in the unit of the gradient squared; +Infinity where the theorem does
   * not apply (then `reason` says why).
   */
  readonly bound: number;
  readonly terms: GradientBoundTerms;
  /** Why the bound is infinite. */
  readonly reason?: string;
}

/**
 * Bound on the mean squared gradient over T rounds of federated LoRA with an aggregation error (non-convex form):
 *
 *   (1/T) sum_t E||grad f||^2 <= [2 L Delta0 / T + mean_t b1_t] / (1 - max_t b2_t),
 *
 * errors split as in `optimalityGap`. It needs smoothness only, on a set that the iterates do not leave, so it covers
 * both factors trained. With a `subspace` it bounds the gradient of F in the weights.
 *
 * Source: the descent lemma, summed; proof in docs/theory.md, section 2.
 *
 * @throws InputError on a constant outside its range (negative or NaN values, wrong lengths).
 */
export function gradientNormBound(input: GradientBoundInput): GradientBoundResult {
  const checked = checkGradientBoundInput(input);
  const active = errorSources(checked).filter((source) => !source.isZero);
  if (checked.rounds === 0) return infinite("no round: there is no gradient to take the mean of");
  const solved = solveMean(checked, active);
  if (solved === undefined) {
    return infinite(noBoundReason(active, checked.factors));
  }
  const { initial, contributions } = solved;
  const term = (name: ErrorSource["name"]): number =>
    contributions[active.findIndex((source) => source.name === name)] ?? 0;
  const terms = {
    initial,
    air: term("air"),
    stochastic: term("stochastic"),
    participation: term("participation"),
  };
  const bound = terms.initial + terms.air + terms.stochastic + terms.participation;
  if (bound === Number.POSITIVE_INFINITY)
    return { bound, terms, reason: noBoundReason(active, checked.factors) };
  return { bound, terms };
}

/** Refuses what `gradientNormBound` refuses, and fills in the defaults. */
export function checkGradientBoundInput(input: GradientBoundInput): CheckedErrorInput {
  checkOptions(input, "gradientNormBound", errorInputNames);
  return checkErrorInput(input);
}

function infinite(reason: string): GradientBoundResult {
  const bound = Number.POSITIVE_INFINITY;
  return { bound, terms: { initial: bound, air: 0, stochastic: 0, participation: 0 }, reason };
}

interface MeanSolution {
  readonly initial: number;
  readonly contributions: Float64Array;
}

function solveMean(checked: CheckedErrorInput, active: readonly ErrorSource[]): MeanSolution | undefined {
  const { factors, smoothness, initialGap, rounds } = checked;
  const start = 2 * smoothness * factors.step * (initialGap / rounds);
  return solveReserved(
    active,
    factors,
    leastSlope(active),
    (sources, reserve) => {
      const state = createMean(sources, start);
      const split = splitErrors(sources, state);
      if (split === undefined) return undefined;
      const seen = factors.captured * (1 - reserve) * (1 - state.slopeOf(split.shares));
      return {
        initial: start / seen,
        contributions: state.floors.map((floor, i) => floor / split.shares[i]! / seen),
      };
    },
    ({ initial, contributions }) => contributions.reduce((a, b) => a + b, initial),
  );
}

interface MeanEvaluation extends Evaluation {
  /** mean_t c_t of each source. */
  readonly floors: Float64Array;
}

/** N/(1 - D) with N = start + sum floors/t and D = sum slopes/t: its logarithm is convex in log t. */
function createMean(sources: readonly ErrorSource[], start: number): MeanEvaluation {
  const floors = Float64Array.from(sources, (source) => meanScale(source) * source.floor);
  const slopes = Float64Array.from(sources, (source) => largestScale(source) * source.slope);
  const sensitivities = new Float64Array(sources.length);
  const slopeOf = (shares: Float64Array): number => sumOverShares(slopes, shares);
  return {
    floors,
    slopeOf,
    sensitivities,
    evaluate(shares, _multiplier, withSensitivities) {
      const left = 1 - slopeOf(shares);
      if (!(left > 0)) return Number.POSITIVE_INFINITY;
      const value = (start + sumOverShares(floors, shares)) / left;
      if (withSensitivities === true) {
        for (let i = 0; i < sensitivities.length; i++) sensitivities[i] = floors[i]! + value * slopes[i]!;
      }
      return value;
    },
  };
}

function meanScale({ scale }: ErrorSource): number {
  if (typeof scale === "number") return scale;
  return Array.from(scale).reduce((sum, value) => sum + value / scale.length, 0);
}
