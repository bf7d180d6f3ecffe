import { describe, expect, it } from "vitest";
import { InputError, randomStream } from "../../../src/core/index.ts";
import { type ComplexMatrix, scale } from "../../../src/linalg/index.ts";
import {
  checkGradient,
  checkHessian,
  checkManifold,
  checkRetraction,
  complexCircle,
  complexEuclidean,
  complexGrassmann,
  complexOblique,
  complexSphere,
  complexStiefel,
  hermitianPositiveDefinite,
  type Manifold,
  type ManifoldKernels,
  type Problem,
  power,
  product,
} from "../../../src/manifold/index.ts";
import { makeManifold, matrixShape } from "../../../src/manifold/make.ts";
import { quartic, toFlat } from "../manifolds/quartic.ts";

type Blocks = readonly (readonly [number, number])[];

/** Runs for every manifold, whatever its points are. */
function onEach(test: <P>(manifold: Manifold<P>, blocks: Blocks | undefined) => void): void {
  const cases: readonly [string, () => void][] = [
    ["Euclidean", () => test(complexEuclidean(3, 2), undefined)],
    ["sphere", () => test(complexSphere(5), undefined)],
    ["circle", () => test(complexCircle(6), undefined)],
    ["oblique", () => test(complexOblique(4, 3), undefined)],
    ["Stiefel, qr", () => test(complexStiefel(6, 2), undefined)],
    ["Stiefel, polar", () => test(complexStiefel(5, 3, { retraction: "polar" }), undefined)],
    ["unitary group", () => test(complexStiefel(3, 3), undefined)],
    ["Grassmann, polar", () => test(complexGrassmann(6, 2), [[6, 2]])],
    ["Grassmann, qr", () => test(complexGrassmann(5, 3, { retraction: "qr" }), [[5, 3]])],
    ["positive definite", () => test(hermitianPositiveDefinite(3), undefined)],
    ["power", () => test(power(complexStiefel(4, 2), 2), undefined)],
    ["product", () => test(product({ a: complexSphere(3), b: hermitianPositiveDefinite(2) }), undefined)],
  ];
  for (const [name, run] of cases) it(name, run);
}

const seeds = [0, 1, 2] as const;

/** The vector with its flat numbers changed. */
function altered<P>(manifold: Manifold<P>, vector: P, change: (value: number, index: number) => number): P {
  return manifold.view(toFlat(manifold, vector).map(change));
}

describe("checkGradient accepts the gradient", () => {
  onEach((manifold, blocks) => {
    const problem = quartic(manifold, blocks);
    for (const seed of seeds) {
      const check = checkGradient(problem, { seed });
      expect([check.passed, check.reason]).toEqual([true, "slope"]);
      expect(check.slope).toBeGreaterThan(1.97);
      expect(check.window.to).toBeGreaterThan(check.window.from);
      expect(check.errors).toHaveLength(check.steps.length);
    }
  });
});

describe("checkGradient accepts the Riemannian gradient as such", () => {
  onEach((manifold, blocks) => {
    const problem = quartic(manifold, blocks);
    const check = checkGradient({
      manifold,
      cost: problem.cost,
      gradient: (x) => manifold.gradient(x, problem.gradient(x)),
      gradientKind: "riemannian",
    });
    expect([check.passed, check.reason]).toEqual([true, "slope"]);
    expect(check.tangentResidual).toBeLessThan(1e-12);
  });
});

