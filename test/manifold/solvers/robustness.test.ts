import { describe, expect, test } from "vitest";
import type { ComplexMatrix } from "../../../src/linalg/index.ts";
import {
  anyOf,
  complexCircle,
  complexEuclidean,
  complexGrassmann,
  complexSphere,
  complexStiefel,
  conjugateGradient,
  gradientDescent,
  gradientNorm,
  hermitianPositiveDefinite,
  lbfgs,
  type MinimizeResult,
  maxIterations,
  minimize,
  type Problem,
  type Solver,
  trustRegions,
} from "../../../src/manifold/index.ts";
import { cplx, diagonal, flatInner, herm, orthonormal, quadratic } from "./support.ts";

const solvers: readonly Solver[] = [
  gradientDescent({ step: "armijo" }),
  gradientDescent(),
  ...(["fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "hager-zhang", "dai-yuan"] as const).map(
    (beta) => conjugateGradient({ beta }),
  ),
  lbfgs(),
  trustRegions(),
];

const vector = (...data: number[]): ComplexMatrix => ({
  rows: data.length / 2,
  cols: 1,
  data: Float64Array.from(data),
});

function checkEnd<P>(result: MinimizeResult<P>): void {
  expect(result.reason).toBeTypeOf("string");
  expect(Number.isFinite(result.cost)).toBe(true);
  expect(Number.isFinite(result.gradientNorm)).toBe(true);
  for (const row of result.rows)
    expect(Number.isFinite(row.cost + row.gradientNorm + row.stepSize)).toBe(true);
}

/** A scalar function of the plane with derivatives. */
function plane(
  cost: (x: number, y: number) => number,
  gradient: (x: number, y: number) => [number, number],
): Problem<ComplexMatrix> {
  return {
    manifold: complexEuclidean(1, 1),
    cost: ({ data }) => cost(data[0]!, data[1]!),
    gradient: ({ data }) => vector(...gradient(data[0]!, data[1]!)),
  };
}

describe.each(solvers.map((solver) => ({ name: solver.name, solver })))("$name", ({ solver }) => {
  test("costs that are NaN or infinite at trial points", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      // -log(1 - |z|^2) + Re z, not finite outside the disc
      const problem = plane(
        (x, y) => (x * x + y * y < 1 ? x - Math.log(1 - x * x - y * y) : bad),
        (x, y) => [1 + (2 * x) / (1 - x * x - y * y), (2 * y) / (1 - x * x - y * y)],
      );
      const result = minimize(problem, vector(0.9, 0.3), { solver });
      checkEnd(result);
      expect(result.converged).toBe(true);
      expect(result.point.data[0]).toBeCloseTo(1 - Math.SQRT2, 6);
    }
  });

  test("gradients that are not finite where the cost is", () => {
    const problem = plane(
      (x, y) => x * x + y * y,
      (x, y) => (Math.hypot(x, y) < 0.5 ? [Number.NaN, 0] : [2 * x, 2 * y]),
    );
    const result = minimize(problem, vector(3, 4), {
      solver,
      stop: anyOf(gradientNorm(1e-6), maxIterations(200)),
    });
    checkEnd(result);
    expect(result.cost).toBeLessThan(25);
  });

  test("a start without a finite cost or gradient", () => {
    const nan = plane(
      () => Number.NaN,
      () => [1, 0],
    );
    expect(minimize(nan, vector(1, 0), { solver })).toMatchObject({ reason: "bad-start", converged: false });
    const infinite = plane(
      () => 1,
      () => [Number.POSITIVE_INFINITY, 0],
    );
    expect(minimize(infinite, vector(1, 0), { solver }).reason).toBe("bad-start");
  });

  test("zero gradient, flat cost, wrong gradient", () => {
    const flat = plane(
      () => 3,
      () => [0, 0],
    );
    const still = minimize(flat, vector(1, 0), { solver });
    expect(still).toMatchObject({ reason: "gradient-norm", iterations: 0, gradientNorm: 0 });
    const lying = plane(
      () => 3,
      () => [1, 1],
    );
    const never = minimize(lying, vector(1, 0), { solver, stop: () => undefined });
    expect(never.reason).toBe("no-decrease");
    checkEnd(never);
    const uphill = plane(
      (x, y) => x * x + y * y,
      (x, y) => [-2 * x, -2 * y],
    );
    expect(minimize(uphill, vector(1, 0), { solver }).reason).toBe("no-decrease");
  });

  test("tolerance below rounding", () => {
    const problem = quadratic(complexSphere(8), herm(cplx(8, 8, 3)), 1);
    const result = minimize(problem, orthonormal(8, 1, 1), { solver, stop: () => undefined });
    checkEnd(result);
    expect(["no-decrease", "gradient-norm"]).toContain(result.reason);
    expect(result.gradientNorm).toBeLessThan(1e-6);
  });

  test("saddles and indefinite Hessians", () => {
    // a double well in x, a saddle at 0; the Hessian is negative in between
    const problem: Problem<ComplexMatrix> = {
      ...plane(
        (x, y) => (x * x - 1) ** 2 + y * y,
        (x, y) => [4 * x * (x * x - 1), 2 * y],
      ),
      hessian: ({ data: [x] }, { data: [u, v] }) => vector((12 * x! * x! - 4) * u!, 2 * v!),
    };
    const result = minimize(problem, vector(0.01, 1), { solver });
    checkEnd(result);
    expect(result.converged).toBe(true);
    expect(result.cost).toBeLessThan(1e-10);
  });

  test("costs unbounded below", () => {
    const problem = plane(
      (x) => x,
      () => [1, 0],
    );
    const result = minimize(problem, vector(0, 0), { solver, stop: maxIterations(50) });
    checkEnd(result);
    expect(result.cost).toBeLessThan(-10);
  });

  test("huge and tiny scales", () => {
    const a = herm(cplx(8, 8, 3));
    const lowest = minimize(quadratic(complexSphere(8), a, 1), orthonormal(8, 1, 1), {
      solver,
      stop: anyOf(gradientNorm(1e-7), maxIterations(5000)),
    }).cost;
    for (const factor of [1e-100, 1e-12, 1e12, 1e100]) {
      const problem = quadratic(complexSphere(8), a, factor);
      const stop = anyOf(gradientNorm(1e-7 * factor), maxIterations(5000));
      const result = minimize(problem, orthonormal(8, 1, 1), { solver, stop });
      checkEnd(result);
      expect(result.cost / factor).toBeCloseTo(lowest, 9);
    }
  });

  test("distant minima of small and large problems", () => {
    for (const size of [1e-8, 1e8]) {
      const problem = plane(
        (x, y) => (x - size) ** 2 + 2 * (y + size) ** 2,
        (x, y) => [2 * (x - size), 4 * (y + size)],
      );
      const stop = anyOf(gradientNorm(1e-6 * size), maxIterations(5000));
      const result = minimize(problem, vector(0, 0), {
        solver: solver.name === "trust regions" ? trustRegions({ maxRadius: 10 * size }) : solver,
        stop,
      });
      checkEnd(result);
      expect(result.converged).toBe(true);
    }
  });

  test("1 x 1 manifolds and dimension 0", () => {
    const one: ComplexMatrix = { rows: 1, cols: 1, data: Float64Array.of(1, 0) };
    for (const manifold of [complexSphere(1), complexCircle(1), complexStiefel(1, 1)]) {
      // Re(-i z): the lowest point is z = -i... whatever the start
      const problem: Problem<ComplexMatrix> = {
        manifold,
        cost: ({ data }) => data[1]!,
        gradient: () => vector(0, 1),
      };
      const result = minimize(problem, one, { solver });
      checkEnd(result);
      expect(result.cost).toBeCloseTo(-1, 9);
    }
    const positive: Problem<ComplexMatrix> = {
      manifold: hermitianPositiveDefinite(1),
      cost: ({ data }) => data[0]! - Math.log(data[0]!),
      gradient: ({ data }) => vector(1 - 1 / data[0]!, 0),
    };
    expect(minimize(positive, diagonal([30]), { solver }).point.data[0]).toBeCloseTo(1, 5);
    for (const [n, p] of [
      [1, 1],
      [3, 3],
    ] as const) {
      const problem = quadratic(complexGrassmann(n, p), herm(cplx(n, n, 3)), 1);
      const result = minimize(problem, orthonormal(n, p, 1), { solver });
      expect(result).toMatchObject({ reason: "zero-dimension", converged: true, iterations: 0 });
    }
  });

  test("a preconditioner that is not positive", () => {
    const problem: Problem<ComplexMatrix> = {
      ...plane(
        (x, y) => x * x + 5 * y * y,
        (x, y) => [2 * x, 10 * y],
      ),
      preconditioner: (_x, { data }) => vector(-data[0]!, data[1]!),
    };
    const result = minimize(problem, vector(3, 1), {
      solver,
      stop: anyOf(gradientNorm(1e-6), maxIterations(300)),
    });
    checkEnd(result);
    expect(flatInner(result.point.data, result.point.data)).toBeLessThan(10);
  });
});

test("trust regions with a Hessian that is NaN or zero", () => {
  for (const value of [Number.NaN, 0]) {
    const problem: Problem<ComplexMatrix> = {
      ...plane(
        (x, y) => x * x + 5 * y * y,
        (x, y) => [2 * x, 10 * y],
      ),
      hessian: () => vector(value, value),
    };
    const result = minimize(problem, vector(3, 1), { solver: trustRegions(), stop: maxIterations(100) });
    checkEnd(result);
    expect(result.cost).toBeLessThan(1);
  }
});
