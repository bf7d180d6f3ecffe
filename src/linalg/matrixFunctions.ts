import { InputError } from "../core/index.ts";
import { multiplyConjugateRight } from "./arithmetic.ts";
import { eigHermitian, type HermitianEigen } from "./eigHermitian.ts";
import { makeHermitian } from "./kernels/index.ts";
import { scaleColumns } from "./spectrum.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkRange } from "./validate.ts";

/**
 * The Hermitian positive semidefinite square root of a Hermitian positive semidefinite n x n matrix, through its
 * eigenvalues. Negative eigenvalues down to -n 1e-13 times the largest are rounding and count as zero.
 * @throws InputError if a is not square, not Hermitian, not positive semidefinite, or not finite.
 */
export function sqrtmHermitian(a: ComplexMatrix): ComplexMatrix {
  const eigen = eigHermitian(a);
  const { values } = eigen;
  const n = a.rows;
  const largest = n === 0 ? 0 : Math.max(Math.abs(values[0]!), Math.abs(values[n - 1]!));
  if (n > 0 && values[0]! < -1e-13 * n * largest) {
    throw new InputError("a", `the eigenvalue ${values[0]}`, "a positive semidefinite matrix");
  }
  return ofEigenvalues(eigen, (x) => Math.sqrt(Math.max(0, x)));
}

/**
 * The inverse of the square root, a^(-1/2), of a Hermitian positive definite n x n matrix, through its eigenvalues;
 * the relative error grows with the condition number of a.
 * @throws InputError if a is not square, not Hermitian, not positive definite, or not finite.
 */
export function inverseSqrtmHermitian(a: ComplexMatrix): ComplexMatrix {
  return ofEigenvalues(positiveEigen(a), (x) => 1 / Math.sqrt(x));
}

/**
 * The Hermitian logarithm of a Hermitian positive definite n x n matrix, the inverse of {@link expmHermitian},
 * through its eigenvalues; the error, relative to the largest |log lambda|, grows with the condition number of a.
 * @throws InputError if a is not square, not Hermitian, not positive definite, or not finite.
 */
export function logmHermitian(a: ComplexMatrix): ComplexMatrix {
  return ofEigenvalues(positiveEigen(a), Math.log);
}

/**
 * The exponential of a Hermitian n x n matrix, Hermitian positive definite (semidefinite where eigenvalues underflow),
 * through its eigenvalues.
 * @throws InputError if a is not square, not Hermitian, or not finite, or if an eigenvalue is above about 709.78, so
 * that the exponential is beyond the range of doubles.
 */
export function expmHermitian(a: ComplexMatrix): ComplexMatrix {
  const eigen = eigHermitian(a);
  const largest = eigen.values[a.rows - 1] ?? 0;
  const found = `the eigenvalue ${largest}, too large for the exponential`;
  checkRange(Float64Array.of(Math.exp(largest)), "a", found);
  const out = ofEigenvalues(eigen, Math.exp);
  checkRange(out.data, "a", found);
  return out;
}

function positiveEigen(a: ComplexMatrix): HermitianEigen {
  const eigen = eigHermitian(a);
  if (a.rows > 0 && !(eigen.values[0]! > 0)) {
    throw new InputError("a", `the eigenvalue ${eigen.values[0]}`, "a positive definite matrix");
  }
  return eigen;
}

/** vectors diag(f(values)) vectors^H, exactly Hermitian. */
function ofEigenvalues({ values, vectors }: HermitianEigen, f: (x: number) => number): ComplexMatrix {
  const out = multiplyConjugateRight(scaleColumns(vectors, values.map(f)), vectors);
  makeHermitian(out.data, 0, out.rows);
  return out;
}
