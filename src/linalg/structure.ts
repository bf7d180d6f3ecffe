import { Complex } from "complex.js";
import { describe, InputError } from "../core/index.ts";
import { parts, zeros } from "./construct.ts";
import { makeHermitian } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix, checkRange, checkSquare } from "./validate.ts";

/** The min(rows, cols) entries on the diagonal of a matrix of any shape. @throws InputError on NaN or Infinity. */
export function diagonal(a: ComplexMatrix): Complex[] {
  checkMatrix(a, "a");
  return Array.from({ length: Math.min(a.rows, a.cols) }, (_, i) => {
    const p = 2 * i * (a.cols + 1);
    return new Complex(a.data[p]!, a.data[p + 1]!);
  });
}

/**
 * The n x n diagonal matrix of n numbers or complex.js values, or of a typed array such as the `s` of an svd.
 * @throws InputError on an entry that is not a finite number (`values[2]`).
 */
export function fromDiagonal(values: ArrayLike<number | Complex>): ComplexMatrix {
  if (!Array.isArray(values) && (!ArrayBuffer.isView(values) || values instanceof DataView)) {
    throw new InputError("values", describe(values), "an array of numbers or complex.js values");
  }
  const n = values.length;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) {
    const { re, im } = parts(values[i]!, `values[${i}]`);
    out.data[2 * i * (n + 1)] = re;
    out.data[2 * i * (n + 1) + 1] = im;
  }
  return out;
}

/** (a + a^H) / 2, exactly Hermitian. @throws InputError if a is not square, or on NaN or Infinity. */
export function hermitianPart(a: ComplexMatrix): ComplexMatrix {
  checkSquare(a, "a");
  const data = a.data.slice();
  makeHermitian(data, 0, a.rows);
  return { rows: a.rows, cols: a.cols, data };
}

/** (a - a^H) / 2, exactly skew-Hermitian. @throws InputError if a is not square, or on NaN or Infinity. */
export function skewHermitianPart(a: ComplexMatrix): ComplexMatrix {
  checkSquare(a, "a");
  const n = a.rows;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const p = 2 * (i * n + j);
      const q = 2 * (j * n + i);
      const re = 0.5 * a.data[p]! - 0.5 * a.data[q]!;
      const im = 0.5 * a.data[p + 1]! + 0.5 * a.data[q + 1]!;
      out.data[q] = -re;
      out.data[q + 1] = im;
      out.data[p] = re;
      out.data[p + 1] = im;
    }
  }
  return out;
}

/**
 * The Kronecker product a (x) b: block (i, j) is a_ij b, (m x n) (x) (p x q) -> m p x n q.
 * @throws InputError on NaN or Infinity, or if an entry of the product is beyond the range of doubles.
 */
export function kronecker(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  checkMatrix(a, "a");
  checkMatrix(b, "b");
  const out = zeros(a.rows * b.rows, a.cols * b.cols);
  let p = 0;
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < b.rows; k++) {
      for (let j = 0; j < a.cols; j++) {
        const x = a.data[2 * (i * a.cols + j)]!;
        const y = a.data[2 * (i * a.cols + j) + 1]!;
        for (let q = 2 * k * b.cols, end = q + 2 * b.cols; q < end; p += 2, q += 2) {
          out.data[p] = x * b.data[q]! - y * b.data[q + 1]!;
          out.data[p + 1] = x * b.data[q + 1]! + y * b.data[q]!;
        }
      }
    }
  }
  checkRange(out.data, "a", "entries whose products with those of b overflow");
  return out;
}
