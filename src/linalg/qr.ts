import { checkOptions } from "../core/index.ts";
import { zeros } from "./construct.ts";
import { createQrWorkspace, qrFactor } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix } from "./validate.ts";
import { lastWorkspace } from "./workspace.ts";

const thinWorkspace = /* @__PURE__ */ lastWorkspace(createQrWorkspace);

/** a = q r. */
export interface Qr {
  /** rows x k, orthonormal columns; k = min(rows, cols), or rows when `full`. */
  readonly q: ComplexMatrix;
  /** k x cols, upper triangular (trapezoidal if a is wide), diagonal real and >= 0. */
  readonly r: ComplexMatrix;
}

/** a P = q r, the diagonal of r not increasing. */
export interface PivotedQr extends Qr {
  /** cols numbers: column j of a P is column permutation[j] of a. */
  readonly permutation: Int32Array;
}

export interface QrOptions {
  /** Square q (rows x rows) and r of the shape of a; thin otherwise. */
  readonly full?: boolean;
  /** Column pivoting: the largest remaining column first. */
  readonly pivot?: boolean;
}

/**
 * Householder QR of a matrix of any shape and rank (Golub & Van Loan 5.2.2), thin unless `full` is set. q has
 * orthonormal columns even when a is rank-deficient; r is unique when a has full column rank. With `pivot`, the
 * columns of a are permuted so that the diagonal of r does not increase, which shows the rank of most matrices
 * (5.4.2; `rank` is safer).
 * @throws InputError on NaN or Infinity, or an unknown option.
 */
export function qr(a: ComplexMatrix, options: QrOptions & { readonly pivot: true }): PivotedQr;
export function qr(a: ComplexMatrix, options?: QrOptions): Qr;
export function qr(a: ComplexMatrix, options: QrOptions = {}): Qr | PivotedQr {
  checkMatrix(a, "a");
  checkOptions(options, "options", ["full", "pivot"]);
  const full = options.full === true;
  const k = full ? a.rows : Math.min(a.rows, a.cols);
  const q = zeros(a.rows, k);
  const r = zeros(k, a.cols);
  const work = full ? createQrWorkspace(a.rows, a.cols, true) : thinWorkspace(a.rows, a.cols);
  if (options.pivot !== true) {
    qrFactor(a.data, 0, q.data, 0, r.data, 0, work);
    return { q, r };
  }
  const permutation = new Int32Array(a.cols);
  qrFactor(a.data, 0, q.data, 0, r.data, 0, work, permutation);
  return { q, r, permutation };
}
