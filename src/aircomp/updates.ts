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
/** Below this the square leaves double precision. */
const SMALLEST = 1e-150;

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
  const rightSize = 2 * s * s;
  const width = devices * s;

  // The devices of a subcarrier stand side by side, so that one product serves them all:
  // [H_1m ... H_Km], Nr x K Nt, and the products G_km = H_km^H A_m below each other, K Nt x S
  const sideBySide = new Float64Array(channel.length);
  for (let k = 0; k < devices; k++) {
    for (let m = 0; m < subcarriers; m++) {
      for (let row = 0; row < nr; row++) {
        const from = (k * subcarriers + m) * channelSize + 2 * row * nt;
        const to = 2 * ((m * nr + row) * devices + k) * nt;
        sideBySide.set(channel.subarray(from, from + 2 * nt), to);
      }
    }
  }
  // transmit side: G_km = U s V^H
  const left = new Float64Array(subcarriers * devices * transmitSize);
  const right = new Float64Array(subcarriers * rightSize);
  const singular = new Float64Array(subcarriers * s);
  const squared = new Float64Array(subcarriers * s);
  const scaled = new Float64Array(transmitSize);
  const svdWork = kernel.createJacobiSvdWorkspace(nt, s);
  // receive side, one subcarrier at a time: [H_1 B_1 ... H_K B_K], Nr x K S, and A^H times it, S x K S
  const single = new Float64Array(receiveSize);
  const received = new Float64Array(2 * nr * width);
  const combined = new Float64Array(2 * s * width);
  const covariance = new Float64Array(2 * nr * nr);

  function transmit(out: Float64Array, receive: Float64Array): void {
    for (let m = 0; m < subcarriers; m++) {
      const h = m * devices * channelSize;
      const g = m * devices * transmitSize;
      kernel.multiplyConjugateLeft(left, g, sideBySide, h, receive, m * receiveSize, devices * nt, nr, s);
    }
    for (let k = 0; k < devices; k++) {
      let largest = 0;
      for (let m = 0; m < subcarriers; m++) {
        const u = (m * devices + k) * transmitSize;
        kernel.jacobiSvd(left, u, left, u, singular, m * s, right, m * rightSize, svdWork);
        largest = Math.max(largest, singular[m * s]!);
      }
      for (let i = 0; i < singular.length; i++) {
        if (singular[i]! <= RANK_TOLERANCE * largest || singular[i]! < SMALLEST) singular[i] = 0;
        squared[i] = singular[i]! * singular[i]!;
      }
      const w = weights[k]!;
      const nu = powerMultiplier(squared, squared.length, w, power[k]!);
      for (let m = 0; m < subcarriers; m++) {
        const u = (m * devices + k) * transmitSize;
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
        kernel.multiplyConjugateRight(out, b, scaled, 0, right, m * rightSize, nt, s, s);
      }
    }
  }

  function receive(out: Float64Array, transmitted: Float64Array): number {
    let total = 0;
    for (let m = 0; m < subcarriers; m++) {
      const a = m * receiveSize;
      out.fill(0, a, a + receiveSize);
      for (let k = 0; k < devices; k++) {
        superpose(m, k, transmitted);
        kernel.axpy(out, a, single, 0, nr * s, weights[k]!);
      }
      covariance.fill(0);
      for (let i = 0; i < nr; i++) covariance[2 * i * (nr + 1)] = noiseVariance;
      kernel.addHermitianOuter(covariance, 0, received, 0, nr, width, 1);
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

  /** single = H_km B_km, also copied to its place in `received` */
  function superpose(m: number, k: number, transmitted: Float64Array): void {
    const index = k * subcarriers + m;
    kernel.multiply(single, 0, channel, index * channelSize, transmitted, index * transmitSize, nr, nt, s);
    for (let row = 0; row < nr; row++) {
      const from = 2 * row * s;
      const to = 2 * (row * width + k * s);
      for (let i = 0; i < 2 * s; i++) received[to + i] = single[from + i]!;
    }
  }

  /** MSE_m = sum_k ||A_m^H H_km B_km - w_k I||^2 + sigma2 ||A_m||^2 for what is in `received`. */
  function errorAt(receiveBeams: Float64Array, m: number): number {
    const a = m * receiveSize;
    kernel.multiplyConjugateLeft(combined, 0, receiveBeams, a, received, 0, s, nr, width);
    for (let k = 0; k < devices; k++) {
      for (let i = 0; i < s; i++) combined[2 * (i * width + k * s + i)]! -= weights[k]!;
    }
    return (
      noiseVariance * kernel.squaredNorm(receiveBeams, a, nr * s) + kernel.squaredNorm(combined, 0, s * width)
    );
  }

  return { transmit, receive, mse };
}
