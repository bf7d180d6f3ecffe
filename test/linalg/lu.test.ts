import { Complex } from "complex.js";
import fc from "fast-check";
import { determinant as oracleDeterminant } from "ml-matrix";
import numeric from "numeric";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/core/index.ts";
import {
  type ComplexMatrix,
  determinant,
  fromComplex,
  fromDiagonal,
  identity,
  logDet,
  logDetLu,
  lu,
  multiply,
  multiplyConjugateRight,
  realEmbedding,
  scale,
  svdValues,
  zeros,
} from "../../src/linalg/index.ts";
import { anyMatrix, lehmer, positiveDefinite, RUNS, relativeError, structured, unitary } from "./support.ts";

const i = new Complex(0, 1);

/** Rows in the given order. */
function permuted(a: ComplexMatrix, permutation: Int32Array): ComplexMatrix {
  const out = zeros(a.rows, a.cols);
  permutation.forEach((from, to) => {
    out.data.set(a.data.subarray(2 * from * a.cols, 2 * (from + 1) * a.cols), 2 * to * a.cols);
  });
  return out;
}

function distance(z: Complex, re: number, im: number): number {
  return Math.hypot(z.re - re, z.im - im);
}

test("lu: P a = l u, unit lower and upper trapezoidal, multipliers bounded: any shape, rank and scale", () => {
  fc.assert(
    fc.property(anyMatrix, (a) => {
      const k = Math.min(a.rows, a.cols);
      const before = a.data.slice();
      const { l, u, permutation } = lu(a);
      expect(a.data).toEqual(before);
      expect([l.rows, l.cols, u.rows, u.cols, permutation.length]).toEqual([a.rows, k, k, a.cols, a.rows]);
      expect(Array.from(permutation).sort((x, y) => x - y)).toEqual(
        Array.from({ length: a.rows }, (_, r) => r),
      );
      expect(relativeError(multiply(l, u), permuted(a, permutation))).toBeLessThan(
        1e-13 * Math.max(1, a.rows, a.cols),
      );
      for (let r = 0; r < a.rows; r++) {
        for (let c = 0; c < k; c++) {
          const size = Math.hypot(l.data[2 * (r * k + c)]!, l.data[2 * (r * k + c) + 1]!);
          if (c < r) expect(size).toBeLessThanOrEqual(Math.SQRT2 * (1 + 1e-15));
          else expect(size).toBe(c === r ? 1 : 0);
        }
      }
      for (let r = 0; r < k; r++) {
        for (let p = 2 * r * a.cols; p < 2 * (r * a.cols + r); p++) expect(u.data[p]).toBe(0);
      }
    }),
    RUNS,
  );
});

test("lu: pivots too small to square, larger sizes", () => {
  const tiny = fromComplex([
    [1, 0, 0],
    [0, 1e-200, 1e-200],
    [0, 1e-200, 3e-200],
  ]);
  expect(multiply(lu(tiny).l, lu(tiny).u)).toEqual(tiny);
  for (const m of [
    structured(60, 60, "gaussian", 0, 1),
    structured(70, 30, "gaussian", 0, 2),
    structured(30, 70, "low rank", 0, 3),
  ]) {
    const { l, u, permutation } = lu(m);
    expect(relativeError(multiply(l, u), permuted(m, permutation))).toBeLessThan(1e-14);
  }
});

