import * as kernel from "../../linalg/kernels/index.ts";
import type { TransceiverProblem } from "../updates.ts";

/**
 * The zero-forcing problem of the devices that count: those of positive weight. Every channel is divided by its norm,
 * and what it loses goes into a logarithm, so that gains 120 dB apart and powers of any size do not meet in one sum:
 *
 *   log g_k = offset_k + log sum_m tr((G_km^H G_km)^{-1}),   G_km = Hhat_km^H A_m.
 */
export interface ScaledProblem {
  /** Number of devices of positive weight. */
  readonly devices: number;
  /** M */
  readonly subcarriers: number;
  /** N_r */
  readonly receiveAntennas: number;
  /** N_t */
  readonly transmitAntennas: number;
  /** S */
  readonly streams: number;
  /** Hhat_km^H, [M, devices, Nt, Nr]: the devices of a subcarrier stand below each other, one product serves them all. */
  readonly adjoint: Float64Array;
  /** log(w_k^2 / (P_k ||H_k||^2)), ||H_k||^2 summed over the subcarriers. */
  readonly offset: Float64Array;
  /** Place of each device in the caller's list. */
  readonly index: Int32Array;
  /** log of the smallest possible g_k of the unit sphere for each device alone (singleDeviceBound). */
  readonly bound: Float64Array;
  /** S dominant singular values of Hhat_km, [devices, M, S]. */
  readonly singular: Float64Array;
  /** Their left singular vectors, [devices, M, Nr, S]. */
  readonly modes: Float64Array;
  /** Devices of the caller's list that cannot be served: no power, or a channel of rank below S. */
  readonly unserved: readonly number[];
}

/** A singular value below this fraction of the largest on its subcarrier is rounding noise of a matrix of smaller rank. */
const RANK_TOLERANCE = 1e-14;

/** Divides channels by their norms, finds the devices that cannot be served, and each device's own bound. */
export function scaleProblem(problem: TransceiverProblem): ScaledProblem {
  const {
    subcarriers,
    receiveAntennas: nr,
    transmitAntennas: nt,
    streams,
    channel,
    weights,
    power,
  } = problem;
  const index = Int32Array.from(
    Array.from(weights, (_, k) => k).filter((k) => weights[k]! > 0 && k < problem.devices),
  );
  const devices = index.length;
  const size = 2 * nr * nt;
  const adjoint = new Float64Array(subcarriers * devices * size);
  const offset = new Float64Array(devices);
  const bound = new Float64Array(devices);
  const rank = Math.min(nr, nt);
  const work = kernel.createJacobiSvdWorkspace(nr, nt);
  const left = new Float64Array(2 * nr * rank);
  const right = new Float64Array(2 * nt * rank);
  const values = new Float64Array(rank);
  const singular = new Float64Array(devices * subcarriers * streams);
  const modes = new Float64Array(devices * subcarriers * 2 * nr * streams);
  const unserved: number[] = [];
  const own = new Float64Array(subcarriers * size);
  for (let j = 0; j < devices; j++) {
    const k = index[j]!;
    const from = k * subcarriers * size;
    const factor = kernel.powerOfTwoScale(kernel.largestPart(channel, from, (subcarriers * size) / 2), 0);
    for (let i = 0; i < own.length; i++) own[i] = factor * channel[from + i]!;
    const norm = Math.sqrt(kernel.squaredNorm(own, 0, own.length / 2));
    let served = norm > 0 && power[k]! > 0;
    let total = 0;
    for (let m = 0; m < subcarriers; m++) {
      if (norm > 0) kernel.scale(own, m * size, own, m * size, nr * nt, 1 / norm);
      kernel.conjugateTranspose(adjoint, (m * devices + j) * size, own, m * size, nr, nt);
      kernel.jacobiSvd(own, m * size, left, 0, values, 0, right, 0, work);
      const at = (j * subcarriers + m) * streams;
      for (let i = 0; i < streams; i++) singular[at + i] = values[i]!;
      for (let row = 0; row < nr; row++) {
        const target = 2 * (at * nr + row * streams);
        const source = 2 * row * rank;
        for (let i = 0; i < 2 * streams; i++) modes[target + i] = left[source + i]!;
      }
    }
    for (let i = 0; i < subcarriers * streams; i++) {
      const value = singular[j * subcarriers * streams + i]!;
      const largest = singular[j * subcarriers * streams + i - (i % streams)]!;
      if (!(value > RANK_TOLERANCE * largest)) served = false;
      total += 1 / value;
    }
    if (!served) unserved.push(k);
    offset[j] = 2 * Math.log(weights[k]!) - Math.log(power[k]!) - 2 * (Math.log(norm) - Math.log(factor));
    bound[j] = offset[j]! + 2 * Math.log(total);
  }
  return {
    devices,
    subcarriers,
    receiveAntennas: nr,
    transmitAntennas: nt,
    streams,
    adjoint,
    offset,
    index,
    bound,
    singular,
    modes,
    unserved,
  };
}
