/**
 * Separable allocation of energy to rounds: minimise sum_t cost_t(p_t) subject to sum_t p_t <= energy and
 * 0 <= p_t <= peak, by its Lagrangian dual. docs/energy-schedule.md, section 2.
 */
import { bestMode, type CurveMode, modeDistortion } from "./distortion-curve.ts";

/** The problem; `modes` as in a DistortionCurve, `weights` >= 0. */
export interface Allocation {
  readonly modes: readonly CurveMode[];
  readonly weights: Float64Array;
  /** > 0 */
  readonly energy: number;
  /** > 0, may be +Infinity */
  readonly peak: number;
}

export interface Allocated {
  readonly power: Float64Array;
  /** What an additional unit of energy would lower the cost by. */
  readonly multiplier: number;
  /** sum_t weight_t omega(p_t) of no allocation is below this. */
  readonly bound: number;
}

/** Least power of a round, as a part of the even share, where no mode is without noise: omega stays finite. */
const LEAST = 1e-150;

/**
 * Minimises sum_t weight_t omega(p_t). Every round's minimiser at a given multiplier is exact (the best over the modes
 * of a closed form); the multiplier is bisected. With several modes omega is not convex and the total jumps where a
 * round changes its mode: there the modes on both sides are tried, each with exact powers for its modes.
 */
export function allocateEnergy(problem: Allocation): Allocated {
  const { modes, weights, energy, peak } = problem;
  const rounds = weights.length;
  const power = new Float64Array(rounds);
  const chosen = new Int32Array(rounds);
  const settle = (multiplier: number): { total: number; value: number } => {
    let total = 0;
    let value = 0;
    for (let t = 0; t < rounds; t++) {
      const weight = weights[t]!;
      let best = Number.POSITIVE_INFINITY;
      for (let j = 0; j < modes.length; j++) {
        const { misalignment, noise } = modes[j]!;
        const p = noise === 0 || weight === 0 ? 0 : Math.min(peak, Math.sqrt((weight / multiplier) * noise));
        const cost = weight === 0 ? 0 : weight * (misalignment + (p === 0 ? 0 : noise / p)) + multiplier * p;
        // a power that underflows serves a mode with noise no more
        if (!(cost < best) || (p === 0 && noise > 0 && weight > 0)) continue;
        best = cost;
        chosen[t] = j;
        power[t] = p;
      }
      if (best === Number.POSITIVE_INFINITY) {
        chosen[t] = 0;
        power[t] = 0;
        best = 0;
      }
      total += power[t]!;
      value += best;
    }
    return { total, value };
  };

  const unlimited = atPeak(problem);
  if (unlimited !== undefined) return unlimited;
  const { low, high, bound } = bisect(settle, energy, startMultiplier(problem));
  // the modes just above and just below the budget; where they differ, later and heavier rounds change first
  settle(low);
  const rich = chosen.slice();
  const richPower = power.slice();
  const { total } = settle(high);
  const poor = chosen.slice();
  const poorPower = power.slice();
  const undecided = Array.from(poor.keys()).filter((t) => rich[t] !== poor[t]);
  undecided.sort((a, b) => weights[b]! - weights[a]! || b - a);
  let used = total;
  let changed = 0;
  while (changed < undecided.length) {
    const t = undecided[changed]!;
    const more = richPower[t]! - poorPower[t]!;
    if (used + more > energy) break;
    used += more;
    poor[t] = rich[t]!;
    changed++;
  }
  let best = refine(problem, poor);
  if (changed < undecided.length) {
    poor[undecided[changed]!] = rich[undecided[changed]!]!;
    const other = refine(problem, poor);
    if (other.cost < best.cost) best = other;
  }
  return { power: best.power, multiplier: best.multiplier, bound };
}

/**
 * The powers that are exact for given modes per round, sum_t weight_t (misalignment + noise / p_t): p_t proportional to
 * sqrt(weight_t noise_t), clipped at the peak.
 */
export function allocateForModes(
  problem: Allocation,
  chosen: ArrayLike<number>,
): { readonly power: Float64Array; readonly multiplier: number } {
  const { modes, weights, energy, peak } = problem;
  const roots = weights.map((weight, t) => Math.sqrt(weight) * Math.sqrt(modes[chosen[t]!]!.noise));
  const power = new Float64Array(weights.length);
  let root = Number.POSITIVE_INFINITY;
  // clipping frees energy for the others, whose powers only grow: every pass clips more rounds or ends
  for (let pass = 0; pass <= weights.length; pass++) {
    let sum = 0;
    let left = energy;
    for (let t = 0; t < weights.length; t++) {
      if (power[t] === peak) left -= peak;
      else sum += roots[t]!;
    }
    if (sum === 0) break;
    root = Math.max(0, left) / sum;
    let clipped = false;
    for (let t = 0; t < weights.length; t++) {
      if (power[t] === peak) continue;
      if (root * roots[t]! >= peak) {
        power[t] = peak;
        clipped = true;
      }
    }
    if (!clipped) break;
  }
  let interior = false;
  for (let t = 0; t < weights.length; t++) {
    if (power[t] === peak) continue;
    power[t] = roots[t] === 0 ? 0 : root * roots[t]!;
    if (power[t]! > 0) interior = true;
  }
  const least = (LEAST * energy) / weights.length;
  if (modes[0]!.noise > 0) for (let t = 0; t < power.length; t++) power[t] = Math.max(power[t]!, least);
  return { power, multiplier: interior ? 1 / root ** 2 : 0 };
}

