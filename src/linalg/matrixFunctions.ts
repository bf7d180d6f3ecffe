import { InputError } from "../core/index.ts";
import { multiplyConjugateRight } from "./arithmetic.ts";
import { eigHermitian } from "./eigHermitian.ts";
import { makeHermitian } from "./kernels/index.ts";
import { scaleColumns } from "./spectrum.ts";
import type { ComplexMatrix } from "./types.ts";

/**
 * The Hermitian positive semidefinite square root of a Hermitian positive semidefinite n x n matrix, through its
 * eigenvalues. Negative eigenvalues down to -n 1e-13 times the largest are rounding and count as zero.
 * @throws InputError if a is not square, not Hermitian, not positive semidefinite, or not finite.
 */
export function sqrtmHermitian(a: ComplexMatrix): ComplexMatrix {
  const { values, vectors } = eigHermitian(a);
  const n = a.rows;
  const largest = n === 0 ? 0 : Math.max(Math.abs(values[0]!), Math.abs(values[n - 1]!));
  if (n > 0 && values[0]! < -1e-13 * n * largest) {
    throw new InputError("a", `the eigenvalue ${values[0]}`, "a positive semidefinite matrix");
  }
  const roots = values.map((x) => Math.sqrt(Math.max(0, x)));
  const out = multiplyConjugateRight(scaleColumns(vectors, roots), vectors);
  makeHermitian(out.data, 0, n);
  return out;
}
