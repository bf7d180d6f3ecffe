import { describe, expect, test } from "vitest";
import {
  add,
  type ComplexMatrix,
  cholesky,
  conjugateTranspose,
  identity,
  inverse,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  realInner,
  scale,
  sqrtmHermitian,
  subtract,
  trace,
} from "../../../src/linalg/index.ts";
import {
  anyOf,
  complexCircle,
  complexGrassmann,
  complexOblique,
  complexSphere,
  complexStiefel,
  conjugateGradient,
  gradientNorm,
  hermitianPositiveDefinite,
  lbfgs,
  type Manifold,
  maxIterations,
  minimize,
  type Problem,
  type Solver,
  trustRegions,
} from "../../../src/manifold/index.ts";
import reference from "../../fixtures/manifold/reference.json" with { type: "json" };
import { unitColumns } from "./problems.ts";
import { cplx, diagonal, gramOf, herm, moduliOne, orthonormal, quadratic, real } from "./support.ts";

const known = reference.cases;
const solvers: readonly Solver[] = [lbfgs(), conjugateGradient(), trustRegions()];

function lowest(problem: Problem<ComplexMatrix>, x0: ComplexMatrix, solver: Solver): number {
  const stop = anyOf(gradientNorm(1e-9), maxIterations(3000));
  return minimize(problem, x0, { solver, stop }).cost;
}

function near(value: number, expected: number, tolerance: number): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected)));
}

/** a Re tr(X^H A X) + c on unit columns or frames. */
const quadraticWithMatrix = (
  manifold: Manifold<ComplexMatrix>,
  a: ComplexMatrix,
  sign = 1,
): Problem<ComplexMatrix> => quadratic(manifold, a, sign);

/** Max cut: 1/4 tr(L V V^H) over V with unit rows, here the columns of V^H. */
function maxCut(edges: readonly (readonly [number, number])[], nodes: number, rank: number, solver: Solver) {
  const l = new Float64Array(nodes * nodes);
  for (const [i, j] of edges) {
    l[i * nodes + i]!++;
    l[j * nodes + j]!++;
    l[i * nodes + j]!--;
    l[j * nodes + i]!--;
  }
  const laplacian: ComplexMatrix = {
    rows: nodes,
    cols: nodes,
    data: Float64Array.from({ length: 2 * nodes * nodes }, (_, i) => (i % 2 === 0 ? l[i / 2]! : 0)),
  };
  const problem: Problem<ComplexMatrix> = {
    manifold: complexOblique(rank, nodes),
    cost: (x) => -0.25 * realInner(x, multiply(x, laplacian)),
    gradient: (x) => scale(multiply(x, laplacian), -0.5),
    hessian: (_x, v) => scale(multiply(v, laplacian), -0.5),
  };
  return -lowest(problem, unitColumns(cplx(rank, nodes, 5)), solver);
}

describe.each(solvers.map((solver) => ({ name: solver.name, solver })))("$name", ({ solver }) => {
  test("OP1 Rayleigh quotient of a real matrix of order 100", () => {
    const { min, tol } = known.OP1_rayleigh_sphere_real_100;
    const a = herm(real(100, 100, 11));
    near(lowest(quadraticWithMatrix(complexSphere(100), a), orthonormal(100, 1, 1), solver), min, tol);
  });

  test("OP6 unitary Procrustes", () => {
    const { min, tol } = known.OP6_procrustes_unitary_4;
    const [a, b] = [cplx(12, 4, 16), cplx(12, 4, 17)];
    const problem: Problem<ComplexMatrix> = {
      manifold: complexStiefel(4, 4),
      cost: (q) => {
        const r = subtract(multiply(a, q), b);
        return realInner(r, r);
      },
      gradient: (q) => scale(multiplyConjugateLeft(a, subtract(multiply(a, q), b)), 2),
      hessian: (_q, v) => scale(multiplyConjugateLeft(a, multiply(a, v)), 2),
    };
    near(lowest(problem, orthonormal(4, 4, 1), solver), min, tol);
  });

  test("OP9, OP10 max-cut relaxations", () => {
    const cycle = [0, 1, 2, 3, 4].map((i) => [i, (i + 1) % 5] as const);
    near(maxCut(cycle, 5, 2, solver), known.OP9_maxcut_bm_C5.max, known.OP9_maxcut_bm_C5.tol);
    const petersen = [0, 1, 2, 3, 4].flatMap((i) => [
      [i, (i + 1) % 5] as const,
      [i, i + 5] as const,
      [i + 5, ((i + 2) % 5) + 5] as const,
    ]);
    const { max, tol } = known.OP10_maxcut_bm_petersen;
    near(maxCut(petersen, 10, 5, solver), max, tol);
  });

  test("OP13, OP14 means of positive definite matrices", () => {
    const manifold = hermitianPositiveDefinite(3);
    const q = orthonormal(3, 3, 4);
    const turned = (values: readonly number[]): ComplexMatrix =>
      herm(multiplyConjugateRight(multiply(q, diagonal(values)), q));
    const point = meanOf(manifold, [turned([1, 2, 3]), turned([4, 8, 3])], solver).point;
    const expected = turned(known.OP13_hpd_mean_commuting.eigs);
    expect(Math.sqrt(realInner(subtract(point, expected), subtract(point, expected)))).toBeLessThan(1e-9);

    const { trace: sum, cost_at_mean, tol } = known.OP14_hpd_two_point_mean;
    const [s, t] = [21, 22].map((seed) => add(gramOf(cplx(4, 4, seed)), scale(identity(4), 0.1)));
    const mean = meanOf(hermitianPositiveDefinite(4), [s!, t!], solver);
    near(trace(mean.point).re, sum, tol);
    near(mean.cost, cost_at_mean, tol);
  });

  test("OP15 largest signal-to-noise ratio", () => {
    const { max, tol } = known.OP15_mvdr_8;
    const h = cplx(8, 1, 23);
    const r = add(gramOf(cplx(8, 8, 24)), scale(identity(8), 0.5));
    const root = inverse(sqrtmHermitian(r));
    const whitened = multiply(root, multiplyConjugateRight(h, h));
    const a = herm(multiply(whitened, root));
    near(-lowest(quadraticWithMatrix(complexSphere(8), a, -1), orthonormal(8, 1, 1), solver), max, tol);
  });

  test("OP17 weighted centroid of subspaces", () => {
    const { seeds, weights, max_trace, tol } = known.OP17_grassmann_weighted_chordal_centroid_8x2;
    const sum = seeds
      .map((seed, k) => scale(gramOf(orthonormal(8, 2, seed)), weights[k]!))
      .reduce((total, part) => add(total, part));
    const problem = quadraticWithMatrix(complexGrassmann(8, 2), sum, -1);
    near(-lowest(problem, orthonormal(8, 2, 1), solver), max_trace, tol);
  });

  test("OP19 nearest unit-norm columns", () => {
    const { min, tol } = known.OP19_oblique_nearest_columns_9x5;
    const a = cplx(9, 5, 41);
    const problem: Problem<ComplexMatrix> = {
      manifold: complexOblique(9, 5),
      cost: (x) => realInner(subtract(x, a), subtract(x, a)),
      gradient: (x) => scale(subtract(x, a), 2),
      hessian: (_x, v) => scale(v, 2),
    };
    near(lowest(problem, unitColumns(cplx(9, 5, 1)), solver), min, tol);
  });

  test("OP20 generalised eigenvalues of order 50", () => {
    const { min, sum3, tol } = known.OP20_generalised_eig_50;
    const a = herm(real(50, 50, 42));
    const b = add(gramOf(real(50, 50, 43)), identity(50));
    const factor = inverse(cholesky(b));
    const reduced = herm(multiplyConjugateRight(multiply(factor, a), factor));
    near(
      lowest(quadraticWithMatrix(complexGrassmann(50, 1), reduced), orthonormal(50, 1, 1), solver),
      min,
      tol,
    );
    near(
      lowest(quadraticWithMatrix(complexGrassmann(50, 3), reduced), orthonormal(50, 3, 1), solver),
      sum3,
      tol,
    );
  });
});

