/** The bound on the gap as a function of the set of devices: what leaving some out costs, for weights scaled to the others. */
import type { DeviceSets } from "../aircomp/index.ts";
import { checkNumber, checkNumbers, checkOptions, describe, InputError, renameField } from "../core/index.ts";
import { type GapInput, optimalityGap } from "./optimality-gap.ts";

/** The constants of the bound; what depends on the set of devices is computed from them. */
export interface SelectionLearning extends Omit<GapInput, "distortion" | "participation"> {
  /** sigma_k^2 per device: chi2 = sum_k w_k^2 sigma_k^2 over the chosen; in place of `stochasticVariance`. */
  readonly deviceVariance?: ArrayLike<number>;
  /** k1 >= 0 of ||grad f_k||^2 <= k1 + k2 ||grad f||^2. */
  readonly heterogeneityFloor: number;
  /** k2 >= 0. Default 0. */
  readonly heterogeneitySlope?: number;
  /** Weights of the chosen scaled to sum 1 (error factor 4), or the others count as zero (factor 1). Default true. */
  readonly renormalised?: boolean;
}

const learningNames = [
  ...[
    "smoothness",
    "plConstant",
    "initialGap",
    "rounds",
    "gradientFloor",
    "gradientSlope",
    "residual",
    "subspace",
  ],
  ...["stochasticVariance", "deviceVariance", "heterogeneityFloor", "heterogeneitySlope", "renormalised"],
];

/** The input of the bound for some devices at the distortion of their design. */
export type InputFor = (devices: readonly number[], distortion: number) => GapInput;

/** @throws InputError on constants out of range, or of the wrong number. */
export function boundOfDevices(sets: DeviceSets, learning: SelectionLearning): InputFor {
  if (learning === null || typeof learning !== "object") {
    throw new InputError("learning", describe(learning), "the constants of the bound");
  }
  for (const name of ["distortion", "participation"]) {
    if (name in learning) {
      throw new InputError(`learning.${name}`, "given", "nothing: it follows from the devices");
    }
  }
  checkOptions(learning, "learning", learningNames);
  const {
    deviceVariance,
    heterogeneityFloor,
    heterogeneitySlope = 0,
    renormalised = true,
    ...rest
  } = learning;
  checkNumber(heterogeneityFloor, "learning.heterogeneityFloor", 0);
  checkNumber(heterogeneitySlope, "learning.heterogeneitySlope", 0);
  if (typeof renormalised !== "boolean") {
    throw new InputError("learning.renormalised", describe(renormalised), "true or false");
  }
  const { weights } = sets;
  if (deviceVariance !== undefined) {
    checkNumbers(deviceVariance, "learning.deviceVariance", weights.length, 0);
    if (rest.stochasticVariance !== undefined) {
      throw new InputError("learning.deviceVariance", "both it and stochasticVariance", "one of the two");
    }
  }
  const inputFor: InputFor = (devices, omega) => {
    const chosen = new Set(devices);
    let missing = 0;
    weights.forEach((weight, k) => {
      if (!chosen.has(k)) missing += weight;
    });
    const present = sets.weightOf(devices);
    // without renormalisation all of the aggregate shrinks to its present part
    const scale = renormalised ? 1 : present;
    let variance = 0;
    if (deviceVariance !== undefined) {
      for (const k of devices) variance += ((scale * weights[k]!) / present) ** 2 * deviceVariance[k]!;
    }
    return {
      ...rest,
      ...(deviceVariance === undefined ? {} : { stochasticVariance: variance }),
      distortion: scale ** 2 * omega,
      participation: {
        // weights that sum to 1 up to rounding
        missingWeight: Math.min(missing, 1 - 2 ** -53),
        heterogeneityFloor,
        heterogeneitySlope,
        renormalised,
      },
    };
  };
  renameField(
    (field) => `learning.${field}`,
    () => optimalityGap(inputFor(Array.from(weights.keys()), 0)),
  );
  return inputFor;
}
