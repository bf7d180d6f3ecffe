import { randomStream } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import {
  anyOf,
  complexSphere,
  gradientNorm,
  lbfgs,
  maxIterations,
  minimize,
  type Problem,
  strongWolfe,
} from "../manifold/index.ts";
import {
  accumulated,
  createCertificateEvaluator,
  emptyCertificate,
  type ForcingCertificate,
  hardestDevice,
} from "./relaxation-bound.ts";
import { createRelaxedCost, type ForcingInstance, forcingInstance } from "./relaxation-cost.ts";
import type { Effort } from "./scheme.ts";
import type { TransceiverProblem } from "./updates.ts";

export interface RelaxationOptions {
  /** Default "default". */
  readonly effort?: Effort;
  /** Most iterations of L-BFGS altogether; with 0 the hardest device alone is the proof. Default by effort. */
  readonly maxIterations?: number;
  /** Ends the search early; what has been proved stays. */
  readonly signal?: AbortSignal;
}

export type RelaxationReason =
  /** The gap is as small as the effort asks. */
  | "gap"
  | "max-iterations"
  /** No progress any more: rounding, where a channel matrix has a condition number above some 10^8. */
  | "stalled"
  | "aborted";

/** The convex relaxation of uniform forcing and what it proves. */
export interface ForcingRelaxation {
  /** G, [M, Nr, q] with sum_m ||G_m||^2 = 1: X_m = G_m G_m^H is the relaxed A_m A_m^H, up to its scale. */
  readonly factor: Float64Array;
  /** q */
  readonly rank: number;
  /** sigma2 times the relaxed objective at X, in the unit of sum_m MSE_m; +Infinity if it left double precision. */
  readonly primal: number;
  /** No zero-forcing design has a smaller sum_m MSE_m; holds whatever became of the search. */
  readonly bound: number;
  /** 1 - bound / primal */
  readonly gap: number;
  /** y, K entries >= 0, sum 1: how much each device decides. */
  readonly multipliers: Float64Array;
  /** What proves the bound, see `certifiedForcingBound`. */
  readonly certificate: ForcingCertificate;
  readonly iterations: number;
  readonly reason: RelaxationReason;
}

/** A lower bound on sum_m MSE_m of every design without misalignment. */
export interface ForcingBound {
  readonly value: number;
  readonly kind: "uniform-forcing-dual";
}

const budgets: Readonly<Record<Effort, { readonly gap: number; readonly maxIterations: number }>> = {
  fast: { gap: 1e-2, maxIterations: 200 },
  default: { gap: 1e-3, maxIterations: 600 },
  thorough: { gap: 1e-6, maxIterations: 5000 },
};

/** Exponents of the smoothed maximum: the first, its growth from stage to stage, where it stays, the largest. */
const SHARPNESS = { first: 10, growth: 3, usual: 30, last: 1000 } as const;
/** Gradient norm of log(objective) that ends the first stage, and its fall from stage to stage. */
const ACCURACY = { first: 0.3, fall: 0.3 } as const;
const STAGE_ITERATIONS = 60;
/** A stage that leaves more than this part of the gap asks for a sharper maximum. */
const SLOW = 0.5;
/** Multipliers are kept above this, so that a device that comes back is noticed soon. */
const LEAST_SHARE = 1e-9;
/** So many stages in a row that leave more than this part of the gap end the search. */
const MAX_STALLED = 3;
const PROGRESS = 0.99;

/**
 * The convex relaxation of uniform forcing (docs/certificates.md): min over X_m >= 0, sum_m tr X_m = 1, of
 * sigma2 max_k (w_k^2 / P_k) sum_m phi_S(H_km^H X_m H_km).
 *
 * X_m = G_m G_m^H with G on the unit sphere; the maximum is smoothed, (1/p) log sum_k y_k g_k^p, and y follows the
 * shares of its terms (exponential multiplier method: Tseng & Bertsekas, Math. Program. 60, 1993), so that p can
 * stay small. The minimiser's multipliers and the maximisers V of phi_S are the certificate of the bound.
 *
 * @returns undefined where zero forcing is impossible (some device with a weight is silent or hears fewer than S
 * streams), where no device has a weight, or where the scale leaves double precision
 */
