import { checkInteger, checkNumber, checkOptions } from "../../core/index.ts";
import type { Evaluator } from "../problem.ts";
import { normOf, type Solver } from "../solver.ts";
import {
  accept,
  type DescentState,
  initDescent,
  negate,
  searchBuffers,
  searchLine,
  steepest,
} from "./descent.ts";
import { checkLineSearch, type LineSearch } from "./line-search.ts";
import { strongWolfe } from "./strong-wolfe.ts";

export interface LbfgsOptions {
  /** Pairs of steps and gradient differences that are kept. Default 10. */
  readonly memory?: number;
  /** Default `strongWolfe()`. */
  readonly lineSearch?: LineSearch;
  /** A pair is kept if <s, y> >= cautious |s| |y| |gradient| / |first gradient|. Default 1e-6. */
  readonly cautious?: number;
}

export interface LbfgsState extends DescentState {
  /** The pairs, tangent at x: a ring of buffers; `newest` is the place of the newest of `count`. */
  readonly steps: Float64Array[];
  readonly differences: Float64Array[];
  /** 1 / <s, y> of each pair, when it was new. */
  readonly rho: Float64Array;
  readonly alpha: Float64Array;
  count: number;
  newest: number;
  /** <s, y> / <y, P y> of the newest pair, P the preconditioner (the identity without one). */
  gamma: number;
  /** |gradient| at the start: the unit of the cautious rule. */
  readonly unit: number;
}

const defaults: Required<LbfgsOptions> = { memory: 10, lineSearch: strongWolfe(), cautious: 1e-6 };

/**
 * Limited-memory BFGS with transported pairs and cautious updates (Huang, Gallivan & Absil 2015; Li & Fukushima
 * 2001). The first approximation of the inverse Hessian is gamma times the problem's preconditioner, or gamma times
 * the identity, gamma from the newest pair.
 *
 * @throws InputError on options that are unknown or out of range.
 */
export function lbfgs(options: LbfgsOptions = {}): Solver<LbfgsState> {
  checkOptions(options, "lbfgs", Object.keys(defaults));
  const settings = { ...defaults, ...options };
  checkLineSearch(settings.lineSearch, "lbfgs.lineSearch");
  checkInteger(settings.memory, "lbfgs.memory", 1, 1000);
  checkNumber(settings.cautious, "lbfgs.cautious", 0);
  return {
    name: `L-BFGS (memory ${settings.memory})`,
    init: (evaluator, x0) => init(evaluator, x0, settings),
    step: (evaluator, state) => step(evaluator, state, settings),
  };
}

function init(evaluator: Evaluator, x0: Float64Array, { memory }: Required<LbfgsOptions>): LbfgsState {
  const ring = (): Float64Array[] => Array.from({ length: memory }, () => new Float64Array(evaluator.size));
  const state = initDescent(evaluator, x0, 1);
  return {
    ...state,
    steps: ring(),
    differences: ring(),
    rho: new Float64Array(memory),
    alpha: new Float64Array(memory),
    count: 0,
    newest: 0,
    gamma: 1,
    unit: state.gradientNorm,
  };
}

function step(evaluator: Evaluator, state: LbfgsState, settings: Required<LbfgsOptions>): LbfgsState {
  quasiNewton(evaluator, state);
  let trial = searchLine(evaluator, state, settings.lineSearch, firstStep(evaluator, state));
  if (trial === undefined && state.count > 0) {
    // the memory may be what is wrong: once more along the gradient
    state.count = 0;
    quasiNewton(evaluator, state);
    trial = searchLine(evaluator, state, settings.lineSearch, firstStep(evaluator, state));
  }
  if (trial === undefined) {
    state.ended = "no-decrease";
    return state;
  }
  const { oldX, oldGradient, carried } = accept(evaluator, state, trial);
  remember(evaluator, state, oldX, oldGradient, carried, settings.cautious);
  return state;
}

