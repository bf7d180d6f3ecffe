/**
 * How to spend a total energy over the rounds of training: later rounds matter more. docs/energy-schedule.md.
 */
import { checkOptions, checkPositive, describe, InputError } from "../core/index.ts";
import {
  bestMode,
  type CurveMode,
  curveFromModes,
  type DistortionCurve,
  modeDistortion,
} from "./distortion-curve.ts";
import {
  type Allocation,
  allocateEnergy,
  allocateForModes,
  logDistortionBound,
  weightedDistortion,
} from "./energy-allocation.ts";
import { type GapInput, gapSensitivity, optimalityGap } from "./optimality-gap.ts";

export interface ScheduleInput {
  /** omega of the power, see `distortionCurve` and `curveFromModes`; or its modes. */
  readonly curve: Pick<DistortionCurve, "modes">;
  /** The constants of the bound; `rounds` is T. */
  readonly learning: Omit<GapInput, "distortion">;
  /** Sum of the powers of all rounds, in the unit of the curve's power times rounds; > 0. */
  readonly energy: number;
  /** Largest power of a round, > 0. Default: no limit. */
  readonly peak?: number;
}

/** Why a schedule ended. */
export type ScheduleReason =
  /** No energy can be moved between rounds to lower the gap: the KKT conditions hold. */
  | "stationary"
  /** The energy is enough for the peak power in every round. */
  | "peak-power"
  /** The error of the air, or the power, has no influence on the gap; the energy is spread evenly. */
  | "no-influence"
  /** The bound does not apply with evenly spread energy, and then with no other. */
  | "infinite-gap"
  /** No step lowers the gap, and the KKT conditions do not hold to the tolerance. */
  | "stalled"
  | "max-iterations";

export interface EnergySchedule {
  /** p_t of the T rounds; a round may have 0. */
  readonly energy: Float64Array;
  /** omega_t */
  readonly distortion: Float64Array;
  /** Index of the mode of the curve (its envelope) that every round uses. */
  readonly modes: Int32Array;
  /** Bound on the optimality gap; never above `uniformGap`. */
  readonly gap: number;
  /** The same with the energy spread evenly. */
  readonly uniformGap: number;
  /** No schedule on this curve has a smaller bound on the gap. */
  readonly lowerBound: number;
  /** (gap - lowerBound) / gap: 0 proves the schedule globally optimal, up to rounding. */
  readonly dualityGap: number;
  /** What one more unit of energy lowers the gap by. */
  readonly multiplier: number;
  /**
   * Largest |p_t (d gap/d p_t + multiplier)| / (gap - residual) over the rounds (at the peak: where more than that is
   * wanted): how far the elasticities of the gap are from the KKT conditions.
   */
  readonly kktResidual: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly reason: ScheduleReason;
  /** Why the gap is infinite, if it is. */
  readonly gapReason?: string;
}

const MOST_ITERATIONS = 50;
/** KKT residual of a schedule that counts as converged, and the one that ends the search. */
const CONVERGED = 1e-6;
const EXACT = 1e-11;

/**
 * Minimises the optimality gap over the energies of the rounds, sum_t p_t <= energy, 0 <= p_t <= peak, with the
 * distortion omega(p_t) of a curve: the separable problem with the sensitivities d gap/d omega_t at the best error split
 * is solved in every iteration, and a line search towards its solution lowers the gap. One iteration is exact where
 * a2 = 0 and missing devices have no slope. Where omega = misalignment + noise/p has one mode, the problem is a geometric
 * programme and what is found the global optimum; `lowerBound` proves how close it is in every case
 * (docs/energy-schedule.md, section 3).
 *
 * @throws InputError on constants out of range, no modes, or an energy or peak that is not positive.
 */
export function energySchedule(input: ScheduleInput): EnergySchedule {
  checkOptions(input, "energySchedule", ["curve", "learning", "energy", "peak"]);
  const { curve, learning } = input;
  if (curve === null || typeof curve !== "object") {
    throw new InputError("curve", describe(curve), "a curve (see distortionCurve, curveFromModes)");
  }
  const { modes } = curveFromModes(curve.modes);
  if (learning !== null && typeof learning === "object" && "distortion" in learning) {
    throw new InputError("learning.distortion", "a distortion", "none: it follows from the energy");
  }
  const energy = checkPositive(input.energy, "energy");
  const peak = input.peak === undefined ? Number.POSITIVE_INFINITY : checkPositive(input.peak, "peak");
  optimalityGap({ ...learning, distortion: 0 });
  return schedule({ modes, learning, energy, peak });
}

