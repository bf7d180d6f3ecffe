import { checkChoice, checkOptions, checkPositive, checkSeed, describe, InputError } from "../core/index.ts";
import { checkTrueChannel, type TrueChannel } from "./channel.ts";
import type { BeamformerDesign } from "./design.ts";
import { checkBits, sendDigitally } from "./digital.ts";
import { checkDesignShapes } from "./evaluate.ts";
import { type Gradient, isSilent, LARGEST_SYMBOL, type Packing, planPacking, tooLoud } from "./packing.ts";
import { errorProfile, type Moments, predictDistortion, secondMoments } from "./prediction.ts";
import { effectiveChannels, superpose } from "./superposition.ts";
import { openTimeLevel, type TimeRound } from "./time-level.ts";
import { checkWaveform, type WaveformOptions, type WaveformReport } from "./waveform.ts";
import { checkWeights } from "./weights.ts";

/**
 * How a round is computed: with a matrix per subcarrier, or sample by sample with prefix, convolution and noise in
 * time. Without impairments both give the same up to rounding.
 */
export type LinkLevel = "subcarrier" | "time";

/** A channel and the beamformers that are used on it, in one or many rounds. */
export interface LinkOptions {
  readonly channel: TrueChannel;
  /** Any design for this channel. */
  readonly design: BeamformerDesign;
  /** sigma2 > 0 per receive antenna and subcarrier. */
  readonly noiseVariance: number;
  /** w_k >= 0, scaled to sum 1. Default: those of the design. */
  readonly weights?: ArrayLike<number>;
  /** Default `subcarrier`. */
  readonly level?: LinkLevel;
  /** Prefix, converters and synchronisation; for level `time` only. Default: the prefix that is needed, all ideal. */
  readonly waveform?: WaveformOptions;
}

export interface AggregationOptions extends LinkOptions {
  /** One gradient of Q entries per device. */
  readonly gradients: readonly Gradient[];
  /** Seed of the interleaving, the signs and the noise. */
  readonly seed: number;
}

/** omega of a round in four senses, all in units of Q packScale^2. */
export interface LinkDistortions {
  /** Expected for independent symbols, R = I. */
  readonly design: number;
  /** Expected for these gradients, with the R they have: the mean over interleavings, signs and noise. */
  readonly measured: number;
  /** What `measured` cannot exceed, whatever the correlation between the devices. */
  readonly cap: number;
  /** The error of this round itself, ||estimate - sum_k w_k g_k||^2 / (Q packScale^2); 0 if packScale is 0. */
  readonly realised: number;
}

/** One aggregation over the air, and what it was predicted to cost. */
export interface Aggregate {
  /** Estimate of sum_k w_k g_k, Q entries. */
  readonly estimate: Float64Array;
  /** packMean and packScale of the round. */
  readonly packMean: number;
  readonly packScale: number;
  /** N_sym, OFDM symbols sent. */
  readonly symbols: number;
  /** w_k, sum 1. */
  readonly weights: readonly number[];
  /**
   * Second moments R = X X^T / Q of the devices' normalised gradients, K rows of K. A device of weight 0 that is silent
   * and whose deviations exceed 1e100 packScale counts as sending nothing.
   */
  readonly correlation: readonly (readonly number[])[];
  readonly distortion: LinkDistortions;
  /**
   * Predicted E||estimate - sum_k w_k g_k||^2 = Q packScale^2 omega for these gradients. Doubles end: Infinity or 0 for a
   * packScale from about 1e150 or up to 1e-150, where omega (`distortion.measured`) is the number to use.
   */
  readonly expectedSquaredError: number;
  /** Samples, prefix and peak power of an analog design at level `time`. */
  readonly waveform?: WaveformReport;
}

/** A link that is ready to send: what does not change from round to round has been computed. */
export interface OverTheAirLink {
  /**
   * One round, as {@link aggregateOverTheAir} does it.
   *
   * @param gradients one of Q entries per device
   * @param seed of the interleaving, the signs and the noise; another one in every round, or the errors of the rounds
   *   are the same ones and add up
   * @throws InputError on gradients of different lengths, or entries that are NaN, infinite or more than 1e300 from
   *   the mean (weight 0, but not silent: 1e100 packScale).
   */
  aggregate(gradients: readonly Gradient[], seed: number): Aggregate;
}

const linkNames = ["channel", "design", "noiseVariance", "weights", "level", "waveform"] as const;

/**
 * Sends the gradients of all devices at once, subcarrier by subcarrier, and estimates their weighted mean:
 * normalise, interleave with random signs, two reals to one complex symbol, beamform, superpose through the channel, add receiver
 * noise, combine, undo. Nothing but the channel, the design and the noise decides the error.
 *
 * The measured distortion is the exact mean over interleavings and noise (docs/theory.md, section 1). A digital
 * design quantises instead, and what it sends arrives without errors: channel and noise decided its bits. It has no
 * samples, so level `time` refuses it; an ideal design is the same at both levels.
 *
 * @throws InputError on gradients of different lengths, designs of another shape, or values out of range.
 */
export function aggregateOverTheAir(options: AggregationOptions): Aggregate {
  checkOptions(options, "aggregateOverTheAir", [...linkNames, "gradients", "seed"]);
  const { gradients, seed, ...link } = options;
  return openLink(link).aggregate(gradients, seed);
}