function meanOf(manifold: Manifold<ComplexMatrix>, points: readonly ComplexMatrix[], solver: Solver) {
  const problem: Problem<ComplexMatrix> = {
    manifold,
    gradientKind: "riemannian",
    cost: (x) => points.reduce((sum, s) => sum + 0.5 * manifold.distance(x, s) ** 2, 0),
    gradient: (x) => points.map((s) => scale(manifold.log!(x, s), -1)).reduce((sum, u) => add(sum, u)),
  };
  const stop = anyOf(gradientNorm(1e-11), maxIterations(500));
  return minimize(problem, identity(points[0]!.rows), { solver, stop });
}

describe("iterations, within 1.3 times those of other toolboxes", () => {
  const { dominantSubspace, brockett, unitModulus } = reference.iterations;
  const count = (problem: Problem<ComplexMatrix>, x0: ComplexMatrix, solver: Solver, optimum?: number) => {
    const result = minimize(problem, x0, { solver, stop: anyOf(gradientNorm(1e-6), maxIterations(2000)) });
    expect(result.converged).toBe(true);
    if (optimum !== undefined) near(result.cost, optimum, 1e-12);
    return result.iterations;
  };

  test("dominant subspace, Grassmann(128, 3)", () => {
    const problem = quadraticWithMatrix(complexGrassmann(128, 3), herm(cplx(128, 128, 12)), -1);
    const x0 = orthonormal(128, 3, 99);
    const { trustRegions: tr, conjugateGradient: cg, optimum } = dominantSubspace;
    const solver = trustRegions({ maxRadius: 8 * Math.sqrt(3) });
    expect(count(problem, x0, solver, optimum)).toBeLessThanOrEqual(1.3 * tr);
    expect(count(problem, x0, conjugateGradient(), optimum)).toBeLessThanOrEqual(1.3 * cg);
  });

  test("Brockett, Stiefel(100, 10)", () => {
    const weights = diagonal([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    const problem = quadratic(complexStiefel(100, 10), herm(cplx(100, 100, 13)), 1, weights);
    const x0 = orthonormal(100, 10, 99);
    const { trustRegions: tr, conjugateGradient: cg, optimum } = brockett;
    expect(count(problem, x0, trustRegions(), optimum)).toBeLessThanOrEqual(1.3 * tr);
    expect(count(problem, x0, conjugateGradient(), optimum)).toBeLessThanOrEqual(1.3 * cg);
  });

  test("unit modulus, n = 64", () => {
    const q = cplx(64, 64, 14);
    const problem = quadraticWithMatrix(complexCircle(64), multiply(q, conjugateTranspose(q)), -1);
    const x0 = moduliOne(cplx(64, 1, 99));
    const { trustRegions: tr, conjugateGradient: cg } = unitModulus;
    expect(count(problem, x0, trustRegions())).toBeLessThanOrEqual(1.3 * tr);
    expect(count(problem, x0, conjugateGradient())).toBeLessThanOrEqual(1.3 * cg);
  });
});
