import * as kernel from "../../linalg/kernels/index.ts";
import { createFactorisation } from "./factorisation.ts";
import { createProducts } from "./products.ts";
import type { ScaledProblem } from "./scaled.ts";

/**
 * The smoothed objective on all receive beamformers together,
 *
 *   f(A) = (1/p) log sum_k exp(p log g_k(A) + shift_k) + log ||A||^2,
 *
 * which does not change when A is scaled. It is evaluated along lines A + t D: G_km = Hhat_km^H (A_m + t D_m) is
 * linear in t, so that a line costs one product with the channels, whatever the number of trials, and a gradient
 * another one, in which devices whose share is nothing are left out. Nothing is allocated after creation.
 */
export interface Objective {
  /** Number of reals in A: 2 M Nr S. */
  readonly size: number;
  /** A, [M, Nr, S]; changed by `start` and `move` only. */
  readonly point: Float64Array;
  /** D, written by the caller before `aim`. */
  readonly direction: Float64Array;
  /** log g_k at the last `evaluate`. */
  readonly logGain: Float64Array;
  /** Share pi_k of each device in the smoothed maximum at the last `evaluate`; sums to 1. */
  readonly share: Float64Array;
  /** log of the multipliers y_k of the method of multipliers; 0 for plain smoothing. */
  readonly shift: Float64Array;
  /** p */
  sharpness: number;
  /** df/dt at the last `evaluate`. */
  slope: number;
  /** max_k log g_k + log ||A||^2 at the last `evaluate`. */
  peak: number;
  /** Takes a new A (copied, scaled to norm 1) and returns f. */
  start(point: Float64Array): number;
  /** Takes `direction` as the line's. */
  aim(): void;
  /** f(A + t D), or +Infinity where a G_km loses rank. */
  evaluate(t: number): number;
  /** A <- A + t D with t of the last `evaluate`. */
  move(): void;
  /** Gradient of f at the last `evaluate`, which must have been moved to (or t = 0). */
  gradient(out: Float64Array): void;
  /** log ||A||^2 of the last `evaluate`. */
  logNorm(): number;
}

/** Devices with a smaller share than this are left out of gradients. */
const NEGLIGIBLE = 1e-16;

export function createObjective(problem: ScaledProblem, relaxed = false): Objective {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams, offset } = problem;
  const block = 2 * nt * streams;
  const beam = 2 * nr * streams;
  const size = subcarriers * beam;
  const blocks = subcarriers * devices;
  const point = new Float64Array(size);
  const direction = new Float64Array(size);
  let here = new Float64Array(blocks * block);
  let there = new Float64Array(blocks * block);
  const along = new Float64Array(blocks * block);
  const slopes = new Float64Array(blocks * block);
  const inverse = new Float64Array(streams === 1 ? blocks : blocks * 2 * streams * streams);
  const trace = new Float64Array(devices);
  const logGain = new Float64Array(devices);
  const share = new Float64Array(devices);
  const shift = new Float64Array(devices);
  const products = createProducts(problem);
  const factorise = createFactorisation(nt, streams, relaxed);
  let squared = 1;
  let cross = 0;
  let directionSquared = 0;
  let at = 0;

  function start(a: Float64Array): number {
    const scale = 1 / Math.sqrt(kernel.squaredNorm(a, 0, size / 2));
    for (let i = 0; i < size; i++) point[i] = scale * a[i]!;
    products.forward(here, point);
    squared = kernel.squaredNorm(point, 0, size / 2);
    direction.fill(0);
    along.fill(0);
    cross = 0;
    directionSquared = 0;
    return objective.evaluate(0);
  }

  function aim(): void {
    products.forward(along, direction);
    cross = kernel.realInner(point, 0, direction, 0, size / 2);
    directionSquared = kernel.squaredNorm(direction, 0, size / 2);
  }

  function evaluate(t: number): number {
    at = t;
    const p = objective.sharpness;
    for (let i = 0; i < there.length; i++) there[i] = here[i]! + t * along[i]!;
    let highest = Number.NEGATIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < devices; k++) {
      let total = 0;
      for (let m = 0; m < subcarriers; m++) {
        const j = m * devices + k;
        total += factorise.invert(slopes, j * block, there, j * block, inverse, j);
      }
      trace[k] = total;
      const value = offset[k]! + Math.log(total);
      logGain[k] = value;
      if (!(value < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
      if (value > largest) largest = value;
      const exponent = p * value + shift[k]!;
      share[k] = exponent;
      if (exponent > highest) highest = exponent;
    }
    let sum = 0;
    for (let k = 0; k < devices; k++) {
      const term = Math.exp(share[k]! - highest);
      share[k] = term;
      sum += term;
    }
    const norm = squared + t * (2 * cross + t * directionSquared);
    let slope = (2 * (cross + t * directionSquared)) / norm;
    for (let k = 0; k < devices; k++) {
      const part = (share[k]! /= sum);
      if (part < NEGLIGIBLE) continue;
      let derivative = 0;
      for (let m = 0; m < subcarriers; m++) {
        const j = m * devices + k;
        factorise.differentiate(slopes, j * block, inverse, j);
        for (let i = j * block, end = i + block; i < end; i++) derivative += slopes[i]! * along[i]!;
      }
      slope += (part / trace[k]!) * derivative;
    }
    const logNorm = Math.log(norm);
    objective.slope = slope;
    objective.peak = largest + logNorm;
    return (highest + Math.log(sum)) / p + logNorm;
  }

  function move(): void {
    for (let i = 0; i < size; i++) point[i]! += at * direction[i]!;
    squared = kernel.squaredNorm(point, 0, size / 2);
    [here, there] = [there, here];
    at = 0;
  }

  function gradient(out: Float64Array): void {
    const factor = 2 / squared;
    for (let i = 0; i < size; i++) out[i] = factor * point[i]!;
    if (streams === 1) {
      for (let k = 0; k < devices; k++) {
        if (share[k]! < NEGLIGIBLE) continue;
        products.addBackward(out, 0, slopes, k, share[k]! / trace[k]!);
      }
      return;
    }
    // more streams: one long product is faster than many short ones
    for (let k = 0; k < devices; k++) {
      const weight = share[k]! < NEGLIGIBLE ? 0 : share[k]! / trace[k]!;
      for (let m = 0; m < subcarriers; m++) {
        const from = (m * devices + k) * block;
        for (let i = from; i < from + block; i++) slopes[i]! *= weight;
      }
    }
    products.addAllBackward(out, slopes);
  }

  const objective: Objective = {
    size,
    point,
    direction,
    logGain,
    share,
    shift,
    sharpness: 1,
    slope: 0,
    peak: 0,
    start,
    aim,
    evaluate,
    move,
    gradient,
    logNorm: () => Math.log(squared),
  };
  return objective;
}
