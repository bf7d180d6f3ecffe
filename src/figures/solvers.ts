import { z } from "zod";
import type { ComplexMatrix } from "../linalg/index.ts";
import {
  anyOf,
  conjugateGradient,
  gradientDescent,
  gradientNorm,
  iterate,
  lbfgs,
  maxIterations,
  type Problem,
  type Solver,
  trustRegions,
} from "../manifold/index.ts";
import type { PanelRow } from "./chart.ts";
import { allRows, countList, numberIn, where } from "./scenario.ts";
import { quantile } from "./statistics.ts";
import { type Series, seriesOf } from "./style.ts";
import type { CommonParameters, Row, TaskResult } from "./types.ts";

const solvers = {
  gradientDescent: { label: "gradient descent", create: (): Solver => gradientDescent() },
  conjugateGradient: { label: "conjugate gradient", create: (): Solver => conjugateGradient() },
  lbfgs: { label: "L-BFGS", create: (): Solver => lbfgs() },
  trustRegions: { label: "trust regions", create: (): Solver => trustRegions() },
} as const;
export type SolverName = keyof typeof solvers;
export const solverNames = Object.keys(solvers) as readonly SolverName[];

/** What figures that compare solvers on n x p matrices depend on. */
export interface SolverParameters extends CommonParameters {
  /** Random Hermitian matrices; each has a start of its own, the same for all solvers. */
  readonly matrices: number;
  readonly n: number;
  readonly p: number;
  readonly solvers: readonly SolverName[];
  /** Gradient norm at which a run ends. */
  readonly tolerance: number;
  /** Iterations that are shown, ascending; a run ends after the last. */
  readonly iterations: readonly number[];
  /** Numbers of products with the matrix that are shown, ascending. */
  readonly products: readonly number[];
}

export const solverSchema: z.ZodType<SolverParameters> = z
  .strictObject({
    firstSeed: z.int().min(0),
    matrices: z.int().min(1).describe("random matrices; matrix i has the seed firstSeed + i"),
    n: z.int().min(2),
    p: z.int().min(1),
    solvers: z.array(z.enum(solverNames)).min(1),
    tolerance: z.number().gt(0),
    iterations: countList,
    products: countList,
  })
  .refine(({ n, p }) => p < n, { path: ["p"], error: "a number below n" });

export function solverSeries(names: readonly SolverName[]): Series[] {
  return seriesOf(names.map((key) => ({ key, label: solvers[key].label })));
}

/** One iterate as the figures need it. */
interface Trace {
  readonly iteration: number;
  /** Evaluations of cost and gradient, and of the Hessian: each has one product with the matrix. */
  readonly products: number;
  /** (f - f*) / |f*|. */
  readonly error: number;
  readonly gradientNorm: number;
}

/** Runs every solver from x0 and looks at the iterates of the two sweeps. */
export function traceSolvers(
  problem: Problem<ComplexMatrix>,
  x0: ComplexMatrix,
  optimum: number,
  matrix: number,
  parameters: SolverParameters,
): TaskResult {
  const rows: Row[] = [];
  const { tolerance, iterations, products } = parameters;
  const stop = anyOf(gradientNorm(tolerance), maxIterations(Math.max(...iterations)));
  for (const name of parameters.solvers) {
    const trace: Trace[] = [];
    let converged = false;
    for (const { row, evaluations, reason } of iterate(problem, x0, {
      solver: solvers[name].create(),
      stop,
    })) {
      const { iteration, cost } = row;
      const error = (cost - optimum) / Math.abs(optimum);
      const count = evaluations.gradient + evaluations.hessian;
      trace.push({ iteration, products: count, error, gradientNorm: row.gradientNorm });
      converged = reason === "gradient-norm";
    }
    const total = { iterations: trace.at(-1)!.iteration, products: trace.at(-1)!.products, converged };
    for (const sweep of sweeps) {
      for (const at of sweep === "iteration" ? iterations : products) {
        const { error, gradientNorm } = trace.findLast((iterate) => iterate[sweep] <= at) ?? trace[0]!;
        rows.push({ matrix, solver: name, sweep, at, error, gradientNorm, ...total });
      }
    }
  }
  return { rows };
}

const sweeps = ["iteration", "products"] as const;
export type Sweep = (typeof sweeps)[number];

/** Medians and ranges over the matrices, of everything that was traced. */
export function solverTable(parameters: SolverParameters, results: readonly TaskResult[]): Row[] {
  const rows = allRows(results);
  const table: Row[] = [];
  for (const quantity of ["error", "gradientNorm"] as const) {
    for (const sweep of sweeps) {
      for (const solver of parameters.solvers) {
        const own = where(rows, { solver, sweep });
        for (const at of sweep === "iteration" ? parameters.iterations : parameters.products) {
          const there = where(own, { at });
          const values = there.map((row) => numberIn(row, quantity));
          const median = (column: string): number =>
            quantile(
              there.map((row) => numberIn(row, column)),
              0.5,
            );
          table.push({
            quantity,
            sweep,
            solver,
            at,
            value: quantile(values, 0.5),
            low: Math.min(...values),
            high: Math.max(...values),
            matrices: there.length,
            medianIterations: median("iterations"),
            medianProducts: median("products"),
            converged: there.filter((row) => row.converged === true).length,
          });
        }
      }
    }
  }
  return table;
}

/**
 * The curves of a panel. A logarithmic axis has no zero: what is below `lowest` leaves the panel through the bottom.
 *
 * @param marked which points have a mark
 */
export function solverPoints(
  table: readonly Row[],
  which: { readonly quantity: "error" | "gradientNorm"; readonly sweep: Sweep; readonly lowest: number },
  marked: (at: number) => boolean,
): PanelRow[] {
  const { quantity, sweep, lowest } = which;
  const drawn = (row: Row, column: string): number => Math.max(numberIn(row, column), lowest / 10);
  return where(table, { quantity, sweep }).map((row) => ({
    series: String(row.solver),
    x: numberIn(row, "at"),
    y: drawn(row, "value"),
    low: drawn(row, "low"),
    high: drawn(row, "high"),
    marked: marked(numberIn(row, "at")),
  }));
}

/** A sentence on the runs that ended at the last iteration, or nothing. */
export function unfinishedNote(
  { solvers: names, matrices }: SolverParameters,
  table: readonly Row[],
): string {
  const parts = names.flatMap((solver) => {
    const left = matrices - numberIn(where(table, { solver })[0]!, "converged");
    return left === 0 ? [] : [`${left} of ${matrices} by ${solvers[solver].label}`];
  });
  return parts.length === 0 ? "" : ` Not converged: ${parts.join(", ")}.`;
}
