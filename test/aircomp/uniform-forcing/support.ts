import { type UniformForcingResult, uniformForcing } from "../../../src/aircomp/uniform-forcing/index.ts";
import type { TransceiverProblem } from "../../../src/aircomp/updates.ts";
import { randomStream } from "../../../src/core/index.ts";
import { inverse, multiply, multiplyConjugateLeft } from "../../../src/linalg/index.ts";

export interface Sizes {
  readonly devices: number;
  readonly subcarriers?: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas?: number;
  readonly streams?: number;
}

/** CN(0, 1) channels, equal weights, unit power and noise. */
export function randomProblem(
  { devices, subcarriers = 1, receiveAntennas, transmitAntennas = 1, streams = 1 }: Sizes,
  seed: number,
): TransceiverProblem {
  const channel = new Float64Array(2 * devices * subcarriers * receiveAntennas * transmitAntennas);
  randomStream(seed, "uniform-forcing-test").fillComplexNormal(channel);
  return {
    devices,
    subcarriers,
    receiveAntennas,
    transmitAntennas,
    streams,
    channel,
    weights: new Float64Array(devices).fill(1 / devices),
    power: new Float64Array(devices).fill(1),
    noiseVariance: 1,
  };
}

export function solve(
  problem: TransceiverProblem,
  effort: "fast" | "default" | "thorough" = "default",
): UniformForcingResult {
  return uniformForcing(problem, { effort, seed: 1 });
}

/** H_km */
export function channelOf(
  p: TransceiverProblem,
  k: number,
  m: number,
): { rows: number; cols: number; data: Float64Array } {
  const size = 2 * p.receiveAntennas * p.transmitAntennas;
  const at = (k * p.subcarriers + m) * size;
  return { rows: p.receiveAntennas, cols: p.transmitAntennas, data: p.channel.slice(at, at + size) };
}

/** A_m */
export function beamOf(
  p: TransceiverProblem,
  receive: Float64Array,
  m: number,
): { rows: number; cols: number; data: Float64Array } {
  const size = 2 * p.receiveAntennas * p.streams;
  return { rows: p.receiveAntennas, cols: p.streams, data: receive.slice(m * size, (m + 1) * size) };
}

/** (w_k^2 / P_k) sum_m tr((A_m^H H_km H_km^H A_m)^{-1}), by matrix inversion. */
export function gain(p: TransceiverProblem, receive: Float64Array, k: number): number {
  let total = 0;
  for (let m = 0; m < p.subcarriers; m++) {
    const g = multiplyConjugateLeft(channelOf(p, k, m), beamOf(p, receive, m));
    const z = inverse(multiplyConjugateLeft(g, g));
    for (let i = 0; i < p.streams; i++) total += z.data[2 * i * (p.streams + 1)]!;
  }
  return (p.weights[k]! ** 2 / p.power[k]!) * total;
}

/** sigma2 ||A||^2 max_k g_k(A), which does not change when A is scaled. */
export function value(p: TransceiverProblem, receive: Float64Array): number {
  let largest = 0;
  for (let k = 0; k < p.devices; k++) if (p.weights[k]! > 0) largest = Math.max(largest, gain(p, receive, k));
  return p.noiseVariance * receive.reduce((sum, x) => sum + x * x, 0) * largest;
}

/** Largest entry of A_m^H H_km B_km - w_k I over all k and m, relative to the largest weight. */
export function misalignment(p: TransceiverProblem, receive: Float64Array, transmit: Float64Array): number {
  let worst = 0;
  const size = 2 * p.transmitAntennas * p.streams;
  for (let k = 0; k < p.devices; k++) {
    for (let m = 0; m < p.subcarriers; m++) {
      const at = (k * p.subcarriers + m) * size;
      const b = { rows: p.transmitAntennas, cols: p.streams, data: transmit.slice(at, at + size) };
      const e = multiplyConjugateLeft(beamOf(p, receive, m), multiply(channelOf(p, k, m), b));
      for (let i = 0; i < p.streams; i++) e.data[2 * i * (p.streams + 1)]! -= p.weights[k]!;
      worst = Math.max(worst, ...e.data.map(Math.abs));
    }
  }
  return worst / Math.max(...p.weights);
}

/** Radiated power of device k over its budget. */
export function load(p: TransceiverProblem, transmit: Float64Array, k: number): number {
  const size = 2 * p.subcarriers * p.transmitAntennas * p.streams;
  const own = transmit.subarray(k * size, (k + 1) * size);
  return own.reduce((sum, x) => sum + x * x, 0) / p.power[k]!;
}
