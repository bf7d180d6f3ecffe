import { Complex } from "complex.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError, randomStream } from "../../src/core/index.ts";
import * as linalg from "../../src/linalg/index.ts";
import {
  add,
  type ComplexMatrix,
  conjugateTranspose,
  entry,
  frobeniusNorm,
  fromComplex,
  fromParts,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  randomMatrix,
  realEmbedding,
  realInner,
  scale,
  subtract,
  toParts,
  trace,
  zeros,
} from "../../src/linalg/index.ts";
import { anyMatrix, diagonal, RUNS, relativeError } from "./support.ts";

const i = new Complex(0, 1);
const shapes = fc.record({ m: fc.nat(9), k: fc.nat(9), n: fc.nat(9), seed: fc.nat(1e6) });

/** The definition, entry by entry, in complex.js. */
function productByDefinition(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  const rows = Array.from({ length: a.rows }, (_, r) =>
    Array.from({ length: b.cols }, (_, c) => {
      let sum = new Complex(0, 0);
      for (let l = 0; l < a.cols; l++) sum = sum.add(entry(a, r, l).mul(entry(b, l, c)));
      return sum;
    }),
  );
  return a.rows === 0 ? zeros(0, b.cols) : fromComplex(rows);
}

describe("products", () => {
  test("multiply by its definition and by the real embedding, any shape", () => {
    fc.assert(
      fc.property(shapes, ({ m, k, n, seed }) => {
        const stream = randomStream(seed);
        const a = randomMatrix(m, k, stream);
        const b = randomMatrix(k, n, stream);
        const c = multiply(a, b);
        expect([c.rows, c.cols]).toEqual([m, n]);
        expect(relativeError(c, productByDefinition(a, b))).toBeLessThan(1e-14);
        if (m * k * n === 0) return;
        const oracle = realEmbedding(a).mmul(realEmbedding(b));
        const size = oracle.norm("frobenius");
        expect(oracle.sub(realEmbedding(c)).norm("frobenius")).toBeLessThan(1e-14 * size);
      }),
      RUNS,
    );
  });

  test("the conjugated products are products with the conjugate transpose", () => {
    fc.assert(
      fc.property(shapes, ({ m, k, n, seed }) => {
        const stream = randomStream(seed);
        const a = randomMatrix(m, k, stream);
        const b = randomMatrix(k, n, stream);
        const c = multiply(a, b);
        expect(relativeError(multiplyConjugateLeft(conjugateTranspose(a), b), c)).toBeLessThan(1e-14);
        expect(relativeError(multiplyConjugateRight(a, conjugateTranspose(b)), c)).toBeLessThan(1e-14);
      }),
      RUNS,
    );
  });

  test("large and odd sizes", () => {
    for (const [m, k, n] of [
      [64, 64, 64],
      [65, 33, 67],
      [1, 100, 1],
      [130, 3, 5],
      [3, 300, 2],
    ] as const) {
      const a = randomMatrix(m, k, randomStream(1, m));
      const b = randomMatrix(k, n, randomStream(2, n));
      const oracle = realEmbedding(a).mmul(realEmbedding(b));
      const size = oracle.norm("frobenius");
      // ml-matrix subtracts in place
      expect(oracle.sub(realEmbedding(multiply(a, b))).norm("frobenius")).toBeLessThan(1e-14 * size);
    }
  });

  test("the same product twice gives the same bits", () => {
    const a = randomMatrix(37, 41, randomStream(1));
    const b = randomMatrix(41, 29, randomStream(2));
    const first = multiply(a, b).data;
    for (let run = 0; run < 50; run++) expect(multiply(a, b).data).toEqual(first);
  });
});

