import fc from "fast-check";
import { expect, test } from "vitest";
import { frobeniusNorm, multiply, qr } from "../../src/linalg/index.ts";
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
