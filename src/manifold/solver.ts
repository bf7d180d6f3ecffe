import type { Evaluations, Evaluator } from "./problem.ts";

/** Why a minimisation ended. Sentences are built by `describeReason` only when asked. */
export type StopReason =
  | "gradient-norm"
  | "relative-decrease"
  | "max-iterations"
  | "max-time"
  | "aborted"
  /** The line search found no lower cost: rounding level, or a gradient that is wrong. */
  | "no-decrease"
  /** The cost at the start is NaN or infinite. */
  | "bad-start"
  /** The manifold is a point. */
  | "zero-dimension"
  /** A rule of the caller's own. */
  | "custom";

/**
 * What every solver keeps: plain data (numbers, arrays, typed arrays), so that a state can be saved and resumed.
 * Cost, gradient and norm always belong to `x`.
 */
export interface SolverState {
  readonly iteration: number;
  readonly x: Float64Array;
  readonly cost: number;
  readonly gradient: Float64Array;
  readonly gradientNorm: number;
  /** Length of the last accepted step; 0 before the first. */
  readonly stepSize: number;
  /** Cost before the last step; +Infinity before the first. */
  readonly previousCost: number;
  /** Set by a solver that cannot go on. */
  readonly ended?: StopReason;
}

/**
 * A solver is two functions: `init`, and `step`, which may overwrite the state that it is given and owns. The
 * loop, stopping and recording live in the driver, once.
 */
export interface Solver<S extends SolverState = SolverState> {
  readonly name: string;
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
  /** Milliseconds since the start; only where a clock was given. */
  readonly elapsed?: number;
}

/** A stopping rule: a reason to stop, or undefined to go on. */
export type StopRule = (progress: Progress) => StopReason | undefined;
