import { checkNumber, checkOptions } from "../core/index.ts";
import { conjugateTranspose, multiplyConjugateRight } from "./arithmetic.ts";
import { zeros } from "./construct.ts";
import * as kernel from "./kernels/index.ts";
import { scaleColumns } from "./spectrum.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix } from "./validate.ts";
import { lastWorkspace } from "./workspace.ts";

const workspace = /* @__PURE__ */ lastWorkspace(kernel.createJacobiSvdWorkspace);

/** a = u diag(s) v^H. */
export interface Svd {
  /** rows x k, orthonormal columns; k = min(rows, cols), or rows when `full`. */
  readonly u: ComplexMatrix;
  /** min(rows, cols) singular values, descending. */
  readonly s: Float64Array;
  /** cols x k, orthonormal columns; k = min(rows, cols), or cols when `full`. */
  readonly v: ComplexMatrix;
}

/**
 * Singular value decomposition of a matrix of any shape and rank by a pivoted QR factorisation
 * followed by one-sided Jacobi (Golub & Van Loan 5.4.2, 8.6.3). Thin unless `full` is set. u and v have orthonormal columns also when a is rank-deficient or zero.
 * @throws InputError on NaN or Infinity.
 */
export function svd(a: ComplexMatrix, options: { readonly full?: boolean } = {}): Svd {
  checkMatrix(a, "a");
  checkOptions(options, "options", ["full"]);
  const k = Math.min(a.rows, a.cols);
  const u = zeros(a.rows, k);
  const v = zeros(a.cols, k);
  const s = new Float64Array(k);
  const work = workspace(a.rows, a.cols);
  if (kernel.jacobiSvd(a.data, 0, u.data, 0, s, 0, v.data, 0, work) < 0) {
    throw new Error(`svd: the Jacobi sweeps did not converge on this ${a.rows} x ${a.cols} matrix`);
  }
  if (options.full !== true) return { u, s, v };
  return { u: squareUnitary(u), s, v: squareUnitary(v) };
}

/**
 * The min(rows, cols) singular values alone, descending: the same bits as `svd(a).s`, in less time.
 * @throws InputError on NaN or Infinity.
 */
export function svdValues(a: ComplexMatrix): Float64Array {
  checkMatrix(a, "a");
  const s = new Float64Array(Math.min(a.rows, a.cols));
  if (kernel.jacobiSingularValues(a.data, 0, s, 0, workspace(a.rows, a.cols)) < 0) {
    throw new Error(`svdValues: the Jacobi sweeps did not converge on this ${a.rows} x ${a.cols} matrix`);
  }
  return s;
}

/**
 * The Moore-Penrose pseudo-inverse, cols x rows. Singular values up to `tolerance` times the largest count as
 * zero; the default is max(rows, cols) times the unit roundoff 2^-52.
 * @throws InputError on NaN or Infinity, or a negative tolerance.
 */
export function pseudoInverse(a: ComplexMatrix, tolerance?: number): ComplexMatrix {
  if (tolerance !== undefined) checkNumber(tolerance, "tolerance", 0);
  const { u, s, v } = svd(a);
  const cut = (tolerance ?? Math.max(a.rows, a.cols) * 2 ** -52) * (s[0] ?? 0);
  return multiplyConjugateRight(
    scaleColumns(
      v,
      s.map((x) => (x > cut ? 1 / x : 0)),
    ),
    u,
  );
}

/** The orthonormal columns of m followed by an orthonormal basis of their complement. */
function squareUnitary(m: ComplexMatrix): ComplexMatrix {
  if (m.rows === m.cols) return m;
  const n = m.rows;
  const out = zeros(n, n);
  kernel.conjugateTranspose(out.data, 0, m.data, 0, n, m.cols);
  kernel.completeBasis(out.data, n, m.cols, n, new Float64Array(n));
  return conjugateTranspose(out);
}
