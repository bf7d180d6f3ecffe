import fc from "fast-check";
import { EigenvalueDecomposition } from "ml-matrix";
import numeric from "numeric";
import { expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import {
  eigHermitian,
  multiply,
  multiplyConjugateRight,
  randomMatrix,
  realEmbedding,
} from "../../src/linalg/index.ts";
import {
  anyHermitian,
  diagonal,
  hermitianPart,
  lehmer,
  orthonormality,
  RUNS,
  relativeError,
  unitary,
} from "./support.ts";

test("a = V diag(values) V^H with unitary V and ascending values: any rank, multiplicity and scale", () => {
  fc.assert(
    fc.property(anyHermitian, (a) => {
      const n = a.rows;
      const bar = 1e-13 * Math.max(1, n);
      const before = a.data.slice();
      const { values, vectors } = eigHermitian(a);
      expect([values.length, vectors.rows, vectors.cols]).toEqual([n, n, n]);
      expect(a.data).toEqual(before);
      expect(orthonormality(vectors)).toBeLessThan(bar);
      expect(
        relativeError(multiplyConjugateRight(multiply(vectors, diagonal(values)), vectors), a),
      ).toBeLessThan(bar);
      for (let i = 1; i < n; i++) expect(values[i]).toBeGreaterThanOrEqual(values[i - 1]!);
    }),
    RUNS,
  );
});

test("agrees with ml-matrix on the real embedding, where every eigenvalue appears twice", () => {
  for (const n of [1, 2, 3, 8, 17, 32]) {
    const a = hermitianPart(randomMatrix(n, n, randomStream(n)));
    const oracle = new EigenvalueDecomposition(realEmbedding(a), { assumeSymmetric: true }).realEigenvalues;
    oracle.sort((x, y) => x - y);
    const { values } = eigHermitian(a);
    const size = Math.max(Math.abs(values[0]!), Math.abs(values[n - 1]!));
    for (let i = 0; i < 2 * n; i++) {
      expect(Math.abs(values[i >> 1]! - oracle[i]!)).toBeLessThan(1e-13 * n * size);
    }
  }
});

test("agrees with numeric.js on real symmetric matrices", () => {
  const a = hermitianPart(lehmer(9, 9, 4, true));
  const rows = Array.from({ length: 9 }, (_, i) =>
    Array.from({ length: 9 }, (_, j) => a.data[2 * (9 * i + j)]!),
  );
  const oracle = (numeric.eig(rows).lambda.x as number[]).slice().sort((x, y) => x - y);
  const { values } = eigHermitian(a);
  for (let i = 0; i < 9; i++) expect(Math.abs(values[i]! - oracle[i]!)).toBeLessThan(1e-12);
});

test("a projector of rank 2 has four orthonormal eigenvectors", () => {
  const q = unitary(4, 8);
  const projector = hermitianPart(multiplyConjugateRight(multiply(q, diagonal([1, 1, 0, 0])), q));
  const { values, vectors } = eigHermitian(projector);
  [0, 0, 1, 1].forEach((x, i) => {
    expect(Math.abs(values[i]! - x)).toBeLessThan(1e-14);
  });
  expect(orthonormality(vectors)).toBeLessThan(1e-14);
});

test("larger sizes, and a Wilkinson matrix (pairs of nearly equal eigenvalues)", () => {
  const wilkinson = diagonal(Array.from({ length: 41 }, (_, i) => Math.abs(i - 20)));
  for (let i = 0; i < 40; i++) {
    wilkinson.data[2 * (41 * i + i + 1)] = 1;
    wilkinson.data[2 * (41 * (i + 1) + i)] = 1;
  }
  for (const a of [wilkinson, hermitianPart(lehmer(64, 64, 2)), hermitianPart(lehmer(129, 129, 2))]) {
    const { values, vectors } = eigHermitian(a);
    const bar = 1e-14 * a.rows;
    expect(orthonormality(vectors)).toBeLessThan(bar);
    expect(
      relativeError(multiplyConjugateRight(multiply(vectors, diagonal(values)), vectors), a),
    ).toBeLessThan(bar);
  }
});

test("the tridiagonal entries may be too small to square", () => {
  for (const tiny of [1e-30, 1e-160, 1e-200, 1e-310]) {
    const a = diagonal([1, 0, 0, 0]);
    for (const [i, j] of [
      [1, 2],
      [2, 3],
      [0, 3],
    ] as const) {
      a.data[2 * (4 * i + j) + 1] = tiny;
      a.data[2 * (4 * j + i) + 1] = -tiny;
    }
    const { values, vectors } = eigHermitian(a);
    expect(values[3]).toBeCloseTo(1, 12);
    expect(orthonormality(vectors)).toBeLessThan(1e-14);
  }
});
