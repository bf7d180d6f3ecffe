import { randomStream } from "../../core/index.ts";
import type { Round } from "./rounds.ts";

/** Largest curvature between pairs of rounds. */
export interface PairCurvature {
  /** Of every round that has a usable pair with an earlier one: the largest curvature of its pairs. */
  readonly largest: readonly number[];
  /** The largest curvature less what noise may have added to it. */
  readonly clear: number;
  /** The largest of ||g_i - g_j|| / ||x_i - x_j||, and of 2 |f_j - f_i - <g_i, x_j - x_i>| / ||x_j - x_i||^2. */
  readonly secant: number;
  readonly descent: number;
  readonly used: number;
  /** Pairs left out: the points (or gradients) differ by little more than rounding; or by little more than the noise. */
  readonly tooClose: number;
  readonly tooNoisy: number;
  /** Rounds whose devices disagree about the change of the gradient by more than a tenth of that change. */
  readonly disagreeing: number;
  /** Whether every pair of rounds was looked at. */
  readonly isComplete: boolean;
}

export interface PairCollector {
  add(round: Round): void;
  readonly result: PairCurvature;
}

interface Point {
  readonly parameters: Float64Array;
  readonly gradient: Float64Array;
  parametersNorm: number;
  gradientNorm: number;
  loss: number;
  variance: number;
  lossVariance: number;
}

/** Numbers that the kept points may hold together: 64 MB. */
const storage = 2 ** 23;
const mostPoints = 128;
/** Logs may hold single precision: relative rounding of their numbers. */
const rounding = 2 ** -24;
/** A difference must be this much larger than its rounding. */
const clearOfRounding = 100;
/**
 * Pairs whose gradients differ by less than this many standard deviations of that difference are not used: of many such
 * ratios the largest would be noise. 10 leaves an inflation of at most about 1/10 per standard deviation.
 */
export const clearOfNoise = 10;

/** Standard deviations of noise that the largest of many pairs may have gained. */
const noiseMargin = 4;

/**
 * Curvature between pairs of rounds, in bounded memory: each round is compared with the one before and with a kept set
 * of earlier ones; all of them where they fit, otherwise a uniform random sample (reservoir, algorithm R).
 */
export function collectPairs(seed: number): PairCollector {
  const stream = randomStream(seed, "pairs");
  const kept: Point[] = [];
  const free: Point[] = [];
  const largest: number[] = [];
  let previous: Point | undefined;
  let clear = 0;
  let secant = 0;
  let descent = 0;
  let used = 0;
  let tooClose = 0;
  let tooNoisy = 0;
  let disagreeing = 0;
  let seen = 0;
  let isComplete = true;

  function compare(a: Point, b: Point): number {
    let distance = 0;
    let change = 0;
    let along = 0;
    let alongBack = 0;
    for (let i = 0; i < a.parameters.length; i++) {
      const dx = b.parameters[i]! - a.parameters[i]!;
      const ga = a.gradient[i]!;
      const gb = b.gradient[i]!;
      distance += dx * dx;
      change += (gb - ga) * (gb - ga);
      along += ga * dx;
      alongBack += gb * dx;
    }
    const length = Math.sqrt(distance);
    const isClose =
      !(length > clearOfRounding * rounding * (a.parametersNorm + b.parametersNorm)) ||
      !(Math.sqrt(change) > clearOfRounding * rounding * (a.gradientNorm + b.gradientNorm));
    if (isClose || !(distance > 1e-290) || !(change > 1e-290)) {
      tooClose++;
      return 0;
    }
    const variance = a.variance + b.variance;
    if (clearOfNoise ** 2 * variance > change) {
      tooNoisy++;
      return 0;
    }
    used++;
    // E ||noisy difference||^2 = ||difference||^2 + variance
    const slope = Math.sqrt(change - variance) / length;
    secant = Math.max(secant, slope);
    clear = Math.max(clear, slope - (noiseMargin * Math.sqrt(variance)) / length);
    const fall = b.loss - a.loss;
    const lossError =
      clearOfRounding * rounding * (Math.abs(a.loss) + Math.abs(b.loss)) +
      clearOfNoise * Math.sqrt(a.lossVariance + b.lossVariance);
    let best = slope;
    for (const [rest, own] of [
      [fall - along, a.variance],
      [alongBack - fall, b.variance],
    ] as const) {
      // the losses must tell this curvature to a few per cent, or the gradients alone are the better witness
      if (lossError + clearOfNoise * Math.sqrt(own) * length > Math.abs(rest)) continue;
      const curvature = (2 * Math.abs(rest)) / distance;
      descent = Math.max(descent, curvature);
      best = Math.max(best, curvature);
      clear = Math.max(clear, curvature - (2 * noiseMargin * Math.sqrt(own)) / length);
    }
    return best;
  }

  function store(round: Round): Point {
    const count = round.parameters.length;
    const point = free.pop() ?? {
      parameters: new Float64Array(count),
      gradient: new Float64Array(count),
      parametersNorm: 0,
      gradientNorm: 0,
      loss: 0,
      variance: 0,
      lossVariance: 0,
    };
    point.parameters.set(round.parameters);
    point.gradient.set(round.gradient);
    point.parametersNorm = Math.sqrt(round.parametersSquared);
    point.gradientNorm = Math.sqrt(round.gradientSquared);
    point.loss = round.loss;
    point.variance = round.gradientVariance ?? 0;
    point.lossVariance = round.lossVariance ?? 0;
    return point;
  }

  function add(round: Round): void {
    const point = store(round);
    let best = 0;
    for (const earlier of kept) best = Math.max(best, compare(earlier, point));
    if (previous !== undefined && !kept.includes(previous)) {
      best = Math.max(best, compare(previous, point));
      free.push(previous);
    }
    if (previous !== undefined && round.disagreement !== undefined) {
      const change = squaredDistance(previous.gradient, point.gradient);
      if (round.disagreement * clearOfNoise ** 2 > change && change > 0) disagreeing++;
    }
    if (best > 0) largest.push(best);
    const room = Math.max(2, Math.min(mostPoints, Math.floor(storage / (2 * point.parameters.length))));
    seen++;
    if (kept.length < room) kept.push(point);
    else {
      isComplete = false;
      const place = stream.integer(seen);
      if (place < room) {
        free.push(kept[place]!);
        kept[place] = point;
      }
    }
    previous = point;
  }

  return {
    add,
    get result() {
      return { largest, clear, secant, descent, used, tooClose, tooNoisy, disagreeing, isComplete };
    },
  };
}

function squaredDistance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
