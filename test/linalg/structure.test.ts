import { Complex } from "complex.js";
import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  conditionNumber,
  conjugateTranspose,
  diagonal,
  entry,
  frobeniusNorm,
  fromComplex,
  fromDiagonal,
  hermitianPart,
  identity,
  inverse,
  kronecker,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  type NormKind,
  norm,
  nullSpace,
  orthonormalBasis,
  polar,
  randomMatrix,
  rank,
  realEmbedding,
  realInner,
  scale,
  skewHermitianPart,
  subtract,
  svd,
  trace,
  zeros,
} from "../../src/linalg/index.ts";
import { anyMatrix, lehmer, orthonormality, RUNS, relativeError, structured, unitary } from "./support.ts";

const i = new Complex(0, 1);
const KINDS: readonly NormKind[] = ["frobenius", "one", "infinity", "two", "nuclear", "max"];

/** Entry by entry. */
function byDefinition(a: ComplexMatrix, kind: NormKind): number {
  const size = (r: number, c: number): number => entry(a, r, c).abs();
  const rows = Array.from({ length: a.rows }, (_, r) => r);
  const cols = Array.from({ length: a.cols }, (_, c) => c);
  const sum = (values: number[]): number => values.reduce((total, x) => total + x, 0);
  switch (kind) {
    case "frobenius":
      return Math.hypot(0, ...rows.flatMap((r) => cols.map((c) => size(r, c))));
    case "one":
      return Math.max(0, ...cols.map((c) => sum(rows.map((r) => size(r, c)))));
    case "infinity":
      return Math.max(0, ...rows.map((r) => sum(cols.map((c) => size(r, c)))));
    case "max":
      return Math.max(0, ...rows.flatMap((r) => cols.map((c) => size(r, c))));
    case "two":
      return svd(a).s[0] ?? 0;
    case "nuclear":
      return trace(polar(a).positive).re;
  }
}

describe("norms", () => {
  test("by their definitions: any shape, rank and scale", () => {
    fc.assert(
      fc.property(anyMatrix, fc.constantFrom(...KINDS), (a, kind) => {
        const expected = byDefinition(a, kind);
        expect(Math.abs(norm(a, kind) - expected)).toBeLessThanOrEqual(
          1e-14 * Math.max(1, a.rows, a.cols) * expected,
        );
      }),
      { ...RUNS, numRuns: 400 },
    );
  });

  test("homogeneous, subadditive, and in the order they have to be", () => {
    fc.assert(
      fc.property(anyMatrix, fc.nat(1e6), (a, seed) => {
        const b = scale(randomMatrix(a.rows, a.cols, randomStream(seed)), frobeniusNorm(a));
        const grow = 1 + 1e-13 * Math.max(1, a.rows, a.cols);
        for (const kind of KINDS) {
          const x = norm(a, kind);
          expect(norm(scale(a, new Complex(3, -4)), kind)).toBeLessThanOrEqual(5 * x * grow);
          expect(norm(scale(a, new Complex(3, -4)), kind) * grow).toBeGreaterThanOrEqual(5 * x);
          expect(norm(add(a, b), kind)).toBeLessThanOrEqual((x + norm(b, kind)) * grow);
        }
        const [frobenius, one, infinity, two, nuclear, max] = KINDS.map((kind) => norm(a, kind));
        expect(max).toBeLessThanOrEqual(two! * grow);
        expect(two).toBeLessThanOrEqual(frobenius! * grow);
        expect(frobenius).toBeLessThanOrEqual(nuclear! * grow);
        expect(two).toBeLessThanOrEqual(Math.sqrt(one!) * Math.sqrt(infinity!) * grow);
        expect(norm(conjugateTranspose(a), "one")).toBe(infinity);
        expect(norm(a)).toBe(frobenius);
      }),
      RUNS,
    );
  });

  test("range, empty matrices, unknown names", () => {
    const large = fromDiagonal([3e200, 4e200]);
    const tiny = fromDiagonal([3e-200, 4e-200]);
    for (const [kind, expected] of [
      ["one", 4],
      ["infinity", 4],
      ["max", 4],
      ["two", 4],
      ["nuclear", 7],
      ["frobenius", 5],
    ] as const) {
      expect(norm(large, kind) / 1e200).toBeCloseTo(expected, 13);
      expect(norm(tiny, kind) / 1e-200).toBeCloseTo(expected, 13);
      expect(norm(zeros(0, 3), kind)).toBe(0);
      expect(norm(zeros(2, 0), kind)).toBe(0);
      expect(norm(zeros(2, 2), kind)).toBe(0);
    }
    expect(() => norm(identity(2), "three" as NormKind)).toThrow(
      /^kind: found "three", expected one of "frobenius"/,
    );
  });
});

