import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError, randomStream } from "../../../src/core/index.ts";
import {
  type ComplexMatrix,
  frobeniusNorm,
  fromDiagonal,
  identity,
  multiply,
  multiplyConjugateLeft,
  scale,
  subtract,
} from "../../../src/linalg/index.ts";
import {
  complexCircle,
  complexEuclidean,
  complexGrassmann,
  complexOblique,
  complexSphere,
  complexStiefel,
  hermitianPositiveDefinite,
  type Manifold,
  power,
  product,
} from "../../../src/manifold/index.ts";
import { manifoldPoint, manifoldTangent, type PointAndTangent } from "../../../src/testing/index.ts";
import { quartic } from "./quartic.ts";

const gap = (a: ComplexMatrix, b: ComplexMatrix): number => frobeniusNorm(subtract(a, b));

describe("Grassmann does not see the basis: X -> XQ", () => {
  for (const retraction of ["polar", "qr", "exp"] as const) {
    for (const transport of ["projection", "parallel"] as const) {
      it.each([
        [5, 1],
        [6, 3],
        [5, 3],
      ])(`${retraction}, ${transport}, %i x %i`, (n, p) => {
        const m = complexGrassmann(n, p, { retraction, transport });
        const stream = randomStream(8, n, p);
        const [x, y] = [m.randomPoint(stream), m.randomPoint(stream)];
        const [u, v] = [scale(m.randomTangent(x, stream), 0.8), m.randomTangent(x, stream)];
        const q = complexStiefel(p, p).randomPoint(stream);
        const [xq, uq, vq] = [multiply(x, q), multiply(u, q), multiply(v, q)];
        const problem = quartic(m, [[n, p]]);
        expect(Math.abs(m.inner(xq, uq, vq) - m.inner(x, u, v))).toBeLessThan(1e-14);
        expect(m.distance(x, xq)).toBeLessThan(1e-14);
        expect(Math.abs(m.distance(xq, y) - m.distance(x, y))).toBeLessThan(1e-14);
        expect(gap(m.log!(xq, y), multiply(m.log!(x, y), q))).toBeLessThan(1e-13);
        expect(gap(m.log!(x, multiply(y, q)), m.log!(x, y))).toBeLessThan(1e-13);
        expect(gap(m.exp!(xq, uq), multiply(m.exp!(x, u), q))).toBeLessThan(1e-14);
        const [z, zq] = [m.retract(x, u), m.retract(xq, uq)];
        expect(m.distance(z, zq)).toBeLessThan(1e-14);
        if (retraction !== "qr") expect(gap(zq, multiply(z, q))).toBeLessThan(1e-14);
        const between = multiplyConjugateLeft(z, zq);
        expect(gap(m.transport(xq, uq, vq), multiply(m.transport(x, u, v), between))).toBeLessThan(1e-13);
        const g = m.gradient(x, problem.gradient(x));
        expect(gap(m.gradient(xq, problem.gradient(xq)), multiply(g, q))).toBeLessThan(1e-13);
        const hessian = (at: ComplexMatrix, w: ComplexMatrix) =>
          m.hessian(at, problem.gradient(at), problem.hessian(at, w), w);
        expect(gap(hessian(xq, uq), multiply(hessian(x, u), q))).toBeLessThan(1e-13);
      });
    }
  }

  it("measures orthogonal subspaces, and angles that repeat", () => {
    const m = complexGrassmann(6, 3);
    const pick = (...rows: number[]): ComplexMatrix => {
      const x = { rows: 6, cols: 3, data: new Float64Array(36) };
      rows.forEach((row, j) => {
        x.data[2 * (3 * row + j)] = 1;
      });
      return x;
    };
    expect(m.distance(pick(0, 1, 2), pick(3, 4, 5))).toBeCloseTo((Math.sqrt(3) * Math.PI) / 2, 14);
    expect(m.distance(pick(0, 1, 2), pick(2, 0, 5))).toBeCloseTo(Math.PI / 2, 14);
    expect(m.distance(pick(0, 1, 2), pick(2, 0, 1))).toBe(0);
    const far = m.log!(pick(0, 1, 2), pick(3, 4, 5));
    expect(m.distance(m.exp!(pick(0, 1, 2), far), pick(3, 4, 5))).toBeLessThan(1e-14);
  });
});