describe("checkGradient rejects", () => {
  const changes: readonly [string, (value: number, index: number) => number][] = [
    ["the conjugate", (value, i) => (i % 2 === 0 ? value : -value)],
    ["half of it (Wirtinger)", (value) => value / 2],
    ["its negative", (value) => -value],
    ["one that is 0.1 % too large", (value) => 1.001 * value],
    ["one with a wrong entry", (value, i) => (i === 0 ? value + 0.1 : value)],
  ];
  for (const [name, change] of changes) {
    describe(name, () => {
      onEach((manifold, blocks) => {
        const problem = quartic(manifold, blocks);
        // an error in a direction that the manifold does not have is none
        if (name.includes("entry") && manifold.dimension < 4) return;
        for (const seed of seeds) {
          const check = checkGradient(
            { ...problem, gradient: (x) => altered(manifold, problem.gradient(x), change) },
            { seed },
          );
          expect([check.passed, check.reason]).toEqual([false, "low-slope"]);
          expect(check.slope).toBeLessThan(1.1);
        }
      });
    });
  }

  describe("a Riemannian gradient without its projection", () => {
    onEach((manifold, blocks) => {
      if (manifold.name.startsWith("complex Euclidean")) return;
      const { cost, gradient } = quartic(manifold, blocks);
      const check = checkGradient({ manifold, cost, gradient, gradientKind: "riemannian" });
      expect(check.passed).toBe(false);
      expect(["not-tangent", "low-slope"]).toContain(check.reason);
      expect(check.tangentResidual).toBeGreaterThan(1e-3);
    });
  });

  it("a Euclidean gradient given as Riemannian where it is tangent, but of the wrong metric", () => {
    const manifold = hermitianPositiveDefinite(3);
    const { cost, gradient } = quartic(manifold);
    const project = (x: ReturnType<typeof gradient>) => manifold.project(x, gradient(x));
    const check = checkGradient({ manifold, cost, gradient: project, gradientKind: "riemannian" });
    expect(check.reason).toBe("low-slope");
  });

  it("costs and gradients that are not finite", () => {
    const manifold = complexSphere(3);
    const { cost, gradient } = quartic(manifold);
    expect(checkGradient({ manifold, cost: () => Number.NaN, gradient }).reason).toBe("not-finite");
    const nan = { rows: 3, cols: 1, data: new Float64Array(6).fill(Number.NaN) };
    expect(checkGradient({ manifold, cost, gradient: () => nan }).reason).toBe("not-finite");
  });
});

describe("checkGradient on what surrounds the gradient", () => {
  const { manifold, cost, gradient } = quartic(complexStiefel(4, 2));

  it("accepts a joint callback that agrees, and rejects one that does not", () => {
    const joint = (x: ComplexMatrix) => ({ cost: cost(x), gradient: gradient(x) });
    const right = checkGradient({ manifold, cost, gradient, costAndGradient: joint });
    expect([right.passed, right.jointResidual]).toEqual([true, 0]);
    const half = checkGradient({
      manifold,
      cost,
      gradient,
      costAndGradient: (x) => ({ cost: cost(x), gradient: scale(gradient(x), 0.5) }),
    });
    expect([half.passed, half.reason]).toEqual([false, "inconsistent"]);
    const lifted = checkGradient({
      manifold,
      cost,
      gradient,
      costAndGradient: (x) => ({ cost: cost(x) + 1, gradient: gradient(x) }),
    });
    expect(lifted.reason).toBe("inconsistent");
  });

  it("does not take noise for rounding", () => {
    const random = stream("noise");
    const noisy = checkGradient({ manifold, cost: (x) => cost(x) + 1e-3 * random.normal(), gradient });
    expect([noisy.passed, noisy.reason]).toEqual([false, "no-slope"]);
  });

  it("stands a little noise, and costs that end nearby", () => {
    const random = stream("noise");
    const noisy = checkGradient({ manifold, cost: (x) => cost(x) + 1e-12 * random.normal(), gradient });
    expect([noisy.passed, noisy.reason]).toEqual([true, "slope"]);
    const flat = complexEuclidean(1, 1);
    const logarithm: Problem<ComplexMatrix> = {
      manifold: flat,
      cost: (x) => Math.log(x.data[0]!),
      gradient: (x) => ({ rows: 1, cols: 1, data: Float64Array.of(1 / x.data[0]!, 0) }),
    };
    const point = { rows: 1, cols: 1, data: Float64Array.of(0.1, 0) };
    const direction = { rows: 1, cols: 1, data: Float64Array.of(-1, 0) };
    expect(checkGradient(logarithm, { point, direction }).reason).toBe("slope");
  });
});

