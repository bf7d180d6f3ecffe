import { Complex } from "complex.js";
import { InputError } from "../core/index.ts";
import { luFactor, powerOfTwoScale } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkSquare } from "./validate.ts";

/** det a = phase e^logModulus. */
export interface LogDeterminant {
  /** The determinant over its modulus: a complex number of modulus 1, or 0 if a is singular. */
  readonly phase: Complex;
  /** Natural logarithm of |det a|; -Infinity if a is singular. */
  readonly logModulus: number;
}

/**
 * The determinant of a square matrix of any size and scale as a phase and a logarithm, from its LU factors
 * (Golub & Van Loan 3.2.7); phase 1 and logarithm 0 for 0 x 0. A matrix counts as singular only when a pivot is
 * exactly zero; use `rank` or `conditionNumber` to judge how close it is. For Hermitian positive definite
 * matrices `logDet` is twice as fast.
 * @throws InputError if a is not square, or on NaN or Infinity.
 */
export function logDetLu(a: ComplexMatrix): LogDeterminant {
  const { re, im, exponent } = factored(a);
  const size = Math.sqrt(re * re + im * im);
  if (size === 0) return { phase: new Complex(0, 0), logModulus: Number.NEGATIVE_INFINITY };
  return { phase: new Complex(re / size, im / size), logModulus: Math.log(size) + exponent * Math.LN2 };
}

/**
 * The determinant of a square matrix, by {@link logDetLu}: 1 for 0 x 0, 0 also where it is below the smallest double.
 * @throws InputError if a is not square, on NaN or Infinity, or if the determinant is beyond the range of doubles
 * (logDetLu is not limited).
 */
export function determinant(a: ComplexMatrix): Complex {
  const { re, im, exponent } = factored(a);
  // In two steps: 2^exponent may be out of range where the result is not.
  const bounded = Math.max(-2200, Math.min(2000, exponent));
  const half = 2 ** Math.trunc(bounded / 2);
  const rest = 2 ** (bounded - Math.trunc(bounded / 2));
  const value = new Complex(re * half * rest, im * half * rest);
  if (Number.isFinite(value.re) && Number.isFinite(value.im)) return value;
  const decimal = (exponent * Math.LN2) / Math.LN10;
  throw new InputError(
    "a",
    `a determinant of about 10^${Math.round(decimal)}`,
    `one within the range of doubles (${Number.MAX_VALUE}); logDetLu is not limited`,
  );
}

/** det a = (re + i im) 2^exponent, with |re| + |im| in about [1, 2) unless it is zero. */
function factored(a: ComplexMatrix): { re: number; im: number; exponent: number } {
  checkSquare(a, "a");
  const n = a.rows;
  const lu = a.data.slice();
  const pivots = new Int32Array(n);
  const scales = new Float64Array(2 * n);
  luFactor(lu, 0, n, pivots, scales, -1);
  let re = 1;
  let im = 0;
  let exponent = 0;
  for (const factor of scales) exponent -= Math.round(Math.log2(factor));
  for (let i = 0; i < n; i++) {
    const sign = pivots[i] === i ? 1 : -1;
    const x = sign * lu[2 * i * (n + 1)]!;
    const y = sign * lu[2 * i * (n + 1) + 1]!;
    const real = re * x - im * y;
    im = re * y + im * x;
    re = real;
    const size = Math.abs(re) + Math.abs(im);
    if (i + 1 < n && size > 2 ** -200 && size < 2 ** 200) continue;
    const factor = powerOfTwoScale(size, 0);
    re *= factor;
    im *= factor;
    exponent -= Math.round(Math.log2(factor));
  }
  return re === 0 && im === 0 ? { re: 0, im: 0, exponent: 0 } : { re, im, exponent };
}
