import type { ComplexStack } from "../../linalg/index.ts";
import * as kernel from "../../linalg/kernels/index.ts";
import type { SchemeContext, SchemeResult } from "../scheme.ts";
import { goldenSection } from "../start.ts";
import { receiveSubspace } from "../subspaces.ts";
import { createBlockUpdates, type TransceiverProblem } from "../updates.ts";
import type { Beams } from "./forcing.ts";

/** One of the two inversions with its parameter at its best. */
export interface Inversion extends Beams {
  readonly variant: "regularised" | "truncated";
  /** The regulariser, or the smallest gain that is inverted; in the unit of the gains P_k s^2 / w_k^2. */
  readonly parameter: number;
}

/** A singular value below this fraction of the device's largest is rounding noise. */
const RANK_TOLERANCE = 1e-14;
/** Values of a parameter that one pass of the search tries. */
const CANDIDATES = 48;

/**
 * `channel-inversion`: every device inverts its channel behind fixed receive subspaces, up to a common factor that
 * keeps all budgets; the receiver scales. The best of regularised and truncated inversion in the subspaces `mrc` and
 * `centroid`, each with its one parameter searched (docs/baselines.md).
 */
export function channelInversionScheme(
  problem: TransceiverProblem,
  { seed, hooks }: SchemeContext,
): SchemeResult {
  let best: Inversion | undefined;
  for (const name of ["mrc", "centroid"] as const) {
    const inverter = createInverter(problem, receiveSubspace(name, problem, seed));
    for (const found of [regularisedInversion(inverter), truncatedInversion(inverter)]) {
      if (best === undefined || found.mse < best.mse) best = found;
    }
  }
  const { receive, transmit, mse, variant } = best!;
  const row = { iteration: 0, mse, variant };
  hooks.onProgress?.(row);
  return { receive, transmit, mse, iterations: 0, reason: "closed-form", rows: [row] };
}

/**
 * B_km = beta w_k G (G^H G + nu w_k^2 / P_k I)^{-1}, G = H_km^H F_m: one regulariser nu for all devices, relative to
 * what their power can do, searched on a logarithmic grid over all gains and refined by golden section.
 */
export function regularisedInversion(inverter: Inverter): Inversion {
  const { gains } = inverter;
  const responses = (nu: number) => (gain: number) => gain / (gain + nu);
  if (gains.length === 0) return { ...inverter.build(() => 0), variant: "regularised", parameter: 0 };
  const cost = (logNu: number): number => inverter.cost(responses(Math.exp(logNu)));
  const low = Math.log(gains.at(-1)!) + Math.log(1e-8);
  const high = Math.log(gains[0]!) + Math.log(1e4);
  const width = (high - low) / CANDIDATES;
  const grid = Array.from({ length: CANDIDATES + 1 }, (_, i) => low + i * width);
  const at = lowest(grid.map(cost));
  const refined = goldenSection(cost, grid[at]! - width, grid[at]! + width, 30);
  const parameter = Math.exp(cost(refined) < cost(grid[at]!) ? refined : grid[at]!);
  return { ...inverter.build(responses(parameter)), variant: "regularised", parameter };
}

/**
 * B_km = beta w_k G^+ on the modes with P_k s^2 / w_k^2 >= threshold, the others silent (Zhu, Wang, Huang, IEEE Trans.
 * Wireless Commun. 19(1), 2020, mode by mode). All thresholds are tried, or where they are many, ever finer ones.
 */
export function truncatedInversion(inverter: Inverter): Inversion {
  const { gains } = inverter;
  const responses = (threshold: number) => (gain: number) => (gain >= threshold ? 1 : 0);
  if (gains.length === 0) return { ...inverter.build(() => 0), variant: "truncated", parameter: 0 };
  let first = 0;
  let last = gains.length - 1;
  for (;;) {
    const step = Math.max(1, Math.ceil((last - first) / CANDIDATES));
    const tried: number[] = [];
    for (let i = first; i < last; i += step) tried.push(i);
    tried.push(last);
    const at = lowest(tried.map((i) => inverter.cost(responses(gains[i]!))));
    if (step === 1) {
      const parameter = gains[tried[at]!]!;
      return { ...inverter.build(responses(parameter)), variant: "truncated", parameter };
    }
    first = tried[Math.max(0, at - 1)]!;
    last = tried[Math.min(tried.length - 1, at + 1)]!;
  }
}

/** Response of a mode to its gain: 1 is inversion, 0 is silence. */
type Response = (gain: number) => number;

