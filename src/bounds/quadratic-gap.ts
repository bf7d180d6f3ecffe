import type { ErrorParts } from "../aircomp/index.ts";
import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import { type NoiseKernel, noiseKernel } from "./noise-kernel.ts";
import type { GapResult } from "./optimality-gap.ts";

export interface QuadraticGapInput {
  /** L > 0, largest curvature of f. */
  readonly smoothness: number;
  /** mu, smallest curvature of f, 0 < mu <= L. */
  readonly plConstant: number;
  /** Delta0 = F(W0) - F* >= 0. */
  readonly initialGap: number;
  /** T >= 0, whole. */
  readonly rounds: number;
  /** Of the beamformers, the same in every round: see `errorParts`. */
  readonly parts: ErrorParts;
  /** a1 >= 0 of Q packScale^2 <= a1 + a2 ||grad f||^2. */
  readonly gradientFloor: number;
  /** a2 >= 0 of the same bound. Default 0. */
  readonly gradientSlope?: number;
  /** h1 >= 0 of sum_k w_k ||g_k - g||^2 <= h1 + h2 ||grad f||^2, g_k as sent. Default a1, which always holds. */
  readonly dissimilarityFloor?: number;
  /** h2 >= 0 of the same bound. Default a2. */
  readonly dissimilaritySlope?: number;
  /** chi2 >= 0: variance of the weighted stochastic gradient. Default 0. */
  readonly stochasticVariance?: number;
  /** eps(r) >= 0: what rank r cannot reach. Default 0. */
  readonly residual?: number;
}

const names = [
  "smoothness",
  "plConstant",
  "initialGap",
  "rounds",
  "parts",
  "gradientFloor",
  "gradientSlope",
  "dissimilarityFloor",
  "dissimilaritySlope",
  "stochasticVariance",
  "residual",
] as const;

const partNames = ["gain", "bias", "common", "deviation", "noise"] as const;

type Checked = Required<QuadraticGapInput>;

/**
 * Bound on the optimality gap after T rounds where the losses of the devices are quadratic in what is trained (squared
 * loss and a frozen loraA), for any correlation of the gradients:
 *
 *   gap <= ((q^T sqrt(2 Delta0) + X)^2 + Y^2 + C p^T)/2 + eps(r)
 *
 * with what the shared shrinkage leaves of the start, the bias X of unequal shrinkage, and the noise Y. Noise of mean zero
 * enters through L, not mu: Y^2/2 is about E||noise||^2/(2 L), where the PL form has E||error||^2/(2 mu).
 *
 * Source: docs/theory.md, section 2, quadratic form, with the proof.
 *
 * @throws InputError on a constant outside its range (mu > L, negative or NaN values).
 */
export function quadraticGap(input: QuadraticGapInput): GapResult {
  const checked = checkQuadraticInput(input);
  const { initialGap, rounds, residual, stochasticVariance } = checked;
  if (rounds === 0) {
    const terms = { initial: initialGap, air: 0, stochastic: 0, participation: 0, residual };
    return { gap: initialGap + residual, terms, contraction: Math.min(1, decayOf(checked).total ** 2) };
  }
  const found = solve(checked);
  if (found === undefined) {
    const air = Number.POSITIVE_INFINITY;
    const terms = { initial: initialGap, air, stochastic: 0, participation: 0, residual };
    return { gap: air, terms, contraction: 1, reason: reasonOf(checked) };
  }
  const without = stochasticVariance === 0 ? found : (solve({ ...checked, stochasticVariance: 0 }) ?? found);
  const stochastic = Math.max(0, found.distance - without.distance);
  const air = Math.max(0, found.distance - found.initial - stochastic);
  const terms = { initial: found.initial, air, stochastic, participation: 0, residual };
  return {
    gap: found.initial + air + stochastic + residual,
    terms,
    contraction: decayOf(checked).total ** 2,
  };
}

/** The bound applies where this is below 1: the largest of what grows from round to round. */
export function quadraticSlope(input: QuadraticGapInput): number {
  const checked = checkQuadraticInput(input);
  const { kernel, stray, total } = decayOf(checked);
  if (!(total < 1)) return total;
  const echo = stray === 0 ? 0 : stray * kernel.rootSum(1);
  if (echo >= 1) return echo;
  const { parts, gradientSlope, dissimilaritySlope, stochasticVariance } = checked;
  const drawn = stochasticVariance > 0 ? parts.bias * dissimilaritySlope : 0;
  const slope =
    parts.noise * gradientSlope +
    (Math.sqrt(parts.common) + Math.sqrt(parts.deviation * dissimilaritySlope)) ** 2 +
    drawn;
  return Math.max(total, echo, (kernel.sum(1) * slope) / (1 - echo) ** 2);
}

