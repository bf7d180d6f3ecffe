import fc from "fast-check";
import { EigenvalueDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/core/index.ts";
import {
  conjugateTranspose,
  eigHermitian,
  expmHermitian,
  fromComplex,
  fromDiagonal,
  identity,
  inverse,
  inverseSqrtmHermitian,
  logmHermitian,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  polar,
  realEmbedding,
  scale,
  sqrtmHermitian,
  zeros,
} from "../../src/linalg/index.ts";
import {
  anyHermitian,
  anyMatrix,
  diagonal,
  hermitianPart,
  lehmer,
  orthonormality,
  positiveDefinite,
  RUNS,
  unitary as randomUnitary,
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

const definite = fc.record({
  n: fc.nat(10),
  seed: fc.nat(1e6),
  decade: fc.constantFrom(0, 0, 3, -4, 140, -140),
});
/** Condition number of positiveDefinite(n, ...) at most. */
const CONDITION = 1e6;

describe("functions of Hermitian matrices", () => {
  test("inverseSqrtmHermitian: r a r = I, the inverse of the root, at every scale", () => {
    fc.assert(
      fc.property(definite, ({ n, seed, decade }) => {
        const a = positiveDefinite(n, seed, decade);
        const r = inverseSqrtmHermitian(a);
        const bar = 1e-13 * Math.max(1, n);
        expect(relativeError(multiply(multiply(r, a), r), identity(n))).toBeLessThan(bar * CONDITION);
        expect(relativeError(multiply(r, sqrtmHermitian(a)), identity(n))).toBeLessThan(bar * CONDITION);
        expect(relativeError(multiply(r, r), inverse(a))).toBeLessThan(bar * CONDITION);
        expect(hermitianPart(r).data.map(Math.abs)).toEqual(r.data.map(Math.abs));
      }),
      RUNS,
    );
  });

  test("exp(log a) = a, at every scale", () => {
    fc.assert(
      fc.property(definite, ({ n, seed, decade }) => {
        const a = positiveDefinite(n, seed, decade);
        const back = expmHermitian(logmHermitian(a));
        expect(relativeError(back, a)).toBeLessThan(
          1e-13 * Math.max(1, n) * (1 + Math.abs(decade) * Math.LN10),
        );
      }),
      RUNS,
    );
  });

  test("log(exp h) = h, times the condition number of exp h", () => {
    fc.assert(
      fc.property(anyHermitian, (a) => {
        const n = a.rows;
        const { values } = eigHermitian(a);
        fc.pre(n === 0 || Math.max(-values[0]!, values[n - 1]!) < 15);
        fc.pre(n === 0 || Math.max(-values[0]!, values[n - 1]!) > 1e-3);
        const condition = n === 0 ? 1 : Math.exp(values[n - 1]! - values[0]!);
        const e = expmHermitian(a);
        const size = n === 0 ? 1 : Math.max(-values[0]!, values[n - 1]!);
        const bar = (1e-13 * Math.max(1, n) * condition) / Math.min(1, size);
        expect(relativeError(logmHermitian(e), a)).toBeLessThan(bar);
      }),
      RUNS,
    );
  });

  test("by known eigenvalues, repeated ones included", () => {
    const q = randomUnitary(5, 3);
    const of = (values: number[]) =>
      hermitianPart(multiplyConjugateRight(multiply(q, fromDiagonal(values)), q));
    const values = [1, 2, 2, 2, 5];
    const a = of(values);
    expect(relativeError(logmHermitian(a), of(values.map(Math.log)))).toBeLessThan(1e-14);
    expect(relativeError(expmHermitian(a), of(values.map(Math.exp)))).toBeLessThan(1e-14);
    expect(relativeError(sqrtmHermitian(a), of(values.map(Math.sqrt)))).toBeLessThan(1e-14);
    expect(relativeError(inverseSqrtmHermitian(a), of(values.map((x) => x ** -0.5)))).toBeLessThan(1e-14);
    expect(relativeError(logmHermitian(identity(4)), zeros(4, 4))).toBeLessThan(1e-15);
    expect(relativeError(expmHermitian(zeros(4, 4)), identity(4))).toBe(0);
    for (const f of [logmHermitian, expmHermitian, sqrtmHermitian, inverseSqrtmHermitian]) {
      expect(f(zeros(0, 0))).toEqual(zeros(0, 0));
    }
    expect(logmHermitian(fromComplex([[Math.E]])).data[0]).toBeCloseTo(1, 15);
  });

  test("agree with ml-matrix on the real embedding", () => {
    for (const n of [1, 3, 8]) {
      const a = positiveDefinite(n, n + 1);
      const oracle = new EigenvalueDecomposition(realEmbedding(a), { assumeSymmetric: true });
      const v = oracle.eigenvectorMatrix;
      for (const [ours, f, bar] of [
        [logmHermitian, Math.log, 1e-13 * n * CONDITION],
        [expmHermitian, Math.exp, 1e-13 * n],
        [sqrtmHermitian, Math.sqrt, 1e-13 * n * Math.sqrt(CONDITION)],
      ] as const) {
        const d = v.clone();
        oracle.realEigenvalues.forEach((x, j) => {
          d.mulColumn(j, f(x));
        });
        const expected = d.mmul(v.transpose());
        const actual = realEmbedding(ours(a));
        expect(actual.sub(expected).norm("frobenius")).toBeLessThan(bar * expected.norm("frobenius"));
      }
    }
  });

  test("matrices that are not definite are refused, and exponentials out of range", () => {
    for (const f of [logmHermitian, inverseSqrtmHermitian]) {
      expect(() => f(diagonal([1, 0]))).toThrow(/^a: found the eigenvalue 0, expected a positive definite/);
      expect(() => f(diagonal([1, -1]))).toThrow(InputError);
      expect(() => f(lehmer(3, 3, 1))).toThrow(/Hermitian/);
    }
    expect(() => expmHermitian(diagonal([710, 0]))).toThrow(/^a: found the eigenvalue 710/);
    expect(() => expmHermitian(scale(hermitianPart(lehmer(3, 3, 1)), 1e150))).toThrow(InputError);
    expect(expmHermitian(diagonal([-1e150, 0])).data[6]).toBe(1);
  });
});
