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
 * Minimises the gap over t. In u_i = 1/t_i the gap is a posynomial and the constraint sum_i 1/u_i <= 1 as well:
 * a geometric programme, convex in log t, with one minimum. Its stationarity reads t_i^2 proportional to
 * p_i = d gap / d u_i, and the step towards sqrt(p)/sum(sqrt(p)) is a descent direction (its slope is
 * -Cov_t(r, log r)/2 <= 0 with r_i = p_i/t_i^2), so a line search along it converges.
 *
 * @returns undefined where no split keeps b2 below 1 in every round: the bound does not apply.
 */
export function splitErrors(sources: readonly ErrorSource[], recursion: Recursion): SplitResult | undefined {
  const count = sources.length;
  const state = createEvaluation(sources, recursion);
  if (count <= 1) {
    const gap = state.evaluate(new Float64Array(count).fill(1));
    return Number.isFinite(gap) ? state.result(new Float64Array(count).fill(1)) : undefined;
  }
  let shares = feasibleStart(sources, state.evaluate);
  if (shares === undefined) return undefined;
  let gap = state.evaluate(shares);
  const target = new Float64Array(count);
  const trial = new Float64Array(count);
  for (let iteration = 0; iteration < 200; iteration++) {
    state.evaluate(shares, true);
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
      const value = state.evaluate(trial);
      if (value < gap) {
        shares = trial.slice();
        gap = value;
        accepted = true;
        break;
      }
    }
    if (!accepted || largest < 1e-9) break;
  }
  return state.result(shares);
}

/** t proportional to sqrt(slope) makes b2 smallest; move towards the smallest b1 as far as b2 < 1 allows. */
function feasibleStart(
  sources: readonly ErrorSource[],
  evaluate: (shares: Float64Array) => number,
): Float64Array | undefined {
  const largestScale = (source: ErrorSource): number =>
    typeof source.scale === "number"
      ? source.scale
      : Array.from(source.scale).reduce((a, b) => Math.max(a, b), 0);
  const normalised = (values: readonly number[]): number[] => {
    const total = values.reduce((sum, value) => sum + value, 0);
    return values.map((value) => (total > 0 ? value / total : 1 / values.length));
  };
  const bySlope = normalised(sources.map((s) => Math.sqrt(s.slope * largestScale(s))));
  const byFloor = normalised(sources.map((s) => Math.sqrt((s.floor + s.slope) * largestScale(s))));
  for (let blend = 1; blend > 1e-16; blend /= 2) {
    const shares = Float64Array.from(bySlope, (share, i) => (1 - blend) * share + blend * byFloor[i]!);
    if (Number.isFinite(evaluate(shares))) return shares;
  }
  return undefined;
}

function createEvaluation(sources: readonly ErrorSource[], recursion: Recursion) {
  const { ratio, smoothness, initialGap, rounds } = recursion;
  const count = sources.length;
  const varying = sources.some((source) => typeof source.scale !== "number");
  const scaleAt = (source: ErrorSource, t: number): number =>
    typeof source.scale === "number" ? source.scale : source.scale[t]!;
  /** d gap / d u_i, up to a common positive factor. */
  const sensitivities = new Float64Array(count);
  const contributions = new Float64Array(count);
  let decay = 1;
  let contraction = 1;

  /** The gap without its residual; +Infinity where b2 >= 1 in some round. */
  function evaluate(shares: Float64Array, withSensitivities = false): number {
    return varying ? evaluateVarying(shares, withSensitivities) : evaluateConstant(shares, withSensitivities);
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
    if (!(b2 < 1)) return Number.POSITIVE_INFINITY;
    const shrink = ratio * (1 - b2);
    const rho = 1 - shrink;
    contraction = rho;
    decay = rho <= 0 ? 0 : Math.exp(rounds * Math.log1p(-shrink));
    // 1 - rho^T without cancellation; the geometric series is (1 - rho^T)/(1 - rho)
    const series = (rho <= 0 ? 1 : -Math.expm1(rounds * Math.log1p(-shrink))) / shrink;
    for (let i = 0; i < count; i++) {
      const source = sources[i]!;
      contributions[i] = ((scaleAt(source, 0) * source.floor) / shares[i]!) * (series / (2 * smoothness));
    }
    if (withSensitivities) {
      // derivative of the gap with respect to b1, and with respect to b2 through rho
      const byFloor = series / (2 * smoothness);
      const decayDerivative = rho <= 0 ? (rounds === 1 ? 1 : 0) : (rounds * decay) / rho;
      const seriesDerivative = Math.max(0, (series - decayDerivative) / shrink);
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
      if (!(b2 < 1)) return Number.POSITIVE_INFINITY;
      const rho = 1 - ratio * (1 - b2);
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

  return { evaluate, result, sensitivities };
}
