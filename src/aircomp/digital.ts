import { checkNumbers, randomStream } from "../core/index.ts";
import type { Gradient, Packing } from "./packing.ts";
import {
  errorVariance,
  gaussianQuantiser,
  hermiteCoefficients,
  MOST_BITS,
  meanError,
  type Quantiser,
  quantise,
} from "./quantiser.ts";

/** Every device sends its own gradient, quantised, in a share of the air time that is its alone. */
export interface DigitalPlan {
  /** Bits per real number of each device, in the mean over its numbers; 0 to 32. */
  readonly bits: readonly number[];
  /** Share of the air time of each device; they sum to at most 1. */
  readonly shares: readonly number[];
  /** Air time of a round, relative to that of an analog design with as many streams: 1. */
  readonly airTime: number;
}

/** @throws InputError unless the design has one number of bits per device. */
export function checkBits(design: DigitalPlan, devices: number): void {
  checkNumbers(design.bits, "design.bits", devices, 0, MOST_BITS);
}

/** Terms of the Hermite series of the covariance of two errors; what is left out is of the order of its end, n^(-5/2). */
const TERMS = 100;

/**
 * A fractional number of bits: `share` of the numbers, chosen at random by each device on its own, get one more bit
 * than the others.
 */
interface Mixture {
  readonly lower: Quantiser;
  readonly upper: Quantiser;
  readonly share: number;
}

function mixture(bits: number): Mixture {
  const floor = Math.min(MOST_BITS, Math.floor(bits));
  const upper = Math.min(MOST_BITS, floor + 1);
  return { lower: gaussianQuantiser(floor), upper: gaussianQuantiser(upper), share: bits - floor };
}

/** D(bits), the mean squared error per number of unit variance, normally distributed; linear between whole bits. */
export function quantisationDistortion(bits: number): number {
  const { lower, upper, share } = mixture(bits);
  return (1 - share) * lower.distortion + share * upper.distortion;
}

/**
 * The distortion omega = sum_kj w_k w_j C_kj of a digital design for jointly normal numbers of zero mean and second
 * moments R, every device scaling its own to unit variance,
 *
 *   C_kk = R_kk D(bits_k),   C_kj = sqrt(R_kk R_jj) sum_n a_kn a_jn rho_kj^n,
 *
 * where the dithers are independent, so that only the mean errors given the numbers are shared: D_k x_k of them to
 * first order. For R = I that is sum_k w_k^2 D(bits_k).
 */
export function digitalDistortion(
  bits: readonly number[],
  weights: ArrayLike<number>,
  correlation: Float64Array,
): { readonly distortion: number; readonly cap: number } {
  const devices = bits.length;
  const roots = bits.map((_, k) => weights[k]! * Math.sqrt(correlation[k * devices + k]!));
  const coefficients = new Map<number, Float64Array>();
  const meanErrors = (k: number): Float64Array => {
    let found = coefficients.get(k);
    if (found === undefined) {
      const { lower, upper, share } = mixture(bits[k]!);
      const more = hermiteCoefficients(upper, TERMS);
      found = hermiteCoefficients(lower, TERMS).map((a, i) => (1 - share) * a + share * more[i]!);
      coefficients.set(k, found);
    }
    return found;
  };
  let distortion = 0;
  let amplitude = 0;
  for (let k = 0; k < devices; k++) {
    const own = quantisationDistortion(bits[k]!);
    distortion += roots[k]! ** 2 * own;
    amplitude += roots[k]! * Math.sqrt(own);
    for (let j = 0; j < k; j++) {
      const shared = correlation[k * devices + j]!;
      if (shared === 0 || roots[k] === 0 || roots[j] === 0) continue;
      const variance = Math.sqrt(correlation[k * devices + k]!) * Math.sqrt(correlation[j * devices + j]!);
      const rho = Math.min(1, Math.max(-1, shared / variance));
      const a = meanErrors(k);
      const b = meanErrors(j);
      let sum = 0;
      for (let i = 0, power = rho; i < TERMS; i++, power *= rho * rho) sum += a[i]! * b[i]! * power;
      distortion += 2 * roots[k]! * roots[j]! * sum;
    }
  }
  return { distortion: Math.max(0, distortion), cap: amplitude ** 2 };
}

/** What arrives of one round, and the distortions as the link reports them. */
export interface DigitalRound {
  readonly estimate: Float64Array;
  readonly distortion: { readonly design: number; readonly measured: number; readonly cap: number };
}

/**
 * Quantises the gradients of all devices and adds what is decoded, without errors. Every device tells its mean and
 * standard deviation (two numbers, as overhead). `measured` is the exact mean, for these gradients, over the dithers
 * and over which numbers get the extra bit; normal or not, they need not be alike. `cap` holds whatever the
 * correlation between the devices.
 */
export function sendDigitally(
  gradients: readonly Gradient[],
  weights: Float64Array,
  design: DigitalPlan,
  packing: Packing,
  seed: number,
): DigitalRound {
  const { entries, scale } = packing;
  const estimate = new Float64Array(entries);
  const meanErrors = new Float64Array(entries);
  let independent = 0;
  let amplitude = 0;
  let designed = 0;
  gradients.forEach((gradient, k) => {
    const w = weights[k]!;
    designed += w * w * quantisationDistortion(design.bits[k]!);
    if (w === 0) return;
    const { mean, deviation } = momentsOf(gradient);
    const { lower, upper, share } = mixture(design.bits[k]!);
    // a bit more for as many numbers as there are bits for
    const raised = Math.floor(share * entries);
    const part = raised / entries;
    const order = randomStream(seed, "digital-order", k).permutation(entries);
    const dither = randomStream(seed, "digital-dither", k);
    const unit = scale > 0 ? (w * deviation) / scale : 0;
    let own = 0;
    for (let position = 0; position < entries; position++) {
      const entry = order[position]!;
      const x = deviation > 0 ? (gradient[entry]! - mean) / deviation : 0;
      const received = quantise(position < raised ? upper : lower, x, dither.uniform());
      estimate[entry]! += w * (mean + deviation * received);
      const low = meanError(lower, x);
      const high = meanError(upper, x);
      const average = (1 - part) * low + part * high;
      meanErrors[entry]! += unit * average;
      own += average * average;
      const spread = (1 - part) * errorVariance(lower) + part * errorVariance(upper);
      const variance = unit * unit * (spread + part * (1 - part) * (high - low) ** 2);
      independent += variance;
      own += spread + part * (1 - part) * (high - low) ** 2;
    }
    amplitude += unit * Math.sqrt(own / entries);
  });
  const shared = meanErrors.reduce((sum, x) => sum + x * x, 0);
  return {
    estimate,
    distortion: { design: designed, measured: (shared + independent) / entries, cap: amplitude ** 2 },
  };
}

/** Mean and standard deviation, in units in which squares neither overflow nor vanish. */
function momentsOf(gradient: Gradient): { readonly mean: number; readonly deviation: number } {
  const count = gradient.length;
  let total = 0;
  for (let i = 0; i < count; i++) total += gradient[i]!;
  const mean = total / count;
  let unit = 0;
  for (let i = 0; i < count; i++) unit = Math.max(unit, Math.abs(gradient[i]! - mean));
  let sum = 0;
  if (unit > 0) for (let i = 0; i < count; i++) sum += ((gradient[i]! - mean) / unit) ** 2;
  return { mean, deviation: unit * Math.sqrt(sum / count) };
}
