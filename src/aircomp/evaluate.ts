import { checkOptions, checkPositive, describe, InputError } from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { type Channel, checkChannel, checkTrueChannel, type TrueChannel } from "./channel.ts";
import { correlationFactor, correlationMatrix, type DeviceCorrelation } from "./correlation.ts";
import type { BeamformerDesign } from "./design.ts";
import { checkBits, digitalDistortion } from "./digital.ts";
import { checkWeights } from "./weights.ts";

export interface EvaluationOptions {
  /** sigma2 > 0 per receive antenna and subcarrier. */
  readonly noiseVariance: number;
  /** w_k >= 0, scaled to sum 1. Default: those of the design. */
  readonly weights?: ArrayLike<number>;
  /** Default 0, that is R = I. */
  readonly correlation?: DeviceCorrelation;
}

/** What a design does on a channel. All MSE figures are summed over the S streams. */
export interface Evaluation {
  /** sum_m MSE_m for the given correlation. */
  readonly mse: number;
  /** omega = mse / (S M), dimensionless. */
  readonly distortion: number;
  /** The part of `mse` that misalignment causes, sum_m sum_kj R_kj tr(E_km E_jm^H), estimation errors included. */
  readonly misalignment: number;
  /** The part that the receiver noise causes, sigma2 sum_m ||A_m||^2. */
  readonly noise: number;
  /** MSE_m, one per subcarrier. */
  readonly perSubcarrier: Float64Array;
  /**
   * Cap on `mse` whatever the correlation between devices: sum_m (sum_k sqrt(q_k) ||E_km||)^2 + noise. The streams
   * of one device are uncorrelated, as the random signs of the link make them (docs/theory.md, section 1).
   */
  readonly cap: number;
}

/**
 * Mean squared error sum_m MSE_m of the aggregate sum_k w_k s_k that the design gives on the true channel,
 *
 *   MSE_m = sum_kj R_kj tr(E_km E_jm^H) + sigma2 ||A_m||_F^2,   E_km = A_m^H H_km B_km - w_k I.
 *
 * @returns a number >= 0, in the (unit) power of the symbols; 0 for the ideal design
 * @throws InputError on shapes that do not fit the channel, or values out of range.
 */
export function meanSquaredError(
  channel: TrueChannel,
  design: BeamformerDesign,
  options: EvaluationOptions,
): number {
  return evaluateDesign(channel, design, options).mse;
}

/** As {@link meanSquaredError}, with its parts, the distortion and a cap for any correlation between devices. */
export function evaluateDesign(
  channel: TrueChannel,
  design: BeamformerDesign,
  options: EvaluationOptions,
): Evaluation {
  return evaluate(checkTrueChannel(channel), design, options);
}

/**
 * As {@link evaluateDesign} in the mean over what is not known of the channel: the true one of an estimate is
 * Hhat + E, and E adds R_kk se2_k ||A_m||^2 ||B_km||^2 to the error of every device (docs/imperfect-knowledge.md,
 * section 2). The errors of different devices are independent, so the cap holds for any correlation of their symbols.
 */
export function expectedEvaluation(
  channel: Channel,
  design: BeamformerDesign,
  options: EvaluationOptions,
): Evaluation {
  return evaluate(checkChannel(channel), design, options);
}

