import { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { complexEuclidean, lbfgs, maxIterations, minimize, type Problem, power } from "../manifold/index.ts";
import { NO_POWER } from "./correlation.ts";
import { createEigenvalueBound } from "./splitting-certificate.ts";
import type { SplittingProblem } from "./splitting-problem.ts";
import { createSplittingRelaxation, type SplittingRelaxation } from "./splitting-relaxation.ts";
import type { TransceiverProblem } from "./updates.ts";

export interface NoiseSplittingOptions {
  /** At most 24, 96 or 960 iterations, less where the limit is reached to 1e-2, 5e-3 or 1e-8. Default "default". */
  readonly effort?: "fast" | "default" | "thorough";
  /** L-BFGS iterations in all, in place of those of the effort; 0: only what needs no iterations. */
  readonly maxIterations?: number;
  /** Ends the iterations; what was proved until then is returned. */
  readonly signal?: AbortSignal;
}

export interface NoiseSplittingBound {
  readonly kind: "noise-splitting";
  /** No design within the budgets has a smaller sum_m MSE_m. > 0; verified, rounding included. */
  readonly value: number;
  /** What was proved before the first iteration. */
  readonly startValue: number;
  /** No splitting of the noise proves more than this (in exact arithmetic): how far `value` is from its best. */
  readonly limit: number;
  /** L-BFGS iterations. */
  readonly iterations: number;
}

interface Effort {
  readonly maxIterations: number;
  /**
   * Ends where the limit is no more than this part of the bound away from it, or where that distance shrinks by no
   * more than that in each of the last `patience` stages.
   */
  readonly gain: number;
  readonly patience: number;
}

const efforts: Readonly<Record<"fast" | "default" | "thorough", Effort>> = {
  fast: { maxIterations: 24, gain: 1e-2, patience: 1 },
  default: { maxIterations: 96, gain: 5e-3, patience: 2 },
  thorough: { maxIterations: 960, gain: 1e-8, patience: 2 },
};

/** How far multipliers may move within a stage: the logarithm of v changes by (power - budget) / SOFTNESS. */
const SOFTNESS = 0.2;
/** Iterations with fixed anchors. */
const STAGE = 12;
/** Least anchor of the later stages, in units of tr X: lets a device stay silent, and yet speak up again. */
const SILENT = 1e-12;

/**
 * A verified lower bound on the MSE of every design within the budgets, by splitting the receiver noise among the
 * devices (derived and proved in docs/certificates-mmse.md): for Theta_km >= 0 with sum_k Theta_km <= sigma2 I,
 *
 *   sum_m MSE_m >= sum_k w_k^2 D_k,   D_k the MSE of device k alone in noise of the covariances Theta_km.
 *
 * The best Theta are the multipliers of a convex problem, solved by L-BFGS; it needs no design to start from. Whatever
 * the solver does, the value is proved from the Theta it ends with. A correlation R counts with a diagonal matrix
 * below it, channel estimation errors with a part of their effect.
 *
 * @returns the bound in the unit of sum_m MSE_m, or undefined where nothing above 0 is proved
 */
export function noiseSplittingBound(
  problem: TransceiverProblem,
  options: NoiseSplittingOptions = {},
): NoiseSplittingBound | undefined {
  const { splitting, constant } = splittingProblem(problem);
  const { subcarriers } = splitting;
  const effort = efforts[options.effort ?? "default"];
  const most = options.maxIterations ?? effort.maxIterations;
  const relaxation = createSplittingRelaxation(splitting);
  const relaxed = relaxedProblem(relaxation, subcarriers);
  const gradient = new Float64Array(2 * subcarriers * relaxation.size ** 2);

  let point = scaledIdentity(relaxation, subcarriers);
  let limit = relaxation.costAndGradient(point.data, gradient);
  const startValue = best(best(0, relaxation.bound()), relaxation.orthogonalBound());
  let value = startValue;
  let iterations = 0;
  let idle = 0;
  // the multipliers are those of f at the scaled identity; a device that is silent there may have to speak up
  let least = 1 / splitting.devices;
  while (iterations < most && limit - value > effort.gain * value && options.signal?.aborted !== true) {
    const trace = kernel.squaredNorm(point.data, 0, point.data.length / 2);
    relaxation.anchor(SOFTNESS, least * trace);
    least = SILENT;
    const stage = minimize(relaxed, point, {
      solver: lbfgs(),
      stop: maxIterations(Math.min(STAGE, most - iterations)),
      record: false,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    iterations += stage.iterations;
    point = stage.point;
    relaxation.costAndGradient(point.data, gradient);
    const before = limit - value;
    value = best(value, relaxation.bound());
    limit = Math.min(limit, relaxation.limit(point.data));
    idle = before - (limit - value) <= effort.gain * value ? idle + 1 : 0;
    if (stage.iterations === 0 || idle >= effort.patience) break;
  }
  const rounded = (constant + value) * (1 - 4 * Number.EPSILON);
  if (!(rounded > 0 && rounded < Number.POSITIVE_INFINITY)) return undefined;
  return {
    kind: "noise-splitting",
    value: rounded,
    startValue: Math.min(rounded, constant + startValue),
    limit: Math.max(rounded, constant + limit),
    iterations,
  };
}

/** The larger of two bounds; one that is not a number proves nothing. */
function best(a: number, b: number): number {
  return Number.isNaN(b) ? a : Math.max(a, b);
}

/** f as a problem for the solvers of src/manifold; the gradient is a buffer that is reused. */
export function relaxedProblem(relaxation: SplittingRelaxation, subcarriers: number): Problem<ComplexStack> {
  const gradient = new ComplexStack([subcarriers, relaxation.size, relaxation.size]);
  const costAndGradient = (y: ComplexStack): { readonly cost: number; readonly gradient: ComplexStack } => ({
    cost: relaxation.costAndGradient(y.data, gradient.data),
    gradient,
  });
  return {
    manifold: power(complexEuclidean(relaxation.size, relaxation.size), subcarriers),
    cost: (y) => costAndGradient(y).cost,
    gradient: (y) => costAndGradient(y).gradient,
    costAndGradient,
  };
}

/** The multiple of the identity at which f is smallest. */
function scaledIdentity(relaxation: SplittingRelaxation, subcarriers: number): ComplexStack {
  const y = new ComplexStack([subcarriers, relaxation.size, relaxation.size]);
  for (let m = 0; m < subcarriers; m++) {
    for (let i = 0; i < relaxation.size; i++) y.at(m).data[2 * i * (relaxation.size + 1)] = 1;
  }
  relaxation.costAndGradient(y.data, new Float64Array(y.data.length));
  const amplitude = Math.sqrt(relaxation.bestScale(y.data));
  kernel.scale(y.data, 0, y.data, 0, y.data.length / 2, amplitude);
  return y;
}

/**
 * The problem in the units of the bound, and what estimation errors add to it for every design: with d_k of
 * {@link diagonalBelow} and kappa_k = R_kk se2_k / (d_k max_m ||H_km||^2), completing the square in
 * ||E||^2 + kappa ||E + w I||^2 leaves weights w / (1 + kappa), d (1 + kappa), and S M d w^2 kappa / (1 + kappa).
 */
export function splittingProblem(problem: TransceiverProblem): {
  readonly splitting: SplittingProblem;
  readonly constant: number;
} {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams } = problem;
  const { weights, noiseVariance, correlation, errorVariance } = problem;
  const diagonal = correlation === undefined ? undefined : diagonalBelow(correlation, devices);
  const size = 2 * subcarriers * nr * nt;
  const channel = problem.channel.slice();
  const gains = new Float64Array(devices);
  let constant = 0;
  for (let k = 0; k < devices; k++) {
    const d = diagonal?.[k] ?? 1;
    if (!(d > 0 && weights[k]! > 0)) continue;
    const variance = (errorVariance?.[k] ?? 0) * (correlation?.[k * devices + k] ?? 1);
    const strength = variance > 0 ? strongestGain(problem, k) : 0;
    const kappa = strength > 0 ? (variance / d / strength) * (1 - 8 * Number.EPSILON) : 0;
    const amplitude = Math.sqrt(problem.power[k]! / noiseVariance) * Math.sqrt(d * (1 + kappa));
    for (let i = k * size; i < (k + 1) * size; i++) channel[i]! *= amplitude;
    gains[k] = (d * weights[k]! * weights[k]!) / (1 + kappa);
    constant += subcarriers * streams * gains[k]! * kappa;
  }
  return {
    splitting: { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams, channel, gains },
    constant: constant * (1 - (devices + 8) * Number.EPSILON),
  };
}

/** At least max_m ||H_km||^2, by the Gram matrices. */
function strongestGain(problem: TransceiverProblem, k: number): number {
  const { subcarriers, receiveAntennas: nr, transmitAntennas: nt, channel } = problem;
  const largestEigenvalue = createEigenvalueBound(nt);
  const gram = new Float64Array(2 * nt * nt);
  let strongest = 0;
  for (let m = 0; m < subcarriers; m++) {
    const h = 2 * (k * subcarriers + m) * nr * nt;
    kernel.multiplyConjugateLeft(gram, 0, channel, h, channel, h, nt, nr, nt);
    const trace = kernel.squaredNorm(channel, h, nr * nt);
    strongest = Math.max(strongest, largestEigenvalue(gram, trace) + 1e-12 * trace);
  }
  return strongest;
}

/**
 * d with R >= diag(d): R_kk times the smallest eigenvalue of R scaled to a unit diagonal, which is proved by way of
 * the largest eigenvalue of its complement. Zeros where R is singular.
 */
function diagonalBelow(correlation: Float64Array, n: number): Float64Array {
  const largest = Math.max(0, ...Array.from({ length: n }, (_, k) => correlation[k * n + k]!));
  // designs and evaluation leave symbols without power out
  const roots = Float64Array.from({ length: n }, (_, k) =>
    correlation[k * n + k]! > NO_POWER * largest ? Math.sqrt(correlation[k * n + k]!) : 0,
  );
  const active = Array.from(roots.keys()).filter((k) => roots[k]! > 0);
  const size = active.length;
  // size I - C >= 0, as the trace of C is its size
  const complement = new Float64Array(2 * size * size);
  active.forEach((k, i) => {
    active.forEach((j, l) => {
      const entry = k === j ? 1 : correlation[k * n + j]! / roots[k]! / roots[j]!;
      complement[2 * (i * size + l)] = (i === l ? size : 0) - entry;
    });
  });
  const above = size > 0 ? createEigenvalueBound(size)(complement, size * (size - 1)) : 0;
  const smallest = Math.max(0, size - above - 1e-14 * size * size);
  return Float64Array.from(roots, (root) => smallest * root * root * (1 - 4 * Number.EPSILON));
}
