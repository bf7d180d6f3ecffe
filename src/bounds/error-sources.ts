import {
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  InputError,
} from "../core/index.ts";
import { type ErrorSource, largestScale } from "./error-split.ts";
import { effectiveSlope, type Subspace, type SubspaceFactors, subspaceFactors } from "./subspace.ts";

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

/** What both forms of the bound ask for: the step, the errors of a round, and how many rounds. */
export interface ErrorInput {
  /** L > 0 of f_r; with a `subspace` that of F in the weights, L_W. */
  readonly smoothness: number;
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
  /** Missing devices. Default: none. */
  readonly participation?: Participation;
  /** loraA drawn anew and merged in every round; then grad f above is the gradient in loraB. Default: no such thing. */
  readonly subspace?: Subspace;
}

export type CheckedErrorInput = Required<Omit<ErrorInput, "participation" | "subspace">> & {
  readonly participation?: Participation;
  readonly factors: SubspaceFactors;
};

export const errorInputNames = [
  "smoothness",
  "initialGap",
  "rounds",
  "distortion",
  "gradientFloor",
  "gradientSlope",
  "stochasticVariance",
  "participation",
  "subspace",
] as const;

/** The common part with its defaults. @throws InputError on values outside their range. */
export function checkErrorInput(input: ErrorInput): CheckedErrorInput {
  const smoothness = checkPositive(input.smoothness, "smoothness");
  const rounds = checkInteger(input.rounds, "rounds", 0);
  const { distortion, participation } = input;
  if (typeof distortion === "number") checkNumber(distortion, "distortion", 0);
  else checkNumbers(distortion, "distortion", rounds, 0);
  if (participation !== undefined) checkParticipation(participation);
  return {
    smoothness,
    initialGap: checkNumber(input.initialGap, "initialGap", 0),
    rounds,
    distortion,
    gradientFloor: checkNumber(input.gradientFloor, "gradientFloor", 0),
    gradientSlope: checkNumber(input.gradientSlope ?? 0, "gradientSlope", 0),
    stochasticVariance: checkNumber(input.stochasticVariance ?? 0, "stochasticVariance", 0),
    ...(participation === undefined ? {} : { participation }),
    factors: subspaceFactors(input.subspace),
  };
}

/** The errors E||e_i||^2 <= scale (floor + slope ||grad f||^2) of a round; `air` comes first. */
export function errorSources(input: CheckedErrorInput): ErrorSource[] {
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

/** (sum_i sqrt(d_i))^2 over the slopes d_i of the sources in their worst rounds: the least b2 of any split. */
export function leastSlope(sources: readonly ErrorSource[]): number {
  let root = 0;
  for (const source of sources) root += Math.sqrt(source.slope) * Math.sqrt(largestScale(source));
  return root * root;
}

/** Why there is no bound for these errors, or why it is no number. */
export function noBoundReason(sources: readonly ErrorSource[], factors: SubspaceFactors): string {
  if (effectiveSlope(factors, leastSlope(sources)) < 1)
    return "the bound is larger than any double-precision number";
  const growing = sources.filter((source) => source.slope > 0).map((source) => source.name);
  const limit = factors.cross === 0 ? "b2 >= 1" : "c2 b2/c + 2 sqrt(gamma b2) >= 1 with a sketched loraA";
  return (
    `the error grows with the gradient at least as fast as the gradient itself (${limit}, from ${growing.join(" and ")}): ` +
    "no contraction is guaranteed; lower the distortion or the gradient slope"
  );
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
