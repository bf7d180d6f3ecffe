import { checkInteger, checkOptions } from "../core/index.ts";
import type { TrueChannel } from "./channel.ts";
import { type Converter, type ConverterOptions, checkConverter, convert } from "./converters.ts";
import { convolve, type ImpulseResponse, impulseResponses, longestResponse } from "./multipath.ts";
import { createOfdm, demodulate, modulate, type Ofdm } from "./ofdm.ts";
import {
  checkSynchronisation,
  rotateCarrier,
  type SynchronisationError,
  type SynchronisationOptions,
  synchronisationNames,
} from "./synchronisation.ts";

/** How symbols become samples, and what hardware and synchronisation do to them. Everything ideal by default. */
export interface WaveformOptions extends SynchronisationOptions {
  /**
   * Samples of the cyclic prefix, 0 to M. Default: what the impulse responses of punctual devices need
   * (`requiredPrefix`); late devices need as many more.
   */
  readonly prefix?: number;
  /** Digital-to-analog converters of every antenna of the devices. */
  readonly transmitConverter?: ConverterOptions;
  /** Analog-to-digital converters of every antenna of the server. */
  readonly receiveConverter?: ConverterOptions;
}

/** What a round looks like in time. */
export interface WaveformReport {
  /** Samples of a round, N_sym (M + prefix). */
  readonly samples: number;
  /** Samples of the prefix of every OFDM symbol. */
  readonly prefix: number;
  /** Taps of the longest impulse response. */
  readonly taps: number;
  /**
   * Largest, over devices and their antennas, of the peak over the mean power of the samples before conversion, in dB;
   * 0 where nothing is sent.
   */
  readonly peakToAverageDb: number;
}

/** A device whose samples stay below this share of the reference of its converters has nothing to send. */
export const SILENCE = 1e-100;

const waveformNames = ["prefix", "transmitConverter", "receiveConverter", ...synchronisationNames] as const;

/** A channel and a waveform, prepared for many rounds. */
export interface Waveform {
  readonly synchronisation: SynchronisationOptions;
  readonly transmitConverter: Converter | undefined;
  readonly receiveConverter: Converter | undefined;
  readonly ofdm: Ofdm;
  readonly responses: readonly ImpulseResponse[];
}

/** @throws InputError naming the option that is unknown or out of range. */
export function checkWaveform(
  options: WaveformOptions,
  devices: number,
  subcarriers: number,
  field = "waveform",
): void {
  checkOptions(options, field, waveformNames);
  const { prefix, transmitConverter, receiveConverter } = options;
  if (prefix !== undefined) checkInteger(prefix, `${field}.prefix`, 0, subcarriers);
  if (transmitConverter !== undefined) checkConverter(transmitConverter, `${field}.transmitConverter`);
  if (receiveConverter !== undefined) checkConverter(receiveConverter, `${field}.receiveConverter`);
  checkSynchronisation(options, devices, subcarriers, field);
}

/** @throws InputError as {@link checkWaveform} does. */
export function prepareWaveform(channel: TrueChannel, options: WaveformOptions): Waveform {
  const { devices, subcarriers } = channel;
  checkWaveform(options, devices, subcarriers);
  const responses = impulseResponses(channel);
  const ofdm = createOfdm(subcarriers, options.prefix ?? longestResponse(responses) - 1);
  const { transmitConverter, receiveConverter, ...synchronisation } = options;
  const checked = (given: ConverterOptions | undefined): Converter | undefined =>
    given === undefined ? undefined : checkConverter(given, "converter");
  return {
    synchronisation: structuredClone(synchronisation),
    transmitConverter: checked(transmitConverter),
    receiveConverter: checked(receiveConverter),
    ofdm,
    responses,
  };
}

/**
 * Rms of the real (and the imaginary) part of the samples of every antenna of a device, for symbols of unit power:
 * the root of sum_m ||row of B_km||^2 / (2 M). The reference of its converters.
 *
 * @param transmit B_k, [M, Nt, S]
 */
