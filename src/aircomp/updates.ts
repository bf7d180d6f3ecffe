import * as kernel from "../linalg/kernels/index.ts";
import { correlationFactor } from "./correlation.ts";
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
  /** R, K x K, symmetric positive semidefinite, row-major; absent: R = I */
  readonly correlation?: Float64Array;
  /** se2_k, K variances of the entries of the channel estimation error; absent: the channel is known exactly */
  readonly errorVariance?: Float64Array;
}

/** Exact block updates of the MSE on buffers owned by the caller. */
export interface BlockUpdates {
  /**
   * Writes the best transmit beamformers [K, M, Nt, S] for the given receive beamformers [M, Nr, S]. With a diagonal R
   * the devices separate; otherwise one device after the other is updated, from what `transmit` holds, or from the
   * answers for R = I where it holds zeros only. Devices whose symbols have no power (R_kk = 0) get zeros.
   */
  transmit(transmit: Float64Array, receive: Float64Array): void;
  /** Writes the best receive beamformers for the given transmit beamformers; returns the MSE of the pair. */
  receive(receive: Float64Array, transmit: Float64Array): number;
  /** MSE of any pair. */
  mse(receive: Float64Array, transmit: Float64Array): number;
  /**
   * The MSE as a quadratic of the receive beamformers, for given transmit beamformers: writes C_m into `covariance`
   * (M blocks Nr x Nr) and C_m's right side sum_kj R_kj w_j H_km B_km into `right` [M, Nr, S]; returns the MSE of
   * the pair. Its gradient in A_m is 2 (C_m A_m - right_m), its minimiser C_m^{-1} right_m.
   */
  quadratic(
    covariance: Float64Array,
    right: Float64Array,
    receive: Float64Array,
    transmit: Float64Array,
  ): number;
}

function isZero(data: Float64Array): boolean {
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) return false;
  return true;
}

/** Singular values below this fraction of the largest are rounding noise of a rank-deficient product. */
const RANK_TOLERANCE = 1e-14;
/** Below this the square leaves double precision. */
const SMALLEST = 1e-150;

/**
 * The block updates of docs/theory.md, section 3:
 *
 *   A_m = C_m^{-1} sum_kj R_kj w_j H_km B_km,
 *   C_m = sum_kj R_kj H_km B_km B_jm^H H_jm^H + (sigma2 + sum_k R_kk se2_k ||B_km||^2) I   (Cholesky),
 *   B_km = G (G^H G + (se2_k ||A_m||^2 + nu_k) I)^{-1} T_km,   G = H_km^H A_m,
 *   T_km = w_k I - sum_{j != k} (R_kj / R_kk) E_jm,
 *
 * with nu_k >= 0 the multiplier of the device's budget, shared by its subcarriers. G = U s V^H by one-sided
 * Jacobi, so that B = U diag(s / (s^2 + se2 ||A||^2 + nu)) V^H T and rank-deficient G get the minimum-norm solution.
 *
 * Allocates its workspace once; the updates allocate nothing.
 */