describe("checkHessian accepts the Hessian", () => {
  onEach((manifold, blocks) => {
    const problem = quartic(manifold, blocks);
    for (const seed of seeds) {
      const check = checkHessian(problem, { seed });
      expect([check.passed, check.reason]).toEqual([true, "slope"]);
      expect(check.slope).toBeGreaterThan(2.95);
      expect(check.gradientChange.slope).toBeGreaterThan(1.9);
      expect(check.symmetryResidual).toBeLessThan(1e-12);
    }
  });
});

describe("checkHessian rejects", () => {
  describe("a missing curvature term", () => {
    onEach((manifold, blocks) => {
      if (manifold.name.startsWith("complex Euclidean")) return;
      const { cost, gradient, hessian } = quartic(manifold, blocks);
      const flat: Problem<ReturnType<typeof gradient>> = {
        manifold,
        cost,
        gradient: (x) => manifold.gradient(x, gradient(x)),
        hessian: (x, v) => manifold.gradient(x, hessian(x, v)),
        gradientKind: "riemannian",
      };
      for (const seed of seeds) {
        const check = checkHessian(flat, { seed });
        expect([check.passed, check.reason]).toEqual([false, "low-slope"]);
        expect(check.slope).toBeLessThan(2.1);
        expect(checkHessian(flat, { seed, along: "retraction" }).passed).toBe(false);
      }
    });
  });

  it("a missing curvature term whatever the seed: along one direction it may happen to vanish", () => {
    const manifold = complexStiefel(6, 2);
    const { cost, gradient, hessian } = quartic(manifold);
    for (let seed = 0; seed < 60; seed++) {
      const check = checkHessian(
        {
          manifold,
          cost,
          gradient: (x) => manifold.gradient(x, gradient(x)),
          hessian: (x, v) => manifold.gradient(x, hessian(x, v)),
          gradientKind: "riemannian",
        },
        { seed },
      );
      expect(check.reason).toBe("low-slope");
    }
  });

  describe("a Hessian that is not symmetric", () => {
    onEach((manifold, blocks) => {
      if (manifold.dimension < 2) return;
      const problem = quartic(manifold, blocks);
      const size = manifold.kernels.size;
      const [a, b] = [
        new Float64Array(size).map(stream("a").normal),
        new Float64Array(size).map(stream("b").normal),
      ];
      // v -> <a, v> b - <b, v> a has no quadratic form: the second-order model of the cost does not see it
      const tilted: Problem<ReturnType<typeof problem.gradient>> = {
        manifold,
        cost: problem.cost,
        gradient: (x) => manifold.gradient(x, problem.gradient(x)),
        hessian(x, v) {
          const h = toFlat(manifold, manifold.hessian(x, problem.gradient(x), problem.hessian(x, v), v));
          const [pa, pb] = [manifold.project(x, manifold.view(a)), manifold.project(x, manifold.view(b))];
          const [va, vb] = [manifold.inner(x, pa, v), manifold.inner(x, pb, v)];
          const [fa, fb] = [toFlat(manifold, pa), toFlat(manifold, pb)];
          return manifold.view(h.map((value, i) => value + 0.01 * (va * fb[i]! - vb * fa[i]!)));
        },
        gradientKind: "riemannian",
      };
      const check = checkHessian(tilted);
      expect([check.passed, check.reason]).toEqual([false, "not-symmetric"]);
      expect(check.slope).toBeGreaterThan(2.9);
    });
  });

  describe("half of it, and one of a wrong entry", () => {
    onEach((manifold, blocks) => {
      const problem = quartic(manifold, blocks);
      const half = checkHessian({
        ...problem,
        hessian: (x, v) => altered(manifold, problem.hessian(x, v), (value) => value / 2),
      });
      expect(half.passed).toBe(false);
      const shifted = checkHessian({
        ...problem,
        hessian: (x, v) =>
          altered(manifold, problem.hessian(x, v), (value, i) => (i === 0 ? value + 0.1 : value)),
      });
      expect(shifted.passed).toBe(false);
    });
  });

  it("one that is not tangent", () => {
    const manifold = complexStiefel(5, 2);
    const { cost, gradient, hessian } = quartic(manifold);
    const check = checkHessian({
      manifold,
      cost,
      gradient: (x) => manifold.gradient(x, gradient(x)),
      hessian,
      gradientKind: "riemannian",
    });
    expect([check.passed, check.reason]).toEqual([false, "not-tangent"]);
  });

  it("a wrong gradient, whatever the Hessian", () => {
    const problem = quartic(complexSphere(4));
    const check = checkHessian({ ...problem, gradient: (x) => scale(problem.gradient(x), 0.5) });
    expect(check.passed).toBe(false);
    expect(check.slope).toBeLessThan(1.1);
  });
});

