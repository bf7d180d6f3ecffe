import { randomStream } from "../../core/index.ts";
import { type ComplexMatrix, eigHermitian, fromDiagonal, multiply, realInner } from "../../linalg/index.ts";
import { complexStiefel, type Problem } from "../../manifold/index.ts";
import { above, logAxis } from "../axes.ts";
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
import { hermitianMatrix } from "./dominant-subspace.ts";

/** Where the curves leave the panels. */
const lowest = 1e-12;

/** The Brockett cost Re tr(X^H A X N), N = diag(p, ..., 1), on the Stiefel manifold, by every solver. */
export const brockett: FigureDefinition<SolverParameters> = {
  name: "brockett",
  schema: solverSchema,
  parameters: (quick) => ({
    firstSeed: 1,
    matrices: quick ? 3 : 9,
    n: quick ? 12 : 32,
    p: quick ? 3 : 5,
    solvers: ["gradientDescent", "conjugateGradient", "lbfgs", "trustRegions"],
    tolerance: 1e-7,
    iterations: grid(quick ? 300 : 1000),
    products: grid(quick ? 300 : 1000),
  }),
  taskCount: ({ matrices }) => matrices,
  runTask(parameters, matrix) {
    const { n, p, firstSeed } = parameters;
    const seed = firstSeed + matrix;
    const a = hermitianMatrix(n, seed);
    const weights = Array.from({ length: p }, (_, i) => p - i);
    const twice = fromDiagonal(weights.map((weight) => 2 * weight));
    const along = (v: ComplexMatrix): ComplexMatrix => multiply(multiply(a, v), twice);
    const manifold = complexStiefel(n, p);
    const problem: Problem<ComplexMatrix> = {
      manifold,
      cost: (x) => realInner(x, along(x)) / 2,
      gradient: along,
      costAndGradient: (x) => {
        const gradient = along(x);
        return { cost: realInner(x, gradient) / 2, gradient };
      },
      hessian: (_, v) => along(v),
    };
    const { values } = eigHermitian(a);
    const optimum = weights.reduce((sum, weight, i) => sum + weight * values[i]!, 0);
    const x0 = manifold.randomPoint(randomStream(seed, "start"));
    return traceSolvers(problem, x0, optimum, matrix, parameters);
  },
  table: solverTable,
  spec(parameters, table) {
    const { matrices, n, p, iterations, products } = parameters;
    const marks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
    const marked = (at: number): boolean => marks.includes(at);
    const byIteration = solverPoints(table, { quantity: "error", sweep: "iteration", lowest }, marked);
    const byProducts = solverPoints(table, { quantity: "error", sweep: "products", lowest }, marked);
    const top = Math.max(...[...byIteration, ...byProducts].map(({ high, y }) => high ?? y));
    const y = above(lowest, logAxis("Cost error (f − f*)/|f*|", [lowest, top]));
    const byIterationAxis = logAxis("Iteration", iterations, false);
    return chartSpec({
      description: "Cost error against iterations and products for four solvers, Brockett cost",
      x: byIterationAxis,
      series: solverSeries(parameters.solvers),
      panels: [
        { height: 140, y, rows: byIteration },
        {
          height: 140,
          y,
          rows: byProducts,
          x: logAxis("Products with A (gradients and Hessians)", products, false),
        },
      ],
      note:
        `Random Hermitian ${n} × ${n} matrices A, N = diag(${p}, …, 1); f* from the eigendecomposition. Line: median over ` +
        `${matrices} matrices and starts; band: lowest to highest.${unfinishedNote(parameters, table)}`,
    });
  },
};

/** Counts from 1 to `last`, all of them at first, then about 24 per decade. */
function grid(last: number): number[] {
  const counts = Array.from({ length: 200 }, (_, i) => Math.round(10 ** (i / 24)));
  const marks = [1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1000];
  return [...new Set([...counts, ...marks])].filter((count) => count <= last).sort((a, b) => a - b);
}
