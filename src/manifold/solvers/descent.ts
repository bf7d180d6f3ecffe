import type { Evaluator } from "../problem.ts";
import { initialState, type Mutable, normOf, type SolverState } from "../solver.ts";
import type { Line, LineSearch, Trial } from "./line-search.ts";

/** What the solvers that search along a line keep. */
export interface DescentState extends Mutable<SolverState> {
  scratch: Float64Array[];
  /** Where the next search goes, tangent at x. */
  direction: Float64Array;
  /** <gradient, direction>. */
  slope: number;
  /** Step of the last search, as a factor of the direction. */
  lastStep: number;
  /** Slope at the start of the last search. */
  lastSlope: number;
  /** Mean second derivative along the last step, per unit of length; NaN before. */
  curvature: number;
  stall: Stall;
}

/** The best so far, and for how many steps neither has got better. */
export interface Stall {
  cost: number;
  gradientNorm: number;
  steps: number;
}

/** So many steps at rounding level end a run that no stopping rule ends. */
const maxStalled = 30;

/** The first six scratch buffers belong to the search: point, gradient and carried direction, twice. */
export const searchBuffers = 6;

/** The state at x0; the direction is still empty. `extra` more scratch buffers follow those of the search. */
export function initDescent(evaluator: Evaluator, x0: Float64Array, extra: number): DescentState {
  return {
    ...initialState(evaluator, x0, searchBuffers + extra),
    direction: new Float64Array(evaluator.size),
    slope: Number.NaN,
    lastStep: 0,
    lastSlope: Number.NaN,
    curvature: Number.NaN,
    stall: { cost: Number.POSITIVE_INFINITY, gradientNorm: Number.POSITIVE_INFINITY, steps: 0 },
  };
}

/** Takes note of a step; true if cost and gradient have stayed at rounding level for too long. */
export function hasStalled(stall: Stall, cost: number, gradientNorm: number): boolean {
  const better = cost < stall.cost || gradientNorm < 0.99 * stall.gradientNorm;
  stall.steps = better ? 0 : stall.steps + 1;
  if (cost < stall.cost) stall.cost = cost;
  if (gradientNorm < stall.gradientNorm) stall.gradientNorm = gradientNorm;
  return stall.steps >= maxStalled;
}

/** Points the direction along -gradient, preconditioned where that descends. Returns the slope. */
export function steepest(evaluator: Evaluator, state: DescentState): number {
  evaluator.precondition(state.direction, state.x, state.gradient);
  negate(state.direction);
  state.slope = evaluator.inner(state.x, state.gradient, state.direction);
  if (!(state.slope < 0)) {
    state.direction.set(state.gradient);
    negate(state.direction);
    state.slope = -(state.gradientNorm ** 2);
  }
  return state.slope;
}

/** Searches along the state's direction. */
export function searchLine(
  evaluator: Evaluator,
  state: DescentState,
  search: LineSearch,
  first: number,
): Trial | undefined {
  const { scratch } = state;
  const line: Line = {
    x: state.x,
    cost: state.cost,
    direction: state.direction,
    slope: state.slope,
    trial: emptyTrial(scratch[0]!, scratch[1]!, scratch[2]!),
    other: emptyTrial(scratch[3]!, scratch[4]!, scratch[5]!),
  };
  if (!(state.slope < 0) || !(first > 0)) return undefined;
  return search.search(evaluator, line, first);
}

/**
 * The state moves to the trial. The old point and gradient are left in the scratch buffers that the trial had,
 * which are returned; so is the direction, carried to the new point.
 */
export function accept(
  evaluator: Evaluator,
  state: DescentState,
  trial: Trial,
): { oldX: Float64Array; oldGradient: Float64Array; carried: Float64Array } {
  const { x: oldX, gradient: oldGradient, scratch } = state;
  const length = normOf(evaluator, oldX, state.direction);
  state.stepSize = trial.step * length;
  state.curvature = (trial.slope - state.slope) / (trial.step * length * length);
  state.previousCost = state.cost;
  state.lastStep = trial.step;
  state.lastSlope = state.slope;
  scratch[scratch.indexOf(trial.x)] = oldX;
  scratch[scratch.indexOf(trial.gradient)] = oldGradient;
  state.x = trial.x;
  state.gradient = trial.gradient;
  state.cost = trial.cost;
  state.gradientNorm = trial.gradientNorm;
  state.iteration++;
  if (hasStalled(state.stall, state.cost, state.gradientNorm)) state.ended = "no-decrease";
  return { oldX, oldGradient, carried: trial.carried };
}

/**
 * A first trial: at the start, a step of length 1; later the step that would repeat the last decrease on a
 * parabola, within [0.1, 10] of the last step's length.
 */
export function firstTrial(evaluator: Evaluator, state: DescentState): number {
  const length = normOf(evaluator, state.x, state.direction);
  if (state.iteration === 0 || !(state.stepSize > 0)) return 1 / length;
  const guess = (2.02 * (state.previousCost - state.cost)) / -state.slope;
  const last = state.stepSize / length;
  if (!(guess > 0)) return last;
  return Math.min(10 * last, Math.max(0.1 * last, guess));
}

export function negate(u: Float64Array): void {
  for (let i = 0; i < u.length; i++) u[i] = -u[i]!;
}

function emptyTrial(x: Float64Array, gradient: Float64Array, carried: Float64Array): Trial {
  const unknown = Number.NaN;
  return {
    step: 0,
    x,
    cost: unknown,
    gradient,
    gradientNorm: unknown,
    carried,
    slope: unknown,
    hasGradient: false,
  };
}
