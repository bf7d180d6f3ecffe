/** The noise covariance of a power-limited jammer that does the most harm to a multi-user MIMO channel. */
import { checkChoice, checkInteger, checkNumber, checkOptions, InputError } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import { checkCovariances, checkEntries, checkPower, rateAgainst, sumOf } from "./covariance.ts";
import {
  attack,
  type JammingTarget,
  noiseOf,
  reachOf,
  type WorstCaseNoise,
  whiteJamming,
} from "./worst-case-attack.ts";

/** What the jammer attacks: the sum rate, the rate of the strongest user, or the sum of mean squared errors. */
export type JammingObjective = "sum-rate" | "strongest-user" | "mse";

export interface WorstCaseNoiseOptions {
  /**
   * One per user, n x n Hermitian positive semidefinite: Gamma_q = H_q G_q G_q^H H_q^H, in the unit of the noise.
   */
  readonly signalCovariances: readonly ComplexMatrix[];
  /** The jammer's own budget: tr Z = power + n floor, or tr J = power behind a `jammerChannel`. */
  readonly power: number;
  /** Thermal noise per antenna, which the jammer cannot lower: Z >= floor I. Default 0. */
  readonly floor?: number;
  /** G_J, n x m: Z = floor I + G_J J G_J^H. Without it the jammer reaches every direction alike. */
  readonly jammerChannel?: ComplexMatrix;
  readonly objective: JammingObjective;
  /**
   * Of "strongest-user": whether the attacked user is decoded "last" (default: no interference is left) or
   * "first" (all the others interfere).
   */
  readonly decoded?: "last" | "first";
  /**
   * Of "strongest-user": which user. Default: the one with the largest log det(I + Z_w^-1 Gamma_q) at white
   * noise.
   */
  readonly user?: number;
  /** `dualityGap` that the solver aims at, relative to the value. Default 1e-7. */
  readonly tolerance?: number;
  /** Newton steps of the solver. Default 100. */
  readonly maxIterations?: number;
}

const optionNames = [
  "signalCovariances",
  "power",
  "floor",
  "jammerChannel",
  "objective",
  "decoded",
  "user",
  "tolerance",
  "maxIterations",
] as const;

/**
 * The worst noise covariance (section numbers: docs/worst-case-noise.md). Closed form where the jammer reaches
 * every direction and nobody interferes, or where its channel has full row rank and there is no floor; otherwise
 * an interior-point method. Eigenvalues of a signal covariance below n 2^-52 of the largest are rounding and
 * count as 0.
 *
 * @throws InputError on covariances that are not Hermitian positive semidefinite of one size, numbers outside
 * [1e-100, 1e100], a jammer without power where there is no floor, and a floor of 0 with a jammer channel that is
 * not of full row rank (the rate would be infinite in the directions that the jammer cannot reach)
 */
export function worstCaseNoise(options: WorstCaseNoiseOptions): WorstCaseNoise {
  checkOptions(options, "worstCaseNoise", optionNames);
  const objective = checkChoice(options.objective, "objective", ["sum-rate", "strongest-user", "mse"]);
  const signals = checkCovariances(options.signalCovariances, "signalCovariances");
  const n = signals[0]!.rows;
  const floor = checkPower(options.floor ?? 0, "floor", true);
  const power = checkPower(options.power, "power", true);
  if (power === 0 && floor === 0) throw new InputError("power", "0", "a number > 0 where the floor is 0");
  const tolerance = checkNumber(options.tolerance ?? 1e-7, "tolerance", 0);
  const maxIterations = checkInteger(options.maxIterations ?? 100, "maxIterations", 0, 1e6);
  const channel = options.jammerChannel;
  if (channel !== undefined) checkEntries(channel, "jammerChannel", n);
  if (objective !== "strongest-user") {
    for (const name of ["decoded", "user"] as const) {
      if (options[name] === undefined) continue;
      throw new InputError(name, "a value", `nothing with the objective "${objective}"`);
    }
  }
  const decoded = checkChoice(options.decoded ?? "last", "decoded", ["last", "first"]);

  const reach = channel === undefined ? undefined : reachOf(channel, floor);
  const white = noiseOf(floor, channel, whiteJamming(channel?.cols ?? n, power));
  const target: Omit<JammingTarget, "signal"> = {
    kind: objective === "mse" ? "error" : "rate",
    floor,
    power,
    tolerance,
    maxIterations,
    white,
    ...(channel === undefined ? {} : { channel, reach: reach! }),
  };
  if (objective !== "strongest-user") return attack({ ...target, signal: sumOf(signals, n) });
  const user =
    options.user === undefined
      ? strongestUser(signals, white)
      : checkInteger(options.user, "user", 0, signals.length - 1);
  const rest = sumOf(decoded === "first" ? signals.filter((_, q) => q !== user) : [], n);
  const interferes = rest.data.some((entry) => entry !== 0);
  const signal = signals[user]!;
  return { ...attack({ ...target, signal, ...(interferes ? { interference: rest } : {}) }), user };
}

/** The first user of the largest rate without interference. */
function strongestUser(signals: readonly ComplexMatrix[], noise: ComplexMatrix): number {
  const rates = signals.map((signal) => rateAgainst(signal, noise));
  return rates.indexOf(Math.max(...rates));
}
