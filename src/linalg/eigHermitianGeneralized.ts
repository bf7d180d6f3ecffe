import { InputError } from "../core/index.ts";
import { zeros } from "./construct.ts";
import { eigHermitian, type HermitianEigen } from "./eigHermitian.ts";
import * as kernel from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkHermitian, checkRange, shapeOf } from "./validate.ts";

/**
 * The generalised Hermitian eigenproblem a x = lambda b x, a Hermitian and b Hermitian positive definite, both n x n:
 * eigenvalues ascending, vectors n x n with vectors^H b vectors = I and a vectors = b vectors diag(values). By the
 * Cholesky factor of b after scaling its diagonal to about 1 by powers of two, b = L L^H, and the eigenvalues of
 * L^-1 a L^-H (Golub & Van Loan 8.7.2); errors grow with the condition number of the scaled b.
 * @throws InputError if a or b is not square, not Hermitian (to 1e-8), or not finite, if b is not positive definite
 * or not of the size of a, or if an eigenvalue is beyond the range of doubles.
 */
export function eigHermitianGeneralized(a: ComplexMatrix, b: ComplexMatrix): HermitianEigen {
  checkHermitian(a, "a");
  checkHermitian(b, "b");
  const n = a.rows;
  if (b.rows !== n) throw new InputError("b", `a ${shapeOf(b)} matrix`, `${n} rows, as a`);
  const exponents = diagonalExponents(b);
  const lower = b.data.slice();
  scaleBothSides(lower, exponents);
  kernel.makeHermitian(lower, 0, n);
  const failed = kernel.choleskyFactor(lower, 0, n);
  if (failed >= 0) throw notPositive(`a pivot that is not positive at row ${failed}`);

  // The common part of the scaling only shifts the eigenvalues: without it the scaled a stays in range.
  let common = 0;
  for (let i = 0; i < n; i++) common = i === 0 ? exponents[0]! : Math.max(common, exponents[i]!);
  const before = kernel.powerOfTwoScale(kernel.largestPart(a.data, 0, n * n), 0);
  const left = zeros(n, n);
  for (let i = 0; i < a.data.length; i++) left.data[i] = before * a.data[i]!;
  scaleBothSides(
    left.data,
    exponents.map((e) => e - common),
  );
  kernel.solveLower(lower, 0, n, left.data, 0, n);
  const reduced = zeros(n, n);
  kernel.conjugateTranspose(reduced.data, 0, left.data, 0, n, n);
  kernel.solveLower(lower, 0, n, reduced.data, 0, n);
  kernel.makeHermitian(reduced.data, 0, n);

  const { values, vectors } = eigHermitian(reduced);
  kernel.solveLowerConjugate(lower, 0, n, vectors.data, 0, n);
  for (let i = 0; i < n; i++) {
    const factor = 2 ** exponents[i]!;
    for (let p = 2 * i * n, end = p + 2 * n; p < end; p++) vectors.data[p] = factor * vectors.data[p]!;
  }
  for (let i = 0; i < n; i++) values[i] = (values[i]! / before) * 2 ** common * 2 ** common;
  checkRange(values, "a", "eigenvalues that overflow for this b");
  return { values, vectors };
}

/** For each row, e with 2^e b_ii 2^e in about [1/2, 2). */
function diagonalExponents(b: ComplexMatrix): Int32Array {
  const n = b.rows;
  const exponents = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const value = b.data[2 * i * (n + 1)]!;
    if (!(value > 0)) throw notPositive(`${value} on the diagonal in row ${i}`);
    exponents[i] = -Math.round(Math.log2(value) / 2);
  }
  return exponents;
}

/** m <- D m D with D = diag(2^exponents), n x n. */
function scaleBothSides(m: Float64Array, exponents: Int32Array): void {
  const n = exponents.length;
  for (let i = 0, p = 0; i < n; i++) {
    for (let j = 0; j < n; j++, p += 2) {
      const large = 2 ** Math.max(exponents[i]!, exponents[j]!);
      const small = 2 ** Math.min(exponents[i]!, exponents[j]!);
      m[p] = m[p]! * large * small;
      m[p + 1] = m[p + 1]! * large * small;
    }
  }
}

function notPositive(found: string): InputError {
  return new InputError("b", found, "a positive definite matrix");
}