describe("logarithms of opposite points are one of the shortest ways", () => {
  const cases: readonly [string, Manifold<ComplexMatrix>, number][] = [
    ["sphere", complexSphere(3), Math.PI],
    ["circle", complexCircle(3), Math.sqrt(3) * Math.PI],
    ["oblique", complexOblique(3, 2), Math.SQRT2 * Math.PI],
  ];
  it.each(cases)("%s", (_name, m, distance) => {
    const x = m.randomPoint(randomStream(3, "opposite"));
    const y = scale(x, -1);
    const u = m.log!(x, y);
    expect(m.distance(x, y)).toBeCloseTo(distance, 14);
    expect(m.norm(x, u)).toBeCloseTo(distance, 12);
    expect(gap(m.exp!(x, u), y)).toBeLessThan(1e-14);
    // and just beside them
    const near = m.exp!(x, scale(m.randomTangent(x, randomStream(4)), 1), Math.PI - 1e-6);
    expect(gap(m.exp!(x, m.log!(x, near)), near)).toBeLessThan(1e-9);
  });
});

describe("positive definite matrices", () => {
  const m = hermitianPositiveDefinite(3);
  const diagonal = (...values: number[]): ComplexMatrix => fromDiagonal(values);

  it("keep their digits at extreme scales", () => {
    const x = diagonal(1e-150, 1, 1e150);
    const y = diagonal(4e-150, 1, 1e150);
    expect(m.distance(x, y)).toBeCloseTo(Math.log(4), 14);
    expect(m.distance(diagonal(1, 1, 1), diagonal(1e-12, 1, 1e12))).toBeCloseTo(
      Math.SQRT2 * Math.log(1e12),
      11,
    );
    expect(gap(m.exp!(diagonal(1, 1, 1), m.log!(diagonal(1, 1, 1), x)), x) / 1e150).toBeLessThan(1e-12);
  });

  it("have distances that congruence and inversion keep", () => {
    const stream = randomStream(1, "congruence");
    const [x, y, g] = [
      m.randomPoint(stream),
      m.randomPoint(stream),
      complexEuclidean(3, 3).randomPoint(stream),
    ];
    const by = (a: ComplexMatrix) => m.project(a, multiply(multiplyConjugateLeft(g, a), g));
    expect(m.distance(by(x), by(y))).toBeCloseTo(m.distance(x, y), 12);
  });

  it("stay positive definite for steps that would leave them on a line, and are NaN beyond doubles", () => {
    const one = identity(3);
    const u = diagonal(-1, -1, 1);
    expect(m.checkPoint(m.retract(one, u, 100))).toBe(0);
    expect(m.retract(one, u, 1e300).data.every(Number.isNaN)).toBe(true);
    expect(m.exp!(one, u, 1e6).data.every(Number.isNaN)).toBe(true);
    expect(m.checkPoint(diagonal(1, -1, 1))).toBe(1);
    expect(m.inner(diagonal(1, -1, 1), u, u)).toBeNaN();
    expect(m.distance(one, diagonal(1, 0, 1))).toBeNaN();
  });
});

