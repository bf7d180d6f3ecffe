import { InputError } from "../core/index.ts";
import { multiplyConjugateRight } from "./arithmetic.ts";
import { zeros } from "./construct.ts";
import { eigHermitian } from "./eigHermitian.ts";
import { createExpmWorkspace, expm as expmInPlace } from "./kernels/index.ts";
import { expmHermitian } from "./matrixFunctions.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkSquare } from "./validate.ts";
import { lastWorkspace } from "./workspace.ts";

const workspace = /* @__PURE__ */ lastWorkspace(createExpmWorkspace);

/**
 * The exponential of any square matrix, n x n. Exactly Hermitian and exactly skew-Hermitian matrices go through
 * their eigenvalues, so that the result is Hermitian, or unitary to rounding at every norm; all others through
 * balancing, scaling and squaring with Pade approximants (Higham, SIAM J. Matrix Anal. Appl. 26, 2005). The relative
 * error is about n 2^-53 times the condition number of the exponential, which is at least about the norm of a: beyond
 * 1e15 no digit is left, unless a is Hermitian.
 * @throws InputError if a is not square, on NaN or Infinity, or if the exponential (or a root e^(a / 2^k) of it that
 * the squaring passes through) is beyond the range of doubles.
 */
export function expm(a: ComplexMatrix): ComplexMatrix {
  checkSquare(a, "a");
  if (hasSymmetry(a, 1)) return expmHermitian(a);
  if (hasSymmetry(a, -1)) return expmSkewHermitian(a);
  const out = zeros(a.rows, a.cols);
  if (expmInPlace(out.data, 0, a.data, 0, workspace(a.rows, a.cols)) < 0) {
    throw new InputError(
      "a",
      "a matrix too large for the exponential",
      `an exponential within the range of doubles (${Number.MAX_VALUE})`,
    );
  }
  return out;
}

/** a = sign a^H to the last bit. */
function hasSymmetry({ rows: n, data }: ComplexMatrix, sign: 1 | -1): boolean {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const p = 2 * (i * n + j);
      const q = 2 * (j * n + i);
      if (data[p]! !== sign * data[q]! || data[p + 1]! !== -sign * data[q + 1]!) return false;
    }
  }
  return true;
}

/** a = i h with h Hermitian: V diag(e^(i lambda)) V^H. */
function expmSkewHermitian(a: ComplexMatrix): ComplexMatrix {
  const n = a.rows;
  const h = zeros(n, n);
  for (let p = 0; p < h.data.length; p += 2) {
    h.data[p] = a.data[p + 1]!;
    h.data[p + 1] = -a.data[p]!;
  }
  const { values, vectors } = eigHermitian(h);
  const turned = zeros(n, n);
  for (let j = 0; j < n; j++) {
    const c = Math.cos(values[j]!);
    const s = Math.sin(values[j]!);
    for (let i = 0, p = 2 * j; i < n; i++, p += 2 * n) {
      const x = vectors.data[p]!;
      const y = vectors.data[p + 1]!;
      turned.data[p] = c * x - s * y;
      turned.data[p + 1] = c * y + s * x;
    }
  }
  return multiplyConjugateRight(turned, vectors);
}
