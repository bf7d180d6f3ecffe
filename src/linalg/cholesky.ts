import { InputError } from "../core/index.ts";
import {
  choleskyFactor,
  largestPart,
  makeHermitian,
  powerOfTwoScale,
  choleskySolve as solveInPlace,
} from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkHermitian, checkMatrix, shapeOf } from "./validate.ts";

/**
 * Cholesky factor of a Hermitian positive definite n x n matrix: a = L L^H, L lower triangular with a real
 * positive diagonal (Golub & Van Loan 4.2.5).
 * @throws InputError if a is not square, not Hermitian (to 1e-8), not positive definite, or not finite.
 */
export function cholesky(a: ComplexMatrix): ComplexMatrix {
  const { lower, exponent } = factor(a);
  const root = 2 ** (exponent / 2);
  for (let i = 0; i < lower.length; i++) lower[i] = lower[i]! * root;
  return { rows: a.rows, cols: a.cols, data: lower };
}

/**
 * x with a x = b for a Hermitian positive definite n x n a and an n x r b.
 * @throws InputError as {@link cholesky}, and if b does not have n rows.
 */
export function choleskySolve(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  const { lower, exponent } = factor(a);
  checkMatrix(b, "b");
  if (b.rows !== a.rows) throw new InputError("b", `a ${shapeOf(b)} matrix`, `${a.rows} rows, as a`);
  const data = b.data.slice();
  const largest = largestPart(data, 0, b.rows * b.cols);
  const before = powerOfTwoScale(largest, 0);
  for (let i = 0; i < data.length; i++) data[i] = data[i]! * before;
  solveInPlace(lower, 0, a.rows, data, 0, b.cols);
  // Undone in halves: each half is a normal number even when their product is not.
  const half = 2 ** -Math.ceil(exponent / 2);
  const rest = 2 ** -Math.floor(exponent / 2);
  const order = half > 1 ? [1 / before, half, rest] : [half, rest, 1 / before];
  for (const step of order) for (let i = 0; i < data.length; i++) data[i] = data[i]! * step;
  return { rows: b.rows, cols: b.cols, data };
}

/**
 * log det a of a Hermitian positive definite matrix, natural logarithm, from the Cholesky factor; 0 for 0 x 0.
 * @throws InputError as {@link cholesky}.
 */
export function logDet(a: ComplexMatrix): number {
  const { lower, exponent } = factor(a);
  let sum = 0;
  for (let i = 0; i < a.rows; i++) sum += Math.log(lower[2 * i * (a.rows + 1)]!);
  return 2 * sum + a.rows * exponent * Math.LN2;
}

/** L of 2^-exponent a, with an even exponent that brings the largest entry near 1; upper triangle zero. */
function factor(a: ComplexMatrix): { lower: Float64Array; exponent: number } {
  checkHermitian(a, "a");
  const n = a.rows;
  const lower = a.data.slice();
  const largest = largestPart(lower, 0, n * n);
  const exponent = -2 * Math.round(Math.log2(powerOfTwoScale(largest, 0)) / 2);
  const down = 2 ** -exponent;
  for (let i = 0; i < lower.length; i++) lower[i] = lower[i]! * down;
  makeHermitian(lower, 0, n);
  const failed = choleskyFactor(lower, 0, n);
  if (failed >= 0) {
    throw new InputError("a", `a pivot that is not positive at row ${failed}`, "a positive definite matrix");
  }
  for (let i = 0; i < n; i++) lower.fill(0, 2 * (i * n + i) + 2, 2 * (i + 1) * n);
  return { lower, exponent };
}
