import fc from "fast-check";
import { CholeskyDecomposition, solve } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/core/index.ts";
import {
  type ComplexMatrix,
  cholesky,
  choleskySolve,
  fromComplex,
  identity,
  inverse,
  logDet,
  luSolve,
  multiply,
  multiplyConjugateRight,
  realEmbedding,
  scale,
  svd,
  zeros,
} from "../../src/linalg/index.ts";
import { diagonal, lehmer, positiveDefinite, RUNS, relativeError, structured } from "./support.ts";

const systems = fc.record({
  n: fc.nat(12),
  r: fc.nat(4),
  seed: fc.nat(1e6),
  decade: fc.constantFrom(0, 0, -5, 7, -140, 140),
});

/** |a x - b| / (|a| |x|): the backward error, which is small whatever the condition number. */
function backwardError(a: ComplexMatrix, x: ComplexMatrix, b: ComplexMatrix): number {
  const error = relativeError(multiply(a, x), b);
  const condition = svd(a).s;
  return error / (condition.length === 0 ? 1 : condition[0]! / condition[condition.length - 1]!);
}

describe("cholesky", () => {
  test("a = L L^H with L lower triangular and a real positive diagonal: any size and scale", () => {
    fc.assert(
      fc.property(systems, ({ n, seed, decade }) => {
        const a = positiveDefinite(n, seed, decade);
        const before = a.data.slice();
        const l = cholesky(a);
        expect(a.data).toEqual(before);
        expect(relativeError(multiplyConjugateRight(l, l), a)).toBeLessThan(1e-14 * Math.max(1, n));
        for (let i = 0; i < n; i++) {
          expect(l.data[2 * i * (n + 1)]).toBeGreaterThan(0);
          for (let p = 2 * (i * n + i) + 1; p < 2 * (i + 1) * n; p++) expect(l.data[p]).toBe(0);
        }
      }),
      RUNS,
    );
  });

  test("choleskySolve solves, and agrees with ml-matrix on the real embedding", () => {
    fc.assert(
      fc.property(systems, ({ n, r, seed, decade }) => {
        const a = positiveDefinite(n, seed, decade);
        const b = structured(n, r, "gaussian", -decade, seed);
        const x = choleskySolve(a, b);
        expect([x.rows, x.cols]).toEqual([n, r]);
        if (n > 0 && r > 0) expect(backwardError(a, x, b)).toBeLessThan(1e-14 * n);
        if (n === 0 || r === 0 || decade !== 0) return;
        const oracle = new CholeskyDecomposition(realEmbedding(a)).solve(realEmbedding(b));
        const difference = oracle.sub(realEmbedding(x)).norm("frobenius");
        expect(difference).toBeLessThan(1e-8 * realEmbedding(x).norm("frobenius"));
      }),
      RUNS,
    );
  });

  test("logDet at every scale, and of a determinant beyond the number range", () => {
    expect(logDet(diagonal([2, 3, 4]))).toBeCloseTo(Math.log(24), 13);
    expect(logDet(zeros(0, 0))).toBe(0);
    expect(logDet(scale(identity(10), 1e150)) / (1500 * Math.LN10)).toBeCloseTo(1, 13);
    expect(logDet(scale(identity(10), 1e-150)) / (-1500 * Math.LN10)).toBeCloseTo(1, 13);
    const a = positiveDefinite(6, 3);
    const sum = svd(a).s.reduce((total, x) => total + Math.log(x), 0);
    expect(logDet(a)).toBeCloseTo(sum, 8);
  });

  test("refuses what is not Hermitian or not positive definite, by name", () => {
    expect(() => cholesky(lehmer(3, 3, 1))).toThrow(InputError);
    expect(() => cholesky(diagonal([1, -1]))).toThrow(/a: found a pivot that is not positive at row 1/);
    expect(() => cholesky(diagonal([1, 0]))).toThrow(InputError);
    expect(() => cholesky(zeros(2, 3))).toThrow(/square/);
    expect(() => choleskySolve(identity(2), zeros(3, 1))).toThrow(/^b: found a 3 x 1 matrix/);
    const nearly = identity(2);
    nearly.data[2] = 1e-10;
    expect(cholesky(nearly).data[0]).toBe(1);
    nearly.data[2] = 1e-6;
    expect(() => cholesky(nearly)).toThrow(/Hermitian/);
  });
});

describe("luSolve and inverse", () => {
  test("a x = b: any size and scale, several right-hand sides", () => {
    fc.assert(
      fc.property(systems, ({ n, r, seed, decade }) => {
        const a = structured(n, n, "gaussian", decade, seed);
        const b = structured(n, r, "gaussian", -decade, seed + 1);
        const before = [a.data.slice(), b.data.slice()];
        const x = luSolve(a, b);
        expect([a.data, b.data]).toEqual(before);
        expect([x.rows, x.cols]).toEqual([n, r]);
        if (n === 0 || r === 0) return;
        expect(backwardError(a, x, b)).toBeLessThan(1e-13 * n);
        if (decade !== 0) return;
        const oracle = solve(realEmbedding(a), realEmbedding(b));
        const difference = oracle.sub(realEmbedding(x)).norm("frobenius");
        expect(difference).toBeLessThan(1e-9 * realEmbedding(x).norm("frobenius"));
      }),
      RUNS,
    );
  });

  test("rows and columns of very different size are not taken for a singular matrix", () => {
    const d = [1e150, 1e-150, 1, 1e30, 1e-100];
    const g = lehmer(5, 5, 2);
    const y = lehmer(5, 2, 7);
    const rows = luSolve(multiply(diagonal(d), g), multiply(diagonal(d), multiply(g, y)));
    expect(relativeError(rows, y)).toBeLessThan(1e-12);
    const cols = luSolve(multiply(g, diagonal(d)), multiply(g, y));
    expect(relativeError(multiply(diagonal(d), cols), y)).toBeLessThan(1e-12);
    const inverted = inverse(diagonal([1e150, 1e-150]));
    expect(inverted.data[0]! * 1e150).toBeCloseTo(1, 14);
    expect(inverted.data[6]! * 1e-150).toBeCloseTo(1, 14);
  });

  test("rows are exchanged where the leading entry is zero or tiny", () => {
    for (const corner of [0, 1e-20]) {
      const a = fromComplex([
        [corner, 1, 2],
        [1, 1, 0],
        [3, corner, 1],
      ]);
      const x = lehmer(3, 2, 5);
      expect(relativeError(luSolve(a, multiply(a, x)), x)).toBeLessThan(1e-15);
    }
  });

  test("the inverse from both sides", () => {
    const a = lehmer(10, 10, 6);
    expect(relativeError(multiply(inverse(a), a), identity(10))).toBeLessThan(1e-12);
    expect(relativeError(multiply(a, inverse(a)), identity(10))).toBeLessThan(1e-12);
  });

  test("singular matrices are refused", () => {
    const ones = zeros(2, 2);
    ones.data.set([1, 0, 1, 0, 1, 0, 1, 0]);
    for (const a of [
      ones,
      zeros(3, 3),
      structured(6, 6, "low rank", 0, 4),
      structured(6, 6, "low rank", 90, 4),
    ]) {
      expect(() => luSolve(a, identity(a.rows))).toThrow(InputError);
    }
    expect(() => luSolve(identity(2), zeros(3, 3))).toThrow(/^b: /);
    expect(() => inverse(zeros(2, 3))).toThrow(/^a: /);
  });
});
