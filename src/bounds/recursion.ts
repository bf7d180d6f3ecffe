import {
  type ErrorSource,
  type Evaluation,
  largestScale,
  type Split,
  splitErrors,
  sumOverShares,
} from "./error-split.ts";

/** What the recursion f_{t+1} <= (1 - ratio (1 - b2_t)) f_t + b1_t / (2 smoothness) needs. */
export interface Recursion {
  /** mu / L. */
  readonly ratio: number;
  readonly smoothness: number;
  readonly initialGap: number;
  readonly rounds: number;
}

export interface RecursionResult extends Split {
  /** What each source adds to the gap. */
  readonly contributions: Float64Array;
  /** prod_t rho_t. */
  readonly decay: number;
  /** max_t rho_t. */
  readonly contraction: number;
}

/**
 * The gap after the last round at the best split of the errors. In u_i = 1/t_i it is a posynomial, and the
 * constraint b2 <= 1 (in the round of the largest distortion) as well: a geometric programme (docs/theory.md,
 * section 2).
 *
 * @returns undefined where no split keeps b2 below 1 in every round: the bound does not apply.
 */
export function solveRecursion(
  sources: readonly ErrorSource[],
  recursion: Recursion,
): RecursionResult | undefined {
  const state = createEvaluation(sources, recursion);
  const split = splitErrors(sources, state);
  return split === undefined ? undefined : { ...split, ...state.result(split.shares) };
}

/**
 * d gap / d scale of one source at the best split, by the envelope theorem: one value per round, or a single one
 * where its scale is one number.
 */
export function scaleSensitivity(
  sources: readonly ErrorSource[],
  index: number,
  recursion: Recursion,
  split: Split,
): Float64Array {
  const { ratio, smoothness, initialGap, rounds } = recursion;
  const { shares, multiplier } = split;
  const source = sources[index]!;
  const share = shares[index]!;
  const before = new Float64Array(rounds);
  const factors = new Float64Array(rounds);
  let gap = initialGap;
  for (let t = 0; t < rounds; t++) {
    let b1 = 0;
    let b2 = 0;
    sources.forEach((s, i) => {
      const scale = typeof s.scale === "number" ? s.scale : s.scale[t]!;
      b1 += (scale * s.floor) / shares[i]!;
      b2 += (scale * s.slope) / shares[i]!;
    });
    before[t] = gap;
    factors[t] = 1 - ratio + ratio * b2;
    gap = factors[t]! * gap + b1 / (2 * smoothness);
  }
  const result = new Float64Array(rounds);
  let later = 1;
  for (let t = rounds - 1; t >= 0; t--) {
    result[t] = (later * (source.floor / (2 * smoothness) + ratio * source.slope * before[t]!)) / share;
    later *= factors[t]!;
  }
  // where b2 <= 1 binds, the round of the largest error presses on it as well
  const pressure = (multiplier * source.slope) / share;
  if (typeof source.scale === "number") return Float64Array.of(result.reduce((a, b) => a + b, pressure));
  const worst = Array.from(source.scale).reduce((at, x, t, all) => (x > all[at]! ? t : at), 0);
  if (rounds > 0) result[worst]! += pressure;
  return result;
}

interface RecursionEvaluation extends Evaluation {
  result(shares: Float64Array): Omit<RecursionResult, keyof Split>;
}

function createEvaluation(sources: readonly ErrorSource[], recursion: Recursion): RecursionEvaluation {
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

  const slopeOf = (shares: Float64Array): number => sumOverShares(largestSlopes, shares);

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

  function result(shares: Float64Array): Omit<RecursionResult, keyof Split> {
    evaluate(shares);
    return { contributions: contributions.slice(), decay, contraction };
  }

  return { evaluate, slopeOf, result, sensitivities };
}
