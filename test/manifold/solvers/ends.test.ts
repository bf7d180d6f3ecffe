import { describe, expect, it } from "vitest";
import { randomStream } from "../../../src/core/index.ts";
import type { ComplexMatrix } from "../../../src/linalg/index.ts";
import {
  augmentedLagrangian,
  complexEuclidean,
  complexGrassmann,
  complexSphere,
  conjugateGradient,
  gradientDescent,
  gradientNorm,
  lbfgs,
  minimize,
  power,
  product,
  relativeDecrease,
  trustRegions,
} from "../../../src/manifold/index.ts";

const point = (x: number, y: number): ComplexMatrix => ({ rows: 1, cols: 1, data: Float64Array.of(x, y) });
const at = ({ data }: ComplexMatrix): [number, number] => [data[0]!, data[1]!];

/** The squared distance to 0 under x y = 1. */
const hyperbola = {
  manifold: complexEuclidean(1, 1),
  cost: (z: ComplexMatrix) => at(z)[0] ** 2 + at(z)[1] ** 2,
  gradient: (z: ComplexMatrix) => point(2 * at(z)[0], 2 * at(z)[1]),
};
const constraint = {
  value: (z: ComplexMatrix) => at(z)[0] * at(z)[1] - 1,
  gradient: (z: ComplexMatrix) => point(at(z)[1], at(z)[0]),
};

describe("every solver ends by itself, with rules that rounding cannot meet", () => {
  it.each([gradientNorm(1e-30), relativeDecrease(0)])("constrained", (stop) => {
    const result = minimize({ ...hyperbola, equalities: [constraint] }, point(3, 1), {
      solver: augmentedLagrangian(),
      stop,
    });
    expect(result.iterations).toBeLessThan(200);
    expect(Math.abs(result.cost - 2)).toBeLessThan(1e-7);
  });

  it.each([gradientDescent(), conjugateGradient(), lbfgs(), trustRegions()])("$name", (solver) => {
    const sphere = complexSphere(6);
    const weights = Float64Array.from({ length: 12 }, (_, i) => 1 + (i >> 1) / 3);
    const result = minimize(
      {
        manifold: sphere,
        cost: (x) => x.data.reduce((sum, value, i) => sum + weights[i]! * value * value, 0),
        gradient: (x) => ({ ...x, data: x.data.map((value, i) => 2 * weights[i]! * value) }),
      },
      sphere.randomPoint(randomStream(1)),
      { solver, stop: gradientNorm(1e-30) },
    );
    expect(result.iterations).toBeLessThan(2000);
    expect(Math.abs(result.cost - 1)).toBeLessThan(1e-12);
  });
});

describe("starts that cannot be started from", () => {
  it("a constraint that is NaN is a bad start", () => {
    const broken = { value: () => Number.NaN, gradient: () => point(0, 0) };
    const result = minimize({ ...hyperbola, equalities: [broken] }, point(3, 1), {
      solver: augmentedLagrangian(),
    });
    expect([result.reason, result.converged]).toEqual(["bad-start", false]);
  });

  it("a point is a bad start where its cost is NaN, and infeasible where a constraint is", () => {
    const manifold = complexGrassmann(3, 3);
    const x0 = manifold.randomPoint(randomStream(1));
    const zero = (x: ComplexMatrix): ComplexMatrix => ({ ...x, data: new Float64Array(18) });
    const problem = { manifold, cost: () => Number.NaN, gradient: zero };
    expect(minimize(problem, x0, { solver: lbfgs() }).reason).toBe("bad-start");
    const impossible = { ...problem, cost: () => 1, equalities: [{ value: () => 1, gradient: zero }] };
    expect(minimize(impossible, x0, { solver: augmentedLagrangian() }).reason).toBe("infeasible");
    expect(minimize({ ...problem, cost: () => 1 }, x0, { solver: lbfgs() }).reason).toBe("zero-dimension");
  });

  it("costs that are no real numbers are refused", () => {
    for (const value of ["3", { re: 1, im: 0 }, undefined]) {
      const problem = { ...hyperbola, cost: () => value as unknown as number };
      expect(() => minimize(problem, point(1, 1), { solver: lbfgs() })).toThrow(/^problem.cost/);
    }
  });

  it("gradients of 1e-200 and 1e200 have norms", () => {
    for (const factor of [1e-200, 1e200]) {
      const problem = {
        ...hyperbola,
        cost: (z: ComplexMatrix) => factor * hyperbola.cost(z),
        gradient: (z: ComplexMatrix) => point(factor * 2 * at(z)[0], factor * 2 * at(z)[1]),
      };
      const { gradientNorm: norm } = minimize(problem, point(3, 4), {
        solver: lbfgs(),
        stop: () => "custom",
      });
      expect(Math.abs(norm / factor / 10 - 1)).toBeLessThan(1e-12);
    }
  });

  it("memories that do not fit and powers of products are refused", () => {
    expect(() => lbfgs({ memory: 1e9 })).toThrow(/^lbfgs.memory/);
    const pair = product({ a: complexSphere(2), b: complexSphere(3) });
    // @ts-expect-error a product has records as points
    expect(() => power(pair, 2)).toThrow(/^manifold: .*product/);
  });
});
