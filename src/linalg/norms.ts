import { checkChoice } from "../core/index.ts";
import { frobeniusNorm } from "./arithmetic.ts";
import { largestPart, powerOfTwoScale } from "./kernels/index.ts";
import { svdValues } from "./svd.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix } from "./validate.ts";

const KINDS = ["frobenius", "one", "infinity", "two", "nuclear", "max"] as const;

/**
 * Which norm: `frobenius` the root of the sum of squared moduli; `one` the largest sum of moduli of a column;
 * `infinity` of a row; `two` the largest singular value; `nuclear` the sum of the singular values; `max` the largest
 * modulus of an entry.
 */
export type NormKind = (typeof KINDS)[number];

/**
 * A norm of a matrix of any shape (Golub & Van Loan 2.3), 0 if it is empty. Safe against overflow and underflow on
 * the way.
 * @throws InputError on NaN or Infinity, or an unknown kind.
 */
export function norm(a: ComplexMatrix, kind: NormKind = "frobenius"): number {
  checkMatrix(a, "a");
  switch (checkChoice(kind, "kind", KINDS)) {
    case "frobenius":
      return frobeniusNorm(a);
    case "one":
      return largestSum(a, a.cols, (_, j) => j);
    case "infinity":
      return largestSum(a, a.rows, (i) => i);
    case "max":
      return largestSum(a, a.rows * a.cols, (i, j) => i * a.cols + j);
    case "two":
      return svdValues(a)[0] ?? 0;
    case "nuclear":
      return svdValues(a).reduce((sum, x) => sum + x, 0);
  }
}

/**
 * The condition number in the two-norm, largest over smallest of the min(rows, cols) singular values: 1 for an
 * empty matrix, Infinity when the smallest is zero or the quotient beyond the range of doubles. At 2^52 and above
 * the matrix is singular to working precision and only the size of the number has a meaning.
 * @throws InputError on NaN or Infinity.
 */
export function conditionNumber(a: ComplexMatrix): number {
  const s = svdValues(a);
  if (s.length === 0) return 1;
  const smallest = s[s.length - 1]!;
  return smallest === 0 ? Number.POSITIVE_INFINITY : s[0]! / smallest;
}

/** Moduli summed by group; the largest of the `count` sums. */
function largestSum(a: ComplexMatrix, count: number, group: (i: number, j: number) => number): number {
  const factor = powerOfTwoScale(largestPart(a.data, 0, a.rows * a.cols), 0);
  const sums = new Float64Array(count);
  for (let i = 0, p = 0; i < a.rows; i++) {
    for (let j = 0; j < a.cols; j++, p += 2) {
      const x = factor * a.data[p]!;
      const y = factor * a.data[p + 1]!;
      const at = group(i, j);
      sums[at] = sums[at]! + Math.sqrt(x * x + y * y);
    }
  }
  let largest = 0;
  for (const sum of sums) if (sum > largest) largest = sum;
  return largest / factor;
}
