import { InputError } from "../core/index.ts";
import { identity } from "./construct.ts";
import { luFactor, luSolve as solveInPlace } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix, checkSquare, shapeOf } from "./validate.ts";

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
  const lu = a.data.slice();
  const pivots = new Int32Array(n);
  const scales = new Float64Array(2 * n);
  const failed = luFactor(lu, 0, n, pivots, scales);
  if (failed >= 0) throw new InputError("a", `no pivot left in column ${failed}`, "a nonsingular matrix");
  const data = b.data.slice();
  solveInPlace(lu, 0, n, pivots, scales, data, 0, b.cols);
  return { rows: n, cols: b.cols, data };
}

/** The inverse of a nonsingular n x n matrix, by {@link luSolve}. @throws InputError as luSolve. */
export function inverse(a: ComplexMatrix): ComplexMatrix {
  checkSquare(a, "a");
  return luSolve(a, identity(a.rows));
}
