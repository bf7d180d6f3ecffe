import { checkChoice, checkNumber, checkOptions } from "../../core/index.ts";
import type { Evaluator } from "../problem.ts";
import { normOf, type Solver } from "../solver.ts";
import { accept, type DescentState, firstTrial, initDescent, searchBuffers, searchLine } from "./descent.ts";
import { checkLineSearch, type LineSearch } from "./line-search.ts";
import { strongWolfe } from "./strong-wolfe.ts";

export type ConjugateGradientBeta =
  | "fletcher-reeves"
  | "polak-ribiere"
  | "hestenes-stiefel"
  | "hager-zhang"
  | "dai-yuan";

export interface ConjugateGradientOptions {
  /** Default "hestenes-stiefel". */
  readonly beta?: ConjugateGradientBeta;
  /** Default `strongWolfe({ curvature: 0.1 })`. */
  readonly lineSearch?: LineSearch;
  /**
   * Back to the gradient where two gradients are far from orthogonal, |<g, old g>| >= restart |g|^2 (Powell 1977).
   * Default 0.5 for "fletcher-reeves" and "dai-yuan"; never for the others, which turn to the gradient by themselves.
   */
  readonly restart?: number;
}

export interface ConjugateGradientState extends DescentState {
  /** The preconditioned gradient; empty without a preconditioner. */
  preconditioned: Float64Array;
  /** <gradient, preconditioned gradient>. */
  square: number;
  /** True where the direction is that of steepest descent. */
  fresh: boolean;
}

const betas = [
  "fletcher-reeves",
  "polak-ribiere",
  "hestenes-stiefel",
  "hager-zhang",
  "dai-yuan",
] as const satisfies readonly ConjugateGradientBeta[];

const defaults: Required<ConjugateGradientOptions> = {
  beta: "hestenes-stiefel",
  lineSearch: strongWolfe({ curvature: 0.1 }),
  restart: Number.POSITIVE_INFINITY,
};

/**
 * Preconditioned nonlinear conjugate gradients with transported directions (Absil, Mahony & Sepulchre 2008, section
 * 8.3; the betas of Hager & Zhang 2006, polak-ribiere and hestenes-stiefel cut off at 0). A beta that is not a
 * number, and a direction that does not descend, restart along the gradient.
 *
 * @throws InputError on options that are unknown or out of range.
 */
export function conjugateGradient(options: ConjugateGradientOptions = {}): Solver<ConjugateGradientState> {
  checkOptions(options, "conjugateGradient", Object.keys(defaults));
  const beta = checkChoice(options.beta ?? defaults.beta, "conjugateGradient.beta", betas);
  const needsRestart = beta === "fletcher-reeves" || beta === "dai-yuan";
  const settings = { ...defaults, ...(needsRestart ? { restart: 0.5 } : {}), ...options };
  checkLineSearch(settings.lineSearch, "conjugateGradient.lineSearch");
  if (settings.restart !== Number.POSITIVE_INFINITY) {
    checkNumber(settings.restart, "conjugateGradient.restart", 0);
  }
  return {
    name: `conjugate gradient (${beta})`,
    init,
    step: (evaluator, state) => step(evaluator, state, settings),
  };
}

function init(evaluator: Evaluator, x0: Float64Array): ConjugateGradientState {
  const state: ConjugateGradientState = {
    ...initDescent(evaluator, x0, 3),
    preconditioned: new Float64Array(evaluator.hasPreconditioner ? evaluator.size : 0),
    square: Number.NaN,
    fresh: true,
  };
  if (!Number.isFinite(state.gradientNorm)) return state;
  if (evaluator.hasPreconditioner) evaluator.precondition(state.preconditioned, state.x, state.gradient);
  state.square = evaluator.inner(state.x, state.gradient, preconditionedGradient(state));
  restart(state);
  return state;
}

