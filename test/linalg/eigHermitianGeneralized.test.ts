import fc from "fast-check";
import { CholeskyDecomposition, EigenvalueDecomposition, inverse as oracleInverse } from "ml-matrix";
import { expect, test } from "vitest";
import { InputError } from "../../src/core/index.ts";
import {
  conditionNumber,
  eigHermitian,
  eigHermitianGeneralized,
  frobeniusNorm,
  fromComplex,
  fromDiagonal,
  hermitianPart,
  identity,
  multiply,
  multiplyConjugateLeft,
  realEmbedding,
  scale,
  subtract,
  zeros,
} from "../../src/linalg/index.ts";
import { anyHermitian, lehmer, positiveDefinite, RUNS, relativeError } from "./support.ts";

test("a V = b V diag(values), V^H b V = I, ascending values: any rank, multiplicity and scale", () => {
  fc.assert(
    fc.property(anyHermitian, fc.nat(1e6), fc.constantFrom(0, 0, -5, 140, -140), (a, seed, decade) => {
      const n = a.rows;
      const b = positiveDefinite(n, seed, decade);
      const largest = a.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      // The eigenvalues themselves must be in range.
      fc.pre(largest === 0 || Math.abs(Math.log10(largest) - decade) < 250);
      const before = [a.data.slice(), b.data.slice()];
      const { values, vectors } = eigHermitianGeneralized(a, b);
      expect([a.data, b.data]).toEqual(before);
      expect([values.length, vectors.rows, vectors.cols]).toEqual([n, n, n]);
      for (let i = 1; i < n; i++) expect(values[i]).toBeGreaterThanOrEqual(values[i - 1]!);
      if (n === 0) return;
      const bar = 1e-13 * n * Math.sqrt(conditionNumber(b));
      expect(relativeError(multiplyConjugateLeft(vectors, multiply(b, vectors)), identity(n))).toBeLessThan(
        bar,
      );
      // Scaled to about 1, so that the residual can be formed at every scale.
      const unit = largest === 0 ? 1 : 1 / largest;
      const lambda = fromDiagonal(values.map((x) => x * unit * 10 ** decade));
      const left = multiply(scale(a, unit), vectors);
      const right = multiply(multiply(scale(b, 10 ** -decade), vectors), lambda);
      const size = frobeniusNorm(scale(a, unit)) * frobeniusNorm(vectors);
      expect(frobeniusNorm(subtract(left, right))).toBeLessThanOrEqual(bar * size);
    }),
    RUNS,
  );
});

test("with b = I the standard problem; a = b gives ones; 1 x 1; empty", () => {
  const a = hermitianPart(lehmer(6, 6, 2));
  const plain = eigHermitian(a).values;
  eigHermitianGeneralized(a, identity(6)).values.forEach((x, i) => {
    expect(Math.abs(x - plain[i]!)).toBeLessThan(1e-15 * 6);
  });
  const b = positiveDefinite(6, 1);
  for (const x of eigHermitianGeneralized(b, b).values) expect(Math.abs(x - 1)).toBeLessThan(1e-9);
  const one = eigHermitianGeneralized(fromComplex([[-6]]), fromComplex([[4]]));
  expect(one.values[0]).toBe(-1.5);
  expect(Math.abs(one.vectors.data[0]!)).toBe(0.5);
  expect(eigHermitianGeneralized(zeros(0, 0), zeros(0, 0)).values.length).toBe(0);
  expect(Array.from(eigHermitianGeneralized(zeros(3, 3), positiveDefinite(3, 1)).values, Math.abs)).toEqual([
    0, 0, 0,
  ]);
});

test("agrees with ml-matrix on the real embedding, where every eigenvalue appears twice", () => {
  for (const n of [1, 2, 5, 12]) {
    const a = hermitianPart(lehmer(n, n, n));
    const g = lehmer(n, n, n + 50);
    const b = hermitianPart(multiply(g, fromDiagonal(new Float64Array(n).fill(0.1))));
    for (let i = 0; i < n; i++) b.data[2 * i * (n + 1)] = 1 + i;
    const l = new CholeskyDecomposition(realEmbedding(b)).lowerTriangularMatrix;
    const inverse = oracleInverse(l);
    const reduced = inverse.mmul(realEmbedding(a)).mmul(inverse.transpose());
    const oracle = new EigenvalueDecomposition(reduced, { assumeSymmetric: true }).realEigenvalues;
    oracle.sort((x, y) => x - y);
    const { values } = eigHermitianGeneralized(a, b);
    for (let i = 0; i < 2 * n; i++) expect(Math.abs(values[i >> 1]! - oracle[i]!)).toBeLessThan(1e-13 * n);
  }
});

test("rows of b of very different size cost no accuracy", () => {
  const d = fromDiagonal([1e75, 1e-75, 1, 1e20]);
  const a = hermitianPart(lehmer(4, 4, 5));
  const b = positiveDefinite(4, 3);
  const plain = eigHermitianGeneralized(a, b).values;
  const scaled = eigHermitianGeneralized(
    hermitianPart(multiply(multiply(d, a), d)),
    hermitianPart(multiply(multiply(d, b), d)),
  );
  const size = Math.max(Math.abs(plain[0]!), Math.abs(plain[3]!));
  scaled.values.forEach((x, i) => {
    expect(Math.abs(x - plain[i]!)).toBeLessThan(1e-9 * size);
  });
  const wide = eigHermitianGeneralized(identity(2), fromDiagonal([1e-150, 1e150])).values;
  expect(wide[0]! * 1e150).toBeCloseTo(1, 14);
  expect(wide[1]! * 1e-150).toBeCloseTo(1, 14);
});

test("refuses what is not Hermitian, not definite or not of one size, by name", () => {
  const good = identity(2);
  expect(() => eigHermitianGeneralized(lehmer(2, 2, 1), good)).toThrow(/^a: .*Hermitian/);
  expect(() => eigHermitianGeneralized(good, lehmer(2, 2, 1))).toThrow(/^b: .*Hermitian/);
  expect(() => eigHermitianGeneralized(good, fromDiagonal([1, -1]))).toThrow(/^b: .*positive definite/);
  expect(() => eigHermitianGeneralized(good, fromDiagonal([1, 0]))).toThrow(/^b: .*positive definite/);
  expect(() =>
    eigHermitianGeneralized(
      good,
      fromComplex([
        [1, 2],
        [2, 1],
      ]),
    ),
  ).toThrow(/^b: .*positive definite/);
  expect(() => eigHermitianGeneralized(good, identity(3))).toThrow(
    /^b: found a 3 x 3 matrix, expected 2 rows/,
  );
  expect(() => eigHermitianGeneralized(zeros(2, 3), good)).toThrow(/^a: .*square/);
  expect(() => eigHermitianGeneralized(scale(good, 1e200), scale(good, 1e-200))).toThrow(InputError);
});
