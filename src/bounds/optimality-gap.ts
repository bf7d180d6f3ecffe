import { checkNumber, checkOptions, checkPositive, InputError } from "../core/index.ts";
import {
  type CheckedErrorInput,
  checkErrorInput,
  type ErrorInput,
  errorInputNames,
  errorSources,
  leastSlope,
  noBoundReason,
} from "./error-sources.ts";
import type { ErrorSource } from "./error-split.ts";
import { type Recursion, type RecursionResult, scaleSensitivity, solveRecursion } from "./recursion.ts";
import { effectiveSlope, solveReserved } from "./subspace.ts";

export interface GapInput extends ErrorInput {
  /** mu of the Polyak-Lojasiewicz inequality, 0 < mu <= L; with a `subspace` that of F in the weights. */
  readonly plConstant: number;
  /** eps(r) >= 0: what rank r cannot reach. Default 0. */
  readonly residual?: number;
}

/** The gap, additively: the terms sum to it. */
export interface GapTerms {
  /** rho^T Delta0 (prod_t rho_t Delta0 where the distortion varies). */
  readonly initial: number;
  /** Error of the air. */
  readonly air: number;
  /** Error of the stochastic gradients. */
  readonly stochastic: number;
  /** Error of the missing devices. */
  readonly participation: number;
  /** eps(r). */
  readonly residual: number;
}

export interface GapResult {
  /** Bound on E F(W_T) - F*; +Infinity where the theorem does not apply (then `reason` says why). */
  readonly gap: number;
  readonly terms: GapTerms;
  /** rho, the factor by which the distance to the optimum shrinks per round (the largest, if it varies). */
  readonly contraction: number;
  /** Why the gap is infinite. */
  readonly reason?: string;
}

/**
 * Bound on the optimality gap after T rounds of federated LoRA with an aggregation error (PL form):
 *
 *   gap = rho^T Delta0 + (1 - rho^T) b1 / (2 mu (1 - b2)) + eps(r),   rho = 1 - (mu/L)(1 - b2),
 *
 * where the error ||e||^2 <= b1 + b2 ||grad f||^2 collects the air, the stochastic gradients and the missing
 * devices, each weighted by 1/t_i with t on the simplex; the split t that makes the gap smallest is found
 * exactly (the gap is a posynomial of 1/t, so the problem is convex in log t). With one distortion per round
 * it is prod_t rho_t Delta0 + sum_t (prod_{s>t} rho_s) b1_t / (2L) + eps(r) and one split for all rounds.
 *
 * With a `subspace` mu and the errors are scaled by what the drawn loraA sees of the gradient.
 *
 * Source: the descent lemma and the PL inequality; proof in docs/theory.md, section 2.
 *
 * @throws InputError on a constant outside its range (mu > L, negative or NaN values, wrong lengths).
 */
export function optimalityGap(input: GapInput): GapResult {
  const checked = checkGapInput(input);
  const active = errorSources(checked).filter((source) => !source.isZero);
  return gapResult(checked, active, checked.rounds === 0 ? undefined : solveGap(checked, active));
}

function gapResult(
  checked: CheckedGapInput,
  active: readonly ErrorSource[],
  solved: SolvedGap | undefined,
): GapResult {
  const { initialGap, rounds, residual } = checked;
  if (rounds === 0) {
    return {
      gap: initialGap + residual,
      terms: { initial: initialGap, air: 0, stochastic: 0, participation: 0, residual },
      contraction: 1 - contractionRate(checked),
    };
  }
  const terms =
    solved === undefined
      ? { initial: initialGap, air: Number.POSITIVE_INFINITY, stochastic: 0, participation: 0, residual }
      : { ...errorTerms(solved), residual };
  const gap = terms.initial + terms.air + terms.stochastic + terms.participation + terms.residual;
  if (solved !== undefined && gap < Number.POSITIVE_INFINITY) {
    return { gap, terms, contraction: solved.contraction };
  }
  return {
    gap: Number.POSITIVE_INFINITY,
    terms,
    contraction: solved?.contraction ?? 1,
    reason: noBoundReason(active, checked.factors),
  };
}

