import {
  checkChoice,
  checkInteger,
  checkNumbers,
  checkOptions,
  describe,
  InputError,
} from "../core/index.ts";
import type { ParameterSet } from "../core/parameters.ts";
import { checkCoefficients, type FusionOptions, prepareFusion } from "./task-vectors.ts";

/**
 * One lambda for all tasks over the values; all combinations of one lambda per task; or one task after the other, from
 * the best common lambda, until a sweep changes nothing.
 */
export type CoefficientSearch = "common" | "grid" | "coordinate";

export interface CoefficientOptions extends Omit<FusionOptions, "coefficients"> {
  /** Score on validation data, larger is better. One that is not finite is never chosen. */
  readonly score: (parameters: ParameterSet, coefficients: Float64Array) => number | Promise<number>;
  /** Values tried for each lambda, in this order; of equal scores the first tried stays. Default 0, 0.1, ..., 1. */
  readonly values?: ArrayLike<number>;
  /** Default "common". */
  readonly search?: CoefficientSearch;
  /** "coordinate": where to start, instead of the best common lambda. */
  readonly start?: number | ArrayLike<number>;
  /** "coordinate": sweeps at most; default 10. */
  readonly maxSweeps?: number;
  /** "grid": combinations at most; default 10000. More are refused. */
  readonly maxEvaluations?: number;
}

export interface CoefficientRow {
  readonly coefficients: Float64Array;
  readonly score: number;
}

export interface CoefficientResult {
  readonly coefficients: Float64Array;
  /** The best score; -Infinity where no score was finite, and the coefficients are then the first tried. */
  readonly score: number;
  readonly parameters: ParameterSet;
  /** Every point that was scored, in order, each once. */
  readonly rows: readonly CoefficientRow[];
  readonly converged: boolean;
  readonly reason: "searched" | "no-change" | "max-sweeps" | "no-finite-score";
}

const defaults = { search: "common", maxSweeps: 10, maxEvaluations: 10_000 } as const;

/**
 * Fusion coefficients by their score on validation data. Deterministic: order of the values, then of the tasks.
 *
 * @throws InputError as `fuse`, on options out of range, and on a score that is no number.
 */
export async function selectCoefficients(options: CoefficientOptions): Promise<CoefficientResult> {
  checkOptions(options, "selectCoefficients", [
    "base",
    "taskVectors",
    "frozen",
    "score",
    "values",
    "search",
    "start",
    "maxSweeps",
    "maxEvaluations",
  ]);
  if (typeof options.score !== "function") {
    throw new InputError("score", describe(options.score), "a function of parameters and coefficients");
  }
  const search = checkChoice(options.search ?? defaults.search, "search", ["common", "grid", "coordinate"]);
  const foreign = {
    common: ["start", "maxSweeps", "maxEvaluations"],
    grid: ["start", "maxSweeps"],
    coordinate: ["maxEvaluations"],
  } as const;
  for (const name of foreign[search]) {
    if (options[name] === undefined) continue;
    throw new InputError(name, "a value", `nothing with search "${search}"`);
  }
  const maxSweeps = checkInteger(options.maxSweeps ?? defaults.maxSweeps, "maxSweeps", 1);
  const maxEvaluations = checkInteger(options.maxEvaluations ?? defaults.maxEvaluations, "maxEvaluations", 1);
  const values = checkValues(options.values);
  const fusion = prepareFusion(options);
  const tasks = fusion.vectors.length;
  const start = options.start === undefined ? undefined : checkCoefficients(options.start, tasks, "start");
  if (search === "grid" && values.length ** tasks > maxEvaluations) {
    throw new InputError("values", `${values.length}^${tasks} combinations`, `${maxEvaluations} at most`);
  }

  const known = new Map<string, number>();
  const rows: CoefficientRow[] = [];
  let best = Number.NEGATIVE_INFINITY;
  let chosen: Float64Array | undefined;

  /** Scores a point once; true if it is the new best. */
  async function consider(lambda: Float64Array): Promise<boolean> {
    const key = lambda.join();
    if (known.has(key)) return false;
    const raw: unknown = await options.score(fusion.at(lambda), lambda.slice());
    if (typeof raw !== "number") throw new InputError("score", `${describe(raw)} returned`, "a number");
    const score = Number.isFinite(raw) ? raw : Number.NEGATIVE_INFINITY;
    known.set(key, score);
    rows.push({ coefficients: lambda.slice(), score });
    chosen ??= lambda.slice();
    if (score <= best) return false;
    best = score;
    chosen = lambda.slice();
    return true;
  }

  let converged = true;
  if (search === "grid") {
    const lambda = new Float64Array(tasks);
    for (let index = 0; index < values.length ** tasks; index++) {
      let rest = index;
      for (let t = tasks - 1; t >= 0; t--) {
        lambda[t] = values[rest % values.length]!;
        rest = Math.floor(rest / values.length);
      }
      await consider(lambda);
    }
  } else {
    if (start !== undefined && search === "coordinate") await consider(start);
    else for (const value of values) await consider(new Float64Array(tasks).fill(value));
    if (search === "coordinate") converged = await sweep();
  }

  async function sweep(): Promise<boolean> {
    for (let round = 0; round < maxSweeps; round++) {
      let changed = false;
      for (let t = 0; t < tasks; t++) {
        for (const value of values) {
          const lambda = chosen!.slice();
          lambda[t] = value;
          if (await consider(lambda)) changed = true;
        }
      }
      if (!changed) return true;
    }
    return false;
  }

  const found = best > Number.NEGATIVE_INFINITY;
  const ended = search !== "coordinate" ? "searched" : converged ? "no-change" : "max-sweeps";
  return {
    coefficients: chosen!.slice(),
    score: best,
    parameters: fusion.at(chosen!),
    rows,
    converged: found && converged,
    reason: found ? ended : "no-finite-score",
  };
}

function checkValues(given: ArrayLike<number> | undefined): number[] {
  if (given === undefined) return Array.from({ length: 11 }, (_, i) => i / 10);
  const values = Array.from(checkNumbers(given, "values"));
  if (values.length === 0) throw new InputError("values", "no values", "at least one");
  return values;
}
