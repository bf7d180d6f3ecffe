import type { TrueChannel } from "./channel.ts";
import type { AnalogDesign } from "./design.ts";
import { addSampleNoise } from "./ofdm.ts";
import type { Gradient, Packing } from "./packing.ts";
import { type ErrorProfile, type Moments, predictDistortion } from "./prediction.ts";
import { decodeSymbols, encodeSymbols } from "./symbols.ts";
import { drawSynchronisation, isDrawn } from "./synchronisation.ts";
import {
  peakToAverage,
  prepareWaveform,
  propagate,
  radiate,
  receiveSamples,
  type WaveformOptions,
  type WaveformReport,
} from "./waveform.ts";
import { waveformProfile } from "./waveform-profile.ts";

/** What arrives of one round that was sent sample by sample. */
export interface TimeRound {
  readonly estimate: Float64Array;
  readonly distortion: { readonly design: number; readonly measured: number; readonly cap: number };
  readonly waveform: WaveformReport;
}

/** Sends one round: gradients, their packing and moments, and the seed of noise and synchronisation errors. */
export type TimeLevel = (
  gradients: readonly Gradient[],
  packing: Packing,
  moments: Moments,
  seed: number,
) => TimeRound;

/**
 * The link sample by sample (docs/time-domain-link.md): symbols, unitary inverse transform, cyclic prefix, linear
 * convolution of the whole stream with the impulse response of every device, superposition, noise, prefix removal,
 * transform, combining.
 *
 * @param design of the shape of the channel
 * @throws InputError naming the option of the waveform that is unknown or out of range.
 */
export function openTimeLevel(
  channel: TrueChannel,
  design: AnalogDesign,
  weights: Float64Array,
  noiseVariance: number,
  options: WaveformOptions,
): TimeLevel {
  const waveform = prepareWaveform(channel, options);
  const { ofdm, responses } = waveform;
  const { transmitConverter, receiveConverter } = waveform;
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const streams = design.receive.cols;
  const size = 2 * subcarriers * nt * streams;
  const beams = Array.from({ length: devices }, (_, k) =>
    design.transmit.data.subarray(k * size, (k + 1) * size),
  );
  const taps = responses.reduce((most, { count }) => Math.max(most, count), 1);
  const changing =
    isDrawn(waveform.synchronisation) || transmitConverter !== undefined || receiveConverter !== undefined;
  let known: { readonly symbols: number; readonly profile: ErrorProfile } | undefined;

  return (gradients, packing, moments, seed) => {
    const { symbols } = packing;
    const samples = symbols * ofdm.length;
    const errors = drawSynchronisation(waveform.synchronisation, devices, seed);
    const received = new Float64Array(2 * samples * nr);
    const sent = new Float64Array(2 * samples * nt);
    const carriers = new Float64Array(2 * symbols * subcarriers * nt);
    let peak = 0;
    const watch = (radiated: Float64Array): void => {
      peak = Math.max(peak, peakToAverage(radiated, nt));
    };
    for (let k = 0; k < devices; k++) {
      const beam = beams[k]!;
      encodeSymbols(carriers, gradients[k]!, packing, beam, subcarriers, nt, streams);
      radiate(sent, carriers, ofdm, nt, symbols, beam, transmitConverter, watch);
      propagate(received, sent, responses[k]!, ofdm, nr, nt, symbols, errors[k]!);
    }
    addSampleNoise(received, ofdm, nr, symbols, noiseVariance, seed);
    const arrived = new Float64Array(2 * symbols * subcarriers * nr);
    receiveSamples(arrived, received, ofdm, nr, symbols, receiveConverter);
    const estimate = new Float64Array(packing.entries);
    decodeSymbols(estimate, arrived, packing, design.receive.data, subcarriers, nr, streams);

    if (known === undefined || changing || known.symbols !== symbols) {
      const profile = waveformProfile({
        channel,
        design,
        weights,
        noiseVariance,
        waveform,
        errors,
        symbols,
        moments,
      });
      known = { symbols, profile };
    }
    return {
      estimate,
      distortion: predictDistortion(known.profile, moments),
      waveform: {
        samples,
        prefix: ofdm.prefix,
        taps,
        peakToAverageDb: peak > 0 ? 10 * Math.log10(peak) : 0,
      },
    };
  };
}
