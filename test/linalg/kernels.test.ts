import fc from "fast-check";
import { expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  choleskySolve,
  conjugateTranspose,
  eigHermitian,
  expm,
  frobeniusNorm,
  identity,
  multiply,
  multiplyConjugateRight,
  qr,
  randomMatrix,
  realInner,
  scale,
  svd,
  svdValues,
  zeros,
} from "../../src/linalg/index.ts";
import * as kernel from "../../src/linalg/kernels/index.ts";
import { diagonal, hermitianPart, orthonormality, RUNS, relativeError, structured } from "./support.ts";

const GUARD = 4;

/** The matrix at an offset inside a larger buffer, sentinels around it. */
function guarded(m: ComplexMatrix): Float64Array {
  const buffer = new Float64Array(m.data.length + 2 * GUARD).fill(777);
  buffer.set(m.data, GUARD);
  return buffer;
}

function inside(buffer: Float64Array, rows: number, cols: number): ComplexMatrix {
  for (let k = 0; k < GUARD; k++) {
    expect(buffer[k]).toBe(777);
    expect(buffer[buffer.length - 1 - k]).toBe(777);
  }
  return { rows, cols, data: buffer.slice(GUARD, buffer.length - GUARD) };
}

const shapes = fc.record({ m: fc.nat(9), k: fc.nat(9), n: fc.nat(9), seed: fc.nat(1e6) });

test("products at offsets, scaled and accumulated, write nothing outside their block", () => {
  fc.assert(
    fc.property(shapes, ({ m, k, n, seed }) => {
      const stream = randomStream(seed);
      const a = randomMatrix(m, k, stream);
      const b = randomMatrix(k, n, stream);
      const c = randomMatrix(m, n, stream);
      const product = multiply(a, b);
      const ah = conjugateTranspose(a);
      const bh = conjugateTranspose(b);
      for (const [run, x, y] of [
        [kernel.multiply, a, b],
        [kernel.multiplyConjugateLeft, ah, b],
        [kernel.multiplyConjugateRight, a, bh],
      ] as const) {
        const plain = guarded(c);
        run(plain, GUARD, guarded(x), GUARD, guarded(y), GUARD, m, k, n);
        expect(relativeError(inside(plain, m, n), product)).toBeLessThan(1e-14);
        const scaled = guarded(c);
        run(scaled, GUARD, guarded(x), GUARD, guarded(y), GUARD, m, k, n, -2.5);
        expect(relativeError(inside(scaled, m, n), scale(product, -2.5))).toBeLessThan(1e-14);
        const added = guarded(c);
        run(added, GUARD, guarded(x), GUARD, guarded(y), GUARD, m, k, n, 0.5, true);
        expect(relativeError(inside(added, m, n), add(c, scale(product, 0.5)))).toBeLessThan(1e-14);
      }
    }),
    RUNS,
  );
});

test("addHermitianOuter adds alpha V V^H and keeps the matrix exactly Hermitian", () => {
  fc.assert(
    fc.property(shapes, ({ n, k, seed }) => {
      const stream = randomStream(seed);
      const c = hermitianPart(randomMatrix(n, n, stream));
      const v = randomMatrix(n, k, stream);
      const out = guarded(c);
      kernel.addHermitianOuter(out, GUARD, guarded(v), GUARD, n, k, -1.5);
      const result = inside(out, n, n);
      expect(relativeError(result, add(c, scale(multiplyConjugateRight(v, v), -1.5)))).toBeLessThan(1e-14);
      expect(conjugateTranspose(result).data.map((x) => x + 0)).toEqual(result.data.map((x) => x + 0));
    }),
    RUNS,
  );
});

