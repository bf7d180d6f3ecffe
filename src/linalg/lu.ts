import { InputError } from "../core/index.ts";
import { identity, zeros } from "./construct.ts";
import { luEliminate, luFactor, luSolve as solveInPlace } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix, checkRange, checkSquare, shapeOf } from "./validate.ts";

/** P a = l u: row i of P a is row permutation[i] of a. */
export interface Lu {
  /** rows x k, k = min(rows, cols), lower trapezoidal with ones on the diagonal and entries of at most sqrt(2). */
  readonly l: ComplexMatrix;
  /** k x cols, upper trapezoidal. */
  readonly u: ComplexMatrix;
  /** rows numbers. */
  readonly permutation: Int32Array;
}

/**
 * LU factors of a matrix of any shape and rank by Gaussian elimination with partial pivoting (Golub & Van Loan
 * 3.4); a column without a pivot leaves a zero on the diagonal of u. Backward stable up to the growth of u, which is
 * small but for contrived matrices.
 * @throws InputError on NaN or Infinity, or if the growth of u goes beyond the range of doubles.
 */
export function lu(a: ComplexMatrix): Lu {
  checkMatrix(a, "a");
  const { rows, cols } = a;
  const k = Math.min(rows, cols);
  const packed = a.data.slice();
  const pivots = new Int32Array(k);
  luEliminate(packed, 0, rows, cols, pivots, -1);
  checkRange(packed, "a", "entries that grow too large in the elimination");
  const permutation = Int32Array.from({ length: rows }, (_, i) => i);
  for (let j = 0; j < k; j++) {
    const other = pivots[j]!;
    const moved = permutation[j]!;
    permutation[j] = permutation[other]!;
    permutation[other] = moved;
  }
  const l = zeros(rows, k);
  const u = zeros(k, cols);
  for (let i = 0; i < rows; i++) {
    const row = packed.subarray(2 * i * cols, 2 * (i + 1) * cols);
    l.data.set(row.subarray(0, 2 * Math.min(i, k)), 2 * i * k);
    if (i >= k) continue;
    l.data[2 * i * (k + 1)] = 1;
    u.data.set(row.subarray(2 * i), 2 * (i * cols + i));
  }
  return { l, u, permutation };
}

/**
 * x with a x = b, a n x n and b n x r, by Gaussian elimination with partial pivoting after scaling rows
 * and columns by powers of two (Golub & Van Loan 3.4).
 * @throws InputError if a is not square or is singular to working precision, b does not have n rows, or an entry
 * is not finite.
 */
export function luSolve(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  checkSquare(a, "a");
  checkMatrix(b, "b");
  const n = a.rows;
  if (b.rows !== n) throw new InputError("b", `a ${shapeOf(b)} matrix`, `${n} rows, as a`);
  const factors = a.data.slice();
  const pivots = new Int32Array(n);
  const scales = new Float64Array(2 * n);
  const failed = luFactor(factors, 0, n, pivots, scales);
  if (failed >= 0) throw new InputError("a", `no pivot left in column ${failed}`, "a nonsingular matrix");
  const data = b.data.slice();
  solveInPlace(factors, 0, n, pivots, scales, data, 0, b.cols);
  return { rows: n, cols: b.cols, data };
}

/** The inverse of a nonsingular n x n matrix, by {@link luSolve}. @throws InputError as luSolve. */
export function inverse(a: ComplexMatrix): ComplexMatrix {
  checkSquare(a, "a");
  return luSolve(a, identity(a.rows));
}