/** direction = -H gradient, by the two-loop recursion. */
function quasiNewton(evaluator: Evaluator, state: LbfgsState): void {
  const { x, direction, gradient, steps, differences, rho, alpha, count, newest } = state;
  if (count === 0) {
    steepest(evaluator, state);
    return;
  }
  const memory = steps.length;
  const q = state.scratch[0]!;
  q.set(gradient);
  for (let k = 0; k < count; k++) {
    const i = (newest - k + memory) % memory;
    alpha[i] = rho[i]! * evaluator.inner(x, steps[i]!, q);
    addScaled(q, differences[i]!, -alpha[i]!);
  }
  if (evaluator.hasPreconditioner) {
    evaluator.precondition(direction, x, q);
    for (let i = 0; i < q.length; i++) direction[i]! *= state.gamma;
  } else {
    for (let i = 0; i < q.length; i++) direction[i] = state.gamma * q[i]!;
  }
  for (let k = count - 1; k >= 0; k--) {
    const i = (newest - k + memory) % memory;
    const beta = rho[i]! * evaluator.inner(x, differences[i]!, direction);
    addScaled(direction, steps[i]!, alpha[i]! - beta);
  }
  negate(direction);
  state.slope = evaluator.inner(x, gradient, direction);
  const steep = -1e-12 * state.gradientNorm * normOf(evaluator, x, direction);
  if (!(state.slope < steep)) {
    state.count = 0;
    steepest(evaluator, state);
  }
}

/** 1 with a memory or a preconditioner; else a step as long as the last, or of length 1. */
function firstStep(evaluator: Evaluator, state: LbfgsState): number {
  if (state.count > 0 || (evaluator.hasPreconditioner && state.iteration === 0)) return 1;
  const length = state.iteration === 0 ? 1 : state.stepSize;
  return length / normOf(evaluator, state.x, state.direction);
}

/** Carries all pairs to the new x and adds the newest, if it shows enough curvature. */
function remember(
  evaluator: Evaluator,
  state: LbfgsState,
  oldX: Float64Array,
  oldGradient: Float64Array,
  carried: Float64Array,
  cautious: number,
): void {
  const { x, direction, gradient, steps, differences, lastStep } = state;
  const { kernels } = evaluator;
  const memory = steps.length;
  const y = state.scratch[searchBuffers]!;
  kernels.transport(0, y, oldGradient, oldX, direction, lastStep, x);
  for (let i = 0; i < y.length; i++) y[i] = gradient[i]! - y[i]!;
  const sy = lastStep * evaluator.inner(x, carried, y);
  const ss = lastStep * lastStep * evaluator.inner(x, carried, carried);
  const yy = evaluator.inner(x, y, y);
  const keep = sy > 0 && yy > 0 && sy >= cautious * Math.sqrt(ss * yy) * (state.gradientNorm / state.unit);
  // the oldest of a full ring is about to be overwritten
  const kept = keep && state.count === memory ? memory - 1 : state.count;
  for (let k = 0; k < kept; k++) {
    const i = (state.newest - k + memory) % memory;
    kernels.transport(0, steps[i]!, steps[i]!, oldX, direction, lastStep, x);
    kernels.transport(0, differences[i]!, differences[i]!, oldX, direction, lastStep, x);
  }
  if (!keep) return;
  state.newest = (state.newest + 1) % memory;
  const s = steps[state.newest]!;
  for (let i = 0; i < s.length; i++) s[i] = lastStep * carried[i]!;
  differences[state.newest]!.set(y);
  state.rho[state.newest] = 1 / sy;
  state.gamma = sy / yy;
  if (evaluator.hasPreconditioner) {
    // the direction is free by now; a preconditioner of the wrong scale is brought to that of the newest pair
    evaluator.precondition(direction, x, y);
    const gamma = sy / evaluator.inner(x, y, direction);
    state.gamma = gamma > 0 && Number.isFinite(gamma) ? gamma : 1;
  }
  state.count = Math.min(memory, state.count + 1);
}

function addScaled(out: Float64Array, u: Float64Array, factor: number): void {
  for (let i = 0; i < out.length; i++) out[i]! += factor * u[i]!;
}
