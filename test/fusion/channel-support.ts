import fc from "fast-check";
import { randomStream } from "../../src/core/index.ts";
import {
  type ComplexMatrix,
  eigHermitian,
  hermitianPart,
  multiply,
  multiplyConjugateRight,
  qr,
  randomMatrix,
  scale,
  toParts,
  trace,
} from "../../src/linalg/index.ts";

export function runs(numRuns: number, seed = 7): { seed: number; numRuns: number } {
  return { seed, numRuns };
}

export function random(rows: number, cols: number, seed: number): ComplexMatrix {
  return randomMatrix(rows, cols, randomStream(seed, "fusion-channel"));
}

export function randomUnitary(n: number, seed: number): ComplexMatrix {
  return qr(random(n, n, seed)).q;
}

export function gram(a: ComplexMatrix): ComplexMatrix {
  return hermitianPart(multiplyConjugateRight(a, a));
}

/** n x n of rank at most `rank`. */
export function randomCovariance(n: number, rank: number, seed: number): ComplexMatrix {
  return gram(random(n, rank, seed));
}

export function congruence(a: ComplexMatrix, m: ComplexMatrix): ComplexMatrix {
  return hermitianPart(multiplyConjugateRight(multiply(a, m), a));
}

/** Positive semidefinite, of the given trace and any rank. */
export function randomJamming(n: number, power: number, seed: number): ComplexMatrix {
  const draw = randomCovariance(n, 1 + (seed % n), seed);
  return scale(draw, power / traceOf(draw));
}

export function traceOf(m: ComplexMatrix): number {
  return trace(m).re;
}

export function smallestEigenvalue(m: ComplexMatrix): number {
  return eigHermitian(hermitianPart(m)).values[0]!;
}

export function diagonalOf(m: ComplexMatrix): number[] {
  const { re } = toParts(m);
  return Array.from({ length: m.rows }, (_, i) => re[i * (m.rows + 1)]!);
}

/** Log-uniform over the given powers of ten. */
export function magnitude(from: number, to: number): fc.Arbitrary<number> {
  return fc.double({ min: from, max: to, noNaN: true }).map((exponent) => 10 ** exponent);
}

/** All orders of 0 .. count - 1. */
export function orders(count: number): number[][] {
  if (count === 0) return [[]];
  return orders(count - 1).flatMap((order) =>
    Array.from({ length: count }, (_, i) => [...order.slice(0, i), count - 1, ...order.slice(i)]),
  );
}
