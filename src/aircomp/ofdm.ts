import { randomStream } from "../core/index.ts";
import { createTransform, type Transform } from "./dft.ts";

/**
 * OFDM symbols as samples: unitary inverse transform and cyclic prefix, and back. Buffers are interleaved (re, im);
 * subcarrier signals are [N_sym, M, antennas], samples are [N_sym (M + prefix), antennas].
 */
export interface Ofdm {
  /** M */
  readonly subcarriers: number;
  /** Samples of the cyclic prefix, 0 to M. */
  readonly prefix: number;
  /** M + prefix, samples of one OFDM symbol. */
  readonly length: number;
  readonly transform: Transform;
  /** Workspaces of one symbol on one antenna. */
  readonly frequency: Float64Array;
  readonly time: Float64Array;
}

/** @param prefix whole number from 0 to `subcarriers` */
export function createOfdm(subcarriers: number, prefix: number): Ofdm {
  return {
    subcarriers,
    prefix,
    length: subcarriers + prefix,
    transform: createTransform(subcarriers),
    frequency: new Float64Array(2 * subcarriers),
    time: new Float64Array(2 * subcarriers),
  };
}

/**
 * Samples of `symbols` OFDM symbols, x[u] = M^(-1/2) sum_m X_m exp(2 pi i m u / M), u = 0 .. M - 1, the last `prefix`
 * of them repeated in front.
 *
 * @param out [N_sym (M + prefix), antennas]
 * @param carriers [N_sym, M, antennas]
 */
export function modulate(
  out: Float64Array,
  carriers: Float64Array,
  ofdm: Ofdm,
  antennas: number,
  symbols: number,
): void {
  const { subcarriers, prefix, length, transform, frequency, time } = ofdm;
  const unitary = Math.sqrt(subcarriers);
  const repeated = subcarriers - prefix;
  const step = 2 * antennas;
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let a = 0; a < antennas; a++) {
      gather(frequency, carriers, symbol * subcarriers, antennas, a, subcarriers);
      transform.inverse(time, frequency);
      let target = 2 * ((symbol * length + prefix) * antennas + a);
      for (let u = 0; u < subcarriers; u++, target += step) {
        out[target] = unitary * time[2 * u]!;
        out[target + 1] = unitary * time[2 * u + 1]!;
      }
      target = 2 * (symbol * length * antennas + a);
      for (let u = repeated; u < subcarriers; u++, target += step) {
        out[target] = unitary * time[2 * u]!;
        out[target + 1] = unitary * time[2 * u + 1]!;
      }
    }
  }
}

/**
 * Removes the prefixes and transforms back, Y_m = M^(-1/2) sum_u y[u] exp(-2 pi i m u / M).
 *
 * @param out [N_sym, M, antennas]
 * @param samples [N_sym (M + prefix), antennas]
 */
export function demodulate(
  out: Float64Array,
  samples: Float64Array,
  ofdm: Ofdm,
  antennas: number,
  symbols: number,
): void {
  const { subcarriers, prefix, length, transform, frequency, time } = ofdm;
  const unitary = 1 / Math.sqrt(subcarriers);
  const step = 2 * antennas;
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let a = 0; a < antennas; a++) {
      gather(time, samples, symbol * length + prefix, antennas, a, subcarriers);
      transform.forward(frequency, time);
      let target = 2 * (symbol * subcarriers * antennas + a);
      for (let m = 0; m < subcarriers; m++, target += step) {
        out[target] = unitary * frequency[2 * m]!;
        out[target + 1] = unitary * frequency[2 * m + 1]!;
      }
    }
  }
}

/**
 * The receiver noise of the subcarrier level, CN(0, sigma2) per antenna, drawn subcarrier by subcarrier.
 *
 * @param out [N_sym, M, antennas]
 */
export function drawCarrierNoise(
  out: Float64Array,
  subcarriers: number,
  antennas: number,
  symbols: number,
  noiseVariance: number,
  seed: number,
): void {
  const stream = randomStream(seed, "noise");
  const drawn = new Float64Array(2 * antennas);
  for (let m = 0; m < subcarriers; m++) {
    for (let symbol = 0; symbol < symbols; symbol++) {
      stream.fillComplexNormal(drawn, noiseVariance);
      out.set(drawn, 2 * (symbol * subcarriers + m) * antennas);
    }
  }
}

/**
 * Adds receiver noise, CN(0, sigma2) per sample and antenna. In the window of the receiver it is the unitary inverse
 * transform of the draws of the subcarrier level (white again), so that both levels see the same noise; in the
 * prefix, which the receiver drops, it is drawn from a stream of its own.
 *
 * @param samples [N_sym (M + prefix), antennas], noise is added to it
 */
export function addSampleNoise(
  samples: Float64Array,
  ofdm: Ofdm,
  antennas: number,
  symbols: number,
  noiseVariance: number,
  seed: number,
): void {
  const { subcarriers, prefix, length, transform, frequency, time } = ofdm;
  const carriers = new Float64Array(2 * symbols * subcarriers * antennas);
  drawCarrierNoise(carriers, subcarriers, antennas, symbols, noiseVariance, seed);
  const unitary = Math.sqrt(subcarriers);
  const step = 2 * antennas;
  const stream = randomStream(seed, "prefix-noise");
  const drawn = new Float64Array(step);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let a = 0; a < antennas; a++) {
      gather(frequency, carriers, symbol * subcarriers, antennas, a, subcarriers);
      transform.inverse(time, frequency);
      let target = 2 * ((symbol * length + prefix) * antennas + a);
      for (let u = 0; u < subcarriers; u++, target += step) {
        samples[target]! += unitary * time[2 * u]!;
        samples[target + 1]! += unitary * time[2 * u + 1]!;
      }
    }
    let target = symbol * length * step;
    for (let u = 0; u < prefix; u++) {
      stream.fillComplexNormal(drawn, noiseVariance);
      for (let i = 0; i < step; i++, target++) samples[target]! += drawn[i]!;
    }
  }
}

/** `count` complex numbers of one antenna, from row `first` on. */
function gather(
  out: Float64Array,
  rows: Float64Array,
  first: number,
  antennas: number,
  antenna: number,
  count: number,
): void {
  let source = 2 * (first * antennas + antenna);
  for (let i = 0; i < count; i++, source += 2 * antennas) {
    out[2 * i] = rows[source]!;
    out[2 * i + 1] = rows[source + 1]!;
  }
}