/** Modes and powers in turn, until neither lowers the cost. */
function refine(
  problem: Allocation,
  start: ArrayLike<number>,
): { readonly power: Float64Array; readonly multiplier: number; readonly cost: number } {
  const { modes } = problem;
  let chosen: ArrayLike<number> = Int32Array.from(start);
  let best: { power: Float64Array; multiplier: number; cost: number } | undefined;
  for (let pass = 0; pass < 50; pass++) {
    const found = allocateForModes(problem, chosen);
    const cost = weightedDistortion(problem, found.power);
    if (best !== undefined && !(cost < best.cost)) break;
    best = { ...found, cost };
    chosen = Int32Array.from(found.power, (p) => bestMode(modes, p));
  }
  return best!;
}

/** sum_t weight_t omega(p_t) on the curve. */
export function weightedDistortion({ modes, weights }: Allocation, power: Float64Array): number {
  let cost = 0;
  for (let t = 0; t < power.length; t++) {
    const p = power[t]!;
    if (weights[t]! > 0) cost += weights[t]! * modeDistortion(modes[bestMode(modes, p)]!, p);
  }
  return cost;
}

/**
 * A lower bound on sum_t weight_t log omega(p_t) over all allocations: the dual, at the multiplier that is best for it.
 * Needs omega > 0 in every mode.
 */
export function logDistortionBound({ modes, weights, energy, peak }: Allocation): number {
  const settle = (multiplier: number): { total: number; value: number } => {
    let total = 0;
    let value = 0;
    for (const weight of weights) {
      if (weight === 0) continue;
      let best = Number.POSITIVE_INFINITY;
      let at = 0;
      for (const { misalignment, noise } of modes) {
        let p = 0;
        if (noise > 0) {
          // where multiplier = weight noise / (p (misalignment p + noise)); convex in p, so clipping is exact
          const q = weight / multiplier;
          p = Math.min(peak, (2 * q) / (1 + Math.sqrt(1 + (4 * misalignment * q) / noise)));
          if (p === 0) continue;
        }
        const cost = weight * Math.log(misalignment + (p === 0 ? 0 : noise / p)) + multiplier * p;
        if (cost < best) {
          best = cost;
          at = p;
        }
      }
      total += at;
      value += best;
    }
    return { total, value };
  };
  const sum = weights.reduce((a, b) => a + b, 0);
  if (sum === 0) return 0;
  return bisect(settle, energy, sum / energy).bound;
}

/**
 * Brackets the multiplier at which the total crosses the budget. Every multiplier gives a bound, value - multiplier
 * energy (weak duality); the best is kept.
 */
function bisect(
  settle: (multiplier: number) => { readonly total: number; readonly value: number },
  energy: number,
  start: number,
): { readonly low: number; readonly high: number; readonly bound: number } {
  let bound = Number.NEGATIVE_INFINITY;
  const isPoor = (multiplier: number): boolean => {
    const { total, value } = settle(multiplier);
    const dual = value - multiplier * energy;
    if (dual > bound) bound = dual;
    return total <= energy;
  };
  let low = start;
  let high = start;
  if (isPoor(start)) {
    do {
      high = low;
      low /= 16;
    } while (low > 1e-300 && isPoor(low));
  } else {
    do {
      low = high;
      high *= 16;
    } while (high < 1e300 && !isPoor(high));
  }
  for (let i = 0; i < 200 && high > low * (1 + 4e-16); i++) {
    const middle = Math.sqrt(low) * Math.sqrt(high);
    if (!(middle > low && middle < high)) break;
    if (isPoor(middle)) high = middle;
    else low = middle;
  }
  return { low, high, bound };
}

/** If the energy is enough for what every round wants at the peak, that. */
function atPeak({ modes, weights, energy, peak }: Allocation): Allocated | undefined {
  if (modes.length === 1 && modes[0]!.noise === 0) {
    const bound = weights.reduce((sum, weight) => sum + weight * modes[0]!.misalignment, 0);
    return { power: new Float64Array(weights.length), multiplier: 0, bound };
  }
  if (!(peak * weights.length <= energy)) return undefined;
  const { noise, misalignment } = modes[bestMode(modes, peak)]!;
  const each = misalignment + noise / peak;
  const bound = weights.reduce((sum, weight) => sum + weight * each, 0);
  return { power: new Float64Array(weights.length).fill(noise === 0 ? 0 : peak), multiplier: 0, bound };
}

/** The multiplier of the noisiest mode alone, without a peak. */
function startMultiplier({ modes, weights, energy }: Allocation): number {
  const largest = modes.at(-1)!.noise;
  let sum = 0;
  for (const weight of weights) sum += Math.sqrt(weight);
  const root = (sum * Math.sqrt(largest)) / energy;
  return Math.min(Math.max(root * root, 1e-280), 1e280);
}
