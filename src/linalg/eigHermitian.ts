import { zeros } from "./construct.ts";
import { createHermitianEigenWorkspace, hermitianEigen, makeHermitian } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkHermitian } from "./validate.ts";
import { lastWorkspace } from "./workspace.ts";

const workspace = /* @__PURE__ */ lastWorkspace(createHermitianEigenWorkspace);

/** a = vectors diag(values) vectors^H. */
export interface HermitianEigen {
  /** The n eigenvalues, ascending, repeated by multiplicity. */
  readonly values: Float64Array;
  /** n x n unitary; column j belongs to values[j]. */
  readonly vectors: ComplexMatrix;
}

/**
 * Eigenvalues and eigenvectors of a Hermitian n x n matrix: Householder reduction to a real tridiagonal matrix,
 * implicit QL on it in real arithmetic, back-transformation (Golub & Van Loan 8.3). Always n orthonormal
 * vectors, whatever the multiplicities.
 * @throws InputError if a is not square, not Hermitian (to 1e-8 of its largest entry), or not finite.
 */
export function eigHermitian(a: ComplexMatrix): HermitianEigen {
  checkHermitian(a, "a");
  const n = a.rows;
  const values = new Float64Array(n);
  const vectors = zeros(n, n);
  vectors.data.set(a.data);
  makeHermitian(vectors.data, 0, n);
  const work = workspace(n, n);
  if (hermitianEigen(vectors.data, 0, values, 0, vectors.data, 0, work) < 0) {
    throw new Error(`eigHermitian: the QL iteration did not converge on this ${n} x ${n} matrix`);
  }
  return { values, vectors };
}
