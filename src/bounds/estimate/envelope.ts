import { randomStream } from "../../core/index.ts";
import { sortedQuantile } from "./statistics.ts";

/** y <= floor + slope x for all points. */
export interface Envelope {
  /** >= 0 */
  readonly floor: number;
  /** >= 0 */
  readonly slope: number;
}

/** With the ends of their intervals. */
export interface EnvelopeEstimate extends Envelope {
  readonly floorInterval: readonly [number, number];
  readonly slopeInterval: readonly [number, number];
}

/** Resamplings of the bootstrap: enough for its 2.5 % quantiles. */
const resamplings = 400;

/**
 * The line floor + slope x, both >= 0, above all points (x, y), x, y >= 0, with the least mean excess: the linear
 * programme min floor + slope mean(x). Its solution is the edge of the upper convex hull above mean(x), or on the
 * boundary: slope = 0 where that edge falls, floor = 0 where it starts below 0. Of equally good lines the flattest.
 */
export function upperEnvelope(x: ArrayLike<number>, y: ArrayLike<number>): Envelope {
  const count = x.length;
  let sum = 0;
  let highest = 0;
  for (let i = 0; i < count; i++) {
    sum += x[i]! / count;
    highest = Math.max(highest, y[i]!);
  }
  const hull = upperHull(x, y);
  let right = hull.findIndex((i) => x[i]! >= sum);
  if (right < 0) right = hull.length - 1;
  const after = hull[right]!;
  // above a vertex every slope between its two edges is as good
  const edge = x[after]! > sum ? right : right + 1;
  let slope = edge > 0 && edge < hull.length ? slopeBetween(x, y, hull[edge - 1]!, hull[edge]!) : 0;
  let floor = y[after]! - slope * x[after]!;
  if (!(slope > 0 && Number.isFinite(slope))) {
    slope = 0;
    floor = highest;
  } else if (floor < 0) {
    floor = 0;
    let steepest = 0;
    for (let i = 0; i < count; i++) if (y[i]! > 0) steepest = Math.max(steepest, y[i]! / x[i]!);
    // not above the edge's slope, but for rounding at x = 0
    slope = Math.min(slope, steepest);
  }
  return liftAbove(x, y, floor, slope);
}

/**
 * The envelope with intervals: percentiles of a seeded bootstrap over the points, and at the upper end at least the
 * factor of the end-point limit for y/(floor + slope x), whose largest value is 1: 1 + ((1 - alpha)/alpha)(1 - u)
 * with u the largest value of a point that the line does not touch.
 */
export function estimateEnvelope(
  x: readonly number[],
  y: readonly number[],
  confidence: number,
  seed: number,
): EnvelopeEstimate {
  const { floor, slope } = upperEnvelope(x, y);
  const count = x.length;
  let next = 0;
  for (let i = 0; i < count; i++) {
    const ratio = y[i]! / (floor + slope * x[i]!);
    if (ratio < 1 - 1e-9) next = Math.max(next, ratio);
  }
  // a line through all points has nothing below it, and no spread
  const touched = x.every((value, i) => !(y[i]! / (floor + slope * value) < 1 - 1e-9));
  const factor = touched ? 1 : 1 + (confidence / (1 - confidence)) * (1 - next);
  const stream = randomStream(seed, "envelope");
  const floors = new Float64Array(resamplings);
  const slopes = new Float64Array(resamplings);
  const order = leftToRight(x, y);
  const drawn = new Uint32Array(count);
  const xs = new Float64Array(count);
  const ys = new Float64Array(count);
  for (let b = 0; b < resamplings; b++) {
    drawn.fill(0);
    for (let i = 0; i < count; i++) drawn[stream.integer(count)]!++;
    // in sorted order, so that the hull has nothing left to sort
    let place = 0;
    for (const i of order) {
      for (let copy = drawn[i]!; copy > 0; copy--) {
        xs[place] = x[i]!;
        ys[place++] = y[i]!;
      }
    }
    const line = upperEnvelope(xs, ys);
    floors[b] = line.floor;
    slopes[b] = line.slope;
  }
  const tail = (1 - confidence) / 2;
  const interval = (value: number, resampled: Float64Array): readonly [number, number] => [
    Math.min(value, sortedQuantile(resampled, tail)),
    Math.max(value * factor, sortedQuantile(resampled, 1 - tail)),
  ];
  return { floor, slope, floorInterval: interval(floor, floors), slopeInterval: interval(slope, slopes) };
}

/** Indices of the upper hull from left to right; of points with equal x the highest. */
function upperHull(x: ArrayLike<number>, y: ArrayLike<number>): number[] {
  const hull: number[] = [];
  for (const i of leftToRight(x, y)) {
    if (hull.length > 0 && x[hull[hull.length - 1]!] === x[i]) continue;
    while (hull.length > 1) {
      const middle = hull[hull.length - 1]!;
      const left = hull[hull.length - 2]!;
      if (slopeBetween(x, y, left, middle) > slopeBetween(x, y, middle, i)) break;
      hull.pop();
    }
    hull.push(i);
  }
  return hull;
}

function leftToRight(x: ArrayLike<number>, y: ArrayLike<number>): Uint32Array {
  const order = new Uint32Array(x.length).map((_, i) => i);
  let isSorted = true;
  for (let i = 1; i < x.length && isSorted; i++) {
    isSorted = x[i - 1]! < x[i]! || (x[i - 1] === x[i] && y[i - 1]! >= y[i]!);
  }
  return isSorted ? order : order.sort((a, b) => x[a]! - x[b]! || y[b]! - y[a]!);
}

function slopeBetween(x: ArrayLike<number>, y: ArrayLike<number>, from: number, to: number): number {
  return (y[to]! - y[from]!) / (x[to]! - x[from]!);
}

/** Raises the floor by what rounding has left above the line. */
function liftAbove(x: ArrayLike<number>, y: ArrayLike<number>, floor: number, slope: number): Envelope {
  for (let attempt = 0; attempt < 60; attempt++) {
    let above = 0;
    let level = 0;
    for (let i = 0; i < x.length; i++) {
      above = Math.max(above, y[i]! - (floor + slope * x[i]!));
      level = Math.max(level, y[i]!);
    }
    if (above <= 0) break;
    floor += Math.max(above, level * 2 ** (attempt - 53));
  }
  return { floor, slope };
}