describe("checkHessian along a retraction", () => {
  it("of first order: slope 2 away from critical points, which passes as such", () => {
    const problem = quartic(complexStiefel(6, 3));
    const check = checkHessian(problem, { along: "retraction" });
    expect([check.passed, check.reason]).toEqual([true, "first-order-retraction"]);
    expect(check.slope).toBeLessThan(2.1);
  });

  it("of second order: slope 3", () => {
    const problem = quartic(complexStiefel(6, 3, { retraction: "polar" }));
    expect(checkHessian(problem, { along: "retraction" }).reason).toBe("slope");
  });

  it("of first order, at a critical point: slope 3", () => {
    const manifold = complexStiefel(4, 2);
    // Re tr(X^H A X N) with diagonal A and N is critical at columns of the identity
    const a = [1, -0.5, 2, 0.3];
    const weigh = (x: ComplexMatrix) => ({
      rows: 4,
      cols: 2,
      data: x.data.map((value, i) => value * a[i >> 2]! * (1 + ((i >> 1) & 1))),
    });
    const point = { rows: 4, cols: 2, data: new Float64Array(16) };
    point.data[4] = 1;
    point.data[10] = 1;
    const problem: Problem<ComplexMatrix> = {
      manifold,
      cost: (x) => 0.5 * x.data.reduce((sum, value, i) => sum + value * weigh(x).data[i]!, 0),
      gradient: weigh,
      hessian: (_x, v) => weigh(v),
    };
    const check = checkHessian(problem, { point, along: "retraction" });
    expect([check.passed, check.reason]).toEqual([true, "slope"]);
    // at a critical point the gradient is zero, and zero is tangent
    expect(checkGradient(problem, { point }).passed).toBe(true);
  });
});

describe("exact models and empty manifolds", () => {
  it("pass by rounding, and by having nothing to check", () => {
    const flat = complexEuclidean(3, 1);
    const c = flat.randomPoint(stream("c"));
    const inner = (x: typeof c) => x.data.reduce((sum, value, i) => sum + value * c.data[i]!, 0);
    const linear: Problem<typeof c> = {
      manifold: flat,
      cost: inner,
      gradient: () => c,
      hessian: () => ({ rows: 3, cols: 1, data: new Float64Array(6) }),
    };
    expect(checkGradient(linear).reason).toBe("rounding");
    expect(checkHessian(linear).reason).toBe("rounding");
    expect(checkRetraction(flat).reason).toBe("rounding");
    const point = complexGrassmann(3, 3);
    const problem = quartic(point, [[3, 3]]);
    for (const check of [checkGradient(problem), checkHessian(problem), checkRetraction(point)]) {
      expect([check.passed, check.reason]).toEqual([true, "zero-dimension"]);
    }
    expect(checkManifold(point).passed).toBe(true);
  });
});