test("vector kernels by definition, at offsets", () => {
  const a = randomMatrix(3, 5, randomStream(1));
  const b = randomMatrix(3, 5, randomStream(2));
  expect(kernel.squaredNorm(guarded(a), GUARD, 15)).toBeCloseTo(frobeniusNorm(a) ** 2, 12);
  expect(kernel.realInner(guarded(a), GUARD, guarded(b), GUARD, 15)).toBeCloseTo(realInner(a, b), 13);
  let buffer = guarded(b);
  kernel.axpy(buffer, GUARD, guarded(a), GUARD, 15, -3);
  expect(relativeError(inside(buffer, 3, 5), add(b, scale(a, -3)))).toBeLessThan(1e-15);
  kernel.copy(buffer, GUARD, guarded(a), GUARD, 15);
  expect(inside(buffer, 3, 5)).toEqual(a);
  kernel.scale(buffer, GUARD, buffer, GUARD, 15, 2);
  expect(inside(buffer, 3, 5)).toEqual(scale(a, 2));
  buffer = guarded(zeros(5, 3));
  kernel.conjugateTranspose(buffer, GUARD, guarded(a), GUARD, 3, 5);
  expect(inside(buffer, 5, 3)).toEqual(conjugateTranspose(a));
  expect(kernel.largestPart(a.data, 0, 15)).toBe(Math.max(...a.data.map(Math.abs)));
});

test("powerOfTwoScale is exact and within range", () => {
  for (const x of [1, 2, 3, 0.75, 1e300, 1e-300, 5e-324, 1.7e308]) {
    const factor = kernel.powerOfTwoScale(x, 0);
    expect(Number.isInteger(Math.log2(factor))).toBe(true);
    expect(factor * (1 / factor)).toBe(1);
    if (x > 1e-290) {
      expect(x * factor).toBeGreaterThanOrEqual(1);
      expect(x * factor).toBeLessThan(4);
    }
  }
  expect(kernel.powerOfTwoScale(0, 0)).toBe(1);
});

test("Cholesky kernels at offsets: the upper triangle is neither read nor written, the failing pivot is reported", () => {
  const g = randomMatrix(6, 6, randomStream(4));
  const a = hermitianPart(add(multiplyConjugateRight(g, g), identity(6)));
  const b = randomMatrix(6, 3, randomStream(5));
  const buffer = guarded(a);
  for (let i = 0; i < 6; i++) for (let j = i + 1; j < 6; j++) buffer[GUARD + 2 * (6 * i + j)] = Number.NaN;
  expect(kernel.choleskyFactor(buffer, GUARD, 6)).toBe(-1);
  expect(buffer[GUARD + 2]).toBeNaN();
  const x = guarded(b);
  kernel.choleskySolve(buffer, GUARD, 6, x, GUARD, 3);
  expect(relativeError(inside(x, 6, 3), choleskySolve(a, b))).toBeLessThan(1e-14);
  kernel.solveLower(buffer, GUARD, 6, x, GUARD, 3);
  kernel.solveLowerConjugate(buffer, GUARD, 6, x, GUARD, 3);
  expect(relativeError(multiply(a, multiply(a, inside(x, 6, 3))), b)).toBeLessThan(1e-12);
  expect(kernel.choleskyFactor(diagonal([1, 2, -1, 4]).data, 0, 4)).toBe(2);
  expect(kernel.choleskyFactor(diagonal([1, Number.NaN]).data, 0, 2)).toBe(1);
});

test("workspaces can be reused, whatever was in them, and give the same bits", () => {
  for (const [rows, cols] of [
    [6, 4],
    [4, 6],
    [5, 5],
    [1, 1],
    [24, 20],
    [40, 8],
    [8, 40],
  ] as const) {
    const a = structured(rows, cols, "gaussian", 0, 1);
    const dirty = structured(rows, cols, "low rank", 3, 2);
    const k = Math.min(rows, cols);
    const svdWork = kernel.createJacobiSvdWorkspace(rows, cols);
    const qrWork = kernel.createQrWorkspace(rows, cols);
    const [u, s, v] = [guarded(zeros(rows, k)), new Float64Array(k + 2), guarded(zeros(cols, k))];
    const [q, r] = [guarded(zeros(rows, k)), guarded(zeros(k, cols))];
    for (const m of [dirty, zeros(rows, cols), a]) {
      kernel.jacobiSvd(guarded(m), GUARD, u, GUARD, s, 1, v, GUARD, svdWork);
      kernel.qrFactor(guarded(m), GUARD, q, GUARD, r, GUARD, qrWork);
    }
    const expected = svd(a);
    expect(inside(u, rows, k)).toEqual(expected.u);
    expect(inside(v, cols, k)).toEqual(expected.v);
    expect(Array.from(s)).toEqual([0, ...expected.s, 0]);
    expect(inside(q, rows, k)).toEqual(qr(a).q);
    expect(inside(r, k, cols)).toEqual(qr(a).r);
  }
  for (const n of [1, 5, 12]) {
    const a = hermitianPart(structured(n, n, "gaussian", 0, 1));
    const work = kernel.createHermitianEigenWorkspace(n);
    const [values, vectors] = [new Float64Array(n + 2), guarded(zeros(n, n))];
    for (const m of [hermitianPart(structured(n, n, "low rank", 2, 2)), identity(n), a]) {
      expect(
        kernel.hermitianEigen(guarded(m), GUARD, values, 1, vectors, GUARD, work),
      ).toBeGreaterThanOrEqual(0);
    }
    expect(inside(vectors, n, n)).toEqual(eigHermitian(a).vectors);
    expect(Array.from(values)).toEqual([0, ...eigHermitian(a).values, 0]);
  }
});