describe("sums, scaling, trace, norm, inner product", () => {
  test("module laws", () => {
    fc.assert(
      fc.property(anyMatrix, (a) => {
        expect(frobeniusNorm(subtract(add(a, a), scale(a, 2)))).toBe(0);
        expect(frobeniusNorm(add(a, scale(a, -1)))).toBe(0);
        expect(scale(scale(a, i), new Complex(0, -1)).data.map(Math.abs)).toEqual(a.data.map(Math.abs));
        expect(conjugateTranspose(conjugateTranspose(a)).data).toEqual(a.data);
        const norm = frobeniusNorm(a);
        expect(Math.abs(frobeniusNorm(scale(a, new Complex(3, -4))) - 5 * norm)).toBeLessThanOrEqual(
          1e-14 * 5 * norm,
        );
        expect(Math.abs(realInner(a, a) - norm * norm)).toBeLessThanOrEqual(1e-14 * norm * norm);
        expect(Math.abs(realInner(a, scale(a, i)))).toBeLessThanOrEqual(1e-14 * norm * norm);
      }),
      RUNS,
    );
  });

  test("by hand", () => {
    const a = fromComplex([
      [1, i],
      [new Complex(2, -1), 3],
    ]);
    expect(trace(a)).toMatchObject({ re: 4, im: 0 });
    expect(entry(multiply(a, a), 0, 1)).toMatchObject({ re: 0, im: 4 });
    expect(entry(conjugateTranspose(a), 0, 1)).toMatchObject({ re: 2, im: 1 });
    expect(entry(scale(a, i), 1, 0)).toMatchObject({ re: 1, im: 2 });
    expect(frobeniusNorm(a)).toBe(4);
    expect(realInner(fromComplex([[i]]), fromComplex([[new Complex(5, 7)]]))).toBe(7);
    expect(multiply(identity(2), a)).toEqual(a);
  });

  test("the norm neither overflows nor underflows", () => {
    expect(frobeniusNorm(diagonal([3e200, 4e200])) / 5e200).toBeCloseTo(1, 14);
    expect(frobeniusNorm(diagonal([3e-200, 4e-200])) / 5e-200).toBeCloseTo(1, 14);
    expect(frobeniusNorm(zeros(0, 3))).toBe(0);
  });
});

describe("construction", () => {
  test("parts and complex.js values go in and out unchanged", () => {
    const m = fromParts(2, 3, [1, 2, 3, 4, 5, 6], [-1, -2, -3, -4, -5, -6]);
    expect(Array.from(toParts(m).re)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Array.from(toParts(m).im)).toEqual([-1, -2, -3, -4, -5, -6]);
    expect(entry(m, 1, 0)).toMatchObject({ re: 4, im: -4 });
    const embedded = realEmbedding(m);
    expect([embedded.rows, embedded.columns]).toEqual([4, 6]);
    expect([embedded.get(0, 1), embedded.get(0, 4), embedded.get(2, 1), embedded.get(2, 4)]).toEqual([
      2, 2, -2, 2,
    ]);
    expect(fromComplex([])).toEqual(zeros(0, 0));
  });

  test("random matrices: same stream, same bits; unit variance; circular", () => {
    const a = randomMatrix(200, 200, randomStream(3));
    expect(randomMatrix(200, 200, randomStream(3)).data).toEqual(a.data);
    expect(frobeniusNorm(a) ** 2 / 40000).toBeCloseTo(1, 1);
    // E z^2 = 0: real and imaginary part are independent and of equal variance.
    const { re, im } = toParts(a);
    let pseudoRe = 0;
    let pseudoIm = 0;
    for (let p = 0; p < re.length; p++) {
      pseudoRe += (re[p]! ** 2 - im[p]! ** 2) / re.length;
      pseudoIm += (2 * re[p]! * im[p]!) / re.length;
    }
    expect(Math.hypot(pseudoRe, pseudoIm)).toBeLessThan(0.03);
  });
});

