import * as kernel from "../linalg/kernels/index.ts";
import { checkTrueChannel, type TrueChannel } from "./channel.ts";
import { createTransform } from "./dft.ts";

/** Impulse response of one device: h[l], l = 0 .. count - 1, at the rate of the samples. */
export interface ImpulseResponse {
  readonly count: number;
  /** [count, Nt, Nr]: every tap transposed, as the convolution of rows of samples needs it. */
  readonly taps: Float64Array;
}

/** Trailing taps are left out while their norm is at most this share of the norm of the whole response. */
const NEGLIGIBLE = 2 ** -46;

/** Samples that are convolved at a time: what is written stays in the cache for all taps. */
const BLOCK = 64;

/**
 * Impulse responses of all devices, the inverse transform of the channel over the subcarriers,
 *
 *   h_k[l] = (1/M) sum_m H_km exp(2 pi i l m / M),   l = 0 .. M - 1.
 *
 * Trailing taps that are rounding errors are left out: as many as have together a Frobenius norm of at most 2^-46
 * (1.4e-14) times that of the response. That is above the rounding of two transforms and far below
 * what double precision leaves of a sum over the devices.
 */
export function impulseResponses(channel: TrueChannel): ImpulseResponse[] {
  checkTrueChannel(channel);
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const transform = createTransform(subcarriers);
  const frequency = new Float64Array(2 * subcarriers);
  const time = new Float64Array(2 * subcarriers);
  const size = nr * nt;
  const { data } = channel.matrices;
  return Array.from({ length: devices }, (_, k) => {
    const taps = new Float64Array(2 * subcarriers * size);
    for (let row = 0; row < nr; row++) {
      for (let col = 0; col < nt; col++) {
        for (let m = 0; m < subcarriers; m++) {
          const source = 2 * ((k * subcarriers + m) * size + row * nt + col);
          frequency[2 * m] = data[source]!;
          frequency[2 * m + 1] = data[source + 1]!;
        }
        transform.inverse(time, frequency);
        for (let l = 0; l < subcarriers; l++) {
          const target = 2 * (l * size + col * nr + row);
          taps[target] = time[2 * l]!;
          taps[target + 1] = time[2 * l + 1]!;
        }
      }
    }
    const count = significantTaps(taps, subcarriers, 2 * size);
    return { count, taps: taps.slice(0, 2 * count * size) };
  });
}

function significantTaps(taps: Float64Array, length: number, width: number): number {
  // in units of the largest entry, so that squares do not vanish
  const largest = kernel.largestPart(taps, 0, taps.length / 2);
  if (largest === 0) return 1;
  const energies = new Float64Array(length);
  let total = 0;
  for (let l = 0; l < length; l++) {
    for (let i = l * width; i < (l + 1) * width; i++) energies[l]! += (taps[i]! / largest) ** 2;
    total += energies[l]!;
  }
  let count = length;
  let left = 0;
  while (count > 1) {
    left += energies[count - 1]!;
    if (left > NEGLIGIBLE ** 2 * total) break;
    count--;
  }
  return count;
}

/**
 * The shortest cyclic prefix with which no symbol of a punctual device disturbs the next one: the taps of the longest
 * impulse response less one, in samples.
 *
 * @throws InputError unless the channel is a true one.
 */
export function requiredPrefix(channel: TrueChannel): number {
  return longestResponse(impulseResponses(channel)) - 1;
}

export function longestResponse(responses: readonly ImpulseResponse[]): number {
  return responses.reduce((most, { count }) => Math.max(most, count), 1);
}

/**
 * Linear convolution, added to what is there: received[t] += sum_l h[l] sent[t - delay - l] for the `samples` samples of
 * the round; before and after the round the device is silent.
 *
 * @param received [samples, Nr]
 * @param sent [samples, Nt]
 * @param delay whole samples, negative for an early device
 */
export function convolve(
  received: Float64Array,
  sent: Float64Array,
  { count, taps }: ImpulseResponse,
  nr: number,
  nt: number,
  samples: number,
  delay: number,
): void {
  for (let block = 0; block < samples; block += BLOCK) {
    const last = Math.min(samples, block + BLOCK);
    for (let l = 0; l < count; l++) {
      const shift = delay + l;
      const from = Math.max(block, shift);
      const to = Math.min(last, samples + shift);
      if (to <= from) continue;
      // rows of samples times the transposed tap
      const out = 2 * nr * from;
      const source = 2 * nt * (from - shift);
      const tap = 2 * l * nr * nt;
      kernel.multiply(received, out, sent, source, taps, tap, to - from, nt, nr, 1, true);
    }
  }
}
