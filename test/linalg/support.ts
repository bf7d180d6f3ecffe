import fc from "fast-check";
import { randomStream } from "../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  conjugateTranspose,
  frobeniusNorm,
  fromParts,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  qr,
  randomMatrix,
  scale,
  subtract,
  zeros,
} from "../../src/linalg/index.ts";

/** Fixed seed of every property test in this folder. */
export const RUNS = { seed: 1, numRuns: 200 } as const;

/** |a - b| / |b| in the Frobenius norm; |a| when b is zero. */
export function relativeError(a: ComplexMatrix, b: ComplexMatrix): number {
  if (a.rows !== b.rows || a.cols !== b.cols) return Number.NaN;
  const size = frobeniusNorm(b);
  const difference = frobeniusNorm(subtract(a, b));
  return size === 0 ? difference : difference / size;
}

/** |q^H q - I|. */
export function orthonormality(q: ComplexMatrix): number {
  return frobeniusNorm(subtract(multiplyConjugateLeft(q, q), identity(q.cols)));
}

export function diagonal(values: ArrayLike<number>): ComplexMatrix {
  const n = values.length;
  const m = zeros(n, n);
  for (let i = 0; i < n; i++) m.data[2 * i * (n + 1)] = values[i]!;
  return m;
}

export function unitary(n: number, seed: number): ComplexMatrix {
  return qr(randomMatrix(n, n, randomStream(seed, "unitary"))).q;
}

/** a h a^H made exactly Hermitian. */
export function hermitianPart(m: ComplexMatrix): ComplexMatrix {
  return scale(add(m, conjugateTranspose(m)), 0.5);
}

/** cplx(rows, cols) of the reference numbers: see the description in test/fixtures/linalg-reference.json. */
export function lehmer(rows: number, cols: number, seed: number, real = false): ComplexMatrix {
  let state = seed;
  const next = (): number => {
    state = (16807 * state) % 2147483647;
    return state / 2147483647 - 0.5;
  };
  const re: number[] = [];
  const im: number[] = [];
  for (let i = 0; i < rows * cols; i++) {
    re.push(next());
    im.push(real ? 0 : next());
  }
  return fromParts(rows, cols, re, im);
}

export type Kind = (typeof KINDS)[number];
export const KINDS = [
  "gaussian",
  "low rank",
  "zero",
  "unitary",
  "small integers",
  "graded",
  "sparse",
] as const;

/** A matrix of the given structure, its entries around 10^decade. */
export function structured(
  rows: number,
  cols: number,
  kind: Kind,
  decade: number,
  seed: number,
): ComplexMatrix {
  const stream = randomStream(seed, kind);
  const gaussian = randomMatrix(rows, cols, stream.split("entries"));
  const size = 10 ** decade;
  switch (kind) {
    case "gaussian":
      return scale(gaussian, size);
    case "low rank": {
      const rank = Math.max(1, Math.min(rows, cols) >> 1);
      const left = randomMatrix(rows, rank, stream.split("left"));
      return scale(multiplyConjugateRight(left, randomMatrix(cols, rank, stream.split("right"))), size);
    }
    case "zero":
      return zeros(rows, cols);
    case "unitary":
      return scale(
        rows >= cols ? qr(gaussian).q : conjugateTranspose(qr(conjugateTranspose(gaussian)).q),
        size,
      );
    case "small integers":
      for (let i = 0; i < gaussian.data.length; i++) gaussian.data[i] = Math.round(gaussian.data[i]!) * size;
      return gaussian;
    case "graded": {
      // Columns from 10^decade down to 10^(decade - 20).
      const scales = Array.from({ length: cols }, (_, j) => 10 ** ((-20 * j) / Math.max(1, cols - 1)));
      return scale(multiply(gaussian, diagonal(scales)), size);
    }
    case "sparse":
      for (let i = 0; i < gaussian.data.length; i++) if (stream.uniform() < 0.7) gaussian.data[i] = 0;
      return scale(gaussian, size);
  }
}

const decade = fc.constantFrom(0, 0, 0, -3, 8, -140, 140);
const seed = fc.nat({ max: 2 ** 31 });

/** Matrices of every shape up to 9 x 9 (empty ones included), structure and scale. */
export const anyMatrix: fc.Arbitrary<ComplexMatrix> = fc
  .record({ rows: fc.nat(9), cols: fc.nat(9), kind: fc.constantFrom(...KINDS), decade, seed })
  .map(({ rows, cols, kind, decade, seed }) => structured(rows, cols, kind, decade, seed));

/** Hermitian matrices up to 12 x 12: Gaussian, of low rank, with repeated eigenvalues, diagonal, zero. */
export const anyHermitian: fc.Arbitrary<ComplexMatrix> = fc
  .record({
    n: fc.nat(12),
    kind: fc.constantFrom("gaussian", "low rank", "repeated", "diagonal", "graded", "zero" as const),
    decade,
    seed,
  })
  .map(({ n, kind, decade, seed }) => {
    const size = 10 ** decade;
    const stream = randomStream(seed);
    switch (kind) {
      case "gaussian":
        return scale(hermitianPart(randomMatrix(n, n, stream)), size);
      case "low rank": {
        const v = randomMatrix(n, Math.max(1, n >> 1), stream);
        return scale(hermitianPart(multiplyConjugateRight(v, v)), size);
      }
      case "repeated": {
        const values = Array.from({ length: n }, () => stream.integer(3) - 1);
        const q = unitary(n, seed);
        return scale(hermitianPart(multiplyConjugateRight(multiply(q, diagonal(values)), q)), size);
      }
      case "diagonal":
        return scale(diagonal(Array.from({ length: n }, () => stream.normal())), size);
      case "graded": {
        const d = diagonal(Array.from({ length: n }, (_, i) => 10 ** -i));
        return scale(
          hermitianPart(multiply(multiply(d, hermitianPart(randomMatrix(n, n, stream))), d)),
          size,
        );
      }
      default:
        return zeros(n, n);
    }
  });

/** Hermitian positive definite n x n with condition number at most about 10^6. */
export function positiveDefinite(n: number, seed: number, decade = 0): ComplexMatrix {
  const values = Array.from({ length: n }, (_, i) => 10 ** (decade - (6 * i) / Math.max(1, n)));
  const q = unitary(n, seed);
  return hermitianPart(multiplyConjugateRight(multiply(q, diagonal(values)), q));
}
