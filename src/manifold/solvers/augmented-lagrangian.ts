import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../../core/index.ts";
import { advance } from "../driver.ts";
import type { Constraints, Evaluator } from "../problem.ts";
import { initialState, type Mutable, normOf, type Solver, type SolverState } from "../solver.ts";
import { anyOf, gradientNorm, maxIterations } from "../stopping.ts";
import { lbfgs } from "./lbfgs.ts";

export interface AugmentedLagrangianOptions {
  /** Solver of the subproblems. Default `lbfgs()`. */
  readonly solver?: Solver;
  /** Gradient norm of the first and of the last subproblems. Defaults 1e-2 and 1e-8. */
  readonly firstTolerance?: number;
  readonly lastTolerance?: number;
  /** What the tolerance is multiplied with from one subproblem to the next. Default 0.2. */
  readonly tighten?: number;
  /** Most iterations of one subproblem. Default 200. */
  readonly maxInner?: number;
  /** Penalty at the start. Default: 10 |f| / (half the squared violation), within [1e-3, 1e3]. */
  readonly penalty?: number;
  /** The penalty is multiplied with this where the violation does not fall enough. Default 4. */
  readonly penaltyGrowth?: number;
  /** Enough is a fall to this part. Default 0.25. */
  readonly enough?: number;
  /** Largest penalty, and largest multiplier. Defaults 1e12 and 1e8. */
  readonly maxPenalty?: number;
  readonly maxMultiplier?: number;
}

export interface AugmentedLagrangianState extends Mutable<SolverState> {
  scratch: Float64Array[];
  infeasibility: number;
  readonly multipliers: { readonly equalities: Float64Array; readonly inequalities: Float64Array };
  /** Values of the constraints at x. */
  readonly values: Float64Array;
  penalty: number;
  tolerance: number;
  /** Smallest gradient norm of a feasible iterate, and for how many iterations in a row it has not fallen. */
  bestNorm: number;
  stall: number;
}

/** Feasible iterations in a row without a smaller gradient norm, after which only rounding is left to move. */
const MOST_STALLED = 5;

type Settings = Required<Omit<AugmentedLagrangianOptions, "penalty">> &
  Pick<AugmentedLagrangianOptions, "penalty">;

const defaults: Settings = {
  solver: lbfgs(),
  firstTolerance: 1e-2,
  lastTolerance: 1e-8,
  tighten: 0.2,
  maxInner: 200,
  penaltyGrowth: 4,
  enough: 0.25,
  maxPenalty: 1e12,
  maxMultiplier: 1e8,
};

/**
 * Augmented Lagrangian for problems with `equalities` and `inequalities` (Liu & Boumal 2020, algorithm 1): each
 * iteration minimises f + penalty / 2 (|h + mu / penalty|^2 + |max(0, g + lambda / penalty)|^2) over the manifold with
 * another solver, then updates the multipliers. Rows hold the cost f, the gradient norm of the Lagrangian and the
 * infeasibility; the cost need not fall from row to row.
 *
 * @throws InputError on options that are unknown or out of range.
 */
export function augmentedLagrangian(
  options: AugmentedLagrangianOptions = {},
): Solver<AugmentedLagrangianState> {
  checkOptions(options, "augmentedLagrangian", [...Object.keys(defaults), "penalty"]);
  const settings: Settings = { ...defaults, ...options };
  const field = (name: keyof Settings): string => `augmentedLagrangian.${name}`;
  if (typeof settings.solver?.init !== "function" || settings.solver.constrained === true) {
    throw new InputError(field("solver"), describe(settings.solver), "a solver without constraints");
  }
  for (const name of ["firstTolerance", "lastTolerance", "maxPenalty", "maxMultiplier"] as const) {
    checkPositive(settings[name], field(name));
  }
  if (settings.penalty !== undefined) checkPositive(settings.penalty, field("penalty"));
  checkNumber(settings.tighten, field("tighten"), 0, 1);
  checkNumber(settings.enough, field("enough"), 0, 1);
  checkNumber(settings.penaltyGrowth, field("penaltyGrowth"), 1);
  checkInteger(settings.maxInner, field("maxInner"), 1);
  return {
    name: `augmented Lagrangian (${settings.solver.name})`,
    constrained: true,
    init: (evaluator, x0) => init(evaluator, x0, settings),
    step: (evaluator, state) => step(evaluator, state, settings),
  };
}

const none: Constraints = { equalities: 0, inequalities: 0, values() {}, addGradients() {} };

function init(evaluator: Evaluator, x0: Float64Array, settings: Settings): AugmentedLagrangianState {
  const constraints = evaluator.constraints ?? none;
  const values = new Float64Array(constraints.equalities + constraints.inequalities);
  const multipliers = {
    equalities: new Float64Array(constraints.equalities),
    inequalities: new Float64Array(constraints.inequalities),
  };
  const base = initialState(evaluator, x0, 0);
  constraints.values(values, base.x);
  const violation = 0.5 * squaredViolation(values, constraints.equalities);
  const guess = violation > 0 ? (10 * Math.max(1, Math.abs(base.cost))) / violation : 10;
  return {
    ...base,
    infeasibility: infeasibilityOf(values, multipliers),
    multipliers,
    values,
    penalty: settings.penalty ?? Math.min(1e3, Math.max(1e-3, guess)),
    tolerance: settings.firstTolerance,
    bestNorm: Number.MAX_VALUE,
    stall: 0,
  };
}

