import { checkOptions, checkPositive, checkSeed, describe, InputError, randomStream } from "../core/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { checkTrueChannel, type TrueChannel } from "./channel.ts";
import type { BeamformerDesign } from "./design.ts";
import { type Beamformers, checkDesignShapes, evaluateDesign, misalignments } from "./evaluate.ts";
import { type Gradient, type Packing, planPacking } from "./packing.ts";
import { checkWeights } from "./weights.ts";

export interface AggregationOptions {
  /** One gradient of Q entries per device. */
  readonly gradients: readonly Gradient[];
  readonly channel: TrueChannel;
  /** Any design for this channel. */
  readonly design: BeamformerDesign;
  /** sigma2 > 0 per receive antenna and subcarrier. */
  readonly noiseVariance: number;
  /** w_k >= 0, scaled to sum 1. Default 1/K. Those of the design. */
  readonly weights?: ArrayLike<number>;
  /** Seed of the interleaving and the noise. */
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
  /** Second moments R of the devices' symbols measured on these gradients, K rows of K. */
  readonly correlation: readonly (readonly number[])[];
  /** omega as designed (R = I), as these gradients have it, and the cap for any correlation between devices. */
  readonly distortion: { readonly design: number; readonly measured: number; readonly cap: number };
  /** Predicted E||estimate - sum_k w_k g_k||^2 = Q packScale^2 omega for these gradients. */
  readonly expectedSquaredError: number;
}

const optionNames = ["gradients", "channel", "design", "noiseVariance", "weights", "seed"] as const;

/**
 * Sends the gradients of all devices at once, subcarrier by subcarrier, and estimates their weighted mean:
 * normalise, interleave, two reals to one complex symbol, beamform, superpose through the channel, add receiver
 * noise, combine, undo. Nothing but the channel, the design and the noise decides the error.
 *
 * The measured distortion is the exact mean over interleavings and noise when Q is a multiple of 2 S M
 * (docs/theory.md, section 1); otherwise the padding makes it slightly smaller than that.
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
  const weights = checkWeights(options.weights, channel.devices);
  if (design?.kind !== "ideal") checkDesignShapes(channel, design);
  const perSymbol = 2 * design.streams * channel.subcarriers;
  const packing = planPacking(gradients, weights, perSymbol, seed);
  const moments = secondMoments(gradients, packing, perSymbol);
  const distortion = distortions(channel, design, weights, noiseVariance, moments);
  const estimate =
    design.kind === "ideal"
      ? weightedMean(gradients, weights)
      : superpose(gradients, channel, design, noiseVariance, packing, seed);
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

interface Moments {
  /** X X^T / Q over the positions on the air, padding included. */
  readonly correlation: number[][];
  /** m_k = mean of x_k over the same positions. */
  readonly means: Float64Array;
  readonly positions: number;
}

function secondMoments(gradients: readonly Gradient[], packing: Packing, perSymbol: number): Moments {
  const { mean, entries, symbols } = packing;
  const positions = symbols * perSymbol;
  const factor = packing.scale > 0 ? 1 / packing.scale : 0;
  const correlation = gradients.map(() => new Array<number>(gradients.length).fill(0));
  const means = new Float64Array(gradients.length);
  gradients.forEach((gradient, k) => {
    let total = 0;
    for (let i = 0; i < entries; i++) total += gradient[i]! - mean;
    means[k] = (factor * total) / positions;
    for (let j = 0; j <= k; j++) {
      const other = gradients[j]!;
      let sum = 0;
      for (let i = 0; i < entries; i++) sum += (gradient[i]! - mean) * (other[i]! - mean);
      correlation[k]![j] = correlation[j]![k] = (factor * factor * sum) / positions;
    }
  });
  return { correlation, means, positions };
}

function distortions(
  channel: TrueChannel,
  design: BeamformerDesign,
  weights: Float64Array,
  noiseVariance: number,
  moments: Moments,
): Aggregate["distortion"] {
  if (design.kind === "ideal") return { design: 0, measured: 0, cap: 0 };
  const { devices, subcarriers } = channel;
  const streams = design.streams;
  const independent = evaluateDesign(channel, design, { noiseVariance, weights });
  const { correlation, means, positions } = moments;
  // Interleaving without replacement: two different positions have the second moment
  // X_kj = m_k m_j - (R_kj - m_k m_j)/(positions - 1), which couples the streams.
  let measured = independent.noise;
  let cap = independent.noise;
  for (let m = 0; m < subcarriers; m++) {
    const errors = misalignments(channel, design, weights, m);
    const rowSums = errors.map((error) => rowSum(error, streams));
    let amplitude = 0;
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < devices; j++) {
        const r = correlation[k]![j]!;
        const product = means[k]! * means[j]!;
        const across = product - (r - product) / Math.max(1, positions - 1);
        const own = kernel.realInner(errors[k]!, 0, errors[j]!, 0, streams * streams);
        const sums = kernel.realInner(rowSums[k]!, 0, rowSums[j]!, 0, streams);
        const shared = (r - across) * own + across * sums;
        measured += shared;
        // what device k errs alone; the triangle inequality adds the roots, whatever the other devices send
        if (j === k) amplitude += Math.sqrt(Math.max(0, shared));
      }
    }
    cap += amplitude ** 2;
  }
  const perUse = streams * subcarriers;
  return {
    design: independent.distortion,
    measured: Math.max(0, measured) / perUse,
    cap: cap / perUse,
  };
}

/** E 1: the sum of every row of a complex S x S matrix. */
function rowSum(matrix: Float64Array, n: number): Float64Array {
  const sum = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      sum[2 * i]! += matrix[2 * (i * n + j)]!;
      sum[2 * i + 1]! += matrix[2 * (i * n + j) + 1]!;
    }
  }
  return sum;
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
  const { mean, scale, entries, symbols, order } = packing;
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
          sent[2 * k * streams + i] = entry < entries ? toSymbol * (gradient[entry]! - mean) : 0;
        }
      }
      noise.fillComplexNormal(thermal, noiseVariance);
      kernel.multiply(received, 0, effective, 0, sent, 0, nr, width, 1);
      kernel.axpy(received, 0, thermal, 0, nr, 1);
      kernel.multiplyConjugateLeft(combined, 0, beam, 0, received, 0, streams, nr, 1);
      for (let i = 0; i < 2 * streams; i++) {
        const entry = order[base + i]!;
        if (entry < entries) estimate[entry] = mean + fromSymbol * combined[i]!;
      }
    }
  }
  return estimate;
}
