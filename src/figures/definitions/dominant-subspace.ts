import { randomStream } from "../../core/index.ts";
import {
  type ComplexMatrix,
  eigHermitian,
  hermitianPart,
  multiply,
  randomMatrix,
  realInner,
  scale,
} from "../../linalg/index.ts";
import { complexGrassmann, type Problem } from "../../manifold/index.ts";
import { above, labelled, logAxis, sweepAxis } from "../axes.ts";
import { chartSpec } from "../chart.ts";
import {
  type SolverParameters,
  solverPoints,
  solverSchema,
  solverSeries,
  solverTable,
  traceSolvers,
  unfinishedNote,
} from "../solvers.ts";
import type { FigureDefinition } from "../types.ts";

/** Where the curves leave the panels. */
const lowestError = 1e-14;

/** The subspace of the p largest eigenvalues on the Grassmann manifold, f(X) = -Re tr(X^H A X), by every solver. */
export const dominantSubspace: FigureDefinition<SolverParameters> = {
  name: "dominant-subspace",
  schema: solverSchema,
  parameters: (quick) => ({
    firstSeed: 1,
    matrices: quick ? 3 : 9,
    n: quick ? 24 : 64,
    p: 3,
    solvers: ["gradientDescent", "conjugateGradient", "lbfgs", "trustRegions"],
    tolerance: 1e-8,
    iterations: Array.from({ length: quick ? 41 : 81 }, (_, i) => i + 1),
    products: Array.from({ length: quick ? 21 : 41 }, (_, i) => 4 * i + 4),
  }),
  taskCount: ({ matrices }) => matrices,
  runTask(parameters, matrix) {
    const { n, p, firstSeed } = parameters;
    const seed = firstSeed + matrix;
    const a = hermitianMatrix(n, seed);
    const manifold = complexGrassmann(n, p);
    const problem: Problem<ComplexMatrix> = {
      manifold,
      cost: (x) => -realInner(x, multiply(a, x)),
      gradient: (x) => scale(multiply(a, x), -2),
      costAndGradient: (x) => {
        const ax = multiply(a, x);
        return { cost: -realInner(x, ax), gradient: scale(ax, -2) };
      },
      hessian: (_, v) => scale(multiply(a, v), -2),
    };
    const optimum = -eigHermitian(a)
      .values.subarray(n - p)
      .reduce((sum, value) => sum + value, 0);
    const x0 = manifold.randomPoint(randomStream(seed, "start"));
    return traceSolvers(problem, x0, optimum, matrix, parameters);
  },
  table: solverTable,
  spec(parameters, table) {
    const { matrices, n, p, iterations, tolerance } = parameters;
    const last = Math.max(...iterations);
    const ticks = Array.from({ length: Math.floor(last / 10) + 1 }, (_, i) => 10 * i);
    const marked = (at: number): boolean => at % 5 === 0;
    const errors = solverPoints(
      table,
      { quantity: "error", sweep: "iteration", lowest: lowestError },
      marked,
    );
    const norms = solverPoints(
      table,
      { quantity: "gradientNorm", sweep: "iteration", lowest: tolerance },
      marked,
    );
    const top = (points: typeof errors): number => Math.max(...points.map(({ high, y }) => high ?? y));
    return chartSpec({
      description: "Cost error and gradient norm against the iteration for four solvers, dominant subspace",
      x: { ...sweepAxis("Iteration", [0, last], false, 0.02), ...labelled(ticks) },
      series: solverSeries(parameters.solvers),
      panels: [
        {
          height: 150,
          y: above(lowestError, logAxis("Cost error (f − f*)/|f*|", [lowestError, top(errors)])),
          rows: errors,
        },
        { height: 130, y: above(tolerance, logAxis("Gradient norm", [tolerance, top(norms)])), rows: norms },
      ],
      note:
        `The ${p} largest eigenvalues of random Hermitian ${n} × ${n} matrices with spectrum in about −1 to 1; f* from their ` +
        `eigendecomposition. Line: median over ${matrices} matrices and starts; band: lowest to highest.${unfinishedNote(parameters, table)}`,
    });
  },
};

/** Gaussian Hermitian matrix, scaled so that its spectrum fills -1..1 as n grows. */
export function hermitianMatrix(n: number, seed: number): ComplexMatrix {
  return scale(hermitianPart(randomMatrix(n, n, randomStream(seed, "matrix"))), 1 / Math.sqrt(2 * n));
}