export function createBlockUpdates(problem: TransceiverProblem): BlockUpdates {
  const { devices, subcarriers, channel, weights, power, noiseVariance, correlation, errorVariance } =
    problem;
  const nr = problem.receiveAntennas;
  const nt = problem.transmitAntennas;
  const s = problem.streams;
  const channelSize = 2 * nr * nt;
  const receiveSize = 2 * nr * s;
  const transmitSize = 2 * nt * s;
  const squareSize = 2 * s * s;
  const width = devices * s;
  // R = L L^T, K x rank; everything below takes R from L, so that the updates and the MSE mean the same matrix
  const { rank, factor } =
    correlation === undefined
      ? { rank: 0, factor: new Float64Array(0) }
      : correlationFactor(correlation, devices);
  const moments = new Float64Array(correlation === undefined ? 0 : devices * devices);
  for (let i = 0; i < moments.length; i++) {
    const k = Math.floor(i / devices) * rank;
    const j = (i % devices) * rank;
    for (let l = 0; l < rank; l++) moments[i]! += factor[k + l]! * factor[j + l]!;
  }
  const moment = (k: number, j: number): number =>
    correlation === undefined ? (k === j ? 1 : 0) : moments[k * devices + j]!;

  const isDiagonal = moments.every((r, i) => r === 0 || i % (devices + 1) === 0);

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
  const right = new Float64Array(subcarriers * squareSize);
  const singular = new Float64Array(subcarriers * s);
  const carried = new Float64Array(subcarriers * s);
  const offsets = new Float64Array(subcarriers * s);
  const scaled = new Float64Array(transmitSize);
  const svdWork = kernel.createJacobiSvdWorkspace(nt, s);
  // with R not diagonal: E_km of all devices [M, K, S, S], and V^H T_km
  const errors = new Float64Array(correlation === undefined ? 0 : subcarriers * devices * squareSize);
  const target = new Float64Array(squareSize);
  const turned = new Float64Array(subcarriers * squareSize);
  // receive side, one subcarrier at a time: [H_1 B_1 ... H_K B_K], Nr x K S, and A^H times it, S x K S
  const single = new Float64Array(receiveSize);
  const received = new Float64Array(2 * nr * width);
  // [sum_k L_k1 X_k ... sum_k L_k,rank X_k] of [X_1 ... X_K]
  const mixed = new Float64Array(2 * Math.max(nr, s) * rank * s);
  const combined = new Float64Array(2 * s * width);
  const covariance = new Float64Array(2 * nr * nr);
  // sum_j R_kj w_j
  const aims = weights.map((w, k) =>
    correlation === undefined ? w : weights.reduce((sum, wj, j) => sum + moment(k, j) * wj, 0),
  );

  function transmit(out: Float64Array, receive: Float64Array): void {
    const coupled = correlation !== undefined && !isDiagonal;
    if (coupled && isZero(out)) {
      meetReceive(receive);
      for (let k = 0; k < devices; k++) transmitOne(k, out, receive, false);
    }
    meetReceive(receive);
    if (coupled) measureErrors(out);
    for (let k = 0; k < devices; k++) {
      if (moment(k, k) > 0) transmitOne(k, out, receive, coupled);
      else out.fill(0, k * subcarriers * transmitSize, (k + 1) * subcarriers * transmitSize);
    }
  }

  /** left = G_km = H_km^H A_m of all devices and subcarriers */
  function meetReceive(receive: Float64Array): void {
    for (let m = 0; m < subcarriers; m++) {
      const h = m * devices * channelSize;
      const g = m * devices * transmitSize;
      kernel.multiplyConjugateLeft(left, g, sideBySide, h, receive, m * receiveSize, devices * nt, nr, s);
    }
  }

  /** @param coupled whether the errors of the other devices, in `errors`, count */
  function transmitOne(k: number, out: Float64Array, receive: Float64Array, coupled: boolean): void {
    let largest = 0;
    for (let m = 0; m < subcarriers; m++) {
      const u = (m * devices + k) * transmitSize;
      kernel.jacobiSvd(left, u, left, u, singular, m * s, right, m * squareSize, svdWork);
      largest = Math.max(largest, singular[m * s]!);
    }
    const w = weights[k]!;
    const uncertainty = errorVariance?.[k] ?? 0;
    for (let m = 0; m < subcarriers; m++) {
      const extra = uncertainty > 0 ? uncertainty * kernel.squaredNorm(receive, m * receiveSize, nr * s) : 0;
      if (coupled) turnTarget(k, m);
      for (let i = 0; i < s; i++) {
        const at = m * s + i;
        if (singular[at]! <= RANK_TOLERANCE * largest || singular[at]! < SMALLEST) singular[at] = 0;
        const l = singular[at]! * singular[at]!;
        carried[at] = coupled ? l * kernel.squaredNorm(turned, m * squareSize + 2 * i * s, s) : l;
        offsets[at] = l + extra;
      }
    }
    const common = coupled ? 1 : w;
    const nu = powerMultiplier(carried, offsets, carried.length, common, power[k]!);
    for (let m = 0; m < subcarriers; m++) {
      const u = (m * devices + k) * transmitSize;
      for (let col = 0; col < s; col++) {
        const value = singular[m * s + col]!;
        const gain = value > 0 ? (common * value) / (offsets[m * s + col]! + nu) : 0;
        for (let row = 0; row < nt; row++) {
          const i = 2 * (row * s + col);
          scaled[i] = gain * left[u + i]!;
          scaled[i + 1] = gain * left[u + i + 1]!;
        }
      }
      const b = (k * subcarriers + m) * transmitSize;
      if (coupled) {
        kernel.multiply(out, b, scaled, 0, turned, m * squareSize, nt, s, s);
        updateError(k, m, nu);
      } else {
        kernel.multiplyConjugateRight(out, b, scaled, 0, right, m * squareSize, nt, s, s);
      }
    }
  }

  /** E_km = G_km^H B_km - w_k I for all devices and subcarriers. */
  function measureErrors(transmitted: Float64Array): void {
    for (let m = 0; m < subcarriers; m++) {
      for (let k = 0; k < devices; k++) {
        const e = (m * devices + k) * squareSize;
        const g = (m * devices + k) * transmitSize;
        const b = (k * subcarriers + m) * transmitSize;
        kernel.multiplyConjugateLeft(errors, e, left, g, transmitted, b, s, nt, s);
        for (let i = 0; i < s; i++) errors[e + 2 * i * (s + 1)]! -= weights[k]!;
      }
    }
  }

  /** turned = V^H T_km */
  function turnTarget(k: number, m: number): void {
    target.fill(0);
    for (let i = 0; i < s; i++) target[2 * i * (s + 1)] = weights[k]!;
    for (let j = 0; j < devices; j++) {
      const share = j === k ? 0 : -moment(k, j) / moment(k, k);
      if (share !== 0) kernel.axpy(target, 0, errors, (m * devices + j) * squareSize, s * s, share);
    }
    kernel.multiplyConjugateLeft(turned, m * squareSize, right, m * squareSize, target, 0, s, s, s);
  }

  /** E_km = V diag(s^2 / (s^2 + se2 ||A||^2 + nu)) V^H T - w_k I after the update of device k; overwrites `turned`. */
  function updateError(k: number, m: number, nu: number): void {
    for (let i = 0; i < s; i++) {
      const value = singular[m * s + i]!;
      const kept = value > 0 ? (value * value) / (offsets[m * s + i]! + nu) : 0;
      const row = m * squareSize + 2 * i * s;
      for (let j = row; j < row + 2 * s; j++) turned[j]! *= kept;
    }
    const e = (m * devices + k) * squareSize;
    kernel.multiply(errors, e, right, m * squareSize, turned, m * squareSize, s, s, s);
    for (let i = 0; i < s; i++) errors[e + 2 * i * (s + 1)]! -= weights[k]!;
  }

  function receive(out: Float64Array, transmitted: Float64Array): number {
    let total = 0;
    for (let m = 0; m < subcarriers; m++) {
      const a = m * receiveSize;
      normal(m, transmitted, covariance, 0, out);
      factorCovariance(m, transmitted, out);
      kernel.choleskySolve(covariance, 0, nr, out, a, s);
      total += errorAt(out, m, transmitted);
    }
    return total;
  }

  /** Factors C_m; where the noise is below its rounding, with a ridge at that level. */
  function factorCovariance(m: number, transmitted: Float64Array, out: Float64Array): void {
    for (let ridge = 0; kernel.choleskyFactor(covariance, 0, nr) >= 0; ) {
      normal(m, transmitted, covariance, 0, out);
      let trace = 0;
      for (let i = 0; i < nr; i++) trace += covariance[2 * i * (nr + 1)]!;
      ridge = Math.max(10 * ridge, nr * Number.EPSILON * trace);
      if (!(ridge > 0) || !Number.isFinite(ridge)) return;
      for (let i = 0; i < nr; i++) covariance[2 * i * (nr + 1)]! += ridge;
    }
  }

  function mse(receiveBeams: Float64Array, transmitted: Float64Array): number {
    let total = 0;
    for (let m = 0; m < subcarriers; m++) {
      for (let k = 0; k < devices; k++) superpose(m, k, transmitted);
      total += errorAt(receiveBeams, m, transmitted);
    }
    return total;
  }

  function quadratic(
    covariances: Float64Array,
    rights: Float64Array,
    receiveBeams: Float64Array,
    transmitted: Float64Array,
  ): number {
    let total = 0;
    for (let m = 0; m < subcarriers; m++) {
      normal(m, transmitted, covariances, m * covariance.length, rights);
      total += errorAt(receiveBeams, m, transmitted);
    }
    return total;
  }

  /** C_m at offset c of `into`, and its right side in block m of `aim`; leaves [H_1 B_1 ...] in `received`. */
  function normal(
    m: number,
    transmitted: Float64Array,
    into: Float64Array,
    c: number,
    aim: Float64Array,
  ): void {
    const a = m * receiveSize;
    aim.fill(0, a, a + receiveSize);
    for (let k = 0; k < devices; k++) {
      superpose(m, k, transmitted);
      kernel.axpy(aim, a, single, 0, nr * s, aims[k]!);
    }
    const floor = noiseVariance + uncertaintyAt(m, transmitted);
    into.fill(0, c, c + covariance.length);
    if (correlation === undefined) {
      kernel.addHermitianOuter(into, c, received, 0, nr, width, 1);
    } else {
      mix(received, nr);
      kernel.addHermitianOuter(into, c, mixed, 0, nr, rank * s, 1);
    }
    for (let i = 0; i < nr; i++) into[c + 2 * i * (nr + 1)]! += floor;
  }

  /** mixed = [sum_k L_k1 X_k, ...] for X = [X_1 ... X_K] of `rows` rows */
  function mix(x: Float64Array, rows: number): void {
    mixed.fill(0, 0, 2 * rows * rank * s);
    for (let k = 0; k < devices; k++) {
      for (let l = 0; l < rank; l++) {
        const share = factor[k * rank + l]!;
        if (share === 0) continue;
        for (let row = 0; row < rows; row++) {
          kernel.axpy(mixed, 2 * (row * rank + l) * s, x, 2 * (row * devices + k) * s, s, share);
        }
      }
    }
  }

  /** sum_k R_kk se2_k ||B_km||^2: what the estimation error adds to the noise variance. */
  function uncertaintyAt(m: number, transmitted: Float64Array): number {
    if (errorVariance === undefined) return 0;
    let sum = 0;
    for (let k = 0; k < devices; k++) {
      const b = (k * subcarriers + m) * transmitSize;
      sum += moment(k, k) * errorVariance[k]! * kernel.squaredNorm(transmitted, b, nt * s);
    }
    return sum;
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

  /** MSE_m = sum_l ||sum_k L_kl E_k||^2 + (sigma2 + sum_k R_kk se2_k ||B_k||^2) ||A_m||^2 for what is in `received`. */
  function errorAt(receiveBeams: Float64Array, m: number, transmitted: Float64Array): number {
    const a = m * receiveSize;
    kernel.multiplyConjugateLeft(combined, 0, receiveBeams, a, received, 0, s, nr, width);
    for (let k = 0; k < devices; k++) {
      for (let i = 0; i < s; i++) combined[2 * (i * width + k * s + i)]! -= weights[k]!;
    }
    const floor = noiseVariance + uncertaintyAt(m, transmitted);
    const noise = floor * kernel.squaredNorm(receiveBeams, a, nr * s);
    if (correlation === undefined) return noise + kernel.squaredNorm(combined, 0, s * width);
    mix(combined, s);
    return noise + kernel.squaredNorm(mixed, 0, s * rank * s);
  }

  return { transmit, receive, mse, quadratic };
}
