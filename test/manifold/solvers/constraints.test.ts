import { describe, expect, test } from "vitest";
import { add, type ComplexMatrix, multiply, realInner, scale } from "../../../src/linalg/index.ts";
import {
  anyOf,
  augmentedLagrangian,
  type Constraint,
  complexEuclidean,
  complexSphere,
  complexStiefel,
  conjugateGradient,
  gradientNorm,
  iterate,
  lbfgs,
  maxIterations,
  minimize,
  type Problem,
  resume,
  type Snapshot,
  snapshot,
  trustRegions,
} from "../../../src/manifold/index.ts";
import { cplx, herm, orthonormal, quadratic } from "./support.ts";

const vector = (...data: number[]): ComplexMatrix => ({
  rows: data.length / 2,
  cols: 1,
  data: Float64Array.from(data),
});
const stop = anyOf(gradientNorm(1e-6), maxIterations(60));

/** Re<a, x> - level. */
const linear = (a: ComplexMatrix, level = 0): Constraint<ComplexMatrix> => ({
  value: (x) => realInner(a, x) - level,
  gradient: () => a,
});

/** The Lagrangian's gradient norm and the infeasibility, from scratch. */
function checkResult(
  problem: Problem<ComplexMatrix>,
  result: ReturnType<typeof minimize<ComplexMatrix>>,
): void {
  const { manifold, equalities = [], inequalities = [] } = problem;
  const { point, constraints } = result;
  const { multipliers, infeasibility, kktResidual } = constraints!;
  let total = problem.gradient(point);
  equalities.forEach((h, j) => {
    total = add(total, scale(h.gradient(point), multipliers.equalities[j]!));
  });
  inequalities.forEach((g, i) => {
    total = add(total, scale(g.gradient(point), multipliers.inequalities[i]!));
  });
  expect(manifold.norm(point, manifold.gradient(point, total))).toBeCloseTo(result.gradientNorm, 12);
  const violations = [
    ...equalities.map((h) => Math.abs(h.value(point))),
    ...inequalities.map((g, i) => Math.abs(Math.min(multipliers.inequalities[i]!, -g.value(point)))),
  ];
  expect(infeasibility).toBe(Math.max(...violations));
  expect(kktResidual).toBe(Math.max(infeasibility, result.gradientNorm));
  for (const lambda of multipliers.inequalities) expect(lambda).toBeGreaterThanOrEqual(0);
  expect(result.cost).toBe(problem.cost(point));
}

describe.each([lbfgs(), conjugateGradient(), trustRegions()])("$name", (inner) => {
  const solver = augmentedLagrangian({ solver: inner });

  test("a projection onto a disc and a line, with known multipliers", () => {
    // |z - (3 + 2i)|^2 with |z|^2 <= 1: z = (3 + 2i)/sqrt(13), lambda = sqrt(13) - 1
    const problem: Problem<ComplexMatrix> = {
      manifold: complexEuclidean(1, 1),
      cost: ({ data }) => (data[0]! - 3) ** 2 + (data[1]! - 2) ** 2,
      gradient: ({ data }) => vector(2 * (data[0]! - 3), 2 * (data[1]! - 2)),
      inequalities: [
        { value: (x) => realInner(x, x) - 1, gradient: (x) => scale(x, 2) },
        linear(vector(-1, 0), 5),
        linear(vector(1, 0), 50),
      ],
    };
    const result = minimize(problem, vector(0, 0), { solver, stop });
    checkResult(problem, result);
    expect(result.converged).toBe(true);
    expect(result.point.data[0]).toBeCloseTo(3 / Math.sqrt(13), 6);
    expect(result.constraints!.multipliers.inequalities[0]).toBeCloseTo(Math.sqrt(13) - 1, 5);
    expect([...result.constraints!.multipliers.inequalities.slice(1)]).toEqual([0, 0]);
    expect(result.rows.at(-1)!.infeasibility).toBe(result.constraints!.infeasibility);
  });

  test("the second eigenvector as a constrained minimum on the sphere", () => {
    const a = herm(cplx(8, 8, 3));
    const tight = anyOf(gradientNorm(1e-10), maxIterations(500));
    const two = minimize(quadratic(complexStiefel(8, 2), a, 1), orthonormal(8, 2, 1), {
      solver: lbfgs(),
      stop: tight,
    });
    const first = minimize(quadratic(complexSphere(8), a, 1), orthonormal(8, 1, 1), {
      solver: lbfgs(),
      stop: tight,
    });
    const imaginary = { ...first.point, data: first.point.data.slice() };
    for (let i = 0; i < 16; i += 2) {
      imaginary.data[i] = -first.point.data[i + 1]!;
      imaginary.data[i + 1] = first.point.data[i]!;
    }
    const problem: Problem<ComplexMatrix> = {
      ...quadratic(complexSphere(8), a, 1),
      equalities: [linear(first.point), linear(imaginary)],
    };
    const result = minimize(problem, orthonormal(8, 1, 2), { solver, stop });
    checkResult(problem, result);
    expect(result.converged).toBe(true);
    expect(result.cost).toBeCloseTo(two.cost - first.cost, 8);
  });

  test("resumed, it is one long run", () => {
    const problem: Problem<ComplexMatrix> = {
      ...quadratic(complexSphere(6), herm(cplx(6, 6, 3)), 1),
      equalities: [linear(cplx(6, 1, 4), 0.1)],
      inequalities: [linear(cplx(6, 1, 5), 0.05)],
    };
    const x0 = orthonormal(6, 1, 2);
    const long = minimize(problem, x0, { solver, stop });
    let saved: Snapshot | undefined;
    for (const iteration of iterate(problem, x0, { solver, stop: maxIterations(2) }))
      saved = snapshot(iteration);
    const result = resume(problem, JSON.parse(JSON.stringify(saved)), { solver, stop });
    expect(result.rows).toEqual(long.rows.slice(2));
    expect({ ...result, rows: [] }).toEqual({ ...long, rows: [] });
    checkResult(problem, result);
  });
});

test("without constraints it is its inner solver; with impossible ones it says so", () => {
  const free = quadratic(complexSphere(6), herm(cplx(6, 6, 3)), 1);
  const result = minimize(free, orthonormal(6, 1, 2), { solver: augmentedLagrangian(), stop });
  expect(result.converged).toBe(true);
  expect(result.constraints!.infeasibility).toBe(0);
  const impossible: Problem<ComplexMatrix> = {
    ...free,
    equalities: [{ value: (x) => realInner(x, x) - 4, gradient: (x) => scale(x, 2) }],
  };
  const failed = minimize(impossible, orthonormal(6, 1, 2), { solver: augmentedLagrangian() });
  expect(failed).toMatchObject({ reason: "infeasible", converged: false });
  expect(failed.constraints!.infeasibility).toBeCloseTo(3, 9);
  expect(multiply(failed.point, { rows: 1, cols: 1, data: Float64Array.of(1, 0) })).toEqual(failed.point);
});