test("the SVD kernel gives orthonormal factors for the zero matrix and says how many sweeps it took", () => {
  for (const [rows, cols] of [
    [3, 2],
    [2, 3],
  ] as const) {
    const work = kernel.createJacobiSvdWorkspace(rows, cols);
    const [u, s, v] = [zeros(rows, 2), new Float64Array(2).fill(9), zeros(cols, 2)];
    expect(kernel.jacobiSvd(new Float64Array(12), 0, u.data, 0, s, 0, v.data, 0, work)).toBeGreaterThan(0);
    expect(s).toEqual(new Float64Array(2));
    expect(orthonormality(u)).toBe(0);
    expect(orthonormality(v)).toBe(0);
  }
});

test("QR options, singular values, elimination and exponential at offsets, workspaces reused", () => {
  for (const [rows, cols] of [
    [6, 4],
    [4, 6],
    [5, 5],
  ] as const) {
    const thin = kernel.createQrWorkspace(rows, cols);
    const square = kernel.createQrWorkspace(rows, cols, true);
    const svdWork = kernel.createJacobiSvdWorkspace(rows, cols);
    for (let run = 0; run < 3; run++) {
      const a = structured(rows, cols, run === 1 ? "low rank" : "gaussian", 0, run);
      for (const full of [false, true]) {
        const k = full ? rows : Math.min(rows, cols);
        const q = guarded(zeros(rows, k));
        const r = guarded(scale(randomMatrix(k, cols, randomStream(1)), 5));
        const permutation = new Int32Array(cols);
        kernel.qrFactor(guarded(a), GUARD, q, GUARD, r, GUARD, full ? square : thin, permutation);
        const expected = qr(a, { full, pivot: true });
        expect(inside(q, rows, k)).toEqual(expected.q);
        expect(inside(r, k, cols)).toEqual(expected.r);
        expect(permutation).toEqual(expected.permutation);
      }
      const s = new Float64Array(Math.min(rows, cols) + 2).fill(7);
      kernel.jacobiSingularValues(guarded(a), GUARD, s, 1, svdWork);
      expect(s.slice(1, -1)).toEqual(svdValues(a));
      expect([s[0], s[s.length - 1]]).toEqual([7, 7]);
      const buffer = guarded(a);
      const pivots = new Int32Array(Math.min(rows, cols));
      expect(kernel.luEliminate(buffer, GUARD, rows, cols, pivots, -1)).toBe(-1);
      inside(buffer, rows, cols);
    }
  }
  const work = kernel.createExpmWorkspace(5);
  for (const decade of [0, -3, 2, 0]) {
    const a = structured(5, 5, "gaussian", decade, 1);
    const out = guarded(a);
    // in place
    expect(kernel.expm(out, GUARD, out, GUARD, work)).toBeGreaterThanOrEqual(0);
    expect(inside(out, 5, 5)).toEqual(expm(a));
  }
  expect(kernel.expm(new Float64Array(50), 0, new Float64Array(50).fill(1e5), 0, work)).toBe(-1);
});