interface Problem {
  readonly modes: readonly CurveMode[];
  readonly learning: Omit<GapInput, "distortion">;
  readonly energy: number;
  readonly peak: number;
}

/** A schedule with its gap, g_t = d gap/d omega_t, and how far it is from stationary. */
interface State {
  readonly power: Float64Array;
  readonly distortion: Float64Array;
  /** Without eps(r), beside which small differences would drown. */
  readonly gap: number;
  readonly weights: Float64Array;
  readonly kkt: Kkt;
}

interface Kkt {
  readonly multiplier: number;
  readonly residual: number;
}

function schedule(problem: Problem): EnergySchedule {
  const { learning, energy, peak } = problem;
  const { rounds } = learning;
  const uniform = new Float64Array(rounds).fill(Math.min(peak, energy / rounds));
  const start = stateAt(problem, uniform);
  const finish = (state: State, iterations: number, reason: ScheduleReason): EnergySchedule => {
    const converged = reason !== "stalled" && reason !== "max-iterations";
    return { ...report(problem, state, start), iterations, converged, reason };
  };
  // the largest omega_t is least where the energy is spread evenly, and the bound applies if b2 of that round is below 1
  if (start.gap === Number.POSITIVE_INFINITY) return finish(start, 0, "infinite-gap");
  if (start.weights.every((weight) => weight === 0)) return finish(start, 0, "no-influence");
  if (problem.modes.every(({ noise }) => noise === 0)) return finish(start, 0, "no-influence");
  if (peak * rounds <= energy) return finish(start, 0, "peak-power");

  let state = start;
  for (let iteration = 1; iteration <= MOST_ITERATIONS; iteration++) {
    const next = improve(problem, state);
    if (next === undefined) {
      return finish(state, iteration - 1, state.kkt.residual <= CONVERGED ? "stationary" : "stalled");
    }
    state = next;
    if (iteration > 1 && state.kkt.residual <= EXACT) return finish(state, iteration, "stationary");
  }
  return finish(state, MOST_ITERATIONS, state.kkt.residual <= CONVERGED ? "stationary" : "max-iterations");
}

/**
 * A step towards the solution of the separable problem at the current sensitivities, or, where that is no descent, to its
 * solution with every round's mode kept (then the surrogate is convex with the gradient of the gap: a descent direction).
 */
function improve(problem: Problem, state: State): State | undefined {
  const allocation = surrogate(problem, state.weights);
  const solved = allocateEnergy(allocation).power;
  const kept = allocateForModes(
    allocation,
    state.power.map((p) => curveMode(problem, p)),
  ).power;
  const before = weightedDistortion(allocation, state.power);
  for (const target of [solved, kept]) {
    if (!(weightedDistortion(allocation, target) < before * (1 + 1e-12))) continue;
    for (let step = 1; step > 1e-6; step /= 2) {
      const trial = target.map((p, t) => (step === 1 ? p : state.power[t]! + step * (p - state.power[t]!)));
      const next = stateAt(problem, trial);
      // near the optimum gaps differ by rounding only, while the powers can still be made more exact
      const polishes =
        step === 1 && next.kkt.residual < state.kkt.residual / 2 && next.gap <= state.gap * (1 + 1e-15);
      if (next.gap < state.gap * (1 - 1e-15) || polishes) return next;
    }
  }
  return undefined;
}

function stateAt(problem: Problem, power: Float64Array): State {
  const { modes, learning } = problem;
  const distortion = power.map((p) => modeDistortion(modes[curveMode(problem, p)]!, p));
  const { gap, sensitivity } = gapSensitivity({ ...learning, distortion, residual: 0 });
  // infinite sensitivities: no gap, or no error at all, to be lowered
  const weights = sensitivity.map((g) => (g < Number.POSITIVE_INFINITY ? g : 0));
  return { power, distortion, gap, weights, kkt: kktOf(problem, power, weights, gap) };
}

/**
 * Stationarity of the Lagrangian: -d gap/d p_t = multiplier where 0 < p_t < peak, at least that at the peak. A round with
 * power 0 and a mode without noise is stationary, as omega is flat there.
 */
