import type { TransceiverProblem } from "./updates.ts";

/** Why an iterative design ended. */
export type StopReason =
  /** The last iteration lowered the MSE by less than the tolerance, and little more is in sight. */
  | "relative-decrease"
  /** The last iteration did not lower the MSE any more (rounding), but the ones before were still far from the end. */
  | "stalled"
  /** The iteration limit was reached first. */
  | "max-iterations"
  /** The MSE left the range of double precision; the design is the last finite one. */
  | "not-finite"
  /** The caller's AbortSignal fired; the design is the best so far. */
  | "aborted"
  /** Some device cannot do what the scheme asks of every device (zero forcing through a channel without rank). */
  | "infeasible"
  /** Every random candidate of the effort was tried. */
  | "all-draws"
  /** Closed form: nothing to iterate. */
  | "closed-form";

/** One iteration; every column belongs to the same pair of beamformers. */
export interface DesignRow {
  readonly iteration: number;
  /** sum_m MSE_m */
  readonly mse: number;
  /** Which of its variants a scheme chose, if it has any. */
  readonly variant?: string;
}

export interface StopRule {
  readonly maxIterations: number;
  /** Stop when an iteration lowers the MSE by at most this fraction, and little of it is in sight. */
  readonly relativeDecrease: number;
}

/** What a caller may watch or stop. */
export interface Hooks {
  readonly signal?: AbortSignal;
  readonly onProgress?: (row: DesignRow) => void;
}

/** A proved lower bound on sum_m MSE_m: of every analog design, or of those without misalignment. */
export interface LowerBound {
  /** In the unit of `mse`. */
  readonly value: number;
  readonly kind: "noise-splitting" | "uniform-forcing-dual";
}

export type Effort = "fast" | "default" | "thorough";
export const efforts: readonly Effort[] = ["fast", "default", "thorough"];

/** What a scheme may use besides the problem. */
export interface SchemeContext {
  readonly effort: Effort;
  /** Of everything random. */
  readonly seed: number;
  readonly hooks: Hooks;
  /** Start of the iterative schemes, [M, Nr, S]: finite, not all zero. */
  readonly initial?: Float64Array;
}

/** Beamformers within the budgets, and how they were found. The last row is theirs. */
export interface SchemeResult {
  /** [M, Nr, S] */
  readonly receive: Float64Array;
  /** [K, M, Nt, S] */
  readonly transmit: Float64Array;
  /** sum_m MSE_m, for the problem's correlation and estimation error */
  readonly mse: number;
  readonly iterations: number;
  readonly reason: StopReason;
  /** One row per iteration, row 0 is the start; the MSE never increases. */
  readonly rows: readonly DesignRow[];
}

/** An analog scheme: a pure function of the problem and the context. */
export type SchemeSolver = (problem: TransceiverProblem, context: SchemeContext) => SchemeResult;

/** The budget that alternating minimisation gets, alone or inside a baseline. */
export const stopRules: Readonly<Record<Effort, StopRule>> = {
  fast: { maxIterations: 50, relativeDecrease: 1e-4 },
  default: { maxIterations: 500, relativeDecrease: 1e-6 },
  thorough: { maxIterations: 20000, relativeDecrease: 1e-10 },
};
