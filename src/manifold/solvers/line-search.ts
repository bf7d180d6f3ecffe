import { describe, InputError } from "../../core/index.ts";
import { allFinite, type Evaluator } from "../problem.ts";
import { normOf } from "../solver.ts";

/** A descent direction at x, and where along it the search is. Vectors belong to the solver that searches. */
export interface Line {
  readonly x: Float64Array;
  readonly cost: number;
  readonly direction: Float64Array;
  /** <gradient, direction>, negative. */
  readonly slope: number;
  readonly trial: Trial;
  /** A second set of buffers, for searches that keep the best point so far. */
  readonly other: Trial;
}

/** The point R_x(step direction). What is not known yet is NaN or false. */
export interface Trial {
  step: number;
  x: Float64Array;
  cost: number;
  gradient: Float64Array;
  gradientNorm: number;
  /** The direction, carried to the point; known with the slope. */
  carried: Float64Array;
  /** <gradient, carried>: the derivative along the curve, up to the difference between transport and retraction. */
  slope: number;
  hasGradient: boolean;
}

/** A line search: a small value to choose from, `armijo()` or `strongWolfe()`. */
export interface LineSearch {
  readonly name: string;
  /**
   * Looks for a lower cost, starting with `first`. Returns the trial with cost, gradient and carried direction at
   * the accepted point, or undefined if there is none. Ends after a bounded number of trials.
   */
  search(evaluator: Evaluator, line: Line, first: number): Trial | undefined;
}

/** @throws InputError unless the value is a line search. */
export function checkLineSearch(value: LineSearch, field: string): void {
  // strings have a method of this name
  if (typeof value !== "object" || typeof value?.search !== "function") {
    throw new InputError(field, describe(value), "a line search such as armijo()");
  }
}

/** Relative rounding level of a cost: differences below it say nothing, slopes decide. */
const rounding = 1e-14;

/** Cost at R_x(step direction), +Infinity where it is not finite. Calls the problem once. */
export function probe(evaluator: Evaluator, line: Line, trial: Trial, step: number): number {
  trial.step = step;
  trial.hasGradient = false;
  trial.slope = Number.NaN;
  evaluator.kernels.retract(0, trial.x, line.x, line.direction, step);
  let cost: number;
  if (evaluator.hasJointGradient) {
    cost = evaluator.costAndGradient(trial.gradient, trial.x);
    if (Number.isFinite(cost) && !measure(evaluator, trial)) cost = Number.NaN;
  } else {
    cost = evaluator.cost(trial.x);
  }
  trial.cost = Number.isFinite(cost) ? cost : Number.POSITIVE_INFINITY;
  return trial.cost;
}

/** Slope at a trial of finite cost; NaN where the gradient is not finite. */
export function slopeAt(evaluator: Evaluator, line: Line, trial: Trial): number {
  if (!trial.hasGradient) {
    evaluator.gradient(trial.gradient, trial.x);
    if (!measure(evaluator, trial)) return Number.NaN;
  }
  const { kernels } = evaluator;
  kernels.transport(0, trial.carried, line.direction, line.x, line.direction, trial.step, trial.x);
  trial.slope = evaluator.inner(trial.x, trial.gradient, trial.carried);
  return trial.slope;
}

function measure(evaluator: Evaluator, trial: Trial): boolean {
  trial.gradientNorm = normOf(evaluator, trial.x, trial.gradient);
  trial.hasGradient = Number.isFinite(trial.gradientNorm) && allFinite(trial.gradient);
  return trial.hasGradient;
}

/** Sufficient decrease of the cost by itself. */
export function decreases(line: Line, trial: Trial, c1: number): boolean {
  return trial.cost <= line.cost + c1 * trial.step * line.slope;
}

/** Cost at most that of the other, up to rounding. */
export function isLevel(line: { readonly cost: number }, trial: Trial): boolean {
  return trial.cost <= line.cost + rounding * Math.abs(line.cost);
}

/** Sufficient decrease where costs differ by no more than rounding: on a parabola it says the same, by slopes. */
export function decreasesBySlope(line: Line, trial: Trial, c1: number): boolean {
  const level = Math.abs(trial.cost - line.cost) <= rounding * Math.abs(line.cost);
  return level && trial.slope <= (2 * c1 - 1) * line.slope && moves(line, trial);
}

/** Whether the trial is another point than x. */
export function moves(line: Line, trial: Trial): boolean {
  for (let i = 0; i < line.x.length; i++) if (line.x[i] !== trial.x[i]) return true;
  return false;
}
