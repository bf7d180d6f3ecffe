import * as kernel from "../linalg/kernels/index.ts";
import { powerMultiplier } from "./secular.ts";

/** The sizes and data of one design problem; every buffer is interleaved complex, row-major. */
export interface TransceiverProblem {
  /** K */
  readonly devices: number;
  /** M */
  readonly subcarriers: number;
  /** N_r */
  readonly receiveAntennas: number;
  /** N_t */
  readonly transmitAntennas: number;
  /** S <= min(N_t, N_r) */
  readonly streams: number;
  /** H, [K, M, Nr, Nt] */
  readonly channel: Float64Array;
  /** w, K entries summing to 1 */
  readonly weights: Float64Array;
  /** P, K entries, summed over the subcarriers */
  readonly power: Float64Array;
  /** sigma2 > 0 */
  readonly noiseVariance: number;
}

/** Exact block updates of the MSE (independent unit-power symbols, R = I) on buffers owned by the caller. */
export interface BlockUpdates {
  /** Writes the best transmit beamformers [K, M, Nt, S] for the given receive beamformers [M, Nr, S]. */
  transmit(transmit: Float64Array, receive: Float64Array): void;
  /** Writes the best receive beamformers for the given transmit beamformers; returns the MSE of the pair. */
  receive(receive: Float64Array, transmit: Float64Array): number;
  /** MSE of any pair. */
  mse(receive: Float64Array, transmit: Float64Array): number;
}

/** Singular values below this fraction of the largest are rounding noise of a rank-deficient product. */
const RANK_TOLERANCE = 1e-14;

/**
 * The block updates of docs/theory.md, section 3:
 *
 *   A_m = C_m^{-1} sum_k w_k H_km B_km,   C_m = sum_k H_km B_km B_km^H H_km^H + sigma2 I   (Cholesky),
 *   B_km = w_k G (G^H G + nu_k I)^{-1},   G = H_km^H A_m,
 *
 * with nu_k >= 0 the multiplier of the device's budget, shared by its subcarriers. G = U s V^H by one-sided
 * Jacobi, so that B = w U diag(s / (s^2 + nu)) V^H and rank-deficient G get the minimum-norm solution.
 *
 * Allocates its workspace once; the updates allocate nothing.
 */
export function createBlockUpdates(problem: TransceiverProblem): BlockUpdates {
  const { devices, subcarriers, channel, weights, power, noiseVariance } = problem;
  const nr = problem.receiveAntennas;
  const nt = problem.transmitAntennas;
  const s = problem.streams;
  const channelSize = 2 * nr * nt;
  const receiveSize = 2 * nr * s;
  const transmitSize = 2 * nt * s;

  // transmit side, one device at a time: G = U s V^H of every subcarrier
  const left = new Float64Array(subcarriers * transmitSize);
  const right = new Float64Array(subcarriers * 2 * s * s);
  const singular = new Float64Array(subcarriers * s);
  const squared = new Float64Array(subcarriers * s);
  const scaled = new Float64Array(transmitSize);
  const svdWork = kernel.createJacobiSvdWorkspace(nt, s);
  // receive side, one subcarrier at a time: V_k = H_k B_k of every device
  const received = new Float64Array(devices * receiveSize);
  const covariance = new Float64Array(2 * nr * nr);
  const misalignment = new Float64Array(2 * s * s);

  function transmit(out: Float64Array, receive: Float64Array): void {
    for (let k = 0; k < devices; k++) {
      let largest = 0;
      for (let m = 0; m < subcarriers; m++) {
        const h = (k * subcarriers + m) * channelSize;
        const u = m * transmitSize;
        kernel.multiplyConjugateLeft(left, u, channel, h, receive, m * receiveSize, nt, nr, s);
        kernel.jacobiSvd(left, u, left, u, singular, m * s, right, m * 2 * s * s, svdWork);
        largest = Math.max(largest, singular[m * s]!);
      }
      for (let i = 0; i < singular.length; i++) {
        if (singular[i]! <= RANK_TOLERANCE * largest) singular[i] = 0;
        squared[i] = singular[i]! * singular[i]!;
      }
      const w = weights[k]!;
      const nu = powerMultiplier(squared, squared.length, w, power[k]!);
      for (let m = 0; m < subcarriers; m++) {
        const u = m * transmitSize;
        for (let col = 0; col < s; col++) {
          const value = singular[m * s + col]!;
          const gain = value > 0 ? (w * value) / (value * value + nu) : 0;
          for (let row = 0; row < nt; row++) {
            const i = 2 * (row * s + col);
            scaled[i] = gain * left[u + i]!;
            scaled[i + 1] = gain * left[u + i + 1]!;
          }
        }
        const b = (k * subcarriers + m) * transmitSize;
        kernel.multiplyConjugateRight(out, b, scaled, 0, right, m * 2 * s * s, nt, s, s);
      }
    }
  }

  function receive(out: Float64Array, transmitted: Float64Array): number {
    let total = 0;
    for (let m = 0; m < subcarriers; m++) {
      const a = m * receiveSize;
      covariance.fill(0);
      for (let i = 0; i < nr; i++) covariance[2 * i * (nr + 1)] = noiseVariance;
      out.fill(0, a, a + receiveSize);
      for (let k = 0; k < devices; k++) {
        const v = k * receiveSize;
        superpose(m, k, transmitted);
        kernel.addHermitianOuter(covariance, 0, received, v, nr, s, 1);
        kernel.axpy(out, a, received, v, nr * s, weights[k]!);
      }
      kernel.choleskyFactor(covariance, 0, nr);
      kernel.choleskySolve(covariance, 0, nr, out, a, s);
      total += errorAt(out, m);
    }
    return total;
  }

  function mse(receiveBeams: Float64Array, transmitted: Float64Array): number {
    let total = 0;
    for (let m = 0; m < subcarriers; m++) {
      for (let k = 0; k < devices; k++) superpose(m, k, transmitted);
      total += errorAt(receiveBeams, m);
    }
    return total;
  }

  /** received[k] = H_km B_km */
  function superpose(m: number, k: number, transmitted: Float64Array): void {
    const index = k * subcarriers + m;
    const h = index * channelSize;
    kernel.multiply(received, k * receiveSize, channel, h, transmitted, index * transmitSize, nr, nt, s);
  }

  /** MSE_m = sum_k ||A_m^H V_k - w_k I||^2 + sigma2 ||A_m||^2 for the V_k in `received`. */
  function errorAt(receiveBeams: Float64Array, m: number): number {
    const a = m * receiveSize;
    let sum = noiseVariance * kernel.squaredNorm(receiveBeams, a, nr * s);
    for (let k = 0; k < devices; k++) {
      kernel.multiplyConjugateLeft(misalignment, 0, receiveBeams, a, received, k * receiveSize, s, nr, s);
      for (let i = 0; i < s; i++) misalignment[2 * i * (s + 1)]! -= weights[k]!;
      sum += kernel.squaredNorm(misalignment, 0, s * s);
    }
    return sum;
  }

  return { transmit, receive, mse };
}
