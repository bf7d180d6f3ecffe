import {
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  InputError,
} from "../core/index.ts";
import { type ErrorSource, splitErrors } from "./error-split.ts";

/** Devices that are missing from a round: what leaving them out costs (docs/theory.md, participation). */
export interface Participation {
  /** Total weight v of the missing devices, 0 <= v < 1. */
  readonly missingWeight: number;
  /** k1 >= 0 of ||grad f_k||^2 <= k1 + k2 ||grad f||^2. */
  readonly heterogeneityFloor: number;
  /** k2 >= 0 of the same bound. Default 0. */
  readonly heterogeneitySlope?: number;
  /** Weights of the others renormalised (error factor 4), or the missing count as zero (factor 1). Default true. */
  readonly renormalised?: boolean;
}

export interface GapInput {
  /** L > 0 of f_r. */
  readonly smoothness: number;
  /** mu of the Polyak-Lojasiewicz inequality, 0 < mu <= L. */
  readonly plConstant: number;
  /** Delta0 = F(W0) - F* >= 0. */
  readonly initialGap: number;
  /** T >= 0, whole. */
  readonly rounds: number;
  /** omega >= 0: one number, or one per round. */
  readonly distortion: number | ArrayLike<number>;
  /** a1 >= 0 of Q packScale^2 <= a1 + a2 ||grad f||^2. */
  readonly gradientFloor: number;
  /** a2 >= 0 of the same bound. Default 0. */
  readonly gradientSlope?: number;
  /** chi2 >= 0: variance of the weighted stochastic gradient. Default 0. */
  readonly stochasticVariance?: number;
  /** eps(r) >= 0: what rank r cannot reach. Default 0. */
  readonly residual?: number;
  /** Missing devices. Default: none. */
  readonly participation?: Participation;
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
 * Source: the descent lemma and the PL inequality; proof in docs/theory.md, section 2.
 *
 * @throws InputError on a constant outside its range (mu > L, negative or NaN values, wrong lengths).
 */
export function optimalityGap(input: GapInput): GapResult {
  const checked = checkGapInput(input);
  const { smoothness, plConstant, initialGap, rounds, residual } = checked;
  const sources = errorSources(checked);
  const active = sources.filter((source) => !source.isZero);
  const ratio = plConstant / smoothness;

  if (rounds === 0) {
    return {
      gap: initialGap + residual,
      terms: { initial: initialGap, air: 0, stochastic: 0, participation: 0, residual },
      contraction: 1 - ratio,
    };
  }
  const split = splitErrors(active, { ratio, smoothness, initialGap, rounds });
  if (split === undefined) {
    const terms = {
      initial: initialGap,
      air: Number.POSITIVE_INFINITY,
      stochastic: 0,
      participation: 0,
      residual,
    };
    return {
      gap: Number.POSITIVE_INFINITY,
      terms,
      contraction: 1,
      reason: noContraction(active),
    };
  }
  const term = (name: ErrorSource["name"]): number => {
    const index = active.findIndex((source) => source.name === name);
    return index < 0 ? 0 : split.contributions[index]!;
  };
  const terms: GapTerms = {
    initial: split.decay * initialGap,
    air: term("air"),
    stochastic: term("stochastic"),
    participation: term("participation"),
    residual,
  };
  const gap = terms.initial + terms.air + terms.stochastic + terms.participation + terms.residual;
  return { gap, terms, contraction: split.contraction };
}

/**
 * The smallest b2 that any split of the errors reaches, (sum_i sqrt(d_i))^2 over the slopes d_i of the sources: the
 * bound applies exactly where it is below 1. The largest over the rounds.
 */
export function smallestSlope(input: GapInput): number {
  let root = 0;
  for (const { slope, scale } of errorSources(checkGapInput(input))) {
    const largest = typeof scale === "number" ? scale : Array.from(scale).reduce((a, b) => Math.max(a, b), 0);
    root += Math.sqrt(slope * largest);
  }
  return root * root;
}

type CheckedGapInput = Required<Omit<GapInput, "participation">> & { readonly participation?: Participation };

const gapNames = [
  "smoothness",
  "plConstant",
  "initialGap",
  "rounds",
  "distortion",
  "gradientFloor",
  "gradientSlope",
  "stochasticVariance",
  "residual",
  "participation",
] as const;

function checkGapInput(input: GapInput): CheckedGapInput {
  checkOptions(input, "optimalityGap", gapNames);
  const smoothness = checkPositive(input.smoothness, "smoothness");
  const plConstant = checkPositive(input.plConstant, "plConstant");
  if (plConstant > smoothness) {
    throw new InputError("plConstant", `${plConstant}`, `at most the smoothness ${smoothness} (mu <= L)`);
  }
  const rounds = checkInteger(input.rounds, "rounds", 0);
  const { distortion, participation } = input;
  if (typeof distortion === "number") checkNumber(distortion, "distortion", 0);
  else checkNumbers(distortion, "distortion", rounds, 0);
  if (participation !== undefined) checkParticipation(participation);
  return {
    smoothness,
    plConstant,
    initialGap: checkNumber(input.initialGap, "initialGap", 0),
    rounds,
    distortion,
    gradientFloor: checkNumber(input.gradientFloor, "gradientFloor", 0),
    gradientSlope: checkNumber(input.gradientSlope ?? 0, "gradientSlope", 0),
    stochasticVariance: checkNumber(input.stochasticVariance ?? 0, "stochasticVariance", 0),
    residual: checkNumber(input.residual ?? 0, "residual", 0),
    ...(participation === undefined ? {} : { participation }),
  };
}

function checkParticipation(participation: Participation): void {
  checkOptions(participation, "participation", [
    "missingWeight",
    "heterogeneityFloor",
    "heterogeneitySlope",
    "renormalised",
  ]);
  const v = checkNumber(participation.missingWeight, "participation.missingWeight", 0);
  if (v >= 1)
    throw new InputError("participation.missingWeight", `${v}`, "less than 1: some device must take part");
  checkNumber(participation.heterogeneityFloor, "participation.heterogeneityFloor", 0);
  checkNumber(participation.heterogeneitySlope ?? 0, "participation.heterogeneitySlope", 0);
}

function errorSources(input: CheckedGapInput): ErrorSource[] {
  const { distortion, gradientFloor, gradientSlope, participation } = input;
  const missing = participation?.missingWeight ?? 0;
  const factor = missing ** 2 * (participation?.renormalised === false ? 1 : 4);
  const noAir =
    (gradientFloor === 0 && gradientSlope === 0) ||
    (typeof distortion === "number"
      ? distortion === 0
      : Array.from(distortion).every((omega) => omega === 0));
  const heterogeneityFloor = factor * (participation?.heterogeneityFloor ?? 0);
  const heterogeneitySlope = factor * (participation?.heterogeneitySlope ?? 0);
  return [
    { name: "air", floor: gradientFloor, slope: gradientSlope, scale: distortion, isZero: noAir },
    {
      name: "stochastic",
      floor: input.stochasticVariance,
      slope: 0,
      scale: 1,
      isZero: input.stochasticVariance === 0,
    },
    {
      name: "participation",
      floor: heterogeneityFloor,
      slope: heterogeneitySlope,
      scale: 1,
      isZero: heterogeneityFloor === 0 && heterogeneitySlope === 0,
    },
  ];
}

function noContraction(sources: readonly ErrorSource[]): string {
  const growing = sources.filter((source) => source.slope > 0).map((source) => source.name);
  if (growing.length === 0) return "the bound is larger than any double-precision number";
  return (
    `the error grows with the gradient at least as fast as the gradient itself (b2 >= 1, from ${growing.join(" and ")}): ` +
    "no contraction is guaranteed; lower the distortion or the gradient slope"
  );
}