function step(
  evaluator: Evaluator,
  state: AugmentedLagrangianState,
  settings: Settings,
): AugmentedLagrangianState {
  const constraints = evaluator.constraints ?? none;
  const { multipliers, values } = state;
  const inner = subproblem(evaluator, constraints, state);
  const tolerance = Math.max(state.tolerance, settings.lastTolerance);
  const stop = anyOf(gradientNorm(tolerance), maxIterations(settings.maxInner));
  const start = settings.solver.init(inner, state.x);
  let last: SolverState = start;
  for (const { state: reached } of advance(inner, start, { solver: settings.solver, stop })) last = reached;
  if (!Number.isFinite(last.cost) || !Number.isFinite(last.gradientNorm)) {
    state.ended = "no-decrease";
    return state;
  }
  const moved = evaluator.kernels.distance(0, state.x, last.x);
  state.x.set(last.x);
  state.previousCost = state.cost;
  state.cost = evaluator.costAndGradient(state.gradient, state.x);
  constraints.values(values, state.x);
  updateMultipliers(state, settings.maxMultiplier);
  constraints.addGradients(state.gradient, state.x, joined(multipliers));
  state.gradientNorm = normOf(evaluator, state.x, state.gradient);
  state.stepSize = moved;
  const before = state.infeasibility;
  state.infeasibility = infeasibilityOf(values, multipliers);
  state.iteration++;
  if (!Number.isFinite(state.cost) || !Number.isFinite(state.infeasibility)) {
    state.ended = "no-decrease";
  } else if (state.infeasibility > settings.enough * before && state.infeasibility > settings.lastTolerance) {
    if (state.penalty >= settings.maxPenalty) state.ended = "infeasible";
    state.penalty = Math.min(settings.maxPenalty, state.penalty * settings.penaltyGrowth);
  }
  if (tolerance === settings.lastTolerance && state.infeasibility <= settings.lastTolerance) {
    state.stall = state.gradientNorm < 0.9 * state.bestNorm ? 0 : state.stall + 1;
    state.bestNorm = Math.min(state.bestNorm, state.gradientNorm);
    if (state.stall >= MOST_STALLED) state.ended ??= "no-decrease";
  }
  state.tolerance = tolerance * settings.tighten;
  return state;
}

/** mu <- mu + penalty h, lambda <- max(0, lambda + penalty g), within the largest multiplier. */
function updateMultipliers(state: AugmentedLagrangianState, largest: number): void {
  const { values, penalty } = state;
  const { equalities, inequalities } = state.multipliers;
  const count = equalities.length;
  for (let j = 0; j < count; j++) {
    equalities[j] = Math.min(largest, Math.max(-largest, equalities[j]! + penalty * values[j]!));
  }
  for (let i = 0; i < inequalities.length; i++) {
    inequalities[i] = Math.min(largest, Math.max(0, inequalities[i]! + penalty * values[count + i]!));
  }
}

/** The augmented Lagrangian as a problem of its own; the counts are those of the problem. */
function subproblem(
  evaluator: Evaluator,
  constraints: Constraints,
  state: AugmentedLagrangianState,
): Evaluator {
  const { penalty } = state;
  const count = constraints.equalities;
  const shift = joined(state.multipliers);
  const weights = new Float64Array(shift.length);
  /** Writes the derivative of the penalty with respect to each constraint; returns the penalty. */
  const weigh = (x: Float64Array): number => {
    constraints.values(weights, x);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      const shifted = weights[i]! + shift[i]! / penalty;
      const active = i < count || shifted > 0 || Number.isNaN(shifted) ? shifted : 0;
      weights[i] = penalty * active;
      sum += active * active;
    }
    return 0.5 * penalty * sum;
  };
  const { hessian: _unused, ...rest } = evaluator;
  const inner: Evaluator = {
    ...rest,
    hasHessian: false,
    hessian() {
      throw new InputError("problem.hessian", "nothing", "a function");
    },
    cost(x) {
      const cost = evaluator.cost(x);
      return Number.isFinite(cost) ? cost + weigh(x) : cost;
    },
    costAndGradient(out, x) {
      const cost = evaluator.costAndGradient(out, x);
      if (!Number.isFinite(cost)) return cost;
      const sum = cost + weigh(x);
      constraints.addGradients(out, x, weights);
      return sum;
    },
    gradient(out, x) {
      evaluator.gradient(out, x);
      weigh(x);
      constraints.addGradients(out, x, weights);
    },
  };
  return inner;
}

function joined({ equalities, inequalities }: AugmentedLagrangianState["multipliers"]): Float64Array {
  const all = new Float64Array(equalities.length + inequalities.length);
  all.set(equalities);
  all.set(inequalities, equalities.length);
  return all;
}

/** max |h_j|, |min(lambda_i, -g_i)|. */
function infeasibilityOf(values: Float64Array, multipliers: AugmentedLagrangianState["multipliers"]): number {
  const { equalities, inequalities } = multipliers;
  let largest = 0;
  for (let j = 0; j < equalities.length; j++) largest = Math.max(largest, Math.abs(values[j]!));
  for (let i = 0; i < inequalities.length; i++) {
    largest = Math.max(largest, Math.abs(Math.min(inequalities[i]!, -values[equalities.length + i]!)));
  }
  return largest;
}

function squaredViolation(values: Float64Array, equalities: number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    if (i < equalities || values[i]! > 0) sum += values[i]! ** 2;
  }
  return sum;
}
