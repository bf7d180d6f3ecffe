import { zeros } from "./construct.ts";
import { createQrWorkspace, qrFactor } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix } from "./validate.ts";
import { lastWorkspace } from "./workspace.ts";

const workspace = /* @__PURE__ */ lastWorkspace(createQrWorkspace);

/** a = q r. */
export interface Qr {
  /** rows x k, k = min(rows, cols), orthonormal columns. */
  readonly q: ComplexMatrix;
  /** k x cols, upper triangular (trapezoidal if a is wide), diagonal real and >= 0. */
  readonly r: ComplexMatrix;
}

/**
 * Thin Householder QR of a matrix of any shape and rank (Golub & Van Loan 5.2.2). q has orthonormal columns even
 * when a is rank-deficient; r is unique when a has full column rank.
 * @throws InputError on NaN or Infinity.
 */
export function qr(a: ComplexMatrix): Qr {
  checkMatrix(a, "a");
  const k = Math.min(a.rows, a.cols);
  const q = zeros(a.rows, k);
  const r = zeros(k, a.cols);
  qrFactor(a.data, 0, q.data, 0, r.data, 0, workspace(a.rows, a.cols));
  return { q, r };
}
