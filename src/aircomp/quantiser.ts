import { goldenSection } from "./start.ts";

/**
 * A uniform scalar quantiser of 2^b levels with subtractive dither (Schuchman 1964; Gray and Stockham, IEEE Trans.
 * Inf. Theory 39(3), 1993). Its levels are T (2 j - 2^b + 1)/(2^b - 1), j = 0 .. 2^b - 1, step 2T/(2^b - 1); u is
 * uniform over one step and known to both sides. Whatever the input,
 *
 *   Q(x + u) - u = clip(x, -T, T) + n,   n uniform over one step and independent of x,
 *
 * also where it overloads: there the top level is sent for every u.
 */
export interface Quantiser {
  /** b >= 0; 0 bits: the estimate is 0, the mean. */
  readonly bits: number;
  /** T in units of the standard deviation. */
  readonly range: number;
  readonly step: number;
  /** Mean squared error for a standard normal input. */
  readonly distortion: number;
}

/** More bits than this per number are of no use: gradients are 32-bit numbers. */
export const MOST_BITS = 32;

const known: Quantiser[] = [{ bits: 0, range: 0, step: 0, distortion: 1 }];

/** The quantiser of b bits, 0 <= b <= 32, whose range is the best for a standard normal input. */
export function gaussianQuantiser(bits: number): Quantiser {
  for (let b = known.length; b <= bits; b++) known.push(bestQuantiser(b));
  return known[bits]!;
}

/** Golden section on log T: the distortion falls while overload decides, then rises with the step. */
function bestQuantiser(bits: number): Quantiser {
  // every bit widens the range, by less than a factor of 2
  const before = known[bits - 1]!.range;
  const logRange = goldenSection(
    (x) => quantiserOf(bits, Math.exp(x)).distortion,
    Math.log(Math.max(0.25, before)),
    Math.log(Math.max(2, 2 * before)),
    60,
  );
  return quantiserOf(bits, Math.exp(logRange));
}

/** E (clip(x) - x)^2 + step^2 / 12. At the best range a Wiener factor on the output would be 1. */
function quantiserOf(bits: number, range: number): Quantiser {
  const step = (2 * range) / (2 ** bits - 1);
  const overload = 2 * (1 + range * range) * normalTail(range) - 2 * range * normalDensity(range);
  return { bits, range, step, distortion: Math.max(0, overload) + (step * step) / 12 };
}

/**
 * The estimate of x after dither: the level next to x + u, minus u.
 *
 * @param x in units of the standard deviation
 * @param uniform in [0, 1), the dither
 */
export function quantise({ bits, range, step }: Quantiser, x: number, uniform: number): number {
  if (bits === 0) return 0;
  const dither = (uniform - 0.5) * step;
  const level = Math.round((x + dither + range) / step);
  const top = 2 ** bits - 1;
  return Math.min(top, Math.max(0, level)) * step - range - dither;
}

/** Mean of the error, given x: clip(x) - x. */
export function meanError({ range }: Quantiser, x: number): number {
  return Math.min(range, Math.max(-range, x)) - x;
}

/** Variance of the error, the same for every x. */
export function errorVariance({ step }: Quantiser): number {
  return (step * step) / 12;
}

/**
 * Coefficients a_n, n = 1, 3, 5 .., of the mean error in normalised Hermite polynomials, so that the errors of two
 * quantisers at jointly normal inputs of correlation rho have the covariance sum_n a_n a'_n rho^n (Mehler):
 * a_1 = -P(|x| > T), a_n = -2 phi(T) he_{n-2}(T) / sqrt(n (n - 1)). They fall as n^(-5/4).
 */
export function hermiteCoefficients({ range }: Quantiser, count: number): Float64Array {
  const coefficients = new Float64Array(count);
  if (count > 0) coefficients[0] = -2 * normalTail(range);
  if (range === 0) return coefficients;
  const scale = -2 * normalDensity(range);
  // he_n = He_n / sqrt(n!): he_{n+1} = (x he_n - sqrt(n) he_{n-1}) / sqrt(n + 1)
  let before = 1;
  let here = range;
  for (let n = 1, i = 1; i < count; n++) {
    if (n % 2 === 1) {
      coefficients[i] = (scale * here) / Math.sqrt((n + 2) * (n + 1));
      i++;
    }
    const next = (range * here - Math.sqrt(n) * before) / Math.sqrt(n + 1);
    before = here;
    here = next;
  }
  return coefficients;
}

/** Density of the standard normal distribution. */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

/** P(X > x) for x >= 0: the power series of the distribution, or the continued fraction of the tail (Abramowitz and Stegun 26.2.11, 26.2.14). */
export function normalTail(x: number): number {
  if (x < 3) {
    let term = x;
    let sum = x;
    for (let n = 3; term > 1e-17 * sum; n += 2) {
      term *= (x * x) / n;
      sum += term;
    }
    return 0.5 - normalDensity(x) * sum;
  }
  let fraction = x;
  for (let n = 120; n >= 1; n--) fraction = x + n / fraction;
  return normalDensity(x) / fraction;
}