function step(
  evaluator: Evaluator,
  state: ConjugateGradientState,
  settings: Required<ConjugateGradientOptions>,
): ConjugateGradientState {
  let trial = searchLine(evaluator, state, settings.lineSearch, firstStep(evaluator, state));
  if (trial === undefined && !state.fresh) {
    restart(state);
    trial = searchLine(evaluator, state, settings.lineSearch, firstTrial(evaluator, state));
  }
  if (trial === undefined) {
    state.ended = "no-decrease";
    return state;
  }
  const { oldX, oldGradient, carried } = accept(evaluator, state, trial);
  const [old, difference, work] = state.scratch.slice(searchBuffers) as Float64Array[];
  evaluator.kernels.transport(0, old!, oldGradient, oldX, state.direction, state.lastStep, state.x);
  for (let i = 0; i < old!.length; i++) difference![i] = state.gradient[i]! - old![i]!;
  const oldSquare = state.square;
  const beta = betaOf(evaluator, state, settings.beta, {
    oldX,
    carried,
    difference: difference!,
    work: work!,
  });
  const overlap = Math.abs(evaluator.inner(state.x, state.gradient, old!));
  const far = overlap >= settings.restart * state.gradientNorm ** 2;
  if (far || !Number.isFinite(beta) || beta === 0 || !(oldSquare > 0)) {
    restart(state);
    return state;
  }
  const z = preconditionedGradient(state);
  for (let i = 0; i < z.length; i++) state.direction[i] = beta * carried[i]! - z[i]!;
  state.fresh = false;
  state.slope = evaluator.inner(state.x, state.gradient, state.direction);
  const steep = -1e-10 * state.gradientNorm * normOf(evaluator, state.x, state.direction);
  if (!(state.slope < steep)) restart(state);
  return state;
}

/** beta for the new x; also brings the preconditioned gradient and its square up to date. */
function betaOf(
  evaluator: Evaluator,
  state: ConjugateGradientState,
  kind: ConjugateGradientBeta,
  v: { oldX: Float64Array; carried: Float64Array; difference: Float64Array; work: Float64Array },
): number {
  const { x, gradient, direction, lastStep, preconditioned } = state;
  const { oldX, carried, difference, work } = v;
  const before = state.square;
  if (evaluator.hasPreconditioner) {
    if (kind === "hager-zhang") {
      evaluator.kernels.transport(0, work, preconditioned, oldX, direction, lastStep, x);
    }
    evaluator.precondition(preconditioned, x, gradient);
  }
  const z = preconditionedGradient(state);
  state.square = evaluator.inner(x, gradient, z);
  switch (kind) {
    case "fletcher-reeves":
      return state.square / before;
    case "polak-ribiere":
      return Math.max(0, evaluator.inner(x, z, difference) / before);
    case "hestenes-stiefel":
      return Math.max(0, evaluator.inner(x, z, difference) / evaluator.inner(x, carried, difference));
    case "dai-yuan":
      return state.square / evaluator.inner(x, carried, difference);
    case "hager-zhang": {
      const dy = evaluator.inner(x, carried, difference);
      // the difference of the preconditioned gradients
      if (evaluator.hasPreconditioner) for (let i = 0; i < z.length; i++) work[i] = z[i]! - work[i]!;
      const yy = evaluator.inner(x, difference, evaluator.hasPreconditioner ? work : difference);
      const along = evaluator.inner(x, carried, gradient);
      const beta = (evaluator.inner(x, z, difference) - (2 * yy * along) / dy) / dy;
      const floor = -1 / (normOf(evaluator, x, carried) * Math.min(0.01, state.gradientNorm));
      return Math.max(beta, floor);
    }
  }
}

/** Back to steepest descent; without the preconditioner where that does not descend. */
function restart(state: ConjugateGradientState): void {
  const { direction, gradient } = state;
  const usable = state.square > 0;
  const z = usable ? preconditionedGradient(state) : gradient;
  for (let i = 0; i < z.length; i++) direction[i] = -z[i]!;
  state.slope = usable ? -state.square : -(state.gradientNorm ** 2);
  state.fresh = true;
}

function preconditionedGradient(state: ConjugateGradientState): Float64Array {
  return state.preconditioned.length > 0 ? state.preconditioned : state.gradient;
}

/** To the bottom of the parabola with the slope here and the curvature of the last step. */
function firstStep(evaluator: Evaluator, state: ConjugateGradientState): number {
  if (state.iteration === 0 || !(state.curvature > 0)) return firstTrial(evaluator, state);
  const length = normOf(evaluator, state.x, state.direction);
  const longest = 10 * state.stepSize;
  return Math.min(longest / length, -state.slope / (state.curvature * length * length));
}