describe("conditionNumber, rank, bases", () => {
  test("condition and rank agree with ml-matrix on the real embedding", () => {
    for (const [rows, cols] of [
      [1, 1],
      [5, 3],
      [8, 8],
      [20, 12],
    ] as const) {
      const a = structured(rows, cols, "gaussian", 0, rows);
      const oracle = new SingularValueDecomposition(realEmbedding(a));
      expect(Math.abs(conditionNumber(a) / oracle.condition - 1)).toBeLessThan(
        1e-13 * rows * oracle.condition,
      );
      expect(2 * rank(a)).toBe(oracle.rank);
      const low = structured(rows, cols, "low rank", 0, rows);
      expect(2 * rank(low)).toBe(new SingularValueDecomposition(realEmbedding(low)).rank);
    }
  });

  test("condition: known values, inverse, scale, wide, singular, empty", () => {
    expect(conditionNumber(fromDiagonal([10, -2, i]))).toBeCloseTo(10, 13);
    expect(conditionNumber(unitary(6, 1))).toBeCloseTo(1, 13);
    expect(conditionNumber(fromDiagonal([1e150, 1e-150])) / 1e300).toBeCloseTo(1, 13);
    expect(conditionNumber(fromDiagonal([1e200, 1e-200]))).toBe(Number.POSITIVE_INFINITY);
    expect(conditionNumber(fromDiagonal([1, 0]))).toBe(Number.POSITIVE_INFINITY);
    expect(conditionNumber(zeros(2, 2))).toBe(Number.POSITIVE_INFINITY);
    expect(conditionNumber(zeros(0, 4))).toBe(1);
    const a = lehmer(6, 6, 4);
    expect(conditionNumber(inverse(a)) / conditionNumber(a)).toBeCloseTo(1, 11);
    expect(conditionNumber(conjugateTranspose(lehmer(3, 8, 1)))).toBeCloseTo(
      conditionNumber(lehmer(3, 8, 1)),
      12,
    );
    expect(conditionNumber(scale(a, 1e-140)) / conditionNumber(a)).toBeCloseTo(1, 12);
  });

  test("bases: orthonormal, together the dimension, annihilated and reproduced by a", () => {
    fc.assert(
      fc.property(anyMatrix, (a) => {
        const bar = 1e-13 * Math.max(1, a.rows, a.cols);
        const r = rank(a);
        const range = orthonormalBasis(a);
        const kernel = nullSpace(a);
        expect([range.rows, range.cols]).toEqual([a.rows, r]);
        expect([kernel.rows, kernel.cols]).toEqual([a.cols, a.cols - r]);
        expect(orthonormality(range)).toBeLessThan(bar);
        expect(orthonormality(kernel)).toBeLessThan(bar);
        const size = frobeniusNorm(a);
        expect(frobeniusNorm(multiply(a, kernel))).toBeLessThanOrEqual(bar * size);
        const projected = multiply(range, multiplyConjugateLeft(range, a));
        expect(frobeniusNorm(subtract(projected, a))).toBeLessThanOrEqual(bar * size);
        // The range of a^H is the complement of the null space.
        const rows = orthonormalBasis(conjugateTranspose(a));
        if (rows.cols === r) {
          const both = add(multiplyConjugateRight(rows, rows), multiplyConjugateRight(kernel, kernel));
          expect(relativeError(both, identity(a.cols))).toBeLessThan(bar * 10);
        }
      }),
      RUNS,
    );
  });

  test("rank by construction, at every scale, and by tolerance", () => {
    for (let r = 0; r <= 5; r++) {
      for (const size of [1, 1e150, 1e-150]) {
        const a = scale(multiplyConjugateRight(lehmer(7, r, 2), lehmer(5, r, 3)), size);
        expect(rank(a)).toBe(r);
        expect(nullSpace(a).cols).toBe(5 - r);
      }
    }
    const d = fromDiagonal([1, 1e-3, 1e-20]);
    expect([rank(d), rank(d, 1e-2), rank(d, 0), rank(d, 1)]).toEqual([2, 1, 3, 0]);
    expect([nullSpace(d, 1e-2).cols, orthonormalBasis(d, 0).cols]).toEqual([2, 3]);
    for (const f of [rank, nullSpace, orthonormalBasis]) {
      expect(() => f(d, -1)).toThrow(/^tolerance: /);
      expect(() => f(d, Number.NaN)).toThrow(/^tolerance: /);
    }
    expect(rank(zeros(0, 3))).toBe(0);
    expect(relativeError(nullSpace(zeros(0, 3)), identity(3))).toBe(0);
    expect(nullSpace(zeros(3, 0))).toEqual(zeros(0, 0));
  });
});

