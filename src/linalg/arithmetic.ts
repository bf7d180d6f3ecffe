import { Complex } from "complex.js";
import { InputError } from "../core/index.ts";
import { parts, zeros } from "./construct.ts";
import * as kernel from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix, checkSameShape, checkSquare, shapeOf } from "./validate.ts";

/** a + b, equal shapes. @throws InputError on different shapes, NaN or Infinity. */
export function add(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  checkSameShape(a, b);
  const out = zeros(a.rows, a.cols);
  for (let i = 0; i < out.data.length; i++) out.data[i] = a.data[i]! + b.data[i]!;
  return out;
}

/** a - b, equal shapes. @throws InputError on different shapes, NaN or Infinity. */
export function subtract(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  checkSameShape(a, b);
  const out = zeros(a.rows, a.cols);
  for (let i = 0; i < out.data.length; i++) out.data[i] = a.data[i]! - b.data[i]!;
  return out;
}

/** factor m, with a real or complex factor. @throws InputError on NaN or Infinity. */
export function scale(m: ComplexMatrix, factor: number | Complex): ComplexMatrix {
  checkMatrix(m, "m");
  const { re, im } = parts(factor, "factor");
  const out = zeros(m.rows, m.cols);
  if (im === 0) kernel.scale(out.data, 0, m.data, 0, m.rows * m.cols, re);
  else kernel.axpyComplex(out.data, 0, m.data, 0, m.rows * m.cols, re, im);
  return out;
}

/** The conjugate transpose m^H, cols x rows. @throws InputError on NaN or Infinity. */
export function conjugateTranspose(m: ComplexMatrix): ComplexMatrix {
  checkMatrix(m, "m");
  const out = zeros(m.cols, m.rows);
  kernel.conjugateTranspose(out.data, 0, m.data, 0, m.rows, m.cols);
  return out;
}

/** a b: (m x k) (k x n) -> m x n. @throws InputError if the inner sizes differ, or on NaN or Infinity. */
export function multiply(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  checkMatrix(a, "a");
  checkMatrix(b, "b");
  if (a.cols !== b.rows) {
    throw new InputError("b", `a ${shapeOf(b)} matrix`, `${a.cols} rows, the columns of a (${shapeOf(a)})`);
  }
  const out = zeros(a.rows, b.cols);
  kernel.multiply(out.data, 0, a.data, 0, b.data, 0, a.rows, a.cols, b.cols);
  return out;
}

/** a^H b: (k x m)^H (k x n) -> m x n. @throws InputError if the row counts differ, or on NaN or Infinity. */
export function multiplyConjugateLeft(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  checkMatrix(a, "a");
  checkMatrix(b, "b");
  if (a.rows !== b.rows) {
    throw new InputError("b", `a ${shapeOf(b)} matrix`, `${a.rows} rows, as a (${shapeOf(a)})`);
  }
  const out = zeros(a.cols, b.cols);
  kernel.multiplyConjugateLeft(out.data, 0, a.data, 0, b.data, 0, a.cols, a.rows, b.cols);
  return out;
}

/** a b^H: (m x k) (n x k)^H -> m x n. @throws InputError if the column counts differ, or on NaN or Infinity. */
export function multiplyConjugateRight(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  checkMatrix(a, "a");
  checkMatrix(b, "b");
  if (a.cols !== b.cols) {
    throw new InputError("b", `a ${shapeOf(b)} matrix`, `${a.cols} columns, as a (${shapeOf(a)})`);
  }
  const out = zeros(a.rows, b.rows);
  kernel.multiplyConjugateRight(out.data, 0, a.data, 0, b.data, 0, a.rows, a.cols, b.rows);
  return out;
}

/** Frobenius norm, the root of the sum of squared moduli; safe against overflow and underflow of the squares. */
export function frobeniusNorm(m: ComplexMatrix): number {
  checkMatrix(m, "m");
  const count = m.rows * m.cols;
  const factor = kernel.powerOfTwoScale(kernel.largestPart(m.data, 0, count), 0);
  let sum = 0;
  for (let i = 0; i < 2 * count; i++) sum += (factor * m.data[i]!) ** 2;
  return Math.sqrt(sum) / factor;
}

/** Trace of a square matrix. @throws InputError if it is not square, or on NaN or Infinity. */
export function trace(m: ComplexMatrix): Complex {
  checkSquare(m, "m");
  let re = 0;
  let im = 0;
  for (let i = 0; i < m.rows; i++) {
    re += m.data[2 * i * (m.rows + 1)]!;
    im += m.data[2 * i * (m.rows + 1) + 1]!;
  }
  return new Complex(re, im);
}

/** The real inner product <a, b> = Re tr(a^H b) of equal shapes. @throws InputError on different shapes. */
export function realInner(a: ComplexMatrix, b: ComplexMatrix): number {
  checkSameShape(a, b);
  return kernel.realInner(a.data, 0, b.data, 0, a.rows * a.cols);
}