/** @throws InputError on values outside their range. */
export function checkQuadraticInput(input: QuadraticGapInput): Checked {
  checkOptions(input, "quadraticGap", names);
  const smoothness = checkPositive(input.smoothness, "smoothness");
  const plConstant = checkPositive(input.plConstant, "plConstant");
  if (plConstant > smoothness) {
    throw new InputError("plConstant", `${plConstant}`, `at most the smoothness ${smoothness} (mu <= L)`);
  }
  const { parts } = input;
  if (parts === null || typeof parts !== "object") {
    throw new InputError("parts", describe(parts), "what errorParts says of a design");
  }
  checkOptions(parts, "parts", partNames);
  checkNumber(parts.gain, "parts.gain");
  for (const name of partNames.slice(1)) {
    // unbounded parts make an infinite bound, with its reason
    if (parts[name] !== Number.POSITIVE_INFINITY) checkNumber(parts[name], `parts.${name}`, 0);
  }
  const gradientFloor = checkNumber(input.gradientFloor, "gradientFloor", 0);
  const gradientSlope = checkNumber(input.gradientSlope ?? 0, "gradientSlope", 0);
  return {
    smoothness,
    plConstant,
    initialGap: checkNumber(input.initialGap, "initialGap", 0),
    rounds: checkInteger(input.rounds, "rounds", 0),
    parts,
    gradientFloor,
    gradientSlope,
    dissimilarityFloor: checkNumber(input.dissimilarityFloor ?? gradientFloor, "dissimilarityFloor", 0),
    dissimilaritySlope: checkNumber(input.dissimilaritySlope ?? gradientSlope, "dissimilaritySlope", 0),
    stochasticVariance: checkNumber(input.stochasticVariance ?? 0, "stochasticVariance", 0),
    residual: checkNumber(input.residual ?? 0, "residual", 0),
  };
}

interface Decay {
  readonly kernel: NoiseKernel;
  /** eta: how much the unequal shrinkage of the devices may stretch an error per round. */
  readonly stray: number;
  /** q = memory + eta, what is left of the distance to the optimum after a round. */
  readonly total: number;
}

function decayOf({ smoothness, plConstant, parts, dissimilaritySlope }: Checked): Decay {
  const gain = Math.min(Math.max(parts.gain, Number.MIN_VALUE), 2);
  const kernel = noiseKernel(plConstant / smoothness, gain);
  const stray = dissimilaritySlope === 0 ? 0 : Math.sqrt(parts.bias * dissimilaritySlope);
  const isGain = parts.gain > 0 && parts.gain < 2;
  return { kernel, stray, total: isGain ? kernel.memory + stray : Number.POSITIVE_INFINITY };
}

interface Solution {
  /** (q^T x0)^2 / 2 */
  readonly initial: number;
  /** The bound on the gap to the optimum of the rank. */
  readonly distance: number;
}

/** The bound, smallest over its free constants; undefined where none of them makes it finite. */
function solve(input: Checked): Solution | undefined {
  const { smoothness, plConstant, initialGap, rounds, parts, dissimilarityFloor } = input;
  const { kernel, stray, total } = decayOf(input);
  if (!(total < 1)) return undefined;
  const echo = stray === 0 ? 0 : stray * kernel.rootSum(1);
  if (!(echo < 1)) return undefined;
  const gains = Math.max(1, parts.gain) / Math.min(1, parts.gain);
  const drift = dissimilarityFloor === 0 ? 0 : Math.sqrt((parts.bias * dissimilarityFloor) / plConstant);
  const x = (drift * gains) / (1 - echo);
  const x0 = Math.sqrt(2 * initialGap);
  const start = total ** rounds * x0;
  const steady = kernel.sum(1) / (1 - echo) ** 2;

  // minibatch noise passes with the gain, but along packMean with none lost; of age 0 it is felt in full
  const [least, most] = [Math.min(1, parts.gain), Math.max(1, parts.gain)];
  const drawn = (least * most + (most * most - least * most) / kernel.sum(1)) * input.stochasticVariance;

  /** Y^2 + C p^T for noise of energy n1 + n2 ||grad||^2. */
  const spread = (n1: number, n2: number, p: number, sums: Sums): number => {
    const room = 1 - steady * n2;
    if (!(room > 0)) return Number.POSITIVE_INFINITY;
    const floor = (steady * (n1 / smoothness + n2 * x * x)) / room;
    const fed = (n2 * sums.noise) / (1 - echo);
    const left = p - fed - stray * sums.root;
    const energy = x0 * (2 * x + x0);
    if (fed === 0 || energy === 0) return floor;
    return left > 0 ? floor + ((fed * energy) / left) * p ** rounds : Number.POSITIVE_INFINITY;
  };
  const overSplits = (p: number): number => {
    const sums = { noise: kernel.sum(p), root: stray === 0 ? 0 : kernel.rootSum(p) };
    return overNoise(input, drawn, (n1, n2) => spread(n1, n2, p, sums));
  };
  // p in (q, 1), by z = log((p - q)/(1 - p)); the bound is convex in log p
  const at = (z: number): number => total + (1 - total) / (1 + Math.exp(-z));
  const energy = overSplits(at(goldenSection((z) => overSplits(at(z)), -30, 30)));
  const distance = ((start + x) ** 2 + energy) / 2;
  return Number.isFinite(distance) ? { initial: (start * start) / 2, distance } : undefined;
}

