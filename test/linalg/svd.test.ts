import fc from "fast-check";
import { SingularValueDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import {
  conjugateTranspose,
  frobeniusNorm,
  fromComplex,
  multiply,
  multiplyConjugateRight,
  pseudoInverse,
  qr,
  realEmbedding,
  scale,
  svd,
  svdValues,
  zeros,
} from "../../src/linalg/index.ts";
import {
  anyMatrix,
  diagonal,
  lehmer,
  orthonormality,
  RUNS,
  relativeError,
  structured,
  unitary,
} from "./support.ts";

describe("svd", () => {
  test("a = u diag(s) v^H with orthonormal u, v and descending s >= 0: any shape, rank and scale", () => {
    fc.assert(
      fc.property(anyMatrix, (a) => {
        const bar = 1e-13 * Math.max(1, a.rows, a.cols);
        const k = Math.min(a.rows, a.cols);
        const before = a.data.slice();
        const { u, s, v } = svd(a);
        expect([u.rows, u.cols, s.length, v.rows, v.cols]).toEqual([a.rows, k, k, a.cols, k]);
        expect(a.data).toEqual(before);
        expect(orthonormality(u)).toBeLessThan(bar);
        expect(orthonormality(v)).toBeLessThan(bar);
        expect(relativeError(multiplyConjugateRight(multiply(u, diagonal(s)), v), a)).toBeLessThan(bar);
        for (let i = 0; i < k; i++) {
          expect(s[i]).toBeGreaterThanOrEqual(0);
          if (i > 0) expect(s[i]).toBeLessThanOrEqual(s[i - 1]!);
        }
      }),
      RUNS,
    );
  });

  test("full: square unitary u and v with the thin factors in front", () => {
    fc.assert(
      fc.property(anyMatrix, (a) => {
        const bar = 1e-13 * Math.max(1, a.rows, a.cols);
        const { u, v, s } = svd(a, { full: true });
        expect([u.rows, u.cols, v.rows, v.cols]).toEqual([a.rows, a.rows, a.cols, a.cols]);
        expect(orthonormality(u)).toBeLessThan(bar);
        expect(orthonormality(v)).toBeLessThan(bar);
        const middle = zeros(a.rows, a.cols);
        for (let i = 0; i < s.length; i++) middle.data[2 * i * (a.cols + 1)] = s[i]!;
        expect(relativeError(multiplyConjugateRight(multiply(u, middle), v), a)).toBeLessThan(bar);
      }),
      { ...RUNS, numRuns: 60 },
    );
  });

  test("agrees with ml-matrix on the real embedding, where every singular value appears twice", () => {
    for (const [rows, cols] of [
      [1, 1],
      [5, 3],
      [8, 8],
      [20, 20],
      [33, 12],
    ] as const) {
      const a = structured(rows, cols, "gaussian", 0, rows);
      const oracle = new SingularValueDecomposition(realEmbedding(a)).diagonal;
      const { s } = svd(a);
      for (let i = 0; i < s.length; i++) {
        expect(Math.abs(s[i]! - oracle[2 * i]!)).toBeLessThan(1e-13 * rows * s[0]!);
        expect(Math.abs(s[i]! - oracle[2 * i + 1]!)).toBeLessThan(1e-13 * rows * s[0]!);
      }
    }
  });

  test("singular values keep their relative accuracy when the columns are badly scaled", () => {
    // A = Q D with Q unitary and D diagonal: the singular values are D exactly.
    const d = [1e20, 1, 1e-20, 1e-60, 1e-100];
    const a = multiply(unitary(5, 3), diagonal(d));
    for (const m of [a, conjugateTranspose(a)]) {
      const { s } = svd(m);
      for (let i = 0; i < d.length; i++) expect(Math.abs(s[i]! / d[i]! - 1)).toBeLessThan(1e-14);
    }
  });

  test("the product of the singular values is |det a| to 1e-13 when the columns of a differ by 1e30", () => {
    const b = lehmer(7, 7, 11);
    const { r } = qr(b);
    const decades = [-30, 0, -10, -20, -5, -15, -25];
    const scaled = multiply(b, diagonal(decades.map((x) => 10 ** x)));
    for (const m of [scaled, conjugateTranspose(scaled)]) {
      let ratio = 1;
      svd(m).s.forEach((x, i) => {
        ratio *= x / (r.data[16 * i]! * 10 ** decades[i]!);
      });
      expect(Math.abs(ratio - 1)).toBeLessThan(1e-13);
    }
  });

  test("exactly zero singular values", () => {
    const rows = zeros(3, 4);
    rows.data.set([1, 2, 3, -1, 1, 0, 0.5, 1]);
    const tall = fromComplex([
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
    for (const m of [
      rows,
      conjugateTranspose(rows),
      fromComplex([
        [1, 1],
        [0, 0],
      ]),
      tall,
      conjugateTranspose(tall),
    ]) {
      const { u, s, v } = svd(m);
      expect(s[1]).toBe(0);
      expect(orthonormality(u)).toBeLessThan(1e-14);
      expect(orthonormality(v)).toBeLessThan(1e-14);
      expect(relativeError(multiplyConjugateRight(multiply(u, diagonal(s)), v), m)).toBeLessThan(1e-14);
    }
  });

  test("entries from 1e-150 to 1e150 in one matrix, and the ends of the number range", () => {
    const { s, u, v } = svd(diagonal([1e-150, 1e150, 1]));
    expect(Array.from(s, (x) => x.toPrecision(14))).toEqual([1e150, 1, 1e-150].map((x) => x.toPrecision(14)));
    expect(orthonormality(u)).toBeLessThan(1e-14);
    expect(orthonormality(v)).toBeLessThan(1e-14);
    expect(svd(diagonal([5e-324])).s[0]).toBe(5e-324);
    expect(svd(diagonal([1.7e308])).s[0]).toBe(1.7e308);
  });

  test("repeated singular values, larger sizes, rank one", () => {
    for (const [rows, cols, kind] of [
      [30, 30, "unitary"],
      [48, 48, "gaussian"],
      [48, 20, "low rank"],
      [20, 48, "graded"],
    ] as const) {
      const a = structured(rows, cols, kind, 0, 9);
      const { u, s, v } = svd(a);
      expect(orthonormality(u)).toBeLessThan(1e-13 * rows);
      expect(orthonormality(v)).toBeLessThan(1e-13 * rows);
      expect(relativeError(multiplyConjugateRight(multiply(u, diagonal(s)), v), a)).toBeLessThan(
        1e-13 * rows,
      );
    }
    const x = lehmer(7, 1, 2);
    const y = lehmer(4, 1, 3);
    const { s } = svd(multiplyConjugateRight(x, y));
    expect(Math.abs(s[0]! / (frobeniusNorm(x) * frobeniusNorm(y)) - 1)).toBeLessThan(1e-14);
    expect(s[1]).toBeLessThan(1e-15);
  });
});

test("svdValues: the values of svd to the last bit, any shape, rank and scale", () => {
  fc.assert(
    fc.property(anyMatrix, (a) => {
      const before = a.data.slice();
      expect(svdValues(a)).toEqual(svd(a).s);
      expect(a.data).toEqual(before);
    }),
    RUNS,
  );
  for (const n of [40, 65]) {
    const a = structured(n, n - 7, "gaussian", 0, n);
    expect(svdValues(a)).toEqual(svd(a).s);
  }
});

describe("pseudoInverse", () => {
  test("the four Penrose conditions: any shape, rank and scale", () => {
    fc.assert(
      fc.property(anyMatrix, (a) => {
        const { s } = svd(a);
        // The conditions hold up to the condition number of the part that is inverted.
        const kept = s.filter((x) => x > Math.max(a.rows, a.cols) * 2 ** -52 * (s[0] ?? 0));
        const condition = kept.length === 0 ? 1 : kept[0]! / kept[kept.length - 1]!;
        fc.pre(condition < 1e6);
        const p = pseudoInverse(a);
        expect([p.rows, p.cols]).toEqual([a.cols, a.rows]);
        const bar = 1e-13 * Math.max(1, a.rows, a.cols) * condition;
        const ap = multiply(a, p);
        const pa = multiply(p, a);
        expect(relativeError(multiply(ap, a), a)).toBeLessThan(bar);
        expect(relativeError(multiply(pa, p), p)).toBeLessThan(bar);
        expect(relativeError(conjugateTranspose(ap), ap)).toBeLessThan(bar);
        expect(relativeError(conjugateTranspose(pa), pa)).toBeLessThan(bar);
      }),
      RUNS,
    );
  });

  test("a tolerance drops small singular values", () => {
    const a = diagonal([2, 1e-3]);
    expect(pseudoInverse(a, 1e-2)).toEqual(scale(diagonal([0.5, 0]), 1));
  });
});
