import type { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { powerMultiplier } from "./secular.ts";
import type { TransceiverProblem } from "./updates.ts";

/**
 * The best common amplitude t of the receive beamformers t F_m: min over t of the MSE that is left when every
 * device then answers with its best transmit beamformer. Given the singular values s_i of H_km^H F_m this is
 *
 *   sigma2 t^2 sum_m ||F_m||^2 + sum_k w_k^2 sum_{m,i} ( nu_k / (t^2 s_i^2 + nu_k) )^2,
 *
 * one scalar function of t. It is found on a logarithmic grid and refined by golden section. The amplitude 0
 * is a stationary point of the design problem, so iterative schemes must not start there.
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
  const squaredWeights = weights.reduce((sum, w) => sum + w * w, 0);
  // beyond this amplitude the noise alone costs more than sending nothing at all
  const highest = Math.sqrt((modes * squaredWeights) / (problem.noiseVariance * norm));
  if (largest === 0 || !(highest > 0)) return highest > 0 ? highest : 1;
  const scaled = new Float64Array(modes);
  const cost = (logAmplitude: number): number => {
    const t2 = Math.exp(2 * logAmplitude);
    let total = problem.noiseVariance * t2 * norm;
    for (let k = 0; k < devices; k++) {
      for (let i = 0; i < modes; i++) scaled[i] = t2 * gains[k * modes + i]!;
      const w = weights[k]!;
      const nu = powerMultiplier(scaled, scaled, modes, w, problem.power[k]!);
      for (let i = 0; i < modes; i++) {
        const missed = scaled[i]! > 0 ? (nu === Number.POSITIVE_INFINITY ? 1 : nu / (scaled[i]! + nu)) : 1;
        total += (w * missed) ** 2;
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
function goldenSection(f: (x: number) => number, low: number, high: number, steps: number): number {
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
