import { checkOptions, describe, InputError } from "../core/index.ts";
import { createEvaluator, type Evaluations, type Evaluator, type Problem } from "./problem.ts";
import type { Multipliers, Progress, Solver, SolverState, StopReason, StopRule } from "./solver.ts";
import { anyOf, gradientNorm, maxIterations } from "./stopping.ts";

/** One iteration; every column belongs to the same iterate. */
export interface Row {
  readonly iteration: number;
  readonly cost: number;
  readonly gradientNorm: number;
  readonly stepSize: number;
  /** Only of problems with constraints. */
  readonly infeasibility?: number;
  /** Only where a clock was given. */
  readonly elapsed?: number;
}

export interface MinimizeOptions {
  readonly solver: Solver;
  /** Default: gradient norm 1e-6 or 1000 iterations. */
  readonly stop?: StopRule;
  /** Keep a row per iteration. Default true. */
  readonly record?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (row: Row) => void;
  /** Milliseconds, increasing; for `maxTime` and the column `elapsed`. */
  readonly clock?: () => number;
}

/** How well the constraints of a problem are met. */
export interface ConstraintReport {
  readonly multipliers: Multipliers;
  /** Largest violation of a constraint or of complementarity, max |h_j|, |min(lambda_i, -g_i)|. */
  readonly infeasibility: number;
  /** The larger of that and the gradient norm of the Lagrangian: 0 at a Karush-Kuhn-Tucker point. */
  readonly kktResidual: number;
}

export interface MinimizeResult<P> {
  readonly point: P;
  readonly cost: number;
  /** Riemannian, at `point`; with constraints, of the Lagrangian. */
  readonly gradientNorm: number;
  readonly iterations: number;
  readonly evaluations: Evaluations;
  readonly converged: boolean;
  readonly reason: StopReason;
  readonly rows: readonly Row[];
  /** Only of problems with constraints. */
  readonly constraints?: ConstraintReport;
}

/** What `iterate` yields: the iterate as users see it, and what `snapshot` saves. */
export interface Iteration<P> {
  readonly row: Row;
  /** A copy: it stays as it is when the iteration goes on. */
  readonly point: P;
  /** Why this is the last iterate, or undefined. */
  readonly reason: StopReason | undefined;
  readonly evaluations: Readonly<Evaluations>;
  readonly solver: string;
  readonly manifold: string;
  /** The solver's own data, overwritten by the next step. */
  readonly state: SolverState;
}

const optionNames = ["solver", "stop", "record", "signal", "onProgress", "clock"] as const;
const convergedReasons: readonly StopReason[] = ["gradient-norm", "relative-decrease", "zero-dimension"];

/**
 * Minimises a cost on a manifold from x0. Deterministic; never throws for numerical reasons, see `converged` and
 * `reason` (or `assertSolved`).
 *
 * @throws InputError if the problem, the start or the options make no sense.
 */
export function minimize<P>(problem: Problem<P>, x0: P, options: MinimizeOptions): MinimizeResult<P> {
  const { evaluator, state } = begin(problem, x0, options);
  return finish(problem, evaluator, state, options);
}

/**
 * The same run, one iterate at a time; the first is x0, the last has a `reason`, and the generator returns what
 * `minimize` would.
 *
 * @throws InputError, at the first iterate, if the problem, the start or the options make no sense.
 */
export function* iterate<P>(
  problem: Problem<P>,
  x0: P,
  options: MinimizeOptions,
): Generator<Iteration<P>, MinimizeResult<P>, undefined> {
  const { evaluator, state } = begin(problem, x0, options);
  return yield* iterateFrom(problem, evaluator, state, options);
}

/** From a state to the end. */
export function finish<P>(
  problem: Problem<P>,
  evaluator: Evaluator,
  initial: SolverState,
  options: MinimizeOptions,
): MinimizeResult<P> {
  const rows: Row[] = [];
  for (const { state, row, reason } of advance(evaluator, initial, options)) {
    record(rows, row, options);
    if (reason !== undefined) return resultOf(problem, evaluator, state, reason, rows);
  }
  throw new Error("a run ends with a reason");
}

/** From a state to the end, one iterate at a time. */
export function* iterateFrom<P>(
  problem: Problem<P>,
  evaluator: Evaluator,
  initial: SolverState,
  options: MinimizeOptions,
): Generator<Iteration<P>, MinimizeResult<P>, undefined> {
  const rows: Row[] = [];
  for (const { state, row, reason } of advance(evaluator, initial, options)) {
    record(rows, row, options);
    yield {
      row,
      point: problem.manifold.view(state.x.slice()),
      reason,
      evaluations: { ...evaluator.evaluations },
      solver: options.solver.name,
      manifold: problem.manifold.name,
      state,
    };
    if (reason !== undefined) return resultOf(problem, evaluator, state, reason, rows);
  }
  throw new Error("a run ends with a reason");
}

