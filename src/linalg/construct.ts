import { Complex } from "complex.js";
import { Matrix } from "ml-matrix";
import {
  checkInteger,
  checkNumber,
  checkNumbers,
  describe,
  InputError,
  type RandomStream,
} from "../core/index.ts";
import type { ComplexMatrix } from "./types.ts";
import { checkMatrix } from "./validate.ts";

/** The rows x cols zero matrix. @throws InputError if a dimension is not a whole number >= 0. */
export function zeros(rows: number, cols: number): ComplexMatrix {
  checkInteger(rows, "rows", 0);
  checkInteger(cols, "cols", 0);
  return { rows, cols, data: new Float64Array(2 * rows * cols) };
}

/** The n x n identity. @throws InputError if n is not a whole number >= 0. */
export function identity(n: number): ComplexMatrix {
  checkInteger(n, "n", 0);
  const m = zeros(n, n);
  for (let i = 0; i < n; i++) m.data[2 * i * (n + 1)] = 1;
  return m;
}

/**
 * A rows x cols matrix from its real and imaginary parts, each a flat row-major list of rows * cols numbers.
 * @throws InputError on a wrong length or an entry that is not finite (`re[3]`).
 */
export function fromParts(
  rows: number,
  cols: number,
  re: ArrayLike<number>,
  im: ArrayLike<number>,
): ComplexMatrix {
  const m = zeros(rows, cols);
  const count = rows * cols;
  checkNumbers(re, "re", count);
  checkNumbers(im, "im", count);
  for (let i = 0; i < count; i++) {
    m.data[2 * i] = re[i]!;
    m.data[2 * i + 1] = im[i]!;
  }
  return m;
}

/** Real and imaginary parts as flat row-major arrays: the inverse of {@link fromParts}. */
export function toParts(m: ComplexMatrix): { re: Float64Array; im: Float64Array } {
  checkMatrix(m, "m");
  const count = m.rows * m.cols;
  const re = new Float64Array(count);
  const im = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    re[i] = m.data[2 * i]!;
    im[i] = m.data[2 * i + 1]!;
  }
  return { re, im };
}

/**
 * A matrix from its rows, each a list of numbers and complex.js values: `fromComplex([[1, new Complex(0, 1)]])`.
 * @throws InputError on ragged rows or an entry that is not a finite number.
 */
export function fromComplex(rows: readonly (readonly (number | Complex)[])[]): ComplexMatrix {
  if (!Array.isArray(rows)) throw new InputError("rows", describe(rows), "a list of rows");
  const cols = rows.length === 0 ? 0 : (rows[0]?.length ?? 0);
  const m = zeros(rows.length, cols);
  rows.forEach((row, i) => {
    if (!Array.isArray(row) || row.length !== cols) {
      throw new InputError(`rows[${i}]`, describe(row), `a list of ${cols} entries, as rows[0]`);
    }
    row.forEach((value: number | Complex, j: number) => {
      const { re, im } = parts(value, `rows[${i}][${j}]`);
      m.data[2 * (i * cols + j)] = re;
      m.data[2 * (i * cols + j) + 1] = im;
    });
  });
  return m;
}

/** Entry (i, j) as a complex.js value. @throws InputError outside the matrix. */
export function entry(m: ComplexMatrix, i: number, j: number): Complex {
  checkInteger(i, "i", 0, m.rows - 1);
  checkInteger(j, "j", 0, m.cols - 1);
  const p = 2 * (i * m.cols + j);
  return new Complex(m.data[p]!, m.data[p + 1]!);
}

/** A rows x cols matrix of independent CN(0, 1) entries (E|z|^2 = 1) drawn from `stream`. */
export function randomMatrix(rows: number, cols: number, stream: RandomStream): ComplexMatrix {
  const m = zeros(rows, cols);
  stream.fillComplexNormal(m.data);
  return m;
}

/**
 * The real 2 rows x 2 cols embedding [[Re, -Im], [Im, Re]] as an ml-matrix `Matrix`: sums, products, inverses and
 * conjugate transposes commute with it; eigenvalues of a Hermitian matrix and singular values appear twice.
 */
export function realEmbedding(m: ComplexMatrix): Matrix {
  checkMatrix(m, "m");
  const { rows, cols, data } = m;
  const embedded = Matrix.zeros(2 * rows, 2 * cols);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      const re = data[2 * (i * cols + j)]!;
      const im = data[2 * (i * cols + j) + 1]!;
      embedded.set(i, j, re);
      embedded.set(i + rows, j + cols, re);
      embedded.set(i, j + cols, -im);
      embedded.set(i + rows, j, im);
    }
  }
  return embedded;
}

/** Real and imaginary part of a number or a complex.js value, both checked to be finite. */
export function parts(value: number | Complex, field: string): { re: number; im: number } {
  if (typeof value === "number") return { re: checkNumber(value, field), im: 0 };
  if (value === null || typeof value !== "object") {
    throw new InputError(field, describe(value), "a number or a complex.js Complex");
  }
  return { re: checkNumber(value.re, `${field}.re`), im: checkNumber(value.im, `${field}.im`) };
}
