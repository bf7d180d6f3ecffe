/** Links with Rayleigh or Rician fading: drawn signal-to-noise ratios, and outage and ergodic rate in closed form. */
import {
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkSeed,
  InputError,
  randomStream,
} from "../core/index.ts";
import { scaledExponentialIntegral } from "./exponential-integral.ts";
import { type MarcumQ, marcumQ } from "./marcum-q.ts";
import { poissonLogMass } from "./poisson.ts";

export interface FadingSnrOptions {
  /** Mean SNR >= 0, linear (see `fromDecibels`). */
  readonly meanSnr: number;
  /** K: power of the line of sight over that of the scattered part, linear, 0 (default, Rayleigh) to 1e6. */
  readonly kFactor?: number;
}

export interface SnrDrawOptions {
  /** K */
  readonly clients: number;
  /** One for all clients or one each, linear. */
  readonly meanSnr: number | ArrayLike<number>;
  /** As in {@link FadingSnrOptions}; one for all or one each. */
  readonly kFactor?: number | ArrayLike<number>;
  /** Independent draws (block fading: rounds). Default 1. */
  readonly rounds?: number;
  readonly seed: number;
}

export interface OutageOptions extends FadingSnrOptions {
  /** bit/s/Hz >= 0 */
  readonly rate: number;
}

const LARGEST_SNR = 1e300;
const LARGEST_K_FACTOR = 1e6;
const MOST_DRAWS = 2 ** 28;
/** Below, log2(1 + snr) is snr/ln 2 to the last bit. */
const TINY_SNR = 1e-100;

/** 10^(decibels/10) */
export function fromDecibels(decibels: number): number {
  return 10 ** (checkNumber(decibels, "decibels", -3000, 3000) / 10);
}

/**
 * Linear SNRs, [rounds, clients]: meanSnr |h|^2 with h = sqrt(K/(K + 1)) + sqrt(1/(K + 1)) z, z circular complex normal of
 * variance 1. Every client has its own stream: more clients or rounds change nothing of the others.
 *
 * @throws InputError on sizes below 1 or values out of range.
 */
export function drawSnr(options: SnrDrawOptions): Float64Array {
  checkOptions(options, "drawSnr", ["clients", "meanSnr", "kFactor", "rounds", "seed"]);
  const clients = checkInteger(options.clients, "clients", 1, 2 ** 24);
  const rounds = checkInteger(options.rounds ?? 1, "rounds", 1, 2 ** 24);
  if (rounds * clients > MOST_DRAWS) {
    throw new InputError("rounds", `${rounds} for ${clients} clients`, `${MOST_DRAWS} draws or fewer in all`);
  }
  const means = onePerClient(options.meanSnr, "meanSnr", clients, LARGEST_SNR);
  const factors = onePerClient(options.kFactor ?? 0, "kFactor", clients, LARGEST_K_FACTOR);
  const seed = checkSeed(options.seed);
  const out = new Float64Array(rounds * clients);
  const scattered = new Float64Array(2 * rounds);
  for (let k = 0; k < clients; k++) {
    const factor = factors[k]!;
    randomStream(seed, "snr", k).fillComplexNormal(scattered, 1 / (factor + 1));
    const lineOfSight = Math.sqrt(factor / (factor + 1));
    for (let t = 0; t < rounds; t++) {
      out[t * clients + k] =
        means[k]! * ((lineOfSight + scattered[2 * t]!) ** 2 + scattered[2 * t + 1]! ** 2);
    }
  }
  return out;
}

/**
 * P(log2(1 + snr) < rate). Rayleigh: 1 - exp(-(2^rate - 1)/meanSnr); Rician: 1 - Q1(sqrt(2 K), sqrt(2 (K + 1) (2^rate -
 * 1)/meanSnr)). Small probabilities keep their digits.
 *
 * @throws InputError on values out of range.
 */
