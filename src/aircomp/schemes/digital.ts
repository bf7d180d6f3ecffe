import * as kernel from "../../linalg/kernels/index.ts";
import { gaussianQuantiser, MOST_BITS } from "../quantiser.ts";
import type { TransceiverProblem } from "../updates.ts";

/** Below this signal-to-noise ratio of its best mode a device is counted as sending nothing. */
const NO_RATE = 1e-6;
/** A share of the air time that is not worth having. */
const SMALLEST_SHARE = 1e-13;

/** Shares of the air time and what they are worth. */
export interface DigitalShares {
  /** f_k >= 0, sum at most 1 */
  readonly shares: number[];
  /** beta_k, bits per real number, at most 32 */
  readonly bits: number[];
}

/**
 * Shares of the air time that minimise sum_k w_k^2 R_kk D(beta_k), beta_k = f_k C_k(P_k / f_k) / (2 S M).
 *
 * In its share f_k a device is alone and sends with the power P_k / f_k, so that its mean power per OFDM symbol is
 * P_k; C_k is the capacity of all its spatial modes on all subcarriers in bits per OFDM symbol (water-filling; Tse and
 * Viswanath, Fundamentals of Wireless Communication, 5.3 and 7.1). D is convex and falls, f C(P/f) is concave and
 * rises, so that the problem is convex: one price for the air time, found by bisection, at which every device takes
 * the share at which its marginal gain is the price (docs/baselines.md).
 */
export function digitalShares(problem: TransceiverProblem): DigitalShares {
  const { devices, weights, correlation } = problem;
  const drops = Array.from(
    { length: MOST_BITS },
    (_, b) => gaussianQuantiser(b).distortion - gaussianQuantiser(b + 1).distortion,
  );
  const users = Array.from({ length: devices }, (_, k) => {
    const moment = correlation === undefined ? 1 : correlation[k * devices + k]!;
    return createUser(
      modeGains(problem, k),
      weights[k]! ** 2 * moment,
      2 * problem.streams * problem.subcarriers,
      drops,
    );
  });
  const highest = Math.max(...users.map((user) => user.highestPrice));
  let shares = users.map(() => 0);
  if (highest > 0) {
    const demand = (logPrice: number): number[] => users.map((user) => user.shareAt(Math.exp(logPrice)));
    let high = Math.log(highest);
    let low = high - 200;
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (demand(middle).reduce((sum, f) => sum + f, 0) > 1) low = middle;
      else high = middle;
    }
    shares = demand(high);
    const total = shares.reduce((sum, f) => sum + f, 0);
    if (total > 0) shares = shares.map((f) => f / total);
  }
  return { shares, bits: shares.map((f, k) => Math.min(MOST_BITS, users[k]!.rate(f))) };
}

/** P_k times the eigenvalues of H_km H_km^H / sigma2, all subcarriers together, descending; those above 0. */
function modeGains(problem: TransceiverProblem, k: number): Float64Array {
  const { subcarriers, receiveAntennas: nr, transmitAntennas: nt, channel, power, noiseVariance } = problem;
  const rank = Math.min(nr, nt);
  const singular = new Float64Array(subcarriers * rank);
  const work = kernel.createJacobiSvdWorkspace(nr, nt);
  for (let m = 0; m < subcarriers; m++) {
    const h = (k * subcarriers + m) * 2 * nr * nt;
    kernel.jacobiSingularValues(channel, h, singular, m * rank, work);
  }
  const amplitude = Math.sqrt(power[k]!) / Math.sqrt(noiseVariance);
  const gains = singular.map((s) => Math.min(1e250, (amplitude * s) ** 2));
  return gains.filter((a) => a > 0).sort((a, b) => b - a);
}

/** One device: everything is a function of the water level mu, f = 1 / sum_i (mu - 1/a_i)_+. */
interface User {
  /** Marginal gain of the smallest share. */
  readonly highestPrice: number;
  /** The share at which another part of the air time is worth the price, at most 1. */
  shareAt(price: number): number;
  /** Bits per real number in the share f. */
  rate(share: number): number;
}

function createUser(gains: Float64Array, weight: number, reals: number, drops: readonly number[]): User {
  if (!(weight > 0) || gains.length === 0 || gains[0]! < NO_RATE) {
    return { highestPrice: 0, shareAt: () => 0, rate: () => 0 };
  }
  // sums over the n strongest modes
  const count = gains.length;
  const inverses = new Float64Array(count + 1);
  const logs = new Float64Array(count + 1);
  for (let i = 0; i < count; i++) {
    inverses[i + 1] = inverses[i]! + 1 / gains[i]!;
    logs[i + 1] = logs[i]! + Math.log(gains[i]!);
  }
  const perBit = reals * Math.LN2;
  /** Number of modes above water. */
  const modes = (level: number): number => {
    let low = 1;
    let high = count;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (level * gains[middle - 1]! > 1) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  /** Water level of the share f: sum_i (mu - 1/a_i)_+ = 1/f. */
  const levelOf = (share: number): number => {
    let level = 0;
    for (let n = count; n >= 1; n--) {
      level = (1 / share + inverses[n]!) / n;
      if (level * gains[n - 1]! > 1) break;
    }
    return level;
  };
  const marginal = (level: number): number => {
    const n = modes(level);
    const power = n * level - inverses[n]!;
    const capacity = n * Math.log(level) + logs[n]!;
    const drop = drops[Math.floor(capacity / power / perBit)] ?? 0;
    return Math.max(0, (weight * drop * (capacity - power / level)) / perBit);
  };
  const bottom = Math.log(levelOf(1));
  const top = Math.log(levelOf(SMALLEST_SHARE));
  const shareOf = (logLevel: number): number => {
    const level = Math.exp(logLevel);
    const n = modes(level);
    return Math.min(1, 1 / (n * level - inverses[n]!));
  };
  return {
    highestPrice: marginal(Math.exp(top)),
    shareAt(price) {
      if (marginal(Math.exp(top)) < price) return 0;
      if (marginal(Math.exp(bottom)) >= price) return 1;
      let low = bottom;
      let high = top;
      for (let i = 0; i < 50; i++) {
        const middle = (low + high) / 2;
        if (marginal(Math.exp(middle)) < price) low = middle;
        else high = middle;
      }
      return shareOf(high);
    },
    rate(share) {
      if (!(share > 0)) return 0;
      const level = levelOf(share);
      const n = modes(level);
      return Math.max(0, (share * (n * Math.log(level) + logs[n]!)) / perBit);
    },
  };
}