describe("parts, diagonals, Kronecker products", () => {
  test("Hermitian and skew-Hermitian part: exact symmetry, sum, orthogonality, idempotence", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.constantFrom(0, -150, 150, 300), fc.nat(1e6), (n, decade, seed) => {
        const a = scale(randomMatrix(n, n, randomStream(seed)), 10 ** decade);
        const h = hermitianPart(a);
        const s = skewHermitianPart(a);
        expect(frobeniusNorm(subtract(h, conjugateTranspose(h)))).toBe(0);
        expect(frobeniusNorm(add(s, conjugateTranspose(s)))).toBe(0);
        expect(relativeError(add(h, s), a)).toBeLessThan(1e-15);
        expect(hermitianPart(h)).toEqual(h);
        expect(frobeniusNorm(subtract(skewHermitianPart(s), s))).toBe(0);
        if (decade < 150) {
          expect(Math.abs(realInner(h, s))).toBeLessThanOrEqual(1e-14 * frobeniusNorm(h) * frobeniusNorm(s));
        }
        expect(relativeError(scale(skewHermitianPart(scale(a, i)), new Complex(0, -1)), h)).toBeLessThan(
          1e-15,
        );
      }),
      RUNS,
    );
    expect(() => hermitianPart(zeros(2, 3))).toThrow(/square/);
    expect(() => skewHermitianPart(zeros(2, 3))).toThrow(/square/);
  });

  test("diagonals go in and out", () => {
    const values = [1, i, new Complex(-2, 3)];
    const d = fromDiagonal(values);
    expect(diagonal(d).map((z) => [z.re, z.im])).toEqual([
      [1, 0],
      [0, 1],
      [-2, 3],
    ]);
    expect(frobeniusNorm(d)).toBe(Math.sqrt(15));
    expect(diagonal(zeros(0, 3))).toEqual([]);
    expect(fromDiagonal([])).toEqual(zeros(0, 0));
    expect(fromDiagonal(new Float64Array([1, 1]))).toEqual(identity(2));
    expect(diagonal(lehmer(2, 5, 1)).length).toBe(2);
    expect(diagonal(lehmer(5, 2, 1))[1]!.re).toBe(entry(lehmer(5, 2, 1), 1, 1).re);
    expect(() => fromDiagonal([1, Number.NaN])).toThrow(/^values\[1\]: /);
    expect(() => fromDiagonal([1, new Complex(0, Number.POSITIVE_INFINITY)])).toThrow(/^values\[1\]\.im: /);
    expect(() => fromDiagonal(3 as unknown as number[])).toThrow(/^values: found 3/);
  });

  test("kronecker: mixed products, transposes, norms, bilinear, any shape", () => {
    const shapes = fc.record({
      m: fc.nat(3),
      n: fc.nat(3),
      p: fc.nat(3),
      q: fc.nat(3),
      k: fc.nat(3),
      l: fc.nat(3),
      seed: fc.nat(1e6),
    });
    fc.assert(
      fc.property(shapes, ({ m, n, p, q, k, l, seed }) => {
        const stream = randomStream(seed);
        const a = randomMatrix(m, n, stream);
        const b = randomMatrix(p, q, stream);
        const c = randomMatrix(n, k, stream);
        const d = randomMatrix(q, l, stream);
        const ab = kronecker(a, b);
        expect([ab.rows, ab.cols]).toEqual([m * p, n * q]);
        expect(
          relativeError(multiply(ab, kronecker(c, d)), kronecker(multiply(a, c), multiply(b, d))),
        ).toBeLessThan(1e-14);
        expect(
          relativeError(kronecker(conjugateTranspose(a), conjugateTranspose(b)), conjugateTranspose(ab)),
        ).toBeLessThan(1e-15);
        const expected = frobeniusNorm(a) * frobeniusNorm(b);
        expect(Math.abs(frobeniusNorm(ab) - expected)).toBeLessThanOrEqual(1e-14 * expected);
        expect(relativeError(kronecker(scale(a, i), b), scale(ab, i))).toBeLessThan(1e-15);
      }),
      RUNS,
    );
  });

  test("kronecker by hand, against ml-matrix, and out of range", () => {
    const a = fromComplex([[1, i]]);
    const b = fromComplex([[2], [new Complex(0, 3)]]);
    expect(
      relativeError(
        kronecker(a, b),
        fromComplex([
          [2, new Complex(0, 2)],
          [new Complex(0, 3), -3],
        ]),
      ),
    ).toBe(0);
    const x = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    const y = [
      [0.5, -1],
      [2, 7],
    ];
    const oracle = new Matrix(x).kroneckerProduct(new Matrix(y)).to2DArray();
    expect(relativeError(kronecker(fromComplex(x), fromComplex(y)), fromComplex(oracle))).toBe(0);
    expect(() => kronecker(fromDiagonal([1e200]), fromDiagonal([1e200]))).toThrow(/^a: .*range of doubles/);
    expect(kronecker(fromDiagonal([1e150]), fromDiagonal([1e150])).data[0]).toBe(1e150 * 1e150);
  });
});