describe("bad input is refused by name", () => {
  const bad = zeros(2, 2);
  bad.data[3] = Number.NaN;
  const endless = zeros(2, 2);
  endless.data[6] = Number.POSITIVE_INFINITY;

  test("NaN and Infinity, in every function that takes a matrix", () => {
    const good = identity(2);
    const calls: [string, (m: ComplexMatrix) => unknown][] = [
      ["a", (m) => add(m, good)],
      ["b", (m) => add(good, m)],
      ["a", (m) => subtract(m, good)],
      ["a", (m) => multiply(m, good)],
      ["b", (m) => multiply(good, m)],
      ["a", (m) => multiplyConjugateLeft(m, good)],
      ["b", (m) => multiplyConjugateRight(good, m)],
      ["a", (m) => realInner(m, good)],
      ["m", conjugateTranspose],
      ["m", frobeniusNorm],
      ["m", trace],
      ["m", toParts],
      ["m", realEmbedding],
      ["m", (m) => scale(m, 2)],
      ["a", linalg.cholesky],
      ["a", linalg.logDet],
      ["b", (m) => linalg.choleskySolve(good, m)],
      ["a", (m) => linalg.luSolve(m, good)],
      ["b", (m) => linalg.luSolve(good, m)],
      ["a", linalg.inverse],
      ["a", linalg.qr],
      ["a", linalg.svd],
      ["a", linalg.eigHermitian],
      ["a", linalg.pseudoInverse],
      ["a", linalg.polar],
      ["a", linalg.sqrtmHermitian],
      ["a", (m) => linalg.qr(m, { full: true, pivot: true })],
      ["a", linalg.svdValues],
      ["a", linalg.lu],
      ["a", linalg.determinant],
      ["a", linalg.logDetLu],
      ["a", linalg.expm],
      ["a", linalg.expmHermitian],
      ["a", linalg.logmHermitian],
      ["a", linalg.inverseSqrtmHermitian],
      ["a", (m) => linalg.eigHermitianGeneralized(m, good)],
      ["b", (m) => linalg.eigHermitianGeneralized(good, m)],
      ["a", (m) => linalg.norm(m)],
      ["a", (m) => linalg.norm(m, "one")],
      ["a", (m) => linalg.norm(m, "two")],
      ["a", linalg.conditionNumber],
      ["a", linalg.rank],
      ["a", linalg.nullSpace],
      ["a", linalg.orthonormalBasis],
      ["a", (m) => linalg.kronecker(m, good)],
      ["b", (m) => linalg.kronecker(good, m)],
      ["a", linalg.diagonal],
      ["a", linalg.hermitianPart],
      ["a", linalg.skewHermitianPart],
    ];
    for (const [field, call] of calls) {
      for (const m of [bad, endless]) {
        let error: unknown;
        try {
          call(m);
        } catch (thrown) {
          error = thrown;
        }
        expect(error).toBeInstanceOf(InputError);
        expect((error as InputError).field).toBe(field);
      }
    }
    expect(() => frobeniusNorm(bad)).toThrow(
      "m: found NaN in the imaginary part of entry (0, 1), expected finite",
    );
  });

  test("shapes, factors and malformed matrices", () => {
    expect(() => add(zeros(2, 3), zeros(3, 2))).toThrow("b: found a 3 x 2 matrix, expected a 2 x 3 matrix");
    expect(() => multiply(zeros(2, 3), zeros(2, 3))).toThrow(/^b: found a 2 x 3 matrix, expected 3 rows/);
    expect(() => multiplyConjugateLeft(zeros(2, 3), zeros(3, 3))).toThrow(InputError);
    expect(() => multiplyConjugateRight(zeros(2, 3), zeros(3, 2))).toThrow(InputError);
    expect(() => trace(zeros(2, 3))).toThrow(/square/);
    expect(() => scale(zeros(1, 1), Number.NaN)).toThrow(/^factor: /);
    expect(() => scale(zeros(1, 1), "2" as unknown as number)).toThrow(/^factor: /);
    expect(() => entry(zeros(2, 2), 2, 0)).toThrow(/^i: found 2/);
    expect(() => zeros(-1, 2)).toThrow(/^rows: /);
    expect(() => identity(1.5)).toThrow(/^n: /);
    expect(() => fromParts(2, 2, [1, 2, 3], [1, 2, 3, 4])).toThrow(/^re: /);
    expect(() => fromParts(1, 2, [1, 2], [1, Number.NaN])).toThrow(/^im\[1\]: /);
    expect(() => fromComplex([[1, 2], [3]])).toThrow(/^rows\[1\]: /);
    expect(() => fromComplex([[1, new Complex(Number.POSITIVE_INFINITY, 0)]])).toThrow(
      /^rows\[0\]\[1\]\.re: /,
    );
    expect(() => frobeniusNorm(null as unknown as ComplexMatrix)).toThrow(/^m: found null/);
    expect(() => frobeniusNorm({ rows: 2, cols: 2, data: new Float64Array(4) })).toThrow(
      /^m\.data: found 4 numbers/,
    );
    expect(() => linalg.svd(identity(2), { ful: true } as object)).toThrow(/^options\.ful: /);
    const skew = fromComplex([
      [1, i],
      [i, 1],
    ]);
    expect(() => linalg.eigHermitian(skew)).toThrow(/Hermitian/);
    expect(() => linalg.eigHermitian(fromComplex([[i]]))).toThrow(/Hermitian/);
  });

  test("results are never views of arguments", () => {
    const a = identity(3);
    const results = [
      linalg.svd(a).u,
      linalg.svd(a).v,
      linalg.qr(a).q,
      linalg.qr(a).r,
      scale(a, 1),
      conjugateTranspose(a),
      linalg.eigHermitian(a).vectors,
      linalg.cholesky(a),
      linalg.luSolve(a, a),
      linalg.choleskySolve(a, a),
      linalg.lu(a).l,
      linalg.lu(a).u,
      linalg.expm(a),
      linalg.hermitianPart(a),
      linalg.orthonormalBasis(a),
      linalg.kronecker(identity(1), a),
    ];
    for (const m of results) expect(m.data.buffer).not.toBe(a.data.buffer);
  });
});
