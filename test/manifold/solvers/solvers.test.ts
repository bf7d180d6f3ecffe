import { describe, expect, test } from "vitest";
import {
  anyOf,
  armijo,
  conjugateGradient,
  gradientDescent,
  gradientNorm,
  iterate,
  lbfgs,
  type MinimizeResult,
  maxIterations,
  minimize,
  type Problem,
  resume,
  type Snapshot,
  type Solver,
  snapshot,
  trustRegions,
} from "../../../src/manifold/index.ts";
import { type Case, cases } from "./problems.ts";
import { instrumented } from "./support.ts";

const solvers: readonly Solver[] = [
  gradientDescent({ step: "armijo" }),
  gradientDescent(),
  ...(["fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "hager-zhang", "dai-yuan"] as const).map(
    (beta) => conjugateGradient({ beta }),
  ),
  lbfgs(),
  lbfgs({ memory: 2, lineSearch: armijo() }),
  trustRegions(),
];

const stopAt = (tolerance = 1e-6, iterations = 2000): ReturnType<typeof anyOf> =>
  anyOf(gradientNorm(tolerance), maxIterations(iterations));

/** What every solver keeps, whatever the problem. */
function checkRun<P>({ problem }: Case<P>, result: MinimizeResult<P>): void {
  const { manifold } = problem;
  const { rows, point } = result;
  for (let i = 1; i < rows.length; i++) {
    const before = rows[i - 1]!.cost;
    expect(rows[i]!.cost, `row ${i}`).toBeLessThanOrEqual(before + 1e-12 * Math.abs(before));
  }
  expect(rows.map((row) => row.iteration)).toEqual(rows.map((_, i) => i));
  const last = rows.at(-1)!;
  expect([last.cost, last.gradientNorm]).toEqual([result.cost, result.gradientNorm]);
  expect(manifold.checkPoint(point)).toBeLessThan(1e-12);
  const gradient = problem.gradient(point);
  const riemannian = problem.gradientKind === "riemannian" ? gradient : manifold.gradient(point, gradient);
  expect(manifold.norm(point, riemannian)).toBe(result.gradientNorm);
  expect(problem.cost(point)).toBe(result.cost);
}

function resumedHalfway<P>(
  problem: Problem<P>,
  x0: P,
  solver: Solver,
  tolerance?: number,
): MinimizeResult<P> {
  let saved: Snapshot | undefined;
  for (const iteration of iterate(problem, x0, { solver, stop: stopAt(tolerance) })) {
    if (iteration.row.iteration === 5 || saved === undefined) saved = snapshot(iteration);
    if (iteration.row.iteration === 5) break;
  }
  return resume(problem, JSON.parse(JSON.stringify(saved)), { solver, stop: stopAt(tolerance) });
}

describe.each(Object.entries(cases))("%s", (_name, make) => {
  const one = make();
  for (const solver of solvers) {
    test(`${solver.name}${solver === solvers[8] ? ", backtracking" : ""}`, () => {
      const { problem, x0, tolerance } = one;
      const plain = instrumented(problem, false);
      const result = minimize(plain.problem, x0, { solver, stop: stopAt(tolerance) });
      expect(result.evaluations).toEqual(plain.calls);
      checkRun(one, result);
      const isSlow = one.slow?.some((name) => solver.name.startsWith(name)) === true;
      if (!isSlow) {
        expect(result.reason).toBe("gradient-norm");
        expect(result.converged).toBe(true);
      }
      if (one.minimum !== undefined && !isSlow) expect(result.cost).toBeCloseTo(one.minimum, 9);

      const joint = instrumented(problem, true);
      const other = minimize(joint.problem, x0, { solver, stop: stopAt(tolerance) });
      expect(other.evaluations).toEqual(joint.calls);
      expect(other.rows).toEqual(result.rows);
      expect(other.evaluations.cost).toBe(other.evaluations.gradient);

      const resumed = resumedHalfway(problem, x0, solver, tolerance);
      expect(resumed.rows).toEqual(result.rows.slice(result.rows.length - resumed.rows.length));
      expect(resumed.evaluations).toEqual(result.evaluations);
      expect(problem.manifold.distance(resumed.point, result.point)).toBeLessThan(1e-7);
      expect({ ...resumed, rows: [] }).toEqual({ ...result, rows: [] });
    });
  }

  test("all solvers end at the same cost", () => {
    const costs = solvers
      .filter((solver) => one.slow?.some((name) => solver.name.startsWith(name)) !== true)
      .map((solver) => minimize(one.problem, one.x0, { solver, stop: stopAt(one.tolerance) }).cost);
    const lowest = Math.min(...costs);
    if (_name.startsWith("unit modulus")) return;
    for (const cost of costs) expect(cost - lowest).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(lowest)));
  });
});
