import type { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { powerMultiplier } from "./secular.ts";
import type { TransceiverProblem } from "./updates.ts";

/**
 * The best common amplitude t of the receive beamformers t F_m: min over t of the MSE that is left when every
 * device then answers with its best transmit beamformer for R = I. With l = t^2 s_i^2, s_i the singular values of
 * H_km^H F_m, and the estimation error's x = t^2 se2_k ||F_m||^2 this is one scalar function of t,
 *
 *   sigma2 t^2 sum_m ||F_m||^2 + sum_k w_k^2 sum_{m,i} ( (x + nu_k)^2 + x l ) / (l + x + nu_k)^2
 *
 * (docs/imperfect-knowledge.md). It is found on a logarithmic grid and refined by golden section. For R != I the
 * answers are those for R = I, and their misalignments count as if they were multiples of the identity,
 * E_km = -w_k e_km I: a guess of how they add up. The amplitude 0 is a stationary point of the design problem, so
 * iterative schemes must not start there.
 */
export function bestAmplitude(problem: TransceiverProblem, basis: ComplexStack): number {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams, weights } = problem;
  const modes = subcarriers * streams;
  const gains = new Float64Array(devices * modes);
  const left = new Float64Array(2 * nt * streams);
  const right = new Float64Array(2 * streams * streams);
  const singular = new Float64Array(streams);
  const svdWork = kernel.createJacobiSvdWorkspace(nt, streams);
  let largest = 0;
  for (let k = 0; k < devices; k++) {
    for (let m = 0; m < subcarriers; m++) {
      const h = (k * subcarriers + m) * 2 * nr * nt;
      kernel.multiplyConjugateLeft(
        left,
        0,
        problem.channel,
        h,
        basis.data,
        m * 2 * nr * streams,
        nt,
        nr,
        streams,
      );
      kernel.jacobiSvd(left, 0, left, 0, singular, 0, right, 0, svdWork);
      for (let i = 0; i < streams; i++) {
        const gain = singular[i]! ** 2;
        gains[k * modes + m * streams + i] = gain;
        largest = Math.max(largest, gain * problem.power[k]!);
      }
    }
  }
  const norm = kernel.squaredNorm(basis.data, 0, subcarriers * nr * streams);
  const { correlation, errorVariance } = problem;
  const norms = Float64Array.from({ length: subcarriers }, (_, m) =>
    kernel.squaredNorm(basis.data, m * 2 * nr * streams, nr * streams),
  );
  const moment = (k: number, j: number): number =>
    correlation === undefined ? (k === j ? 1 : 0) : correlation[k * devices + j]!;
  let squaredWeights = 0; // w^T R w
  for (let k = 0; k < devices; k++) {
    for (let j = 0; j < devices; j++) squaredWeights += moment(k, j) * weights[k]! * weights[j]!;
  }
  // beyond this amplitude the noise alone costs more than sending nothing at all
  const highest = Math.sqrt((modes * squaredWeights) / (problem.noiseVariance * norm));
  if (largest === 0 || !(highest > 0)) return highest > 0 ? highest : 1;
  const scaled = new Float64Array(modes);
  const offsets = new Float64Array(modes);
  const missed = new Float64Array(devices * subcarriers); // sum_i of the part of w_k that mode i misses
  const cost = (logAmplitude: number): number => {
    const t2 = Math.exp(2 * logAmplitude);
    let total = problem.noiseVariance * t2 * norm;
    missed.fill(0);
    for (let k = 0; k < devices; k++) {
      const uncertainty = t2 * (errorVariance?.[k] ?? 0);
      for (let i = 0; i < modes; i++) {
        scaled[i] = t2 * gains[k * modes + i]!;
        offsets[i] = scaled[i]! + (uncertainty > 0 ? uncertainty * norms[Math.floor(i / streams)]! : 0);
      }
      const w = weights[k]!;
      const nu = powerMultiplier(scaled, offsets, modes, w, problem.power[k]!);
      const own = w * w * moment(k, k);
      for (let i = 0; i < modes; i++) {
        const l = scaled[i]!;
        const extra = offsets[i]! - l;
        const here = l + extra + nu;
        const share = l > 0 && nu < Number.POSITIVE_INFINITY ? (extra + nu) / here : 1;
        total += own * share * share;
        if (extra > 0 && share < 1) total += own * extra * (l / here / here);
        missed[k * subcarriers + Math.floor(i / streams)]! += share;
      }
    }
    if (correlation === undefined) return total;
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < k; j++) {
        const shared = (2 * moment(k, j) * weights[k]! * weights[j]!) / streams;
        if (shared === 0) continue;
        for (let m = 0; m < subcarriers; m++) {
          total += shared * missed[k * subcarriers + m]! * missed[j * subcarriers + m]!;
        }
      }
    }
    return total;
  };
  const top = Math.log(highest);
  const bottom = top - 0.5 * Math.log1p((devices * largest) / problem.noiseVariance) - 3;
  const points = 24;
  let best = top;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= points; i++) {
    const x = bottom + ((top - bottom) * i) / points;
    const value = cost(x);
    if (value < bestCost) {
      best = x;
      bestCost = value;
    }
  }
  const width = (top - bottom) / points;
  return Math.exp(goldenSection(cost, best - width, best + width, 20));
}

/** Minimiser of a unimodal function on [low, high] after the given number of section steps. */
export function goldenSection(f: (x: number) => number, low: number, high: number, steps: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let a = high - ratio * (high - low);
  let b = low + ratio * (high - low);
  let fa = f(a);
  let fb = f(b);
  for (let i = 0; i < steps; i++) {
    if (fa <= fb) {
      high = b;
      b = a;
      fb = fa;
      a = high - ratio * (high - low);
      fa = f(a);
    } else {
      low = a;
      a = b;
      fa = fb;
      b = low + ratio * (high - low);
      fb = f(b);
    }
  }
  return fa <= fb ? a : b;
}
