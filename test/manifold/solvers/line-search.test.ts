import { describe, expect, test } from "vitest";
import type { ComplexMatrix } from "../../../src/linalg/index.ts";
import {
  armijo,
  complexEuclidean,
  gradientDescent,
  type Line,
  type LineSearch,
  lbfgs,
  maxIterations,
  minimize,
  type Problem,
  strongWolfe,
  type Trial,
} from "../../../src/manifold/index.ts";

/** A function of the real line, as a problem on C. */
function onLine(f: (x: number) => number, df: (x: number) => number): Problem<ComplexMatrix> {
  return {
    manifold: complexEuclidean(1, 1),
    cost: ({ data }) => f(data[0]!),
    gradient: ({ data }) => ({ rows: 1, cols: 1, data: Float64Array.of(df(data[0]!), 0) }),
  };
}

const start: ComplexMatrix = { rows: 1, cols: 1, data: new Float64Array(2) };

const functions = {
  parabola: onLine(
    (x) => (x - 1) ** 2,
    (x) => 2 * (x - 1),
  ),
  "steep, then flat (More & Thuente 1)": onLine(
    (x) => -x / (x * x + 2),
    (x) => (x * x - 2) / (x * x + 2) ** 2,
  ),
  "far away (More & Thuente 2)": onLine(
    (x) => (x + 0.004) ** 5 - 2 * (x + 0.004) ** 4,
    (x) => 5 * (x + 0.004) ** 4 - 8 * (x + 0.004) ** 3,
  ),
  wavy: onLine(
    (x) => 0.1 * x * x - x - 0.5 * Math.sin(5 * x),
    (x) => 0.2 * x - 1 - 2.5 * Math.cos(5 * x),
  ),
  barrier: onLine(
    (x) => (x < 2 ? -x - Math.log(2 - x) * 0.1 : Number.NaN),
    (x) => -1 + 0.1 / (2 - x),
  ),
};
/** One search from 0 along minus the gradient, with this first trial; what it saw and what it found. */
function searchOnce(problem: Problem<ComplexMatrix>, search: LineSearch, first: number) {
  let seen: { line: Line; trial: Trial | undefined } | undefined;
  const spy: LineSearch = {
    name: "spy",
    search(evaluator, line, _first) {
      const trial = search.search(evaluator, line, first / -line.slope);
      seen ??= { line, trial: trial && { ...trial } };
      return trial;
    },
  };
  const solver = gradientDescent({ lineSearch: spy });
  const result = minimize(problem, start, { solver, stop: maxIterations(1) });
  return { ...seen!, evaluations: result.evaluations.cost - 1 };
}

describe.each(Object.entries(functions))("%s", (_name, problem) => {
  test.each([1e-6, 1e-3, 0.1, 1, 10, 1e3, 1e9])("first trial %d", (first) => {
    const backtracked = searchOnce(problem, armijo(), first);
    const { line, trial } = backtracked;
    expect(trial!.cost).toBeLessThanOrEqual(line.cost + 1e-4 * trial!.step * line.slope);
    expect(backtracked.evaluations).toBeLessThanOrEqual(60);
    for (const curvature of [0.9, 0.1]) {
      const wolfe = searchOnce(problem, strongWolfe({ curvature }), first);
      expect(wolfe.trial!.cost).toBeLessThanOrEqual(line.cost + 1e-4 * wolfe.trial!.step * line.slope);
      expect(Math.abs(wolfe.trial!.slope)).toBeLessThanOrEqual(-curvature * line.slope);
      expect(wolfe.evaluations).toBeLessThanOrEqual(30);
    }
  });
});

test("costs that only rise, and costs that are never finite, end the search", () => {
  let calls = 0;
  for (const value of [(x: number) => x * x, (x: number) => (x === 0 ? 0 : Number.NaN)]) {
    const problem = onLine(
      (x) => {
        calls++;
        return value(x);
      },
      () => -1,
    );
    for (const search of [armijo(), armijo({ maxTrials: 7 }), strongWolfe(), strongWolfe({ maxTrials: 7 })]) {
      calls = 0;
      const result = minimize(problem, start, { solver: lbfgs({ lineSearch: search }) });
      expect(result.reason).toBe("no-decrease");
      expect(calls).toBeLessThanOrEqual(62);
    }
  }
});
