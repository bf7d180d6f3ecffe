import { Complex } from "complex.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError, randomStream } from "../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  conjugateTranspose,
  entry,
  expm,
  expmHermitian,
  frobeniusNorm,
  fromComplex,
  fromDiagonal,
  hermitianPart,
  identity,
  multiply,
  norm,
  randomMatrix,
  realEmbedding,
  scale,
  skewHermitianPart,
  trace,
  zeros,
} from "../../src/linalg/index.ts";
import { exactExpm } from "./exactExpm.ts";
import { lehmer, orthonormality, RUNS, relativeError, structured } from "./support.ts";

const i = new Complex(0, 1);

const anySquare = fc
  .record({
    n: fc.nat(6),
    kind: fc.constantFrom(
      "gaussian",
      "low rank",
      "zero",
      "unitary",
      "small integers",
      "graded",
      "sparse" as const,
    ),
    decade: fc.constantFrom(-9, -3, -1, 0, 0.5, 1),
    seed: fc.nat(2 ** 31),
  })
  .map(({ n, kind, decade, seed }) => structured(n, n, kind, decade, seed));

/** The relative condition number of the exponential at a, from a few finite differences of the oracle. */
function conditionOfExp(a: ComplexMatrix, exact: ComplexMatrix): number {
  let condition = 1;
  const size = frobeniusNorm(a);
  const step = 2 ** -26;
  for (let k = 0; k < 3; k++) {
    const direction = randomMatrix(a.rows, a.rows, randomStream(k));
    const moved = add(a, scale(direction, (step * size) / frobeniusNorm(direction)));
    condition = Math.max(condition, relativeError(exactExpm(moved), exact) / step);
  }
  return condition;
}

describe("expm against what it should be", () => {
  test("Taylor series with 100 digits: any size, structure and norm", () => {
    fc.assert(
      fc.property(anySquare, (a) => {
        const before = a.data.slice();
        const actual = expm(a);
        expect(a.data).toEqual(before);
        expect([actual.rows, actual.cols]).toEqual([a.rows, a.cols]);
        const exact = exactExpm(a);
        const condition = a.rows > 0 && frobeniusNorm(a) > 1 ? conditionOfExp(a, exact) : 1;
        expect(relativeError(actual, exact)).toBeLessThan(1e-14 * Math.max(1, a.rows) * condition);
      }),
      RUNS,
    );
  });

  test("every degree of the approximant is accurate to the last bits where it takes over from the one before", () => {
    const a = lehmer(5, 5, 3);
    const unit = scale(a, 1 / norm(a, "one"));
    for (const size of [1e-8, 0.0149, 0.016, 0.25, 0.26, 0.9, 1, 2, 2.2, 4, 4.5, 5.5, 9, 30]) {
      const m = scale(unit, size);
      expect(relativeError(expm(m), exactExpm(m))).toBeLessThan(2e-15 * Math.max(1, size));
    }
  });

  test("the inverse is the exponential of the negative", () => {
    fc.assert(
      fc.property(anySquare, (a) => {
        const forth = expm(a);
        const back = expm(scale(a, -1));
        const error = relativeError(multiply(forth, back), identity(a.rows));
        const condition = Math.max(1, frobeniusNorm(forth) * frobeniusNorm(back) * frobeniusNorm(a));
        expect(error).toBeLessThan(1e-14 * condition);
      }),
      RUNS,
    );
  });

  test("commuting sums, trace and conjugate transpose", () => {
    fc.assert(
      fc.property(anySquare, (a) => {
        const size = Math.max(1, frobeniusNorm(a));
        const p = scale(a, 0.3);
        const q = add(scale(multiply(a, a), 0.1 / size), scale(a, -0.2));
        const parts = multiply(expm(p), expm(q));
        const bar = 1e-13 * Math.max(1, a.rows) * size * frobeniusNorm(expm(p)) * frobeniusNorm(expm(q));
        expect(relativeError(parts, expm(add(p, q))) * frobeniusNorm(parts)).toBeLessThan(
          Math.max(bar, 1e-15),
        );
        expect(relativeError(expm(conjugateTranspose(p)), conjugateTranspose(expm(p)))).toBeLessThan(
          1e-13 * Math.max(1, a.rows) * size,
        );
      }),
      RUNS,
    );
  });

  test("commutes with the real embedding, and with similarity by a permutation", () => {
    for (const n of [1, 2, 5, 16]) {
      const a = scale(lehmer(n, n, n), 3);
      const embedded = realEmbedding(a);
      const real = fromComplex(embedded.to2DArray());
      expect(relativeError(expm(real), fromComplex(realEmbedding(expm(a)).to2DArray()))).toBeLessThan(
        1e-13 * n,
      );
      const reversal = fromComplex(
        Array.from({ length: n }, (_, r) => Array.from({ length: n }, (_, c) => (r + c === n - 1 ? 1 : 0))),
      );
      const turned = multiply(multiply(reversal, a), reversal);
      expect(relativeError(expm(turned), multiply(multiply(reversal, expm(a)), reversal))).toBeLessThan(
        1e-13 * n,
      );
    }
  });
});