export function outageProbability(options: OutageOptions): number {
  checkOptions(options, "outageProbability", ["rate", "meanSnr", "kFactor"]);
  const rate = checkNumber(options.rate, "rate", 0, 900);
  const { meanSnr, kFactor } = readFading(options);
  const threshold = Math.expm1(rate * Math.LN2);
  if (threshold === 0) return 0;
  if (meanSnr === 0) return 1;
  const b = Math.sqrt(2 * (kFactor + 1)) * Math.sqrt(threshold / meanSnr);
  const { complement }: MarcumQ = marcumQ(Math.sqrt(2 * kFactor), Math.min(b, Number.MAX_VALUE));
  return complement;
}

/**
 * E log2(1 + snr) in bit/s/Hz, to about 1e-13 relative. With z = (K + 1)/meanSnr and J ~ Poisson(K) the SNR is z^-1 times a
 * gamma variable of shape J + 1, and
 *
 *   rate = sum_{m >= 1} e^z E_m(z) P(J >= m - 1) / ln 2,
 *
 * all terms positive; for Rayleigh fading, K = 0, the first alone: e^z E_1(z)/ln 2.
 *
 * @throws InputError on values out of range.
 */
export function ergodicRate(options: FadingSnrOptions): number {
  checkOptions(options, "ergodicRate", ["meanSnr", "kFactor"]);
  const { meanSnr, kFactor } = readFading(options);
  if (meanSnr < TINY_SNR) return meanSnr / Math.LN2;
  const z = (kFactor + 1) / meanSnr;
  if (kFactor === 0) return scaledExponentialIntegral(z) / Math.LN2;
  const tails = upperTails(kFactor);
  const last = tails.length;
  // e^z E_{m+1}(z) = (1 - z e^z E_m(z))/m shrinks errors upwards from m = z, and downwards below
  const start = Math.min(last, Math.max(1, Math.ceil(z)));
  const middle = scaledExponentialIntegral(z, start);
  let sum = middle * tails[start - 1]!;
  for (let m = start, value = middle; m < last; m++) {
    value = (1 - z * value) / m;
    sum += value * tails[m]!;
  }
  for (let m = start - 1, value = middle; m >= 1; m--) {
    value = (1 - m * value) / z;
    sum += value * tails[m - 1]!;
  }
  return sum / Math.LN2;
}

/** P(J >= m - 1), m = 1, 2, ..., for J ~ Poisson(mean), as far as they count: sums of masses, outwards from the mode. */
function upperTails(mean: number): Float64Array {
  const tails = new Float64Array(Math.ceil(mean + 10 * Math.sqrt(mean)) + 40);
  const mode = Math.floor(mean);
  tails[mode] = Math.exp(poissonLogMass(mode, mean));
  // nothing so small counts, and subnormal numbers are slow
  for (let j = mode; j > 0 && tails[j]! > 1e-100; j--) tails[j - 1] = tails[j]! * (j / mean);
  for (let j = mode + 1; j < tails.length && tails[j - 1]! > 1e-100; j++) {
    tails[j] = tails[j - 1]! * (mean / j);
  }
  for (let j = tails.length - 2; j >= 0; j--) tails[j]! += tails[j + 1]!;
  // rounding of the mass at the mode
  const all = tails[0]!;
  for (let j = 0; j < tails.length; j++) tails[j]! /= all;
  return tails;
}

function readFading(options: FadingSnrOptions): Required<FadingSnrOptions> {
  return {
    meanSnr: checkNumber(options.meanSnr, "meanSnr", 0, LARGEST_SNR),
    kFactor: checkNumber(options.kFactor ?? 0, "kFactor", 0, LARGEST_K_FACTOR),
  };
}

function onePerClient(
  value: number | ArrayLike<number>,
  field: string,
  clients: number,
  largest: number,
): ArrayLike<number> {
  if (typeof value !== "number") return checkNumbers(value, field, clients, 0, largest);
  return new Float64Array(clients).fill(checkNumber(value, field, 0, largest));
}
