import { checkOptions } from "../core/index.ts";
import { zeros } from "./construct.ts";
import {
  axpyComplex,
  createJacobiSvdWorkspace,
  jacobiSvd,
  multiplyConjugateRight,
  squaredNorm,
} from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix } from "./validate.ts";

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
 * Singular value decomposition of a matrix of any shape and rank by one-sided Jacobi (Hestenes; Golub & Van Loan
 * 8.6.3). Thin unless `full` is set. u and v have orthonormal columns also when a is rank-deficient or zero.
 * @throws InputError on NaN or Infinity.
 */
export function svd(a: ComplexMatrix, options: { readonly full?: boolean } = {}): Svd {
  checkMatrix(a, "a");
  checkOptions(options, "options", ["full"]);
  const k = Math.min(a.rows, a.cols);
  const u = zeros(a.rows, k);
  const v = zeros(a.cols, k);
  const s = new Float64Array(k);
  const work = createJacobiSvdWorkspace(a.rows, a.cols);
  if (jacobiSvd(a.data, 0, u.data, 0, s, 0, v.data, 0, work) < 0) {
    throw new Error(`svd: the Jacobi sweeps did not converge on this ${a.rows} x ${a.cols} matrix`);
  }
  let rank = k;
  while (rank > 0 && s[rank - 1] === 0) rank--;
  const wide = a.rows < a.cols;
  const full = options.full === true;
  return {
    u: completeBasis(u, wide ? k : rank, full ? a.rows : k),
    s,
    v: completeBasis(v, wide ? rank : k, full ? a.cols : k),
  };
}

/**
 * The Moore-Penrose pseudo-inverse, cols x rows. Singular values up to `tolerance` times the largest count as
 * zero; the default is max(rows, cols) times the unit roundoff 2^-52.
 * @throws InputError on NaN or Infinity.
 */
export function pseudoInverse(a: ComplexMatrix, tolerance?: number): ComplexMatrix {
  const { u, s, v } = svd(a);
  const out = zeros(a.cols, a.rows);
  const cut = (tolerance ?? Math.max(a.rows, a.cols) * 2 ** -52) * (s[0] ?? 0);
  const k = s.length;
  for (let j = 0; j < k; j++) {
    const inverse = s[j]! > cut ? 1 / s[j]! : 0;
    for (let i = 0; i < a.cols; i++) {
      const p = 2 * (i * k + j);
      v.data[p] = v.data[p]! * inverse;
      v.data[p + 1] = v.data[p + 1]! * inverse;
    }
  }
  multiplyConjugateRight(out.data, 0, v.data, 0, u.data, 0, a.cols, k, a.rows);
  return out;
}

/**
 * `m` with its first `known` columns (orthonormal) kept and the columns up to `wanted` made orthonormal to them:
 * each starts from the unit vector furthest from the span so far and is orthogonalised twice.
 */
function completeBasis(m: ComplexMatrix, known: number, wanted: number): ComplexMatrix {
  if (known === wanted && m.cols === wanted) return m;
  const n = m.rows;
  const basis = new Float64Array(2 * n * wanted);
  const remaining = new Float64Array(n).fill(1);
  for (let j = 0; j < wanted; j++) {
    const row = 2 * j * n;
    if (j < known) {
      for (let i = 0; i < n; i++) {
        basis[row + 2 * i] = m.data[2 * (i * m.cols + j)]!;
        basis[row + 2 * i + 1] = m.data[2 * (i * m.cols + j) + 1]!;
      }
    } else {
      let furthest = 0;
      for (let i = 1; i < n; i++) if (remaining[i]! > remaining[furthest]!) furthest = i;
      basis[row + 2 * furthest] = 1;
      for (let pass = 0; pass < 2; pass++) {
        for (let l = 0; l < j; l++) removeComponent(basis, row, 2 * l * n, n);
      }
      const inverse = 1 / Math.sqrt(squaredNorm(basis, row, n));
      for (let p = row; p < row + 2 * n; p++) basis[p] = basis[p]! * inverse;
    }
    for (let i = 0; i < n; i++) {
      remaining[i] = remaining[i]! - basis[row + 2 * i]! ** 2 - basis[row + 2 * i + 1]! ** 2;
    }
  }
  const out = zeros(n, wanted);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < wanted; j++) {
      out.data[2 * (i * wanted + j)] = basis[2 * (j * n + i)]!;
      out.data[2 * (i * wanted + j) + 1] = basis[2 * (j * n + i) + 1]!;
    }
  }
  return out;
}

/** x <- x - y (y^H x) for the rows of `count` entries at x and y. */
function removeComponent(rows: Float64Array, x: number, y: number, count: number): void {
  let re = 0;
  let im = 0;
  for (let i = 0; i < 2 * count; i += 2) {
    re += rows[y + i]! * rows[x + i]! + rows[y + i + 1]! * rows[x + i + 1]!;
    im += rows[y + i]! * rows[x + i + 1]! - rows[y + i + 1]! * rows[x + i]!;
  }
  axpyComplex(rows, x, rows, y, count, -re, -im);
}
