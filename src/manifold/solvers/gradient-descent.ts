import { checkChoice, checkOptions } from "../../core/index.ts";
import type { Evaluator } from "../problem.ts";
import type { Solver } from "../solver.ts";
import { armijo } from "./armijo.ts";
import {
  accept,
  type DescentState,
  firstTrial,
  initDescent,
  searchBuffers,
  searchLine,
  steepest,
} from "./descent.ts";
import { checkLineSearch, type LineSearch } from "./line-search.ts";

export interface GradientDescentOptions {
  /**
   * The first trial of each search: "armijo" from the last decrease, "barzilai-borwein" from the last two points
   * and gradients. Default "barzilai-borwein".
   */
  readonly step?: "armijo" | "barzilai-borwein";
  /** Default `armijo()`: also a Barzilai-Borwein step is shortened until the cost decreases. */
  readonly lineSearch?: LineSearch;
}

export interface GradientDescentState extends DescentState {
  /** Barzilai-Borwein step for the next search; NaN if there is none. */
  nextStep: number;
}

const defaults: Required<GradientDescentOptions> = { step: "barzilai-borwein", lineSearch: armijo() };

/**
 * Steepest descent, preconditioned where the problem has a preconditioner. Barzilai-Borwein steps alternate between
 * <s, s>/<s, y> and <s, y>/<y, y> (Iannazzo & Porcelli 2018), here always with a decrease of the cost.
 *
 * @throws InputError on options that are not known.
 */
export function gradientDescent(options: GradientDescentOptions = {}): Solver<GradientDescentState> {
  checkOptions(options, "gradientDescent", Object.keys(defaults));
  const settings = { ...defaults, ...options };
  checkLineSearch(settings.lineSearch, "gradientDescent.lineSearch");
  checkChoice(settings.step, "gradientDescent.step", ["armijo", "barzilai-borwein"]);
  return {
    name: `gradient descent (${settings.step})`,
    init,
    step: (evaluator, state) => step(evaluator, state, settings),
  };
}

function init(evaluator: Evaluator, x0: Float64Array): GradientDescentState {
  return { ...initDescent(evaluator, x0, 1), nextStep: Number.NaN };
}

function step(
  evaluator: Evaluator,
  state: GradientDescentState,
  settings: Required<GradientDescentOptions>,
): GradientDescentState {
  steepest(evaluator, state);
  const first = state.nextStep > 0 ? state.nextStep : firstTrial(evaluator, state);
  const trial = searchLine(evaluator, state, settings.lineSearch, first);
  if (trial === undefined) {
    state.ended = "no-decrease";
    return state;
  }
  const { oldX, oldGradient, carried } = accept(evaluator, state, trial);
  if (settings.step === "barzilai-borwein") {
    state.nextStep = barzilaiBorwein(evaluator, state, oldX, oldGradient, carried);
  }
  return state;
}

/** The step for the direction -P gradient, in the metric of P^-1, in which s = lastStep carried. */
function barzilaiBorwein(
  evaluator: Evaluator,
  state: GradientDescentState,
  oldX: Float64Array,
  oldGradient: Float64Array,
  carried: Float64Array,
): number {
  const y = state.scratch[searchBuffers]!;
  const { x, gradient, direction, lastStep, lastSlope } = state;
  evaluator.kernels.transport(0, y, oldGradient, oldX, direction, lastStep, x);
  for (let i = 0; i < y.length; i++) y[i] = gradient[i]! - y[i]!;
  // <s, P^-1 s> = -lastStep^2 lastSlope, as the direction is -P g
  const ss = -lastStep * lastStep * lastSlope;
  const sy = lastStep * evaluator.inner(x, carried, y);
  if (!(sy > 0)) return Number.NaN;
  if (state.iteration % 2 === 0) return within(ss / sy, lastStep);
  // the direction buffer is free until the next step sets it
  evaluator.precondition(direction, x, y);
  return within(sy / evaluator.inner(x, y, direction), lastStep);
}

/** Within six orders of magnitude of the last step. */
function within(guess: number, last: number): number {
  return Math.min(1e6 * last, Math.max(1e-6 * last, guess));
}