describe("closed forms", () => {
  test("nilpotent matrices: the series ends", () => {
    for (const n of [2, 3, 6, 10]) {
      for (const size of [1e-150, 1e-3, 1, 1e3, 1e15]) {
        const a = zeros(n, n);
        for (let k = 0; k + 1 < n; k++) a.data[2 * (k * n + k + 1)] = size;
        const expected = zeros(n, n);
        let value = 1;
        for (let gap = 0; gap < n; gap++) {
          for (let r = 0; r + gap < n; r++) expected.data[2 * (r * n + r + gap)] = value;
          value *= size / (gap + 1);
        }
        expect(relativeError(expm(a), expected)).toBeLessThan(1e-14 * n);
      }
    }
  });

  test("0 x 0, zero, 1 x 1, diagonal, a rotation", () => {
    expect(expm(zeros(0, 0))).toEqual(zeros(0, 0));
    expect(relativeError(expm(zeros(4, 4)), identity(4))).toBe(0);
    const z = entry(expm(fromComplex([[new Complex(1, 2)]])), 0, 0);
    expect(z.sub(new Complex(1, 2).exp()).abs()).toBeLessThan(1e-15 * Math.E);
    expect(
      relativeError(expm(fromDiagonal([1, -2, i])), fromDiagonal([Math.E, Math.exp(-2), i.exp()])),
    ).toBeLessThan(1e-15);
    for (const t of [0.1, 1, 10, 1e4]) {
      const rotation = fromComplex([
        [Math.cos(t), -Math.sin(t)],
        [Math.sin(t), Math.cos(t)],
      ]);
      expect(
        relativeError(
          expm(
            fromComplex([
              [0, -t],
              [t, 0],
            ]),
          ),
          rotation,
        ),
      ).toBeLessThan(1e-15 * t + 1e-15);
    }
  });

  test("large entries on one side of the diagonal, which the balancing takes out", () => {
    const big = 1e150;
    const upper = expm(
      fromComplex([
        [1, big],
        [0, 2],
      ]),
    );
    expect(entry(upper, 0, 1).re / (Math.E * (Math.E - 1) * big)).toBeCloseTo(1, 14);
    expect(entry(upper, 1, 1).re).toBeCloseTo(Math.exp(2), 13);
    const both = expm(
      fromComplex([
        [1, big],
        [1 / big, 1],
      ]),
    );
    expect(entry(both, 0, 0).re).toBeCloseTo(Math.E * Math.cosh(1), 13);
    expect(entry(both, 0, 1).re / big).toBeCloseTo(Math.E * Math.sinh(1), 13);
    expect(entry(both, 1, 0).re * big).toBeCloseTo(Math.E * Math.sinh(1), 13);
  });

  test("a large part far from normal costs no digits: Higham's example of needless squarings", () => {
    const a = fromComplex([
      [1, 1e6],
      [0, -1],
    ]);
    const e = expm(a);
    expect(entry(e, 0, 0).re / Math.E).toBeCloseTo(1, 14);
    expect(entry(e, 0, 1).re / (1e6 * Math.sinh(1))).toBeCloseTo(1, 14);
    expect(entry(e, 1, 1).re * Math.E).toBeCloseTo(1, 14);
    const classic = expm(
      fromComplex([
        [-49, 24],
        [-64, 31],
      ]),
    );
    const exact = exactExpm(
      fromComplex([
        [-49, 24],
        [-64, 31],
      ]),
    );
    expect(relativeError(classic, exact)).toBeLessThan(1e-13);
  });
});

