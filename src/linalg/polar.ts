import { multiplyConjugateRight } from "./arithmetic.ts";
import { makeHermitian } from "./kernels/index.ts";
import { scaleColumns } from "./spectrum.ts";
import { svd } from "./svd.ts";
import type { ComplexMatrix } from "./types.ts";

/** a = unitary positive. */
export interface Polar {
  /** rows x cols: orthonormal columns, or orthonormal rows if a is wide. */
  readonly unitary: ComplexMatrix;
  /** cols x cols, Hermitian positive semidefinite: the square root of a^H a. */
  readonly positive: ComplexMatrix;
}

/**
 * Polar decomposition of a matrix of any shape and rank from its singular value decomposition (Golub & Van Loan
 * 9.4.3): unitary = u v^H is a nearest matrix with orthonormal columns, positive = v diag(s) v^H. `unitary` is
 * unique only when a has full rank.
 * @throws InputError on NaN or Infinity.
 */
export function polar(a: ComplexMatrix): Polar {
  const { u, s, v } = svd(a);
  const positive = multiplyConjugateRight(scaleColumns(v, s), v);
  makeHermitian(positive.data, 0, positive.rows);
  return { unitary: multiplyConjugateRight(u, v), positive };
}