export function relaxUniformForcing(
  problem: TransceiverProblem,
  options: RelaxationOptions = {},
): ForcingRelaxation | undefined {
  const instance = forcingInstance(problem);
  if (instance === undefined) return undefined;
  const budget = budgets[options.effort ?? "default"];
  const limit = options.maxIterations ?? budget.maxIterations;
  const rank = sufficientRank(instance);
  const { active } = instance;
  const size = instance.subcarriers * instance.receiveAntennas * rank;
  const certify = createCertificateEvaluator(instance);
  const smoothed = createSmoothedMaximum(instance, rank);

  let certificate = emptyCertificate(instance);
  let factor: Float64Array = new Float64Array(2 * size);
  if (hardestDevice(certificate, factor, rank, instance) === Number.POSITIVE_INFINITY) return undefined;
  let bound = certify(certificate);
  let primal = smoothed.largest(factor);
  let candidate = emptyCertificate(instance);
  let point: ComplexMatrix = { rows: size, cols: 1, data: startFactor(instance, rank) };

  let accuracy: number = ACCURACY.first;
  let iterations = 0;
  let stalled = 0;
  let lastGap = Number.POSITIVE_INFINITY;
  const ended = (): RelaxationReason | undefined => {
    if (primal - bound <= budget.gap * primal && primal < Number.POSITIVE_INFINITY) return "gap";
    if (options.signal?.aborted === true) return "aborted";
    if (stalled >= MAX_STALLED) return "stalled";
    return iterations < limit ? undefined : "max-iterations";
  };
  let reason = ended();
  for (; reason === undefined; reason = ended()) {
    const result = minimize(smoothed.problem, point, {
      // on channels at the edge of rank S, trials at rounding level find nothing
      solver: lbfgs({ lineSearch: strongWolfe({ maxTrials: 10 }) }),
      stop: anyOf(gradientNorm(accuracy), maxIterations(Math.min(STAGE_ITERATIONS, limit - iterations))),
      record: false,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    iterations += Math.max(1, result.iterations);
    point = result.point;
    const largest = smoothed.largest(point.data);
    smoothed.certify(candidate);
    const proved = certify(candidate);
    const before = primal - bound;
    if (largest < primal) {
      primal = largest;
      factor = point.data;
    }
    if (proved > bound) {
      bound = proved;
      [certificate, candidate] = [candidate, certificate];
    }
    stalled = primal - bound < PROGRESS * before ? 0 : stalled + 1;
    const settled = result.gradientNorm <= accuracy;
    const gap = 1 - proved / largest;
    smoothed.follow(settled && gap > SLOW * lastGap);
    if (settled) lastGap = gap;
    accuracy = Math.max(accuracy * ACCURACY.fall, 0.1 * budget.gap);
  }
  const total = active.reduce((sum, k) => sum + certificate.multipliers[k]!, 0);
  return {
    factor,
    rank,
    primal: instance.unit * primal,
    bound: instance.unit * bound * (1 - accumulated(0)),
    gap: Math.max(0, 1 - bound / primal),
    multipliers: certificate.multipliers.map((y) => y / total),
    certificate,
    iterations,
    reason,
  };
}

/**
 * Lower bound on sum_m MSE_m of every zero-forcing design. Such designs do not depend on the correlation of the
 * devices, and a channel estimation error only adds to their MSE. MMSE designs may lie below it.
 *
 * @returns undefined where zero forcing is impossible or nothing is proved
 */
export function uniformForcingBound(
  problem: TransceiverProblem,
  options: RelaxationOptions = {},
): ForcingBound | undefined {
  const bound = relaxUniformForcing(problem, options)?.bound ?? 0;
  return bound > 0 ? { value: bound, kind: "uniform-forcing-dual" } : undefined;
}

/**
 * Columns of G that are enough: given the values of all W_km = H_km^H X_m H_km (for one stream: of their traces), an
 * X_m of least trace has a rank whose square is at most the number of real conditions (Pataki, Math. Oper. Res. 23,
 * 1998). One more column keeps the factorisation from adding local minima.
 */
function sufficientRank(instance: ForcingInstance): number {
  const { active, streams, receiveAntennas, transmitAntennas } = instance;
  const conditions = active.length * (streams === 1 ? 1 : transmitAntennas ** 2);
  return Math.min(receiveAntennas, Math.floor(Math.sqrt(conditions)) + 1);
}

/** All directions alike where G is square, else random columns: a fixed choice could be deaf to a device. */
function startFactor(instance: ForcingInstance, rank: number): Float64Array {
  const { subcarriers, receiveAntennas: nr } = instance;
  const factor = new Float64Array(2 * subcarriers * nr * rank);
  if (rank < nr) randomStream(1, "relaxation").fillComplexNormal(factor);
  else for (let i = 0; i < subcarriers * nr; i++) factor[2 * (i * nr + (i % nr))] = 1;
  const norm = Math.sqrt(kernel.squaredNorm(factor, 0, factor.length / 2));
  for (let i = 0; i < factor.length; i++) factor[i]! /= norm;
  return factor;
}

/** log of the smoothed maximum on the sphere of all G; p and the multipliers are its state. */
interface SmoothedMaximum {
  readonly problem: Problem<ComplexMatrix>;
  /** max_k g_k */
  largest(factor: Float64Array): number;
  /** Writes the certificate at the factor of the last `largest`. */
  certify(certificate: ForcingCertificate): void;
  /** Multipliers follow the shares of the last `largest`; `sharpen` where they alone are too slow. */
  follow(sharpen: boolean): void;
}

function createSmoothedMaximum(instance: ForcingInstance, rank: number): SmoothedMaximum {
  const { active } = instance;
  const devices = active.length;
  const size = instance.subcarriers * instance.receiveAntennas * rank;
  const cost = createRelaxedCost(instance, rank);
  const values = new Float64Array(devices);
  const prior = new Float64Array(devices).fill(1 / devices);
  const shares = new Float64Array(devices);
  const weights = new Float64Array(devices);
  const gradient: ComplexMatrix = { rows: size, cols: 1, data: new Float64Array(2 * size) };
  const result = { cost: 0, gradient };
  let sharpness: number = SHARPNESS.first;

  function evaluate(factor: Float64Array): number {
    const largest = cost.evaluate(values, factor);
    if (!(largest < Number.POSITIVE_INFINITY)) return largest;
    let sum = 0;
    for (let k = 0; k < devices; k++) {
      shares[k] = prior[k]! * Math.exp(sharpness * Math.log(values[k]! / largest));
      sum += shares[k]!;
    }
    for (let k = 0; k < devices; k++) {
      shares[k]! /= sum;
      weights[k] = values[k]! > 0 ? shares[k]! / values[k]! : 0;
    }
    return Math.log(largest) + Math.log(sum) / sharpness;
  }

  function costAndGradient(x: ComplexMatrix): { readonly cost: number; readonly gradient: ComplexMatrix } {
    result.cost = evaluate(x.data);
    if (result.cost < Number.POSITIVE_INFINITY) cost.gradient(gradient.data, weights);
    else gradient.data.fill(0);
    return result;
  }

  return {
    problem: {
      manifold: complexSphere(size),
      cost: (x) => evaluate(x.data),
      gradient: (x) => costAndGradient(x).gradient,
      costAndGradient,
    },
    largest(factor) {
      return evaluate(factor) < Number.POSITIVE_INFINITY
        ? values.reduce((a, b) => Math.max(a, b), 0)
        : Infinity;
    },
    certify({ multipliers, levels, reductions }) {
      active.forEach((k, index) => {
        multipliers[k] = weights[index]!;
      });
      cost.maximisers(levels, reductions);
    },
    follow(sharpen) {
      for (let k = 0; k < devices; k++) prior[k] = Math.max(shares[k]!, LEAST_SHARE);
      if (sharpness < SHARPNESS.usual) sharpness = Math.min(SHARPNESS.usual, SHARPNESS.growth * sharpness);
      else if (sharpen) sharpness = Math.min(SHARPNESS.last, SHARPNESS.growth * sharpness);
    },
  };
}