interface Sums {
  readonly noise: number;
  readonly root: number;
}

/**
 * The noise of a round has at most the energy
 *
 *   noise (a1 + a2 G) + (sqrt(common (G + chi2)) + sqrt(deviation (h1 + h2 G)))^2
 *     + [chi2 > 0] (sqrt(drawn) + sqrt(bias (h1 + h2 G)))^2,   G = E||grad f||^2;
 *
 * each square is at most (1 + s) and (1 + 1/s) times its parts, so that n1 + n2 G bounds it. The bound grows with n1 and
 * n2, and they form a convex set: the best splits minimise n1 + price n2 for some price, which has a closed form. Minimises over the price.
 */
function overNoise(input: Checked, drawn: number, bound: (n1: number, n2: number) => number): number {
  const { parts, gradientFloor: a1, gradientSlope: a2, stochasticVariance: chi2 } = input;
  const { dissimilarityFloor: h1, dissimilaritySlope: h2 } = input;
  const { common, deviation, bias, noise } = parts;
  const at = (price: number): number => {
    let n1 = times(noise, a1);
    let n2 = times(noise, a2);
    // (sqrt(x) + sqrt(y))^2 <= (1 + s) x + (1 + 1/s) y, least for s = sqrt(y/x)
    const add = (x1: number, x2: number, y1: number, y2: number): void => {
      const s = Math.sqrt((y1 + price * y2) / (x1 + price * x2));
      const isMixed = s > 0 && s < Number.POSITIVE_INFINITY;
      n1 += isMixed ? (1 + s) * x1 + (1 + 1 / s) * y1 : x1 + y1;
      n2 += isMixed ? (1 + s) * x2 + (1 + 1 / s) * y2 : x2 + y2;
    };
    add(times(common, chi2), common, times(deviation, h1), times(deviation, h2));
    if (chi2 > 0) add(drawn, 0, times(bias, h1), times(bias, h2));
    return bound(n1, n2);
  };
  const unit = a1 + h1 + chi2;
  if (!(unit > 0 && unit < Number.POSITIVE_INFINITY)) return at(1);
  return at(unit * Math.exp(goldenSection((z) => at(unit * Math.exp(z)), -40, 40)));
}

/** A product of parts of which one may be infinite: nothing times anything is nothing. */
function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

/** The minimiser of a convex function of one variable, +Infinity allowed at both ends. */
function goldenSection(f: (x: number) => number, low: number, high: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  // a coarse grid first: golden section alone may start where the function is infinite
  const count = 12;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= count; i++) {
    const value = f(low + ((high - low) * i) / count);
    if (value < least) {
      least = value;
      best = i;
    }
  }
  let a = low + ((high - low) * Math.max(0, best - 1)) / count;
  let b = low + ((high - low) * Math.min(count, best + 1)) / count;
  let x1 = b - ratio * (b - a);
  let x2 = a + ratio * (b - a);
  let f1 = f(x1);
  let f2 = f(x2);
  for (let i = 0; i < 32; i++) {
    if (f1 <= f2) {
      b = x2;
      x2 = x1;
      f2 = f1;
      x1 = b - ratio * (b - a);
      f1 = f(x1);
    } else {
      a = x1;
      x1 = x2;
      f1 = f2;
      x2 = a + ratio * (b - a);
      f2 = f(x2);
    }
  }
  return f1 <= f2 ? x1 : x2;
}

function reasonOf(input: Checked): string {
  const { gain, bias, deviation } = input.parts;
  if (!(gain > 0 && gain < 2)) {
    return `the beamformers leave ${gain} of the common gradient, and a step that converges needs more than 0 and less than 2`;
  }
  if (!Number.isFinite(bias) || !Number.isFinite(deviation)) {
    return "a device of weight 0 is heard, and nothing bounds its gradient";
  }
  if (!(decayOf(input).kernel.memory < 1)) {
    return "the beamformers leave so little of the gradient that a round changes nothing in double precision";
  }
  return (
    "the errors grow with the gradient at least as fast as a round shrinks it: no convergence is guaranteed; lower the " +
    "distortion, the gradient slope or the dissimilarity slope"
  );
}