/**
 * Prepares a channel and a design for many rounds: `aggregate(gradients, seed)` of the result gives, bit for bit, what
 * {@link aggregateOverTheAir} gives, without computing again what stays the same.
 *
 * @throws InputError on designs of another shape, or values out of range.
 */
export function overTheAirLink(options: LinkOptions): OverTheAirLink {
  checkOptions(options, "overTheAirLink", linkNames);
  return openLink(options);
}

function openLink(options: LinkOptions): OverTheAirLink {
  const channel = checkTrueChannel(options.channel);
  const noiseVariance = checkPositive(options.noiseVariance, "noiseVariance");
  const { design } = options;
  if (design === null || typeof design !== "object") {
    throw new InputError("design", describe(design), "a design (see designBeamformers, designFrom)");
  }
  const weights = checkWeights(options.weights ?? design.weights, channel.devices);
  if (design.kind === "analog") checkDesignShapes(channel, design);
  if (design.kind === "digital") checkBits(design, channel.devices);
  const level = checkLevel(options, channel);
  const perSymbol = 2 * design.streams * channel.subcarriers;
  const timeLevel =
    level === "time" && design.kind === "analog"
      ? openTimeLevel(channel, design, weights, noiseVariance, options.waveform ?? {})
      : undefined;
  const effective =
    design.kind === "analog" && level === "subcarrier" ? effectiveChannels(channel, design) : [];
  const profile =
    design.kind === "digital" || timeLevel !== undefined
      ? undefined
      : errorProfile(channel, design, weights, noiseVariance);

  const send = (
    gradients: readonly Gradient[],
    packing: Packing,
    moments: Moments,
    seed: number,
  ): Omit<TimeRound, "waveform"> & Partial<TimeRound> => {
    if (design.kind === "digital") return sendDigitally(gradients, weights, design, packing, seed);
    if (timeLevel !== undefined) return timeLevel(gradients, packing, moments, seed);
    const distortion = predictDistortion(profile!, moments);
    if (design.kind === "ideal") return { estimate: weightedMean(gradients, weights), distortion };
    const estimate = superpose(gradients, effective, design.receive, noiseVariance, packing, seed);
    return { estimate, distortion };
  };

  return {
    aggregate(gradients, seed) {
      checkSeed(seed);
      if (!Array.isArray(gradients) || gradients.length !== channel.devices) {
        throw new InputError(
          "gradients",
          describe(gradients),
          `${channel.devices} gradients, one per device`,
        );
      }
      const packing = planPacking(gradients, weights, perSymbol, seed);
      const audible = withoutSilent(gradients, packing, design);
      const moments = secondMoments(audible, packing);
      const { estimate, distortion, waveform } = send(audible, packing, moments, seed);
      const realised = squaredError(estimate, weightedMean(gradients, weights), packing);
      return {
        estimate,
        packMean: packing.mean,
        packScale: packing.scale,
        symbols: packing.symbols,
        weights: Array.from(weights),
        correlation: moments.correlation,
        distortion: { ...distortion, realised },
        // no error is none, however large the scale
        expectedSquaredError:
          distortion.measured > 0 ? packing.entries * packing.scale ** 2 * distortion.measured : 0,
        ...(waveform === undefined ? {} : { waveform }),
      };
    },
  };
}

function checkLevel(
  { level = "subcarrier", waveform, design }: LinkOptions,
  channel: TrueChannel,
): LinkLevel {
  checkChoice(level, "level", ["subcarrier", "time"]);
  if (level === "subcarrier") {
    if (waveform === undefined) return level;
    throw new InputError("waveform", 'a waveform at level "subcarrier"', 'level "time" with it');
  }
  if (design.kind === "digital") {
    throw new InputError(
      "level",
      '"time" for a digital design',
      "an analog or ideal design: bits arrive without errors",
    );
  }
  checkWaveform(waveform ?? {}, channel.devices, channel.subcarriers);
  return level;
}

/**
 * The gradients, those of silent devices without deviations where their symbols could not be squared.
 *
 * @throws InputError if such a device is heard.
 */
function withoutSilent(
  gradients: readonly Gradient[],
  { meanSquares, mean, entries }: Packing,
  design: BeamformerDesign,
): readonly Gradient[] {
  if (meanSquares.every((square) => square <= LARGEST_SYMBOL ** 2)) return gradients;
  return gradients.map((gradient, k) => {
    if (meanSquares[k]! <= LARGEST_SYMBOL ** 2) return gradient;
    if (design.kind === "analog") {
      const { data } = design.transmit;
      const size = data.length / gradients.length;
      if (!isSilent(data.subarray(k * size, (k + 1) * size))) throw tooLoud(`gradients[${k}]`);
    }
    return new Float64Array(entries).fill(mean);
  });
}

/** Per entry, in units of packScale: entries of any size are squared safely. */
function squaredError(estimate: Float64Array, mean: Float64Array, { scale, entries }: Packing): number {
  if (!(scale > 0)) return 0;
  let sum = 0;
  for (let i = 0; i < entries; i++) sum += ((estimate[i]! - mean[i]!) / scale) ** 2;
  return sum / entries;
}

function weightedMean(gradients: readonly Gradient[], weights: Float64Array): Float64Array {
  const mean = new Float64Array(gradients[0]!.length);
  gradients.forEach((gradient, k) => {
    const w = weights[k]!;
    for (let i = 0; i < mean.length; i++) mean[i]! += w * gradient[i]!;
  });
  return mean;
}