describe("wrong manifolds", () => {
  const right = complexSphere(3).kernels;
  const variant = (change: Partial<ManifoldKernels>) =>
    makeManifold("variant", { ...right, ...change }, matrixShape(3, 1));
  const failures = (change: Partial<ManifoldKernels>) => checkManifold(variant(change)).failures;

  it("are told apart by what fails", () => {
    expect(checkManifold(variant({})).failures).toEqual([]);
    expect(failures({ dimension: 4 })).toEqual(["dimension"]);
    expect(failures({ project: (at, out, _x, z) => out.set(z.subarray(at, at + 6), at) })).toContain(
      "projection",
    );
    expect(failures({ transport: (_at, out, v) => out.set(v) })).toContain("transport");
    expect(failures({ distance: () => 0 })).toContain("distance");
    expect(failures({ inner: (at, x, u, v) => -right.inner(at, x, u, v) })).toContain("metric");
    expect(failures({ log: (_at, u) => u.fill(0) })).toEqual(["logarithm"]);
    expect(failures({ randomPoint: (_at, x) => x.fill(1) })).toContain("points");
    expect(failures({ randomTangent: (_at, u, _x, random) => u.set(u.map(random.normal)) })).toContain(
      "tangents",
    );
  });

  it("retractions: of the wrong speed, off the manifold, not at x, not finite", () => {
    const reason = (retract: ManifoldKernels["retract"]) => {
      const check = checkRetraction(variant({ retract }));
      expect(check.passed).toBe(false);
      return check.reason;
    };
    expect(reason((at, y, x, u, t) => right.retract(at, y, x, u, 1.01 * t))).toBe("low-slope");
    expect(reason((_at, y, x, u, t) => y.set(x.map((value, i) => value + t * u[i]!)))).toBe("off-manifold");
    expect(reason((at, y, x, u, t) => right.retract(at, y, x, u, t + 1e-3))).toBe("not-at-x");
    expect(reason((_at, y) => y.fill(Number.NaN))).toBe("not-finite");
  });

  it("without an exponential are compared with a line", () => {
    const { exp: _exp, log: _log, ...rest } = right;
    const manifold = makeManifold("variant", rest, matrixShape(3, 1));
    const check = checkRetraction(manifold);
    expect([check.passed, check.reference, check.order]).toEqual([true, "line", 0]);
    expect(checkManifold(manifold)).not.toHaveProperty("logarithmResidual");
    // with no exponential to go along, the quadratic model of a second-order retraction still has slope 3
    expect(checkHessian(quartic(manifold)).reason).toBe("slope");
  });
});

describe("arguments", () => {
  const problem = quartic(complexSphere(3));
  const fieldOf = (call: () => unknown): string => {
    try {
      call();
    } catch (error) {
      if (error instanceof InputError) return error.field;
      throw error;
    }
    return "nothing thrown";
  };

  it("are taken: point, direction of any length, seed", () => {
    const { manifold } = problem;
    const point = manifold.randomPoint(stream("p"));
    const direction = manifold.randomTangent(point, stream("d"));
    const check = checkGradient(problem, { point, direction });
    const longer = checkGradient(problem, { point, direction: scale(direction, 1000) });
    expect(longer.slope).toBeCloseTo(check.slope, 6);
    expect(checkGradient(problem, { seed: 4 })).toEqual(checkGradient(problem, { seed: 4 }));
    expect(checkGradient(problem, { seed: 4 })).not.toEqual(checkGradient(problem, { seed: 5 }));
  });

  it("are refused by name", () => {
    const { manifold } = problem;
    const point = manifold.randomPoint(stream("p"));
    expect(fieldOf(() => checkGradient(problem, { point: scale(point, 2) }))).toBe("options.point");
    expect(fieldOf(() => checkGradient(problem, { point, direction: point }))).toBe("options.direction");
    expect(fieldOf(() => checkGradient(problem, { point, direction: scale(point, 0) }))).toBe(
      "options.direction",
    );
    expect(fieldOf(() => checkGradient(problem, { seed: -1 }))).toBe("options.seed");
    expect(fieldOf(() => checkGradient(problem, { steps: 3 } as object))).toBe("options.steps");
    expect(fieldOf(() => checkHessian({ ...problem, hessian: undefined }))).toBe("problem.hessian");
    expect(fieldOf(() => checkHessian(problem, { along: "line" as "exp" }))).toBe("options.along");
    expect(fieldOf(() => checkManifold(problem.manifold, { samples: 0 }))).toBe("options.samples");
  });
});

function stream(name: string) {
  return randomStream(6, name);
}
