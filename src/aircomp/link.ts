import { checkOptions, checkPositive, checkSeed, describe, InputError, randomStream } from "../core/index.ts";
import type { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { checkTrueChannel, type TrueChannel } from "./channel.ts";
import type { BeamformerDesign } from "./design.ts";
import { checkBits, sendDigitally } from "./digital.ts";
import { type Beamformers, checkDesignShapes } from "./evaluate.ts";
import { type Gradient, type Packing, planPacking } from "./packing.ts";
import { errorProfile, type Moments, predictDistortion, secondMoments } from "./prediction.ts";
import { checkWeights } from "./weights.ts";

/** A channel and the beamformers that are used on it, in one or many rounds. */
export interface LinkOptions {
  readonly channel: TrueChannel;
  /** Any design for this channel. */
  readonly design: BeamformerDesign;
  /** sigma2 > 0 per receive antenna and subcarrier. */
  readonly noiseVariance: number;
  /** w_k >= 0, scaled to sum 1. Default: those of the design. */
  readonly weights?: ArrayLike<number>;
}

export interface AggregationOptions extends LinkOptions {
  /** One gradient of Q entries per device. */
  readonly gradients: readonly Gradient[];
  /** Seed of the interleaving, the signs and the noise. */
  readonly seed: number;
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
  /** Second moments R = X X^T / Q of the devices' normalised gradients, K rows of K. */
  readonly correlation: readonly (readonly number[])[];
  /** omega as designed (R = I), as these gradients have it, and the cap for any correlation between devices. */
  readonly distortion: { readonly design: number; readonly measured: number; readonly cap: number };
  /** Predicted E||estimate - sum_k w_k g_k||^2 = Q packScale^2 omega for these gradients. */
  readonly expectedSquaredError: number;
}

/** A link that is ready to send: what does not change from round to round has been computed. */
export interface OverTheAirLink {
  /**
   * One round, as {@link aggregateOverTheAir} does it.
   *
   * @param gradients one of Q entries per device
   * @param seed of the interleaving, the signs and the noise; another one in every round, or the errors of the rounds
   *   are the same ones and add up
   * @throws InputError on gradients of different lengths, or entries that are NaN or infinite.
   */
  aggregate(gradients: readonly Gradient[], seed: number): Aggregate;
}

const linkNames = ["channel", "design", "noiseVariance", "weights"] as const;

/**
 * Sends the gradients of all devices at once, subcarrier by subcarrier, and estimates their weighted mean:
 * normalise, interleave with random signs, two reals to one complex symbol, beamform, superpose through the channel, add receiver
 * noise, combine, undo. Nothing but the channel, the design and the noise decides the error.
 *
 * The measured distortion is the exact mean over interleavings and noise (docs/theory.md, section 1). A digital
 * design quantises instead, and what it sends arrives without errors: channel and noise decided its bits.
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
  const perSymbol = 2 * design.streams * channel.subcarriers;
  const effective = design.kind === "analog" ? effectiveChannels(channel, design) : [];
  const profile =
    design.kind === "digital" ? undefined : errorProfile(channel, design, weights, noiseVariance);

  const send = (
    gradients: readonly Gradient[],
    packing: Packing,
    moments: Moments,
    seed: number,
  ): Pick<Aggregate, "estimate" | "distortion"> => {
    if (design.kind === "digital") return sendDigitally(gradients, weights, design, packing, seed);
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
      const moments = secondMoments(gradients, packing);
      const { estimate, distortion } = send(gradients, packing, moments, seed);
      return {
        estimate,
        packMean: packing.mean,
        packScale: packing.scale,
        symbols: packing.symbols,
        correlation: moments.correlation,
        distortion,
        expectedSquaredError: packing.entries * packing.scale ** 2 * distortion.measured,
      };
    },
  };
}

function weightedMean(gradients: readonly Gradient[], weights: Float64Array): Float64Array {
  const mean = new Float64Array(gradients[0]!.length);
  gradients.forEach((gradient, k) => {
    const w = weights[k]!;
    for (let i = 0; i < mean.length; i++) mean[i]! += w * gradient[i]!;
  });
  return mean;
}

/** H_km B_km of every device on a subcarrier, next to each other: N_r x (K S) for every m. */
function effectiveChannels(channel: TrueChannel, design: Beamformers): Float64Array[] {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const streams = design.transmit.cols;
  const width = devices * streams;
  const single = new Float64Array(2 * nr * streams);
  return Array.from({ length: subcarriers }, (_, m) => {
    const effective = new Float64Array(2 * nr * width);
    for (let k = 0; k < devices; k++) {
      const h = channel.matrices.at(k, m).data;
      kernel.multiply(single, 0, h, 0, design.transmit.at(k, m).data, 0, nr, nt, streams);
      for (let row = 0; row < nr; row++) {
        const from = 2 * row * streams;
        effective.set(single.subarray(from, from + 2 * streams), 2 * (row * width + k * streams));
      }
    }
    return effective;
  });
}

/** The transmission itself. */
function superpose(
  gradients: readonly Gradient[],
  effective: readonly Float64Array[],
  receive: ComplexStack,
  noiseVariance: number,
  packing: Packing,
  seed: number,
): Float64Array {
  const { mean, scale, entries, symbols, order, signs } = packing;
  const subcarriers = effective.length;
  const devices = gradients.length;
  const { rows: nr, cols: streams } = receive;
  const estimate = new Float64Array(entries);
  const noise = randomStream(seed, "noise");
  const toSymbol = scale > 0 ? Math.SQRT1_2 / scale : 0;
  const fromSymbol = Math.SQRT2 * scale;
  const width = devices * streams;
  const sent = new Float64Array(2 * width);
  const received = new Float64Array(2 * nr);
  const thermal = new Float64Array(2 * nr);
  const combined = new Float64Array(2 * streams);
  // packMean has weight sum_k w_k = 1, so it is added back as it is
  for (let m = 0; m < subcarriers; m++) {
    const through = effective[m]!;
    const beam = receive.at(m).data;
    for (let symbol = 0; symbol < symbols; symbol++) {
      const base = 2 * streams * (symbol * subcarriers + m);
      for (let k = 0; k < devices; k++) {
        const gradient = gradients[k]!;
        for (let i = 0; i < 2 * streams; i++) {
          const entry = order[base + i]!;
          sent[2 * k * streams + i] =
            entry < entries ? signs[base + i]! * toSymbol * (gradient[entry]! - mean) : 0;
        }
      }
      noise.fillComplexNormal(thermal, noiseVariance);
      kernel.multiply(received, 0, through, 0, sent, 0, nr, width, 1);
      kernel.axpy(received, 0, thermal, 0, nr, 1);
      kernel.multiplyConjugateLeft(combined, 0, beam, 0, received, 0, streams, nr, 1);
      for (let i = 0; i < 2 * streams; i++) {
        const entry = order[base + i]!;
        if (entry < entries) estimate[entry] = mean + signs[base + i]! * fromSymbol * combined[i]!;
      }
    }
  }
  return estimate;
}