/** Transmit beamformers by mode behind fixed receive subspaces F, with the best common factor and receive amplitude. */
export interface Inverter {
  /** Gains P_k s_kmi^2 / w_k^2 of all modes that can send, descending; s the singular values of H_km^H F_m. */
  readonly gains: readonly number[];
  /** The MSE of `build`. */
  cost(response: Response): number;
  build(response: Response): Beams;
}

export function createInverter(problem: TransceiverProblem, basis: ComplexStack): Inverter {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams: s } = problem;
  const { channel, weights, power } = problem;
  const updates = createBlockUpdates(problem);
  const blocks = devices * subcarriers;
  const left = new Float64Array(2 * blocks * nt * s);
  const right = new Float64Array(2 * blocks * s * s);
  const singular = new Float64Array(blocks * s);
  const gain = new Float64Array(blocks * s);
  const scaled = new Float64Array(2 * nt * s);
  const transmit = new Float64Array(2 * blocks * nt * s);
  const covariance = new Float64Array(2 * subcarriers * nr * nr);
  const aim = new Float64Array(2 * subcarriers * nr * s);
  const image = new Float64Array(2 * nr * s);
  const work = kernel.createJacobiSvdWorkspace(nt, s);
  for (let k = 0; k < devices; k++) {
    let largest = 0;
    for (let m = 0; m < subcarriers; m++) {
      const at = k * subcarriers + m;
      const u = 2 * at * nt * s;
      kernel.multiplyConjugateLeft(left, u, channel, 2 * at * nr * nt, basis.data, 2 * m * nr * s, nt, nr, s);
      kernel.jacobiSvd(left, u, left, u, singular, at * s, right, 2 * at * s * s, work);
      largest = Math.max(largest, singular[at * s]!);
    }
    for (let i = k * subcarriers * s; i < (k + 1) * subcarriers * s; i++) {
      const sends = weights[k]! > 0 && singular[i]! > RANK_TOLERANCE * largest;
      const root = sends ? (Math.sqrt(power[k]!) / weights[k]!) * singular[i]! : 0;
      gain[i] = Math.min(1e300, root * root);
    }
  }
  const silence = updates.mse(new Float64Array(aim.length), transmit);

  /** Writes `transmit`: sqrt(P_k) beta U diag(response / sqrt(gain)) V^H, beta such that the largest norm is sqrt(P_k). */
  function send(response: Response): void {
    const energies = new Float64Array(devices);
    const coefficients = gain.map((g, i) => {
      const value = g > 0 ? response(g) / Math.sqrt(g) : 0;
      energies[Math.floor(i / (subcarriers * s))]! += value * value;
      return value;
    });
    const beta = 1 / Math.sqrt(energies.reduce((most, energy) => Math.max(most, energy), 0));
    for (let at = 0; at < blocks; at++) {
      const amplitude = Math.sqrt(power[Math.floor(at / subcarriers)]!);
      for (let i = 0; i < s; i++) {
        const value = coefficients[at * s + i]!;
        const factor = value > 0 ? amplitude * (beta * value) : 0;
        for (let row = 0; row < nt; row++) {
          const l = 2 * (row * s + i);
          scaled[l] = factor * left[2 * at * nt * s + l]!;
          scaled[l + 1] = factor * left[2 * at * nt * s + l + 1]!;
        }
      }
      kernel.multiplyConjugateRight(transmit, 2 * at * nt * s, scaled, 0, right, 2 * at * s * s, nt, s, s);
    }
  }

  /** Of A = c F the MSE is silence - 2 b c + a c^2: returns b and a. */
  function parabola(response: Response): { readonly a: number; readonly b: number } {
    send(response);
    updates.quadratic(covariance, aim, basis.data, transmit);
    let a = 0;
    for (let m = 0; m < subcarriers; m++) {
      kernel.multiply(image, 0, covariance, 2 * m * nr * nr, basis.data, 2 * m * nr * s, nr, nr, s);
      a += kernel.realInner(image, 0, basis.data, 2 * m * nr * s, nr * s);
    }
    return { a, b: Math.max(0, kernel.realInner(aim, 0, basis.data, 0, subcarriers * nr * s)) };
  }

  return {
    gains: Array.from(gain)
      .filter((g) => g > 0)
      .sort((x, y) => y - x),
    cost(response) {
      const { a, b } = parabola(response);
      return silence - b * (b / a);
    },
    build(response) {
      const { a, b } = parabola(response);
      const receive = basis.data.map((x) => (b / a) * x);
      return { receive, transmit: transmit.slice(), mse: updates.mse(receive, transmit) };
    },
  };
}

function lowest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value < values[best]! ? i : best), 0);
}