/** The loop. The last thing it yields has a reason; a step that failed comes with the row before it. */
export function* advance(
  evaluator: Evaluator,
  initial: SolverState,
  options: MinimizeOptions,
): Generator<{ state: SolverState; row: Row; reason: StopReason | undefined }, void, undefined> {
  const {
    solver,
    stop = anyOf(gradientNorm(1e-6), maxIterations(1000)),
    signal,
    onProgress,
    clock,
  } = options;
  const started = clock?.();
  let state = initial;
  for (let last = -1; ; state = solver.step(evaluator, state)) {
    const elapsed = clock === undefined || started === undefined ? undefined : clock() - started;
    const row = rowOf(state, elapsed);
    if (state.iteration !== last) onProgress?.(row);
    last = state.iteration;
    const reason = stopReason(state, evaluator, stop, signal, elapsed);
    yield { state, row, reason };
    if (reason !== undefined) return;
  }
}

/** Why the state is the last one, or undefined. */
function stopReason(
  state: SolverState,
  evaluator: Evaluator,
  stop: StopRule,
  signal: AbortSignal | undefined,
  elapsed: number | undefined,
): StopReason | undefined {
  const values = [state.cost, state.gradientNorm, state.infeasibility ?? 0];
  if (!values.every((value) => Number.isFinite(value))) return "bad-start";
  if (evaluator.dimension === 0) return (state.infeasibility ?? 0) > 1e-6 ? "infeasible" : "zero-dimension";
  // a critical point is the end whatever the rule says: there is no direction to go
  if (state.gradientNorm === 0 && (state.infeasibility ?? 0) === 0) return "gradient-norm";
  const { iteration, cost, previousCost, gradientNorm: norm, stepSize, infeasibility } = state;
  const progress: Progress = {
    iteration,
    cost,
    previousCost,
    gradientNorm: norm,
    stepSize,
    evaluations: evaluator.evaluations,
    ...(infeasibility === undefined ? {} : { infeasibility }),
    ...(elapsed === undefined ? {} : { elapsed }),
  };
  return stop(progress) ?? state.ended ?? (signal?.aborted === true ? "aborted" : undefined);
}

function rowOf(state: SolverState, elapsed: number | undefined): Row {
  const { iteration, cost, gradientNorm: norm, stepSize, infeasibility } = state;
  return {
    iteration,
    cost,
    gradientNorm: norm,
    stepSize,
    ...(infeasibility === undefined ? {} : { infeasibility }),
    ...(elapsed === undefined ? {} : { elapsed }),
  };
}

function record(rows: Row[], row: Row, options: { readonly record?: boolean }): void {
  if (options.record !== false && rows.at(-1)?.iteration !== row.iteration) rows.push(row);
}

function resultOf<P>(
  problem: Problem<P>,
  evaluator: Evaluator,
  state: SolverState,
  reason: StopReason,
  rows: readonly Row[],
): MinimizeResult<P> {
  const { infeasibility, multipliers } = state;
  const constraints =
    infeasibility === undefined || multipliers === undefined
      ? {}
      : {
          constraints: {
            multipliers: structuredClone(multipliers),
            infeasibility,
            kktResidual: Math.max(state.gradientNorm, infeasibility),
          },
        };
  return {
    point: problem.manifold.view(state.x.slice()),
    cost: state.cost,
    gradientNorm: state.gradientNorm,
    iterations: state.iteration,
    evaluations: { ...evaluator.evaluations },
    converged: convergedReasons.includes(reason),
    reason,
    rows,
    ...constraints,
  };
}

function begin<P>(
  problem: Problem<P>,
  x0: P,
  options: MinimizeOptions,
): { evaluator: Evaluator; state: SolverState } {
  const evaluator = prepare(problem, options);
  return { evaluator, state: options.solver.init(evaluator, startPoint(problem, x0)) };
}

/** The evaluator of a run. @throws InputError on a problem or options that make no sense, or do not fit. */
export function prepare<P>(problem: Problem<P>, options: MinimizeOptions): Evaluator {
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
  const evaluator = createEvaluator(problem);
  if (evaluator.constraints !== undefined && solver.constrained !== true) {
    const expected = "augmentedLagrangian() for a problem with constraints";
    throw new InputError("solver", `${solver.name}, which knows no constraints`, expected);
  }
  return evaluator;
}

/** The start as a flat buffer. @throws InputError unless it lies on the manifold (1e-6 relative). */
function startPoint<P>(problem: Problem<P>, x0: P): Float64Array {
  const { manifold } = problem;
  const x = new Float64Array(manifold.kernels.size);
  manifold.write(x, x0, "x0");
  const residual = manifold.kernels.pointResidual(0, x);
  if (!(residual <= 1e-6)) {
    const found = `a point off the manifold (residual ${residual})`;
    throw new InputError("x0", found, `a point of ${manifold.name}`);
  }
  return x;
}