export function transmitRms(
  transmit: Float64Array,
  subcarriers: number,
  nt: number,
  streams: number,
): Float64Array {
  const rms = new Float64Array(nt);
  const width = 2 * streams;
  for (let m = 0; m < subcarriers; m++) {
    for (let row = 0; row < nt; row++) {
      const first = (m * nt + row) * width;
      for (let i = first; i < first + width; i++) rms[row]! += transmit[i]! ** 2;
    }
  }
  return rms.map((square) => Math.sqrt(square / (2 * subcarriers)));
}

/**
 * What a device radiates: the samples of its symbols, converted if it has converters. Those have no level at 0; but a
 * device that has nothing to send in the whole round leaves its amplifier off, and radiates zeros.
 *
 * @param out [samples, Nt]
 * @param carriers [N_sym, M, Nt]
 * @param transmit B_k, [M, Nt, S], for the reference of the converters
 * @param watch sees the samples before they are converted
 */
export function radiate(
  out: Float64Array,
  carriers: Float64Array,
  ofdm: Ofdm,
  nt: number,
  symbols: number,
  transmit: Float64Array,
  converter: Converter | undefined,
  watch?: (samples: Float64Array) => void,
): void {
  modulate(out, carriers, ofdm, nt, symbols);
  watch?.(out);
  if (converter === undefined) return;
  const streams = transmit.length / (2 * ofdm.subcarriers * nt);
  const rms = transmitRms(transmit, ofdm.subcarriers, nt, streams);
  let peak = 0;
  for (let i = 0; i < out.length; i++) {
    const size = Math.abs(out[i]!);
    if (size > peak) peak = size;
  }
  if (peak > SILENCE * Math.max(...rms)) convert(out, nt, rms, converter);
  else out.fill(0);
}

/**
 * The air: turns the carrier of one device (in place) and adds what the server gets of it.
 *
 * @param received [samples, Nr], added to
 * @param sent [samples, Nt], overwritten where the carrier is off
 */
export function propagate(
  received: Float64Array,
  sent: Float64Array,
  response: ImpulseResponse,
  ofdm: Ofdm,
  nr: number,
  nt: number,
  symbols: number,
  error: SynchronisationError,
): void {
  rotateCarrier(sent, nt, error, ofdm.subcarriers);
  convolve(received, sent, response, nr, nt, symbols * ofdm.length, error.delay);
}

/**
 * The server's side: converters behind an ideal automatic gain control, prefix removal, transform.
 *
 * @param carriers [N_sym, M, Nr]
 * @param received [samples, Nr], overwritten where there are converters
 */
export function receiveSamples(
  carriers: Float64Array,
  received: Float64Array,
  ofdm: Ofdm,
  nr: number,
  symbols: number,
  converter: Converter | undefined,
): void {
  if (converter !== undefined) {
    convert(received, nr, receivedRms(received, ofdm, nr, symbols), converter);
  }
  demodulate(carriers, received, ofdm, nr, symbols);
}

/** Rms of a part of the samples of every antenna, over the round and without the prefixes. */
function receivedRms(received: Float64Array, ofdm: Ofdm, nr: number, symbols: number): Float64Array {
  const { subcarriers, prefix, length } = ofdm;
  const squares = new Float64Array(nr);
  for (let symbol = 0; symbol < symbols; symbol++) {
    let i = 2 * (symbol * length + prefix) * nr;
    for (let u = 0; u < subcarriers; u++) {
      for (let a = 0; a < nr; a++, i += 2) squares[a]! += received[i]! ** 2 + received[i + 1]! ** 2;
    }
  }
  return squares.map((square) => Math.sqrt(square / (2 * symbols * subcarriers)));
}

/** Peak over mean power of one antenna, the largest of them; 0 of silence. */
export function peakToAverage(samples: Float64Array, antennas: number): number {
  let largest = 0;
  for (let a = 0; a < antennas; a++) {
    let peak = 0;
    let total = 0;
    for (let i = 2 * a; i < samples.length; i += 2 * antennas) {
      const power = samples[i]! ** 2 + samples[i + 1]! ** 2;
      total += power;
      if (power > peak) peak = power;
    }
    if (total > 0) largest = Math.max(largest, (peak * samples.length) / (2 * antennas * total));
  }
  return largest;
}