function evaluate(channel: Channel, design: BeamformerDesign, options: EvaluationOptions): Evaluation {
  checkOptions(options, "options", ["noiseVariance", "weights", "correlation"]);
  const { devices, subcarriers } = channel;
  const noiseVariance = checkPositive(options.noiseVariance, "noiseVariance");
  if (design === null || typeof design !== "object") {
    throw new InputError("design", describe(design), "a design (see designBeamformers, designFrom)");
  }
  const weights = checkWeights(options.weights ?? design.weights, devices);
  const correlation = correlationMatrix(options.correlation ?? 0, devices);
  if (design.kind === "ideal") {
    const perSubcarrier = new Float64Array(subcarriers);
    return { mse: 0, distortion: 0, misalignment: 0, noise: 0, perSubcarrier, cap: 0 };
  }
  if (design.kind === "digital") {
    checkBits(design, devices);
    // all error is misalignment, the same on every subcarrier
    const { distortion, cap } = digitalDistortion(design.bits, weights, correlation);
    const mse = distortion * design.streams * subcarriers;
    const perSubcarrier = new Float64Array(subcarriers).fill(mse / subcarriers);
    const worst = cap * design.streams * subcarriers;
    return { mse, distortion, misalignment: mse, noise: 0, perSubcarrier, cap: worst };
  }
  const { streams } = checkDesignShapes(channel, design);
  const { rank, factor } = correlationFactor(correlation, devices);
  const mixed = new Float64Array(2 * streams * streams);
  const perSubcarrier = new Float64Array(subcarriers);
  let misalignment = 0;
  let noise = 0;
  let worst = 0;
  for (let m = 0; m < subcarriers; m++) {
    const errors = misalignments(channel, design, weights, m);
    // sum_kj R_kj <E_k, E_j> = sum_l ||sum_k L_kl E_k||^2: nothing cancels
    let aligned = 0;
    for (let l = 0; l < rank; l++) {
      mixed.fill(0);
      for (let k = 0; k < devices; k++) {
        const share = factor[k * rank + l]!;
        if (share !== 0) kernel.axpy(mixed, 0, errors[k]!, 0, streams * streams, share);
      }
      aligned += kernel.squaredNorm(mixed, 0, streams * streams);
    }
    const gain = kernel.squaredNorm(design.receive.at(m).data, 0, design.receive.rows * streams);
    let amplitude = 0;
    let uncertain = 0;
    for (let k = 0; k < devices; k++) {
      const q = correlation[k * devices + k]!;
      amplitude += Math.sqrt(q * kernel.squaredNorm(errors[k]!, 0, streams * streams));
      if (channel.kind === "estimated") {
        const sent = kernel.squaredNorm(design.transmit.at(k, m).data, 0, design.transmit.rows * streams);
        uncertain += q * channel.errorVariance[k]! * gain * sent;
      }
    }
    aligned += uncertain;
    const noiseHere = noiseVariance * gain;
    perSubcarrier[m] = aligned + noiseHere;
    misalignment += aligned;
    noise += noiseHere;
    worst += amplitude ** 2 + uncertain;
  }
  const mse = misalignment + noise;
  return {
    mse,
    distortion: mse / (streams * subcarriers),
    misalignment,
    noise,
    perSubcarrier,
    cap: worst + noise,
  };
}

/** The beamformers of an analog design, as evaluation and the link use them. */
export interface Beamformers {
  /** [M, Nr, S] */
  readonly receive: ComplexStack;
  /** [K, M, Nt, S] */
  readonly transmit: ComplexStack;
}

/** E_km = A_m^H H_km B_km - w_k I of every device on subcarrier m, for the matrices that are known. */
export function misalignments(
  channel: Channel,
  design: Beamformers,
  weights: Float64Array,
  m: number,
): Float64Array[] {
  const { devices, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const streams = design.receive.cols;
  const received = new Float64Array(2 * nr * streams);
  const beam = design.receive.at(m).data;
  return Array.from({ length: devices }, (_, k) => {
    const error = new Float64Array(2 * streams * streams);
    const h = channel.matrices.at(k, m).data;
    kernel.multiply(received, 0, h, 0, design.transmit.at(k, m).data, 0, nr, nt, streams);
    kernel.multiplyConjugateLeft(error, 0, beam, 0, received, 0, streams, nr, streams);
    for (let i = 0; i < streams; i++) error[2 * i * (streams + 1)]! -= weights[k]!;
    return error;
  });
}

/** @throws InputError if the beamformers do not fit the channel. */
export function checkDesignShapes(channel: Channel, design: Beamformers): { readonly streams: number } {
  const { devices, subcarriers, receiveAntennas, transmitAntennas } = channel;
  const checkShape = (field: string, stack: unknown, expected: readonly number[]): void => {
    const found = stack instanceof ComplexStack ? `shape [${stack.shape.join(", ")}]` : describe(stack);
    if (found !== `shape [${expected.join(", ")}]`) {
      throw new InputError(field, found, `shape [${expected.join(", ")}] to fit the channel`);
    }
  };
  if (!(design.receive instanceof ComplexStack)) {
    throw new InputError(
      "design.receive",
      describe(design.receive),
      "a stack (see designFrom for designs from JSON)",
    );
  }
  const streams = design.receive.cols;
  checkShape("design.receive", design.receive, [subcarriers, receiveAntennas, streams]);
  checkShape("design.transmit", design.transmit, [devices, subcarriers, transmitAntennas, streams]);
  return { streams };
}
