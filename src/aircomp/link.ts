import { checkOptions, checkPositive, checkSeed, describe, InputError, randomStream } from "../core/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { checkTrueChannel, type TrueChannel } from "./channel.ts";
import type { BeamformerDesign } from "./design.ts";
import { checkBits, sendDigitally } from "./digital.ts";
import { type Beamformers, checkDesignShapes } from "./evaluate.ts";
import { type Gradient, type Packing, planPacking } from "./packing.ts";
import { predictDistortion, secondMoments } from "./prediction.ts";
import { checkWeights } from "./weights.ts";

export interface AggregationOptions {
  /** One gradient of Q entries per device. */
  readonly gradients: readonly Gradient[];
  readonly channel: TrueChannel;
  /** Any design for this channel. */
  readonly design: BeamformerDesign;
  /** sigma2 > 0 per receive antenna and subcarrier. */
  readonly noiseVariance: number;
  /** w_k >= 0, scaled to sum 1. Default: those of the design. */
  readonly weights?: ArrayLike<number>;
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

const optionNames = ["gradients", "channel", "design", "noiseVariance", "weights", "seed"] as const;

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
  checkOptions(options, "aggregateOverTheAir", optionNames);
  const channel = checkTrueChannel(options.channel);
  const noiseVariance = checkPositive(options.noiseVariance, "noiseVariance");
  const seed = checkSeed(options.seed);
  const { gradients, design } = options;
  if (!Array.isArray(gradients) || gradients.length !== channel.devices) {
    throw new InputError("gradients", describe(gradients), `${channel.devices} gradients, one per device`);
  }
  if (design === null || typeof design !== "object") {
    throw new InputError("design", describe(design), "a design (see designBeamformers, designFrom)");
  }
  const weights = checkWeights(options.weights ?? design.weights, channel.devices);
  if (design.kind === "analog") checkDesignShapes(channel, design);
  if (design.kind === "digital") checkBits(design, channel.devices);
  const perSymbol = 2 * design.streams * channel.subcarriers;
  const packing = planPacking(gradients, weights, perSymbol, seed);
  const moments = secondMoments(gradients, packing);
  const { estimate, distortion } =
    design.kind === "digital"
      ? sendDigitally(gradients, weights, design, packing, seed)
      : {
          estimate:
            design.kind === "ideal"
              ? weightedMean(gradients, weights)
              : superpose(gradients, channel, design, noiseVariance, packing, seed),
          distortion: predictDistortion(channel, design, weights, noiseVariance, moments),
        };
  return {
    estimate,
    packMean: packing.mean,
    packScale: packing.scale,
    symbols: packing.symbols,
    correlation: moments.correlation,
    distortion,
    expectedSquaredError: packing.entries * packing.scale ** 2 * distortion.measured,
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

/** The transmission itself. */
function superpose(
  gradients: readonly Gradient[],
  channel: TrueChannel,
  design: Beamformers & { readonly streams: number },
  noiseVariance: number,
  packing: Packing,
  seed: number,
): Float64Array {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const { mean, scale, entries, symbols, order, signs } = packing;
  const streams = design.streams;
  const estimate = new Float64Array(entries);
  const noise = randomStream(seed, "noise");
  const toSymbol = scale > 0 ? Math.SQRT1_2 / scale : 0;
  const fromSymbol = Math.SQRT2 * scale;
  // H_km B_km of every device on this subcarrier, next to each other: Nr x (K S)
  const width = devices * streams;
  const effective = new Float64Array(2 * nr * width);
  const single = new Float64Array(2 * nr * streams);
  const sent = new Float64Array(2 * width);
  const received = new Float64Array(2 * nr);
  const thermal = new Float64Array(2 * nr);
  const combined = new Float64Array(2 * streams);
  // packMean has weight sum_k w_k = 1, so it is added back as it is
  for (let m = 0; m < subcarriers; m++) {
    for (let k = 0; k < devices; k++) {
      const h = channel.matrices.at(k, m).data;
      kernel.multiply(single, 0, h, 0, design.transmit.at(k, m).data, 0, nr, nt, streams);
      for (let row = 0; row < nr; row++) {
        const from = 2 * row * streams;
        effective.set(single.subarray(from, from + 2 * streams), 2 * (row * width + k * streams));
      }
    }
    const beam = design.receive.at(m).data;
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
      kernel.multiply(received, 0, effective, 0, sent, 0, nr, width, 1);
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