describe("residuals", () => {
  it("tell how far off a point or a vector is", () => {
    const stream = randomStream(1, "residuals");
    const manifolds: readonly Manifold<ComplexMatrix>[] = [
      complexSphere(3),
      complexCircle(3),
      complexOblique(3, 2),
      complexStiefel(4, 2),
      complexGrassmann(4, 2),
    ];
    for (const m of manifolds) {
      const x = m.randomPoint(stream);
      expect(m.checkPoint(scale(x, 1 + 1e-6))).toBeCloseTo(1e-6, 9);
      expect(m.checkVector(x, x)).toBeGreaterThan(0.9);
      expect(m.checkVector(x, scale(x, 0))).toBe(0);
    }
  });

  it("of products are relative to the whole vector", () => {
    const m = product({ a: complexSphere(2), b: complexSphere(2) });
    const x = m.randomPoint(randomStream(2));
    const noise = { a: scale(x.a, 1e-16), b: scale(m.randomTangent(x, randomStream(3)).b, 1) };
    expect(m.checkVector(x, noise)).toBeLessThan(1e-14);
    expect(m.checkVector(x, { a: x.a, b: noise.b })).toBeGreaterThan(0.5);
  });
});

describe("arguments of the factories", () => {
  const fieldOf = (call: () => unknown): string => {
    try {
      call();
    } catch (error) {
      if (error instanceof InputError) return error.field;
      throw error;
    }
    return "nothing thrown";
  };
  it("are refused by name", () => {
    expect(fieldOf(() => complexCircle(0))).toBe("n");
    expect(fieldOf(() => complexOblique(2, 1.5))).toBe("cols");
    expect(fieldOf(() => complexStiefel(2, 3))).toBe("p");
    expect(fieldOf(() => complexGrassmann(Number.NaN, 1))).toBe("n");
    expect(fieldOf(() => hermitianPositiveDefinite(-1))).toBe("n");
    expect(fieldOf(() => complexStiefel(3, 2, { retraction: "cayley" as "qr" }))).toBe("options.retraction");
    expect(fieldOf(() => complexStiefel(3, 2, { metric: "canonical" } as object))).toBe("options.metric");
    expect(fieldOf(() => complexGrassmann(3, 2, { transport: "none" as "parallel" }))).toBe(
      "options.transport",
    );
    expect(fieldOf(() => hermitianPositiveDefinite(2, { retraction: "qr" as "exp" }))).toBe(
      "options.retraction",
    );
    expect(fieldOf(() => power(complexCircle(2), 0))).toBe("count");
    expect(fieldOf(() => product({}))).toBe("factors");
  });
  it("wrong shapes are named with both shapes", () => {
    const m = complexStiefel(3, 2);
    const x = m.randomPoint(randomStream(1));
    const wide = { rows: 2, cols: 3, data: new Float64Array(12) };
    expect(() => m.project(x, wide)).toThrow(/z: found a 2 x 3 matrix, expected a 3 x 2 complex matrix/);
    const both = product({ a: m, b: complexCircle(2) });
    expect(() => both.checkPoint({ a: wide, b: wide })).toThrow(/x\.a/);
  });
});

describe("arbitraries", () => {
  it("shrink to the first seed and the tangent 0", () => {
    const m = complexSphere(2);
    const first = m.randomPoint(randomStream(0, "point"));
    const found = fc.check(
      fc.property(manifoldPoint(m), () => false),
      { seed: 1 },
    );
    expect(found.counterexample?.[0]).toEqual(first);
    const pair = fc.check(
      fc.property(manifoldTangent(m), () => false),
      { seed: 1 },
    );
    const [drawn] = pair.counterexample as [PointAndTangent<ComplexMatrix>];
    expect(drawn.point).toEqual(first);
    expect(drawn.tangent.data.every((value) => value === 0)).toBe(true);
  });
  it("keep to the point and the length asked for", () => {
    const m = complexStiefel(3, 2);
    const point = m.randomPoint(randomStream(5));
    fc.assert(
      fc.property(manifoldTangent(m, { point, length: 0.5 }), (drawn) => {
        expect(drawn.point).toBe(point);
        expect(m.norm(point, drawn.tangent)).toBeLessThanOrEqual(0.5 + 1e-12);
      }),
      { seed: 2 },
    );
  });
});