function kktOf(problem: Problem, power: Float64Array, weights: Float64Array, gap: number): Kkt {
  // p_t times what a unit of energy gains there
  const worth = power.map((p, t) =>
    p === 0 ? 0 : (weights[t]! * problem.modes[curveMode(problem, p)]!.noise) / p,
  );
  let spent = 0;
  let gained = 0;
  let total = 0;
  power.forEach((p, t) => {
    total += p;
    if (p === 0 || p >= problem.peak) return;
    spent += p;
    gained += worth[t]!;
  });
  const slack = total < problem.energy * (1 - 1e-9);
  const multiplier = spent > 0 && !slack ? gained / spent : 0;
  let residual = 0;
  power.forEach((p, t) => {
    const off = worth[t]! - multiplier * p;
    if (p < problem.peak || off < 0) residual = Math.max(residual, Math.abs(off));
  });
  return { multiplier, residual: gap > 0 && residual > 0 ? residual / gap : 0 };
}

/** The separable problem; weights scaled to 1, which does not change its solution. */
function surrogate({ modes, energy, peak }: Problem, weights: Float64Array): Allocation {
  const largest = weights.reduce((a, b) => Math.max(a, b), 0);
  return { modes, weights: weights.map((weight) => weight / largest), energy, peak };
}

function report(
  problem: Problem,
  state: State,
  uniform: State,
): Omit<EnergySchedule, "iterations" | "converged" | "reason"> {
  const { learning } = problem;
  const { gap, reason } = optimalityGap({ ...learning, distortion: state.distortion });
  const uniformGap = optimalityGap({ ...learning, distortion: uniform.distortion }).gap;
  const lowerBound = Math.min(gap, lowerBoundOf(problem, state));
  const chosen = Int32Array.from(state.power, (p) => curveMode(problem, p));
  return {
    // silence takes no power
    energy: state.power.map((p, t) => (problem.modes[chosen[t]!]!.noise === 0 ? 0 : p)),
    distortion: state.distortion,
    modes: chosen,
    gap,
    uniformGap,
    lowerBound,
    dualityGap: gap > 0 && gap < Number.POSITIVE_INFINITY ? 1 - lowerBound / gap : 0,
    multiplier: state.kkt.multiplier,
    kktResidual: state.kkt.residual,
    ...(reason === undefined ? {} : { gapReason: reason }),
  };
}

/**
 * The gap is convex in log omega (a posynomial, minimised over the error split), so its tangent plane there is below it, and the
 * least value of the plane over all schedules is a separable problem with a dual bound. With a2 = 0 and no slope of missing
 * devices the gap is a function of sum_t g_t omega_t alone, which has a bound of its own. The larger of the two.
 */
function lowerBoundOf(problem: Problem, { distortion, gap, weights }: State): number {
  const { learning } = problem;
  const { residual = 0, gradientSlope = 0, participation, subspace } = learning;
  if (!(gap < Number.POSITIVE_INFINITY)) return gap;
  if (weights.every((weight) => weight === 0)) return gap + residual;
  if (subspace?.kind === "sketch") {
    // not smooth where its reserve is at the limit: no tangent plane there, but all energy in every round is a bound
    const most = Math.min(problem.energy, problem.peak);
    const least = modeDistortion(problem.modes[bestMode(problem.modes, most)]!, most);
    return optimalityGap({ ...learning, distortion: distortion.map(() => least) }).gap;
  }
  const allocation = surrogate(problem, weights);
  let bound = residual;
  const heterogeneity = (participation?.missingWeight ?? 0) * (participation?.heterogeneitySlope ?? 0);
  if (gradientSlope === 0 && heterogeneity === 0) {
    let cost = 0;
    for (let t = 0; t < distortion.length; t++) cost += allocation.weights[t]! * distortion[t]!;
    const scale = Math.max(0, Math.min(1, allocateEnergy(allocation).bound / cost));
    if (cost > 0) {
      bound = optimalityGap({ ...learning, distortion: distortion.map((omega) => scale * omega) }).gap;
    }
  }
  if (problem.modes.every(({ misalignment, noise }) => misalignment + noise > 0)) {
    const elasticities = distortion.map((omega, t) => (weights[t]! * omega) / gap);
    let tangent = 0;
    elasticities.forEach((e, t) => {
      if (e > 0) tangent += e * Math.log(distortion[t]!);
    });
    const least = logDistortionBound({ ...allocation, weights: elasticities });
    bound = Math.max(bound, residual + gap * Math.exp(Math.min(0, least - tangent)));
  }
  return bound;
}

function curveMode({ modes }: Problem, power: number): number {
  return bestMode(modes, power);
}
