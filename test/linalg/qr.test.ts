import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ComplexMatrix,
  frobeniusNorm,
  multiply,
  multiplyConjugateRight,
  qr,
  rank,
  svdValues,
  zeros,
} from "../../src/linalg/index.ts";
import { anyMatrix, lehmer, orthonormality, RUNS, relativeError, structured } from "./support.ts";

test("a = q r, q has orthonormal columns, r is upper triangular with a real diagonal >= 0: any shape and rank", () => {
  fc.assert(
    fc.property(anyMatrix, (a) => {
      const bar = 1e-13 * Math.max(1, a.rows, a.cols);
      const k = Math.min(a.rows, a.cols);
      const before = a.data.slice();
      const { q, r } = qr(a);
      expect([q.rows, q.cols, r.rows, r.cols]).toEqual([a.rows, k, k, a.cols]);
      expect(a.data).toEqual(before);
      expect(orthonormality(q)).toBeLessThan(bar);
      expect(relativeError(multiply(q, r), a)).toBeLessThan(bar);
      for (let i = 0; i < k; i++) {
        expect(r.data[2 * (i * a.cols + i)]).toBeGreaterThanOrEqual(0);
        expect(r.data[2 * (i * a.cols + i) + 1]).toBe(0);
        for (let j = 0; j < 2 * i; j++) expect(r.data[2 * i * a.cols + j]).toBe(0);
      }
    }),
    RUNS,
  );
});

test("columns whose squares underflow still give orthonormal q", () => {
  for (const tiny of [1e-150, 1e-158, 1e-162, 1e-200, 1e-300]) {
    const a = lehmer(6, 4, 3);
    for (let i = 0; i < 6; i++)
      for (const j of [1, 2]) for (const part of [0, 1]) a.data[2 * (4 * i + j) + part]! *= tiny;
    const { q, r } = qr(a);
    expect(orthonormality(q)).toBeLessThan(1e-13);
    expect(relativeError(multiply(q, r), a)).toBeLessThan(1e-13);
  }
});

test("larger sizes", () => {
  for (const [rows, cols] of [
    [40, 40],
    [65, 17],
    [17, 65],
  ] as const) {
    const a = structured(rows, cols, "gaussian", 0, 5);
    const { q, r } = qr(a);
    expect(orthonormality(q)).toBeLessThan(1e-13 * rows);
    expect(relativeError(multiply(q, r), a)).toBeLessThan(1e-13);
    expect(frobeniusNorm(r)).toBeCloseTo(frobeniusNorm(a), 10);
  }
});

/** Columns in the given order. */
function permuted(a: ComplexMatrix, permutation: Int32Array): ComplexMatrix {
  const out = zeros(a.rows, a.cols);
  for (let i = 0; i < a.rows; i++) {
    permutation.forEach((from, to) => {
      out.data[2 * (i * a.cols + to)] = a.data[2 * (i * a.cols + from)]!;
      out.data[2 * (i * a.cols + to) + 1] = a.data[2 * (i * a.cols + from) + 1]!;
    });
  }
  return out;
}

test("full: square unitary q, r of the shape of a, the thin factors in front", () => {
  fc.assert(
    fc.property(anyMatrix, (a) => {
      const bar = 1e-13 * Math.max(1, a.rows, a.cols);
      const { q, r } = qr(a, { full: true });
      expect([q.rows, q.cols, r.rows, r.cols]).toEqual([a.rows, a.rows, a.rows, a.cols]);
      expect(orthonormality(q)).toBeLessThan(bar);
      expect(relativeError(multiply(q, r), a)).toBeLessThan(bar);
      const thin = qr(a);
      expect(r.data.slice(0, thin.r.data.length)).toEqual(thin.r.data);
      expect(r.data.slice(thin.r.data.length).every((x) => x === 0)).toBe(true);
      for (let i = 0; i < a.rows; i++) {
        for (let p = 0; p < 2 * thin.q.cols; p++) {
          expect(Math.abs(q.data[2 * i * a.rows + p]! - thin.q.data[2 * i * thin.q.cols + p]!)).toBeLessThan(
            bar,
          );
        }
      }
    }),
    RUNS,
  );
});

test("pivot: a P = q r with a diagonal that does not increase, thin and full, any shape, rank and scale", () => {
  fc.assert(
    fc.property(anyMatrix, fc.boolean(), (a, full) => {
      const bar = 1e-13 * Math.max(1, a.rows, a.cols);
      const before = a.data.slice();
      const { q, r, permutation } = qr(a, { pivot: true, full });
      const k = full ? a.rows : Math.min(a.rows, a.cols);
      expect(a.data).toEqual(before);
      expect([q.rows, q.cols, r.rows, r.cols]).toEqual([a.rows, k, k, a.cols]);
      expect(Array.from(permutation).sort((x, y) => x - y)).toEqual(
        Array.from({ length: a.cols }, (_, j) => j),
      );
      expect(orthonormality(q)).toBeLessThan(bar);
      expect(relativeError(multiply(q, r), permuted(a, permutation))).toBeLessThan(bar);
      const size = frobeniusNorm(a);
      for (let i = 0; i < Math.min(a.rows, a.cols); i++) {
        const pivot = r.data[2 * (i * a.cols + i)]!;
        expect(r.data[2 * (i * a.cols + i) + 1]).toBe(0);
        expect(pivot).toBeGreaterThanOrEqual(0);
        // Every later column is at most as long from row i on.
        for (let j = i + 1; j < a.cols; j++) {
          let tail = 0;
          for (let l = i; l <= Math.min(j, k - 1); l++) {
            const p = 2 * (l * a.cols + j);
            tail = Math.hypot(tail, r.data[p]!, r.data[p + 1]!);
          }
          expect(tail).toBeLessThanOrEqual(pivot * (1 + bar) + 1e-15 * size);
        }
      }
    }),
    RUNS,
  );
});

test("pivot: the diagonal of r shows the rank, and bounds the singular values", () => {
  const a = multiplyConjugateRight(lehmer(9, 3, 1), lehmer(7, 3, 2));
  const { r } = qr(a, { pivot: true });
  const pivots = Array.from({ length: 7 }, (_, i) => r.data[16 * i]!);
  expect(pivots.filter((x) => x > 1e-13 * pivots[0]!).length).toBe(3);
  expect(rank(a)).toBe(3);
  const s = svdValues(a);
  expect(s[0]!).toBeLessThanOrEqual(Math.sqrt(7) * pivots[0]!);
  expect(s[0]!).toBeGreaterThanOrEqual(pivots[0]!);
  expect(() => qr(a, { pivoted: true } as object)).toThrow(/^options\.pivoted: /);
});
