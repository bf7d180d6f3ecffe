import { checkNumber } from "../core/index.ts";
import { zeros } from "./construct.ts";
import { svd, svdValues } from "./svd.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix } from "./validate.ts";

/**
 * The numerical rank: the number of singular values above `tolerance` times the largest (Golub & Van Loan 5.4.1);
 * the default tolerance is max(rows, cols) 2^-52.
 * @throws InputError on NaN or Infinity, or a negative tolerance.
 */
export function rank(a: ComplexMatrix, tolerance?: number): number {
  checkMatrix(a, "a");
  return rankOf(svdValues(a), a, tolerance);
}

/**
 * An orthonormal basis of the range of a, the span of its columns: rows x {@link rank}, strongest direction first.
 * @throws InputError as {@link rank}.
 */
export function orthonormalBasis(a: ComplexMatrix, tolerance?: number): ComplexMatrix {
  const { u, s } = svd(a);
  return columnsOf(u, 0, rankOf(s, a, tolerance));
}

/**
 * An orthonormal basis of the null space of a, of all x with a x = 0: cols x (cols - {@link rank}).
 * @throws InputError as {@link rank}.
 */
export function nullSpace(a: ComplexMatrix, tolerance?: number): ComplexMatrix {
  const { s, v } = svd(a, { full: true });
  return columnsOf(v, rankOf(s, a, tolerance), a.cols);
}

/** How many of the descending singular values s of a count as nonzero. */
export function rankOf(s: Float64Array, a: ComplexMatrix, tolerance?: number): number {
  if (tolerance !== undefined) checkNumber(tolerance, "tolerance", 0);
  const cut = (tolerance ?? Math.max(a.rows, a.cols) * 2 ** -52) * (s[0] ?? 0);
  let count = 0;
  while (count < s.length && s[count]! > cut) count++;
  return count;
}

/** Columns `from` to `to` (excluded) of m. */
function columnsOf(m: ComplexMatrix, from: number, to: number): ComplexMatrix {
  const out = zeros(m.rows, to - from);
  for (let i = 0; i < m.rows; i++) {
    out.data.set(m.data.subarray(2 * (i * m.cols + from), 2 * (i * m.cols + to)), 2 * i * out.cols);
  }
  return out;
}