describe("determinant and logDetLu", () => {
  test("closed forms", () => {
    expect(determinant(zeros(0, 0))).toMatchObject({ re: 1, im: 0 });
    expect(logDetLu(zeros(0, 0))).toMatchObject({ phase: { re: 1, im: 0 }, logModulus: 0 });
    expect(determinant(fromComplex([[new Complex(3, -4)]]))).toMatchObject({ re: 3, im: -4 });
    expect(determinant(fromDiagonal([i, 2, new Complex(0, 3)]))).toMatchObject({ re: -6, im: 0 });
    // an odd permutation
    expect(
      determinant(
        fromComplex([
          [0, 1],
          [1, 0],
        ]),
      ).re,
    ).toBe(-1);
    expect(
      determinant(
        fromComplex([
          [0, 1, 0],
          [0, 0, 1],
          [1, 0, 0],
        ]),
      ).re,
    ).toBe(1);
    // Vandermonde
    const x = [new Complex(1, 1), new Complex(-0.5, 0.2), new Complex(2, 0), new Complex(0, -1)];
    const rows = x.map((z) => [new Complex(1, 0), z, z.mul(z), z.mul(z).mul(z)]);
    let expected = new Complex(1, 0);
    for (let r = 0; r < 4; r++) for (let c = r + 1; c < 4; c++) expected = expected.mul(x[c]!.sub(x[r]!));
    expect(determinant(fromComplex(rows)).sub(expected).abs()).toBeLessThan(1e-14 * expected.abs());
  });

  test("singular matrices", () => {
    for (const m of [
      zeros(3, 3),
      fromDiagonal([1, 0, 2]),
      fromComplex([
        [1, 2],
        [2, 4],
      ]),
    ]) {
      expect(determinant(m)).toMatchObject({ re: 0, im: 0 });
      expect(logDetLu(m)).toMatchObject({ phase: { re: 0, im: 0 }, logModulus: Number.NEGATIVE_INFINITY });
    }
    // Only rounding is left of it.
    expect(determinant(structured(6, 6, "low rank", 0, 4)).abs()).toBeLessThan(1e-13);
  });

  test("the squared modulus is the determinant of the real embedding (ml-matrix, numeric)", () => {
    for (const n of [1, 2, 3, 7, 16]) {
      const a = structured(n, n, "gaussian", 0, n);
      const embedded = realEmbedding(a);
      const squared = determinant(a).abs() ** 2;
      const condition = svdValues(a)[0]! / svdValues(a)[n - 1]!;
      for (const oracle of [oracleDeterminant(embedded), numeric.det(embedded.to2DArray())]) {
        expect(Math.abs(oracle / squared - 1)).toBeLessThan(1e-14 * n * condition);
      }
    }
  });

  test("a product of matrices, and e^logModulus times the phase, at every scale", () => {
    const sizes = fc.record({
      n: fc.nat(8),
      decade: fc.constantFrom(0, 0, 3, -30, -150, 150),
      seed: fc.nat(1e6),
    });
    fc.assert(
      fc.property(sizes, ({ n, decade, seed }) => {
        const a = structured(n, n, "gaussian", 0, seed);
        const b = structured(n, n, "gaussian", 0, seed + 1);
        const moved = logDetLu(scale(a, 10 ** decade));
        const plain = logDetLu(a);
        expect(Math.abs(moved.logModulus - plain.logModulus - n * decade * Math.LN10)).toBeLessThan(
          1e-13 * (1 + n * Math.abs(decade)),
        );
        expect(distance(moved.phase, plain.phase.re, plain.phase.im)).toBeLessThan(1e-12 * Math.max(1, n));
        const value = determinant(a);
        const size = Math.exp(plain.logModulus);
        expect(distance(value, size * plain.phase.re, size * plain.phase.im)).toBeLessThan(
          1e-14 * Math.max(1, n) * size,
        );
        const s = svdValues(a);
        const t = svdValues(b);
        const condition = n === 0 ? 1 : (s[0]! / s[n - 1]!) * (t[0]! / t[n - 1]!);
        const both = determinant(multiply(a, b));
        const product = value.mul(determinant(b));
        expect(distance(both, product.re, product.im)).toBeLessThan(
          1e-14 * Math.max(1, n) * condition * product.abs(),
        );
      }),
      RUNS,
    );
  });

  test("agrees with the product of the singular values and with logDet", () => {
    for (const n of [1, 4, 9, 33]) {
      const a = lehmer(n, n, 3);
      const sum = svdValues(a).reduce((total, x) => total + Math.log(x), 0);
      expect(Math.abs(logDetLu(a).logModulus - sum)).toBeLessThan(1e-12 * n);
      const p = positiveDefinite(n, n);
      expect(Math.abs(logDetLu(p).logModulus - logDet(p))).toBeLessThan(1e-8);
      expect(distance(logDetLu(p).phase, 1, 0)).toBeLessThan(1e-8);
      expect(logDetLu(unitary(n, 2)).logModulus).toBeLessThan(1e-14 * n);
    }
  });

  test("beyond the range of doubles: determinant refuses, logDetLu does not; below it is zero", () => {
    const large = scale(identity(10), 1e150);
    expect(() => determinant(large)).toThrow(InputError);
    expect(() => determinant(large)).toThrow(/^a: found a determinant of about 10\^1500, expected/);
    expect(logDetLu(large).logModulus / (1500 * Math.LN10)).toBeCloseTo(1, 14);
    expect(determinant(scale(identity(10), 1e-150)).re).toBe(0);
    expect(logDetLu(scale(identity(10), 1e-150)).logModulus / (-1500 * Math.LN10)).toBeCloseTo(1, 14);
    expect(determinant(fromDiagonal([1e150, 1e150, 1e-150, 1e-150, 1e150])).re / 1e150).toBeCloseTo(1, 14);
    expect(determinant(fromDiagonal([1e154, 1e154])).re / 1e308).toBeCloseTo(1, 13);
    expect(determinant(fromDiagonal([1e-160, 1e-160])).re / 1e-320).toBeCloseTo(1, 3);
    // Rows and columns of very different size.
    const g = lehmer(4, 4, 2);
    const d = fromDiagonal([1e150, 1e-150, 1e-100, 1e100]);
    const plain = determinant(g);
    for (const m of [multiply(d, g), multiply(g, d)]) {
      expect(distance(determinant(m), plain.re, plain.im)).toBeLessThan(1e-13 * plain.abs());
    }
    expect(() => determinant(zeros(2, 3))).toThrow(/square/);
    const p = multiplyConjugateRight(g, g);
    expect(Math.abs(determinant(p).re / plain.abs() ** 2 - 1)).toBeLessThan(1e-12);
  });
});
