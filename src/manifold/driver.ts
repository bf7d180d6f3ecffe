import { checkOptions, describe, InputError } from "../core/index.ts";
import { createEvaluator, type Evaluations, type Evaluator, type Problem } from "./problem.ts";
import type { Progress, Solver, SolverState, StopReason, StopRule } from "./solver.ts";
import { anyOf, gradientNorm, maxIterations } from "./stopping.ts";

/** One iteration; every column belongs to the same iterate. */
export interface Row {
  readonly iteration: number;
  readonly cost: number;
  readonly gradientNorm: number;
  readonly stepSize: number;
  /** Only where a clock was given. */
  readonly elapsed?: number;
}

export interface MinimizeOptions<S extends SolverState = SolverState> {
  readonly solver: Solver<S>;
  /** Default: gradient norm 1e-6 or 1000 iterations. */
  readonly stop?: StopRule;
  /** Keep a row per iteration. Default true. */
  readonly record?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (row: Row) => void;
  /** Milliseconds, increasing; for `maxTime` and the column `elapsed`. */
  readonly clock?: () => number;
}

export interface MinimizeResult<P> {
  readonly point: P;
  readonly cost: number;
  /** Riemannian, at `point`. */
  readonly gradientNorm: number;
  readonly iterations: number;
  readonly evaluations: Evaluations;
  readonly converged: boolean;
  readonly reason: StopReason;
  readonly rows: readonly Row[];
}

const optionNames = ["solver", "stop", "record", "signal", "onProgress", "clock"] as const;
const convergedReasons: readonly StopReason[] = ["gradient-norm", "relative-decrease", "zero-dimension"];

/**
 * Minimises a cost on a manifold from x0. Deterministic; never throws for numerical reasons, see `converged` and
 * `reason` (or {@link assertSolved}).
 *
 * @throws InputError if the problem, the start or the options make no sense.
 */
export function minimize<P, S extends SolverState>(
  problem: Problem<P>,
  x0: P,
  options: MinimizeOptions<S>,
): MinimizeResult<P> {
  const { solver } = checkMinimizeOptions(options);
  const evaluator = createEvaluator(problem);
  return run(problem, evaluator, solver.init(evaluator, startPoint(problem, x0)), options);
}

/** The start as a flat buffer. @throws InputError unless it lies on the manifold (1e-6 relative). */
export function startPoint<P>(problem: Problem<P>, x0: P): Float64Array {
  const { manifold } = problem;
  const x = new Float64Array(manifold.kernels.size);
  manifold.write(x, x0, "x0");
  const residual = manifold.kernels.pointResidual(0, x);
  if (!(residual <= 1e-6)) {
    throw new InputError(
      "x0",
      `a point off the manifold (residual ${residual})`,
      `a point of ${manifold.name}`,
    );
  }
  return x;
}

/** The loop: from a state to the end. */
export function run<P, S extends SolverState>(
  problem: Problem<P>,
  evaluator: Evaluator,
  initial: S,
  options: MinimizeOptions<S>,
): MinimizeResult<P> {
  const {
    solver,
    stop = anyOf(gradientNorm(1e-6), maxIterations(1000)),
    signal,
    onProgress,
    clock,
  } = options;
  const started = clock?.();
  const rows: Row[] = [];
  let state = initial;
  let reason: StopReason | undefined;
  for (;;) {
    const elapsed = clock === undefined || started === undefined ? undefined : clock() - started;
    const row = rowOf(state, elapsed);
    if (options.record !== false) rows.push(row);
    onProgress?.(row);
    reason = stopReason(state, evaluator, stop, signal, elapsed);
    if (reason !== undefined) break;
    state = solver.step(evaluator, state);
  }
  const point = state.x.slice();
  return {
    point: problem.manifold.view(point),
    cost: state.cost,
    gradientNorm: state.gradientNorm,
    iterations: state.iteration,
    evaluations: { ...evaluator.evaluations },
    converged: convergedReasons.includes(reason),
    reason,
    rows,
  };
}

/** Why the state is the last one, or undefined. */
export function stopReason(
  state: SolverState,
  evaluator: Evaluator,
  stop: StopRule,
  signal: AbortSignal | undefined,
  elapsed: number | undefined,
): StopReason | undefined {
  if (evaluator.dimension === 0) return "zero-dimension";
  if (!Number.isFinite(state.cost) || !Number.isFinite(state.gradientNorm)) return "bad-start";
  const progress: Progress = {
    iteration: state.iteration,
    cost: state.cost,
    previousCost: state.previousCost,
    gradientNorm: state.gradientNorm,
    stepSize: state.stepSize,
    evaluations: evaluator.evaluations,
    ...(elapsed === undefined ? {} : { elapsed }),
  };
  // a critical point is the end whatever the rule says: there is no direction to go
  if (state.gradientNorm === 0) return "gradient-norm";
  return stop(progress) ?? state.ended ?? (signal?.aborted === true ? "aborted" : undefined);
}

function rowOf(state: SolverState, elapsed: number | undefined): Row {
  const { iteration, cost, gradientNorm: norm, stepSize } = state;
  return { iteration, cost, gradientNorm: norm, stepSize, ...(elapsed === undefined ? {} : { elapsed }) };
}

/** @throws InputError on unknown or impossible options. */
export function checkMinimizeOptions<S extends SolverState>(options: MinimizeOptions<S>): MinimizeOptions<S> {
  checkOptions(options, "options", optionNames);
  const { solver } = options;
  if (typeof solver?.init !== "function" || typeof solver.step !== "function") {
    throw new InputError("solver", describe(solver), "a solver such as lbfgs()");
  }
  for (const name of ["stop", "onProgress", "clock"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "function") {
      throw new InputError(name, describe(options[name]), "a function");
    }
  }
  return options;
}
