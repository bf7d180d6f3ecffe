import fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "../../src/core/index.ts";
import {
  conjugateTranspose,
  eigHermitian,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  polar,
  sqrtmHermitian,
} from "../../src/linalg/index.ts";
import {
  anyMatrix,
  diagonal,
  hermitianPart,
  lehmer,
  orthonormality,
  RUNS,
  relativeError,
} from "./support.ts";

test("polar: a = unitary positive, for any shape, rank and scale", () => {
  fc.assert(
    fc.property(anyMatrix, (a) => {
      const bar = 1e-13 * Math.max(1, a.rows, a.cols);
      const { unitary, positive } = polar(a);
      expect([unitary.rows, unitary.cols, positive.rows, positive.cols]).toEqual([
        a.rows,
        a.cols,
        a.cols,
        a.cols,
      ]);
      expect(orthonormality(a.rows >= a.cols ? unitary : conjugateTranspose(unitary))).toBeLessThan(bar);
      expect(relativeError(multiply(unitary, positive), a)).toBeLessThan(bar);
      const { values } = eigHermitian(positive);
      if (a.cols > 0) expect(values[0]!).toBeGreaterThanOrEqual(-bar * Math.abs(values[a.cols - 1]!));
    }),
    RUNS,
  );
});

test("sqrtmHermitian: the positive root, for any rank and scale", () => {
  fc.assert(
    fc.property(anyMatrix, (m) => {
      // The largest entry squared must not overflow.
      fc.pre(m.data.every((x) => Math.abs(x) < 1e100) && m.data.some((x) => Math.abs(x) > 1e-100));
      const a = hermitianPart(multiplyConjugateLeft(m, m));
      const root = sqrtmHermitian(a);
      expect(relativeError(multiply(root, root), a)).toBeLessThan(1e-13 * Math.max(1, a.rows));
      expect(conjugateTranspose(root).data.map(Math.abs)).toEqual(root.data.map(Math.abs));
      const { values } = eigHermitian(root);
      expect(values[0]!).toBeGreaterThanOrEqual(-1e-13 * a.rows * values[a.rows - 1]!);
    }),
    RUNS,
  );
});

test("sqrtmHermitian refuses a negative eigenvalue", () => {
  expect(() => sqrtmHermitian(diagonal([1, -1e-3]))).toThrow(InputError);
  const v = lehmer(6, 2, 3);
  expect(() => sqrtmHermitian(hermitianPart(multiplyConjugateRight(v, v)))).not.toThrow();
});
