import {
  type ComplexJson,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkSeed,
  InputError,
  randomStream,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import {
  channelFrom,
  checkEstimatedChannel,
  checkTrueChannel,
  type EstimatedChannel,
  type TrueChannel,
} from "./channel.ts";

export interface EstimationOptions {
  /** se2_k, variance of the estimation error of each entry: one number or one per device, 0 <= se2 < priorVariance. */
  readonly errorVariance?: number | readonly number[];
  /**
   * Energy of a device's pilot over the noise variance per receive antenna, in dB, for a channel of gain 1: the pilots
   * show H + n with n ~ CN(0, 10^(-dB/10)) entries. Instead of `errorVariance`.
   */
  readonly pilotSnrDb?: number;
  /** beta_k, variance of the entries before estimation (the path loss): one number or one per device. Default 1. */
  readonly priorVariance?: number | readonly number[];
  /** Of the pilot noise. Whole number >= 0. */
  readonly seed: number;
}

/**
 * The MMSE estimate of a channel from noisy pilots. Of an entry H ~ CN(0, beta) the pilots show y = H + n,
 * n ~ CN(0, v); then
 *
 *   Hhat = beta/(beta + v) y,   H = Hhat + E,   E ~ CN(0, se2) independent of Hhat,   se2 = beta v/(beta + v).
 *
 * Every entry and every subcarrier is estimated by itself, with pilot noise of its own. That is the MMSE estimate
 * for independent entries; where subcarriers (fewer taps than subcarriers) or antennas are correlated, an estimator
 * of higher complexity would know more. Proof: docs/imperfect-knowledge.md, section 1.
 *
 * @returns the estimate with se2 of each device; the true matrices, bit for bit, where se2 = 0
 * @throws InputError unless exactly one of `errorVariance` and `pilotSnrDb` is given, within its range.
 */
export function estimateChannel(channel: TrueChannel, options: EstimationOptions): EstimatedChannel {
  checkTrueChannel(channel);
  checkOptions(options, "estimateChannel", ["errorVariance", "pilotSnrDb", "priorVariance", "seed"]);
  const { devices, subcarriers } = channel;
  const { errorVariance, pilotSnrDb } = options;
  const root = randomStream(checkSeed(options.seed), "channel-estimate");
  const prior = perDevice(options.priorVariance ?? 1, devices, "priorVariance");
  if ((errorVariance === undefined) === (pilotSnrDb === undefined)) {
    const found = errorVariance === undefined ? "neither errorVariance nor pilotSnrDb" : "both";
    throw new InputError("errorVariance", found, "one of errorVariance and pilotSnrDb");
  }
  // what the estimate keeps of an entry, and the variance of the noise in it
  let kept: Float64Array;
  let variances: Float64Array;
  if (pilotSnrDb !== undefined) {
    const noise = 10 ** (-checkNumber(pilotSnrDb, "pilotSnrDb", -300, 300) / 10);
    kept = prior.map((beta) => beta / (beta + noise));
    variances = kept.map((share) => share * noise);
  } else {
    variances = perDevice(errorVariance!, devices, "errorVariance");
    variances.forEach((variance, k) => {
      if (variance > 0 && variance >= prior[k]!) {
        const field = typeof errorVariance === "number" ? "errorVariance" : `errorVariance[${k}]`;
        throw new InputError(
          field,
          `${variance}`,
          `less than ${prior[k]}, the prior variance of device ${k}: an estimate cannot know less than nothing`,
        );
      }
    });
    kept = variances.map((variance, k) => (variance > 0 ? 1 - variance / prior[k]! : 1));
  }
  const matrices = new ComplexStack(channel.matrices.shape);
  for (let k = 0; k < devices; k++) {
    const device = root.split("device", k);
    for (let m = 0; m < subcarriers; m++) {
      const estimate = matrices.at(k, m).data;
      // beta/(beta + v) n has the variance (beta/(beta + v))^2 v = se2 beta/(beta + v)
      if (variances[k]! > 0) {
        device.split("subcarrier", m).fillComplexNormal(estimate, variances[k]! * kept[k]!);
      }
      const truth = channel.matrices.at(k, m).data;
      for (let i = 0; i < estimate.length; i++) estimate[i]! += kept[k]! * truth[i]!;
    }
  }
  return describeEstimate(matrices, variances);
}

/**
 * A user's own estimate of the channel and the variance of its error per entry, both ready for a design.
 *
 * @param source a ComplexStack of shape [K, M, Nr, Nt], or its JSON form { shape, re, im }; it is copied
 * @param errorVariance se2 >= 0, one number or one per device
 * @throws InputError if the shape is not four-dimensional and non-empty, or a number is out of range.
 */
export function estimatedChannelFrom(
  source: ComplexStack | ComplexJson,
  errorVariance: number | readonly number[],
  field = "channel",
): EstimatedChannel {
  const { matrices, devices } = channelFrom(source, field);
  return describeEstimate(matrices, perDevice(errorVariance, devices, "errorVariance"));
}

/**
 * A true channel that the estimate allows for: Hhat + E with E ~ CN(0, se2) drawn independently for every entry and
 * subcarrier. The mean of what a design does on such channels is the `mse` of the design.
 *
 * @param seed whole number >= 0
 */
export function drawTrueChannel(estimate: EstimatedChannel, seed: number): TrueChannel {
  checkEstimatedChannel(estimate);
  const root = randomStream(checkSeed(seed), "estimation-error");
  const { devices, subcarriers, errorVariance } = estimate;
  const matrices = new ComplexStack(estimate.matrices.shape);
  for (let k = 0; k < devices; k++) {
    const device = root.split("device", k);
    for (let m = 0; m < subcarriers; m++) {
      const drawn = matrices.at(k, m).data;
      device.split("subcarrier", m).fillComplexNormal(drawn, errorVariance[k]!);
      const known = estimate.matrices.at(k, m).data;
      for (let i = 0; i < drawn.length; i++) drawn[i]! += known[i]!;
    }
  }
  return channelFrom(matrices);
}

/** One number for all, or one per device: each from 0 to 1e100. */
function perDevice(value: number | readonly number[], devices: number, field: string): Float64Array {
  if (typeof value === "number") return new Float64Array(devices).fill(checkNumber(value, field, 0, 1e100));
  return Float64Array.from(checkNumbers(value, field, devices, 0, 1e100));
}

function describeEstimate(matrices: ComplexStack, errorVariance: Float64Array): EstimatedChannel {
  const [devices, subcarriers, receiveAntennas, transmitAntennas] = matrices.shape as [
    number,
    number,
    number,
    number,
  ];
  return Object.freeze({
    kind: "estimated",
    matrices,
    errorVariance: Object.freeze(Array.from(errorVariance)),
    devices,
    subcarriers,
    receiveAntennas,
    transmitAntennas,
  });
}