describe("structure", () => {
  test("skew-Hermitian gives unitary, at every norm", () => {
    fc.assert(
      fc.property(fc.nat(10), fc.constantFrom(-150, -3, 0, 1, 4, 8, 150), fc.nat(1e6), (n, decade, seed) => {
        const a = scale(skewHermitianPart(randomMatrix(n, n, randomStream(seed))), 10 ** decade);
        expect(orthonormality(expm(a))).toBeLessThan(1e-14 * Math.max(1, n));
        if (n > 6 || decade > 1) return;
        expect(relativeError(expm(a), exactExpm(a))).toBeLessThan(
          1e-14 * Math.max(1, n) * Math.max(1, frobeniusNorm(a)),
        );
      }),
      RUNS,
    );
  });

  test("skew-Hermitian but for rounding is unitary to rounding times the norm", () => {
    for (const size of [0.1, 1, 10, 100, 1000]) {
      const a = scale(skewHermitianPart(lehmer(6, 6, 2)), size);
      a.data[2] = a.data[2]! * (1 + 2 ** -52);
      expect(orthonormality(expm(a))).toBeLessThan(1e-13 * 6 * Math.max(1, size));
    }
  });

  test("Hermitian gives the Hermitian exponential; a nudge off it agrees", () => {
    const a = scale(hermitianPart(lehmer(7, 7, 2)), 4);
    expect(expm(a)).toEqual(expmHermitian(a));
    const nudged = { ...a, data: a.data.slice() };
    nudged.data[2] = nudged.data[2]! * (1 + 2 ** -52);
    expect(relativeError(expm(nudged), expmHermitian(a))).toBeLessThan(1e-14 * 7);
  });

  test("the determinant of e^a is e^trace: a shift of the diagonal only multiplies", () => {
    const a = lehmer(5, 5, 9);
    for (const shift of [0, 100, -300, 600]) {
      const shifted = add(a, scale(identity(5), shift));
      expect(relativeError(expm(shifted), scale(expm(a), Math.exp(shift)))).toBeLessThan(1e-12);
    }
    expect(trace(a).abs()).toBeLessThan(5);
  });
});

describe("range", () => {
  test("results that underflow are zero, results that overflow are refused", () => {
    const a = lehmer(4, 4, 1);
    expect(expm(add(a, scale(identity(4), -1e4))).data.every((x) => x === 0)).toBe(true);
    const decaying = fromComplex([
      [-1e150, 0],
      [1e140, -1e150],
    ]);
    expect(expm(decaying)).toEqual(zeros(2, 2));
    for (const m of [
      add(a, scale(identity(4), 1e4)),
      scale(a, 1e5),
      scale(a, 1e150),
      fromDiagonal([710, 0]),
      fromComplex([[new Complex(720, 1)]]),
      fromComplex([
        [800, 1],
        [0, 1],
      ]),
    ]) {
      expect(() => expm(m)).toThrow(InputError);
      expect(() => expm(m)).toThrow(/^a: found .* expected .*range of doubles/);
    }
    expect(() => expm(zeros(2, 3))).toThrow(/square/);
  });

  test("a real part from -1400 to 0 stays in range, though the mean of the diagonal is far from both", () => {
    const e = expm(
      fromComplex([
        [0, 1],
        [0, -1400],
      ]),
    );
    expect(entry(e, 0, 0).re).toBeCloseTo(1, 12);
    expect(entry(e, 0, 1).re * 1400).toBeCloseTo(1, 10);
  });

  test("tiny matrices", () => {
    const a = scale(lehmer(4, 4, 1), 1e-150);
    expect(relativeError(expm(a), add(identity(4), a))).toBeLessThan(1e-15);
  });
});
