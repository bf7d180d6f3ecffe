import * as kernel from "../linalg/kernels/index.ts";
import type { TrueChannel } from "./channel.ts";
import { clippingLevel, converterGain } from "./converters.ts";
import type { AnalogDesign } from "./design.ts";
import type { Moments } from "./prediction.ts";
import type { SynchronisationError } from "./synchronisation.ts";
import { SILENCE, transmitRms, type Waveform } from "./waveform.ts";

/** One round at the level of samples, as far as its errors can be foreseen. */
export interface WaveformRound {
  readonly channel: TrueChannel;
  readonly design: AnalogDesign;
  readonly weights: Float64Array;
  readonly noiseVariance: number;
  readonly waveform: Waveform;
  /** One per device. */
  readonly errors: readonly SynchronisationError[];
  /** N_sym */
  readonly symbols: number;
  readonly moments: Moments;
}

/** Beamformers with the gains of the converters in them, and all noise after combining. */
export interface ConverterEffects {
  /** [K, M, Nt, S] */
  readonly transmit: Float64Array;
  /** [M, Nr, S] */
  readonly receive: Float64Array;
  /** Of the receiver and of the converters, summed over subcarriers and streams: in the unit of sum_m MSE_m. */
  readonly noise: number;
}

/**
 * Converters as linear gains and white noise that is uncorrelated with everything (Bussgang's theorem, {@link
 * converterGain}): samples are taken as normal, which sums over many subcarriers are, and the noise as white over
 * subcarriers and antennas. Not so with few subcarriers, gradients of a few large entries, or hardly any bits.
 *
 * A device that sends less than the design's power, R_kk < 1, has as much less to fill its converters with; one that
 * sends nothing radiates nothing. What the receiver gets, and so its step, is taken in the mean; devices that disturb their neighbours count as if they did not.
 */
export function converterEffects(round: WaveformRound): ConverterEffects {
  const { channel, design, noiseVariance, waveform, errors, moments } = round;
  const { transmitConverter, receiveConverter } = waveform;
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const { streams } = design;
  const transmit = design.transmit.data.slice();
  const receive = design.receive.data.slice();
  const filled = moments.entries / moments.positions;
  const size = 2 * subcarriers * nt * streams;
  // variance of the converters' noise per antenna of every device
  const added = new Float64Array(devices * nt);
  if (transmitConverter !== undefined) {
    const level = clippingLevel(transmitConverter);
    for (let k = 0; k < devices; k++) {
      const beams = transmit.subarray(k * size, (k + 1) * size);
      const rms = transmitRms(beams, subcarriers, nt, streams);
      const share = Math.sqrt(moments.correlation[k]![k]! * filled);
      if (!(share > SILENCE)) continue;
      const { gain, noise } = converterGain(transmitConverter.bits, level / share);
      for (let i = 0; i < beams.length; i++) beams[i]! *= gain;
      for (let a = 0; a < nt; a++) added[k * nt + a] = 2 * noise * (share * rms[a]!) ** 2;
    }
  }
  const adc =
    receiveConverter === undefined
      ? { gain: 1, noise: 0 }
      : converterGain(receiveConverter.bits, clippingLevel(receiveConverter));
  for (let i = 0; i < receive.length; i++) receive[i]! *= adc.gain;

  let noise = 0;
  // mean power of a sample of every antenna of the server, times M
  const arriving = new Float64Array(nr);
  const arrived = new Float64Array(2 * nr * streams);
  const mixture = new Float64Array(2 * devices * nr * streams);
  const weighted = new Float64Array(2 * streams * nt);
  for (let m = 0; m < subcarriers; m++) {
    const beam = receive.subarray(2 * m * nr * streams, 2 * (m + 1) * nr * streams);
    noise += noiseVariance * kernel.squaredNorm(beam, 0, nr * streams);
    for (let k = 0; k < devices; k++) {
      const h = channel.matrices.at(k, m).data;
      kernel.multiplyConjugateLeft(weighted, 0, beam, 0, h, 0, streams, nr, nt);
      for (let a = 0; a < nt; a++) {
        const variance = added[k * nt + a]!;
        if (variance === 0) continue;
        for (let s = 0; s < streams; s++) {
          noise += variance * kernel.squaredNorm(weighted, 2 * (s * nt + a), 1);
        }
        for (let r = 0; r < nr; r++) arriving[r]! += variance * kernel.squaredNorm(h, 2 * (r * nt + a), 1);
      }
      if (adc.noise === 0) continue;
      kernel.multiply(arrived, 0, h, 0, transmit, (k * subcarriers + m) * 2 * nt * streams, nr, nt, streams);
      const { delay, phase } = errors[k]!;
      const angle = phase - (2 * Math.PI * ((m * delay) % subcarriers)) / subcarriers;
      mixture.fill(0, 2 * k * nr * streams, 2 * (k + 1) * nr * streams);
      kernel.axpyComplex(
        mixture,
        2 * k * nr * streams,
        arrived,
        0,
        nr * streams,
        Math.cos(angle),
        Math.sin(angle),
      );
    }
    if (adc.noise === 0) continue;
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < devices; j++) {
        const shared = moments.correlation[k]![j]! * filled;
        for (let r = 0; r < nr; r++) {
          const [x, y] = [2 * (k * nr + r) * streams, 2 * (j * nr + r) * streams];
          arriving[r]! += shared * kernel.realInner(mixture, x, mixture, y, streams);
        }
      }
    }
  }
  if (adc.noise > 0) {
    const gains = new Float64Array(nr);
    for (let i = 0, row = 0; i < design.receive.data.length; i += 2 * streams, row++) {
      gains[row % nr]! += kernel.squaredNorm(design.receive.data, i, streams);
    }
    for (let r = 0; r < nr; r++) {
      noise += adc.noise * (arriving[r]! / subcarriers + noiseVariance) * gains[r]!;
    }
  }
  return { transmit, receive, noise };
}
