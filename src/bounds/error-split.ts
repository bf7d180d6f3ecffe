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

/** What the recursion f_{t+1} <= (1 - ratio (1 - b2_t)) f_t + b1_t / (2 smoothness) needs. */
export interface Recursion {
  /** mu / L. */
  readonly ratio: number;
  readonly smoothness: number;
  readonly initialGap: number;
  readonly rounds: number;
}

export interface SplitResult {
  /** t, one per source, summing to 1. */
  readonly shares: Float64Array;
  /** What each source adds to the gap. */
  readonly contributions: Float64Array;
  /** prod_t rho_t. */
  readonly decay: number;
  /** max_t rho_t. */
  readonly contraction: number;
}

/**
 * Minimises the gap over t. In u_i = 1/t_i the gap is a posynomial, and the constraints sum_i 1/u_i <= 1 and
 * b2 <= 1 (in the round of the largest distortion) as well: a geometric programme, convex in log t, with one
 * minimum. Where b2 < 1 does not bind, its stationarity reads t_i^2 proportional to p_i = d gap / d u_i; where it
 * binds, p_i is that of gap + multiplier b2. The proof is in docs/theory.md, section 2.
 *
 * @returns undefined where no split keeps b2 below 1 in every round: the bound does not apply.
 */
export function splitErrors(sources: readonly ErrorSource[], recursion: Recursion): SplitResult | undefined {
  const count = sources.length;
  const state = createEvaluation(sources, recursion);
  if (count <= 1) {
    const shares = new Float64Array(count).fill(1);
    return state.slopeOf(shares) < 1 && Number.isFinite(state.evaluate(shares))
      ? state.result(shares)
      : undefined;
  }
  const start = feasibleStart(sources, state);
  if (start === undefined) return undefined;
  const free = stationarySplit(state, start, 0);
  if (state.slopeOf(free) < 1) return state.result(free);
  return state.result(boundarySplit(state, start, free));
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
function boundarySplit(state: Evaluation, start: Float64Array, free: Float64Array): Float64Array {
  let best = start;
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
  return best;
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

function largestScale(source: ErrorSource): number {
  if (typeof source.scale === "number") return source.scale;
  return Array.from(source.scale).reduce((a, b) => Math.max(a, b), 0);
}

interface Evaluation {
  /** The gap without its residual, plus multiplier b2. Beyond b2 = 1 it is the same posynomial, and no bound. */
  evaluate(shares: Float64Array, multiplier?: number, withSensitivities?: boolean): number;
  /** b2 in the round of the largest distortion. */
  slopeOf(shares: Float64Array): number;
  result(shares: Float64Array): SplitResult;
  /** d/du_i of what `evaluate` returned last, up to a common positive factor. */
  readonly sensitivities: Float64Array;
}

function createEvaluation(sources: readonly ErrorSource[], recursion: Recursion): Evaluation {
  const { ratio, smoothness, initialGap, rounds } = recursion;
  const count = sources.length;
  const varying = sources.some((source) => typeof source.scale !== "number");
  const scaleAt = (source: ErrorSource, t: number): number =>
    typeof source.scale === "number" ? source.scale : source.scale[t]!;
  const largestSlopes = Float64Array.from(sources, (source) => largestScale(source) * source.slope);
  const sensitivities = new Float64Array(count);
  const contributions = new Float64Array(count);
  let decay = 1;
  let contraction = 1;

  function slopeOf(shares: Float64Array): number {
    let b2 = 0;
    for (let i = 0; i < count; i++) b2 += largestSlopes[i]! / shares[i]!;
    return b2;
  }

  function evaluate(shares: Float64Array, multiplier = 0, withSensitivities = false): number {
    const gap = varying
      ? evaluateVarying(shares, withSensitivities)
      : evaluateConstant(shares, withSensitivities);
    if (multiplier === 0) return gap;
    if (withSensitivities) {
      for (let i = 0; i < count; i++) sensitivities[i]! += multiplier * largestSlopes[i]!;
    }
    return gap + multiplier * slopeOf(shares);
  }

  function evaluateConstant(shares: Float64Array, withSensitivities: boolean): number {
    let b1 = 0;
    let b2 = 0;
    for (let i = 0; i < count; i++) {
      const source = sources[i]!;
      const scale = scaleAt(source, 0) / shares[i]!;
      b1 += scale * source.floor;
      b2 += scale * source.slope;
    }
    const shrink = ratio * (1 - b2);
    const rho = 1 - ratio + ratio * b2;
    contraction = rho;
    decay = rho < 0.5 ? Math.max(0, rho) ** rounds : Math.exp(rounds * Math.log1p(-shrink));
    if (!(decay < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    // the geometric series (1 - rho^T)/(1 - rho), without cancellation
    const series =
      shrink === 0 ? rounds : (rho <= 0 ? 1 : -Math.expm1(rounds * Math.log1p(-shrink))) / shrink;
    for (let i = 0; i < count; i++) {
      const source = sources[i]!;
      contributions[i] = ((scaleAt(source, 0) * source.floor) / shares[i]!) * (series / (2 * smoothness));
    }
    if (withSensitivities) {
      // derivative of the gap with respect to b1, and with respect to b2 through rho
      const byFloor = series / (2 * smoothness);
      const decayDerivative = rho <= 0 ? (rounds === 1 ? 1 : 0) : (rounds * decay) / rho;
      // sum of s rho^(s-1) over s < T; near rho = 1 its expansion, as the closed form cancels there
      const seriesDerivative =
        rounds * Math.abs(shrink) < 1e-5
          ? (rounds * (rounds - 1) * (1 - ((rounds - 2) * shrink * 2) / 3)) / 2
          : Math.max(0, (series - decayDerivative) / shrink);
      const bySlope = ratio * (initialGap * decayDerivative + (b1 * seriesDerivative) / (2 * smoothness));
      for (let i = 0; i < count; i++) {
        const source = sources[i]!;
        sensitivities[i] = scaleAt(source, 0) * (byFloor * source.floor + bySlope * source.slope);
      }
    }
    return decay * initialGap + (b1 * series) / (2 * smoothness);
  }

  function evaluateVarying(shares: Float64Array, withSensitivities: boolean): number {
    let gap = initialGap;
    decay = 1;
    contraction = 0;
    contributions.fill(0);
    const before = withSensitivities ? new Float64Array(rounds) : undefined;
    const factors = withSensitivities ? new Float64Array(rounds) : undefined;
    for (let t = 0; t < rounds; t++) {
      let b2 = 0;
      for (let i = 0; i < count; i++) b2 += (scaleAt(sources[i]!, t) * sources[i]!.slope) / shares[i]!;
      const rho = 1 - ratio + ratio * b2;
      if (before !== undefined && factors !== undefined) {
        before[t] = gap;
        factors[t] = rho;
      }
      gap *= rho;
      decay *= rho;
      contraction = Math.max(contraction, rho);
      for (let i = 0; i < count; i++) {
        const source = sources[i]!;
        const added = (scaleAt(source, t) * source.floor) / shares[i]! / (2 * smoothness);
        contributions[i] = rho * contributions[i]! + added;
        gap += added;
      }
    }
    if (!(gap < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
    if (before !== undefined && factors !== undefined) {
      sensitivities.fill(0);
      let later = 1; // prod of rho_s over the rounds s after t
      for (let t = rounds - 1; t >= 0; t--) {
        for (let i = 0; i < count; i++) {
          const source = sources[i]!;
          const perUnit = source.floor / (2 * smoothness) + ratio * source.slope * before[t]!;
          sensitivities[i]! += later * scaleAt(source, t) * perUnit;
        }
        later *= factors[t]!;
      }
    }
    return gap;
  }

  function result(shares: Float64Array): SplitResult {
    evaluate(shares);
    return { shares, contributions: contributions.slice(), decay, contraction };
  }

  return { evaluate, slopeOf, result, sensitivities };
}
