import { axpyComplex, squaredNorm } from "./vector.ts";

/**
 * Rows of `length` complex entries: the first `known` are orthonormal and are kept, those up to `wanted` (<= length)
 * are overwritten so that all are orthonormal. Each new row starts from the unit vector furthest from the span so
 * far and is orthogonalised twice (Golub & Van Loan 5.2.7). `scratch` holds `length` reals.
 */
export function completeBasis(
  rows: Float64Array,
  length: number,
  known: number,
  wanted: number,
  scratch: Float64Array,
): void {
  if (known >= wanted) return;
  // scratch[i]: squared distance of the unit vector e_i from the span
  scratch.fill(1, 0, length);
  for (let j = 0; j < wanted; j++) {
    const row = 2 * j * length;
    if (j >= known) {
      let furthest = 0;
      for (let i = 1; i < length; i++) if (scratch[i]! > scratch[furthest]!) furthest = i;
      rows.fill(0, row, row + 2 * length);
      rows[row + 2 * furthest] = 1;
      for (let pass = 0; pass < 2; pass++) {
        for (let l = 0; l < j; l++) removeComponent(rows, row, 2 * l * length, length);
      }
      const inverse = 1 / Math.sqrt(squaredNorm(rows, row, length));
      for (let p = row; p < row + 2 * length; p++) rows[p] = inverse * rows[p]!;
    }
    for (let i = 0; i < length; i++) {
      scratch[i] = scratch[i]! - rows[row + 2 * i]! ** 2 - rows[row + 2 * i + 1]! ** 2;
    }
  }
}

/** x <- x - y (y^H x) for the rows of `length` entries at x and y. */
function removeComponent(rows: Float64Array, x: number, y: number, length: number): void {
  let re = 0;
  let im = 0;
  for (let p = x, q = y, end = x + 2 * length; p < end; p += 2, q += 2) {
    re += rows[q]! * rows[p]! + rows[q + 1]! * rows[p + 1]!;
    im += rows[q]! * rows[p + 1]! - rows[q + 1]! * rows[p]!;
  }
  axpyComplex(rows, x, rows, y, length, -re, -im);
}
