import type { Evaluations, Evaluator } from "./problem.ts";

/** Why a minimisation ended. Sentences are built by `describeReason` only when asked. */
export type StopReason =
  | "gradient-norm"
  | "relative-decrease"
  | "max-iterations"
  | "max-time"
  | "aborted"
  /** The search found no lower cost: rounding level, or a gradient that is wrong. */
  | "no-decrease"
  /** The penalty of the constraints is at its largest and they are not met. */
  | "infeasible"
  /** The cost or the gradient at the start is NaN or infinite. */
  | "bad-start"
  /** The manifold is a point. */
  | "zero-dimension"
  /** A rule of the caller's own. */
  | "custom";

/** Lagrange multipliers: f + sum equalities_i h_i + sum inequalities_i g_i is stationary; inequalities >= 0. */
export interface Multipliers {
  readonly equalities: Float64Array;
  readonly inequalities: Float64Array;
}

/**
 * What every solver keeps: plain data (numbers, strings, arrays, Float64Arrays), so that a state can be saved and
 * resumed. Cost, gradient and norm always belong to `x`.
 */
export interface SolverState {
  readonly iteration: number;
  readonly x: Float64Array;
  readonly cost: number;
  /** Riemannian; with constraints, of the Lagrangian. */
  readonly gradient: Float64Array;
  readonly gradientNorm: number;
  /** Length of the last step; 0 before the first, and where an iteration took none. */
  readonly stepSize: number;
  /** Cost before the last step; +Infinity before the first. */
  readonly previousCost: number;
  /** Buffers whose contents do not matter between steps; they are not saved. */
  readonly scratch: readonly Float64Array[];
  /** Set by a solver that cannot go on. */
  readonly ended?: StopReason;
  /** Largest violation of a constraint or of complementarity; only of solvers for constraints. */
  readonly infeasibility?: number;
  readonly multipliers?: Multipliers;
}

/** A state as its own solver sees it. */
export type Mutable<S> = { -readonly [K in keyof S]: S[K] };

/**
 * A solver is two functions: `init`, and `step`, which may overwrite the state that it is given and owns. A step
 * that fails sets `ended` and leaves `iteration`. The loop, stopping and recording live in the driver, once.
 */
export interface Solver<S extends SolverState = SolverState> {
  readonly name: string;
  /** True of a solver that takes a problem with constraints. */
  readonly constrained?: boolean;
  init(evaluator: Evaluator, x0: Float64Array): S;
  step(evaluator: Evaluator, state: S): S;
}

/** What stopping rules look at. */
export interface Progress {
  readonly iteration: number;
  readonly cost: number;
  readonly previousCost: number;
  readonly gradientNorm: number;
  readonly stepSize: number;
  readonly evaluations: Readonly<Evaluations>;
  /** Only of problems with constraints. */
  readonly infeasibility?: number;
  /** Milliseconds since the start; only where a clock was given. */
  readonly elapsed?: number;
}

/** A stopping rule: a reason to stop, or undefined to go on. */
export type StopRule = (progress: Progress) => StopReason | undefined;

/** The part of a state that all solvers share, at x0; `euclidean` is filled with the Euclidean gradient. */
export function initialState(
  evaluator: Evaluator,
  x0: Float64Array,
  buffers: number,
  euclidean?: Float64Array,
): Mutable<SolverState> & { scratch: Float64Array[] } {
  const x = x0.slice();
  const gradient = new Float64Array(evaluator.size);
  const cost = evaluator.costAndGradient(gradient, x, euclidean);
  return {
    iteration: 0,
    x,
    cost,
    gradient,
    gradientNorm: normOf(evaluator, x, gradient),
    stepSize: 0,
    previousCost: Number.POSITIVE_INFINITY,
    scratch: Array.from({ length: buffers }, () => new Float64Array(evaluator.size)),
  };
}

/** |u|_x; where the square leaves double precision, that of a scaled u. */
export function normOf(evaluator: Evaluator, x: Float64Array, u: Float64Array): number {
  const square = evaluator.inner(x, u, u);
  if (square > 1e-280 && square < Number.POSITIVE_INFINITY) return Math.sqrt(square);
  let largest = 0;
  for (let i = 0; i < u.length; i++) largest = Math.max(largest, Math.abs(u[i]!));
  if (largest === 0 || !Number.isFinite(largest)) return square < 0 ? 0 : Math.sqrt(square);
  const scaled = u.map((value) => value / largest);
  return largest * Math.sqrt(Math.max(0, evaluator.inner(x, scaled, scaled)));
}