/**
 * The gap and d gap / d omega_t at the best split of the errors (envelope theorem): one value per round, or a
 * single one where the distortion is one number. `+Infinity` where the gap is infinite, and where omega = 0 in every
 * round while there are other errors: sharing with a new error costs like sqrt(omega).
 *
 * @throws InputError as `optimalityGap`.
 */
export function gapSensitivity(input: GapInput): {
  readonly gap: number;
  readonly sensitivity: Float64Array;
} {
  const checked = checkGapInput(input);
  const { rounds, distortion, gradientFloor, gradientSlope } = checked;
  const sensitivity = new Float64Array(typeof distortion === "number" ? 1 : rounds);
  const sources = errorSources(checked);
  const noAir = gradientFloor === 0 && gradientSlope === 0;
  if (rounds === 0 || noAir) return { gap: optimalityGap(input).gap, sensitivity };
  const active = sources.filter((source) => !source.isZero || source.name === "air");
  // sharing with a new error costs like sqrt(omega), and so does the first error in a sketched subspace
  if (sources[0]!.isZero && (active.length > 1 || checked.factors.cross > 0)) {
    return { gap: optimalityGap(input).gap, sensitivity: sensitivity.fill(Number.POSITIVE_INFINITY) };
  }
  const solved = solveGap(checked, active);
  const { gap } = gapResult(checked, active, solved);
  if (solved === undefined || gap === Number.POSITIVE_INFINITY) {
    return { gap, sensitivity: sensitivity.fill(Number.POSITIVE_INFINITY) };
  }
  return { gap, sensitivity: scaleSensitivity(solved.sources, 0, solved.recursion, solved) };
}

/**
 * The smallest b2 that any split of the errors reaches, (sum_i sqrt(d_i))^2 over the slopes d_i of the sources (with
 * a sketched subspace: what it amounts to): the bound applies exactly where it is below 1. The largest over the rounds.
 */
export function smallestSlope(input: ErrorInput): number {
  const checked = checkErrorInput(input);
  return effectiveSlope(checked.factors, leastSlope(errorSources(checked)));
}

type CheckedGapInput = CheckedErrorInput & Required<Pick<GapInput, "plConstant" | "residual">>;

/** Refuses what `optimalityGap` refuses, and fills in the defaults. */
export function checkGapInput(input: GapInput): CheckedGapInput {
  checkOptions(input, "optimalityGap", [...errorInputNames, "plConstant", "residual"]);
  const common = checkErrorInput(input);
  const plConstant = checkPositive(input.plConstant, "plConstant");
  if (plConstant > common.smoothness) {
    throw new InputError(
      "plConstant",
      `${plConstant}`,
      `at most the smoothness ${common.smoothness} (mu <= L)`,
    );
  }
  return { ...common, plConstant, residual: checkNumber(input.residual ?? 0, "residual", 0) };
}

interface SolvedGap extends RecursionResult {
  readonly sources: readonly ErrorSource[];
  readonly recursion: Recursion;
}

/** kappa mu / (L c): what an exact gradient takes off the distance to the optimum. */
function contractionRate({ factors, plConstant, smoothness }: CheckedGapInput): number {
  return (factors.captured / factors.step) * (plConstant / smoothness);
}

function solveGap(checked: CheckedGapInput, active: readonly ErrorSource[]): SolvedGap | undefined {
  const { factors, smoothness, initialGap, rounds } = checked;
  const rate = contractionRate(checked);
  return solveReserved(
    active,
    factors,
    leastSlope(active),
    (sources, reserve) => {
      const recursion: Recursion = {
        ratio: rate * (1 - reserve),
        smoothness: smoothness * factors.step,
        initialGap,
        rounds,
      };
      const solution = solveRecursion(sources, recursion);
      return solution === undefined ? undefined : { ...solution, sources, recursion };
    },
    ({ decay, contributions }) => contributions.reduce((a, b) => a + b, decay * initialGap),
  );
}

function errorTerms({ sources, recursion, decay, contributions }: SolvedGap): Omit<GapTerms, "residual"> {
  const term = (name: ErrorSource["name"]): number =>
    contributions[sources.findIndex((source) => source.name === name)] ?? 0;
  return {
    initial: decay * recursion.initialGap,
    air: term("air"),
    stochastic: term("stochastic"),
    participation: term("participation"),
  };
}
