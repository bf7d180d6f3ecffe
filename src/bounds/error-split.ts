/**
 * The best split of several gradient errors, E||sum_i e_i||^2 <= sum_i E||e_i||^2 / t_i with t on the simplex.
 */

/** One error with E||e||^2 <= scale (floor + slope ||grad f||^2); `scale` one number or one per round. */
export interface ErrorSource {
  readonly name: "air" | "stochastic" | "participation";
  readonly floor: number;
  readonly slope: number;
  readonly scale: number | ArrayLike<number>;
  readonly isZero: boolean;
}

/** A bound as a function of the split: convex in log t, increasing in every u_i = 1/t_i. */
export interface Evaluation {
  /** The bound plus multiplier b2; +Infinity or the same posynomial, no bound any more, beyond b2 = 1. */
  evaluate(shares: Float64Array, multiplier?: number, withSensitivities?: boolean): number;
  /** b2 in the round of the largest distortion. */
  slopeOf(shares: Float64Array): number;
  /** d/du_i of what `evaluate` returned last, up to a common positive factor. */
  readonly sensitivities: Float64Array;
}

export interface Split {
  /** t, one per source, summing to 1. */
  readonly shares: Float64Array;
  /** Multiplier of b2 <= 1; 0 where it does not bind. */
  readonly multiplier: number;
}

/**
 * Minimises a bound over t. It is convex in log t, and so are the constraints sum_i 1/u_i <= 1 and b2 <= 1, so there
 * is one minimum. Where b2 < 1 does not bind, its stationarity reads t_i^2 proportional to p_i = d bound / d u_i;
 * where it binds, p_i is that of bound + multiplier b2. The proof is in docs/theory.md, section 2.
 *
 * @returns undefined where no split keeps b2 below 1 in every round: the bound does not apply.
 */
export function splitErrors(sources: readonly ErrorSource[], state: Evaluation): Split | undefined {
  const count = sources.length;
  if (count <= 1) {
    const shares = new Float64Array(count).fill(1);
    return state.slopeOf(shares) < 1 && Number.isFinite(state.evaluate(shares))
      ? { shares, multiplier: 0 }
      : undefined;
  }
  const start = feasibleStart(sources, state);
  if (start === undefined) return undefined;
  const free = stationarySplit(state, start, 0);
  if (state.slopeOf(free) < 1) return { shares: free, multiplier: 0 };
  return boundarySplit(state, start, free);
}

/**
 * The minimiser of gap + multiplier b2. The step towards sqrt(p)/sum(sqrt(p)) is a descent direction (its slope
 * is -Cov_t(r, log r)/2 <= 0 with r_i = p_i/t_i^2), so a line search along it converges.
 */
function stationarySplit(state: Evaluation, start: Float64Array, multiplier: number): Float64Array {
  const count = start.length;
  let shares = start;
  let best = state.evaluate(shares, multiplier);
  const target = new Float64Array(count);
  const trial = new Float64Array(count);
  let previous = Number.POSITIVE_INFINITY;
  for (let iteration = 0; iteration < 200; iteration++) {
    state.evaluate(shares, multiplier, true);
    let total = 0;
    for (let i = 0; i < count; i++) total += target[i] = Math.sqrt(state.sensitivities[i]!);
    // sensitivities beyond the range of doubles say nothing about the split
    if (!(total > 0 && total < Number.POSITIVE_INFINITY)) break;
    let largest = 0;
    for (let i = 0; i < count; i++) {
      // a source that does not matter to the gap still needs a positive share
      target[i] = Math.max(target[i]! / total, 1e-150);
      largest = Math.max(largest, Math.abs(Math.log(target[i]! / shares[i]!)));
    }
    let accepted = false;
    for (let step = 1; step > 1e-12; step /= 2) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += trial[i] = shares[i]! ** (1 - step) * target[i]! ** step;
      for (let i = 0; i < count; i++) trial[i]! /= sum;
      const value = state.evaluate(trial, multiplier);
      // near the minimum values differ by rounding only, while the shares can still be made more exact
      const polishes = step === 1 && largest < previous / 2 && value <= best * (1 + 1e-14);
      if (value < best || polishes) {
        shares = trial.slice();
        best = Math.min(best, value);
        accepted = true;
        break;
      }
    }
    if (!accepted || largest < 1e-14) break;
    previous = largest;
  }
  return shares;
}

/**
 * The minimum where b2 < 1 binds: the multiplier is raised until b2 drops below 1 and then bisected. By weak
 * duality a split with b2 < 1 is at most multiplier (1 - b2) above the smallest gap. The limit b2 = 1 itself is
 * not taken, so that every round contracts.
 */
function boundarySplit(state: Evaluation, start: Float64Array, free: Float64Array): Split {
  let best = start;
  let bestMultiplier = 0;
  let bestGap = state.evaluate(start);
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let multiplier = bestGap;
  let from = Number.isFinite(state.evaluate(free, multiplier)) ? free : start;
  for (let iteration = 0; iteration < 400 && multiplier > 0; iteration++) {
    const shares = stationarySplit(state, from, multiplier);
    const room = 1 - state.slopeOf(shares);
    if (room > 0) {
      const gap = state.evaluate(shares);
      if (gap < bestGap) {
        best = shares;
        bestGap = gap;
        bestMultiplier = multiplier;
      }
      if (multiplier * room <= 1e-12 * bestGap) break;
      from = shares;
      high = multiplier;
    } else {
      low = multiplier;
    }
    if (high === Number.POSITIVE_INFINITY) multiplier *= 16;
    else if (low === 0) multiplier /= 16;
    else if (high / low < 1 + 1e-13) break;
    else multiplier = Math.sqrt(low) * Math.sqrt(high);
    if (!Number.isFinite(multiplier)) break;
  }
  return { shares: best, multiplier: bestMultiplier };
}

/** t proportional to sqrt(slope) makes b2 smallest; move towards the smallest b1 as far as b2 < 1 allows. */
function feasibleStart(sources: readonly ErrorSource[], state: Evaluation): Float64Array | undefined {
  const normalised = (values: readonly number[]): number[] => {
    const total = values.reduce((sum, value) => sum + value, 0);
    return values.map((value) => (total > 0 ? value / total : 1 / values.length));
  };
  const bySlope = normalised(sources.map((s) => Math.sqrt(s.slope * largestScale(s))));
  const byFloor = normalised(sources.map((s) => Math.sqrt((s.floor + s.slope) * largestScale(s))));
  for (let blend = 1; blend > 1e-16; blend /= 2) {
    const shares = Float64Array.from(bySlope, (share, i) =>
      Math.max((1 - blend) * share + blend * byFloor[i]!, 1e-150),
    );
    if (state.slopeOf(shares) < 1 && Number.isFinite(state.evaluate(shares))) return shares;
  }
  return undefined;
}

/** sum_i values_i / t_i. */
export function sumOverShares(values: Float64Array, shares: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! / shares[i]!;
  return sum;
}

/** The scale of a source in its worst round. */
export function largestScale(source: ErrorSource): number {
  if (typeof source.scale === "number") return source.scale;
  return Array.from(source.scale).reduce((a, b) => Math.max(a, b), 0);
}
