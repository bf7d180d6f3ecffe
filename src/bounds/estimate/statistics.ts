/** An upper limit for the end point of a distribution from its sample. */
export interface EndpointLimit {
  /** The largest value seen: below the end point for sure. */
  readonly observed: number;
  readonly upper: number;
}

/**
 * Upper confidence limit X_(n) + ((1 - alpha)/alpha) (X_(n) - X_(n-1)) of the end point of a distribution (Robson and
 * Whitlock, Biometrika 51, 1964): independent draws, density positive and continuous at the end point. Needs two values.
 */
export function endpointLimit(values: readonly number[], confidence: number): EndpointLimit | undefined {
  if (values.length < 2) return undefined;
  let observed = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value > observed) {
      second = observed;
      observed = value;
    } else if (value > second) second = value;
  }
  return { observed, upper: observed + (confidence / (1 - confidence)) * (observed - second) };
}

/** Quantile by linear interpolation between order statistics; sorts `values`. */
export function sortedQuantile(values: Float64Array, p: number): number {
  values.sort();
  const position = p * (values.length - 1);
  const below = Math.floor(position);
  const low = values[below]!;
  return low + (position - below) * (values[Math.min(below + 1, values.length - 1)]! - low);
}

export function meanOf(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/**
 * t with P(|T| <= t) = confidence for Student's distribution with a whole number of degrees of freedom, by bisection
 * of its closed form (Abramowitz and Stegun 26.7.3 and 26.7.4).
 */
export function studentHalfWidth(confidence: number, degrees: number): number {
  let high = Math.PI / 2;
  let low = 0;
  // over the angle atan(t / sqrt(degrees)), which is bounded
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (probabilityWithin(middle, degrees) < confidence) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) * Math.tan((low + high) / 2);
}

function probabilityWithin(angle: number, degrees: number): number {
  const sine = Math.sin(angle);
  const square = Math.cos(angle) ** 2;
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(angle) : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let j = odd ? 3 : 2; j < degrees; j += 2) {
    term *= (square * (j - 1)) / j;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}

/** The largest of any number of values, and of `least`. */
export function largestOf(values: readonly number[], least: number): number {
  let largest = least;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}
