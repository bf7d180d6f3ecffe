import { checkInteger, checkNumber, checkOptions } from "../core/index.ts";
import { normalDensity, normalTail } from "./quantiser.ts";

/** Converters between samples and numbers: one for the real, one for the imaginary part of every antenna. */
export interface ConverterOptions {
  /** b, whole number from 1 to 24, or Infinity, the default: clipping without steps. */
  readonly bits?: number;
  /** Level T at which a part is clipped, in dB over the rms of that part: T = rms 10^(clippingDb / 20); -40 to 200. */
  readonly clippingDb: number;
}

/** A converter whose options were checked. */
export type Converter = Required<ConverterOptions>;

/** What a converter does to a normally distributed input of variance 1. */
export interface ConverterGain {
  /** alpha = E[x Q(x)], the share of the input in the output. */
  readonly gain: number;
  /** E[Q(x)^2] - alpha^2, the variance of the rest, which is uncorrelated with the input. */
  readonly noise: number;
}

/** Up to so many bits, or with larger steps, the levels are summed one by one; else their sums are integrals. */
const SUMMED_BITS = 8;
const FINE_STEP = 0.5;
/** Beyond so many standard deviations density and tail are 0 in double precision. */
const FARTHEST = 40;

/** @throws InputError naming the option that is missing, unknown or out of range. */
export function checkConverter(options: ConverterOptions, field: string): Converter {
  checkOptions(options, field, ["bits", "clippingDb"]);
  const { bits = Number.POSITIVE_INFINITY, clippingDb } = options;
  if (bits !== Number.POSITIVE_INFINITY) checkInteger(bits, `${field}.bits`, 1, 24);
  checkNumber(clippingDb, `${field}.clippingDb`, -40, 200);
  return { bits, clippingDb };
}

/** T over the rms of the part. */
export function clippingLevel({ clippingDb }: Converter): number {
  return 10 ** (clippingDb / 20);
}

/**
 * Converts in place: the uniform mid-rise quantiser of 2^b levels (j + 1/2) D, j = -2^(b-1) .. 2^(b-1) - 1, step
 * D = 2 T / 2^b. Its error is at most D/2 up to |x| = T. It has no level at 0; antennas whose rms is 0 stay silent.
 *
 * @param samples [count, antennas]
 * @param rms of the real (and the imaginary) part, one per antenna
 */
export function convert(
  samples: Float64Array,
  antennas: number,
  rms: Float64Array,
  converter: Converter,
): void {
  const { bits } = converter;
  const level = clippingLevel(converter);
  const half = 2 ** (bits - 1);
  const count = samples.length / (2 * antennas);
  for (let a = 0; a < antennas; a++) {
    const top = level * rms[a]!;
    const step = top / half;
    let position = 2 * a;
    for (let t = 0; t < count; t++, position += 2 * antennas) {
      for (let part = position; part < position + 2; part++) {
        const x = samples[part]!;
        if (!(top > 0)) samples[part] = 0;
        else if (bits === Number.POSITIVE_INFINITY) samples[part] = Math.min(top, Math.max(-top, x));
        else samples[part] = (Math.min(half - 1, Math.max(-half, Math.floor(x / step))) + 0.5) * step;
      }
    }
  }
}

/**
 * Linear gain and uncorrelated noise of a converter whose input is normal with variance 1 (J. J. Bussgang, MIT
 * Research Laboratory of Electronics, Technical Report 216, 1952). With phi, Q the normal density and tail, J = 2^(b-1):
 *
 *   alpha = D [phi(0) + 2 sum_{0 < j < J} phi(j D)],   E[Q(x)^2] = D^2/4 + 4 D^2 sum_{0 < j < J} j Q(j D);
 *
 * for b > 8 and D <= 1/2 both sums by the formula of Euler and Maclaurin, up to terms in D^4 (with larger steps it
 * fails: its error inside the range is of the order exp(-2 pi^2/D^2)):
 *
 *   alpha = 1 - 2 Q(T) - D phi(T) - D^2 T phi(T)/6,
 *   E[Q(x)^2] = 1 - 2 Q(T) - 2 T phi(T) + 2 T^2 Q(T) - 2 D T Q(T) + D^2/12 + (D^2/3)(Q(T) - T phi(T)).
 *
 * @param level T, in units of the standard deviation of the input, > 0
 */
export function converterGain(bits: number, level: number): ConverterGain {
  const half = 2 ** (bits - 1);
  const step = level / half;
  if (bits <= SUMMED_BITS || step > FINE_STEP) {
    let gain = step * normalDensity(0);
    let square = (step * step) / 4;
    for (let j = 1; j < half && j * step <= FARTHEST; j++) {
      gain += 2 * step * normalDensity(j * step);
      square += 4 * step * step * j * normalTail(j * step);
    }
    return { gain, noise: Math.max(0, square - gain * gain) };
  }
  const tail = normalTail(level);
  const density = normalDensity(level);
  // of clipping, and what the steps take from it
  const linear = 1 - 2 * tail;
  const lost = step * density + (step * step * level * density) / 6;
  const clipped = 2 * tail * linear - 2 * level * density + 2 * level * level * tail;
  const edge = 2 * linear * lost - lost * lost - 2 * step * level * tail;
  const granular = (step * step) / 12 + (step * step * (tail - level * density)) / 3;
  return { gain: linear - lost, noise: Math.max(0, clipped + edge + granular) };
}
