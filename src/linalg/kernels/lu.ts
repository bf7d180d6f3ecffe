import { largestPart, powerOfTwoScale } from "./vector.ts";

/**
 * Gaussian elimination with partial pivoting (Golub & Van Loan 3.4) of A (rows x cols), in place: P A = L U, the
 * multipliers of the unit lower trapezoidal L below the diagonal, U on and above it. `pivots` (min(rows, cols))
 * gets the row swapped at each step; the size of a pivot is |re| + |im|, as in LAPACK.
 * Returns -1 on success, else the first column whose pivot is at most `tolerance`. With a negative tolerance it
 * never stops: a column without a pivot leaves a zero in U and no multipliers.
 */
export function luEliminate(
  a: Float64Array,
  aOffset: number,
  rows: number,
  cols: number,
  pivots: Int32Array,
  tolerance: number,
): number {
  const stride = 2 * cols;
  const steps = Math.min(rows, cols);
  for (let j = 0; j < steps; j++) {
    let best = -1;
    let row = j;
    for (let i = j; i < rows; i++) {
      const p = aOffset + i * stride + 2 * j;
      const size = Math.abs(a[p]!) + Math.abs(a[p + 1]!);
      if (size > best) {
        best = size;
        row = i;
      }
    }
    pivots[j] = row;
    if (!(best > tolerance)) return j;
    if (best === 0) continue;
    if (row !== j) {
      for (let p = aOffset + j * stride, q = aOffset + row * stride, end = p + stride; p < end; p++, q++) {
        const swapped = a[p]!;
        a[p] = a[q]!;
        a[q] = swapped;
      }
    }
    const pivot = aOffset + j * stride + 2 * j;
    // Scaled to about 1 where its square or reciprocal could leave the range of doubles.
    const factor = best > 1e-140 && best < 1e140 ? 1 : powerOfTwoScale(best, 0);
    const pr = factor * a[pivot]!;
    const pi = factor * a[pivot + 1]!;
    const size = pr * pr + pi * pi;
    const gr = pr / size;
    const gi = -pi / size;
    for (let i = j + 1; i < rows; i++) {
      const head = aOffset + i * stride + 2 * j;
      const hr = factor * a[head]!;
      const hi = factor * a[head + 1]!;
      const x = hr * gr - hi * gi;
      const y = hr * gi + hi * gr;
      a[head] = x;
      a[head + 1] = y;
      for (let p = head + 2, q = pivot + 2, end = aOffset + (i + 1) * stride; p < end; p += 2, q += 2) {
        const u = a[q]!;
        const v = a[q + 1]!;
        a[p] = a[p]! - (x * u - y * v);
        a[p + 1] = a[p + 1]! - (x * v + y * u);
      }
    }
  }
  return -1;
}

/**
 * LU factorisation of A (n x n), in place, after scaling rows and then columns by powers of two so that the
 * largest entry of each is in [1, 2) (Golub & Van Loan 3.5.2): P D A E = L U. `pivots` (n) gets the row swapped at
 * each step, `scales` (2n) the diagonals of D and E.
 * Returns -1 on success, else the first column whose pivot is at most `tolerance`: with the default, 2 n eps, A is
 * then singular to working precision. See {@link luEliminate} for a negative tolerance.
 */
export function luFactor(
  a: Float64Array,
  aOffset: number,
  n: number,
  pivots: Int32Array,
  scales: Float64Array,
  tolerance: number = 2 * n * 2 ** -52,
): number {
  for (let i = 0; i < n; i++) {
    const row = aOffset + 2 * i * n;
    const factor = powerOfTwoScale(largestPart(a, row, n), 0);
    scales[i] = factor;
    for (let p = row, end = row + 2 * n; p < end; p++) a[p] = factor * a[p]!;
  }
  for (let j = 0; j < n; j++) {
    let largest = 0;
    for (let i = 0; i < n; i++) largest = Math.max(largest, largestPart(a, aOffset + 2 * (i * n + j), 1));
    const factor = powerOfTwoScale(largest, 0);
    scales[n + j] = factor;
    for (let i = 0; i < n; i++) {
      const p = aOffset + 2 * (i * n + j);
      a[p] = factor * a[p]!;
      a[p + 1] = factor * a[p + 1]!;
    }
  }
  return luEliminate(a, aOffset, n, n, pivots, tolerance);
}

/** Solves A X = B in place of B (n x r, row-major) from the factors of {@link luFactor}. */
export function luSolve(
  lu: Float64Array,
  luOffset: number,
  n: number,
  pivots: Int32Array,
  scales: Float64Array,
  b: Float64Array,
  bOffset: number,
  r: number,
): void {
  const width = 2 * r;
  for (let i = 0; i < n; i++) {
    const factor = scales[i]!;
    for (let p = bOffset + i * width, end = p + width; p < end; p++) b[p] = factor * b[p]!;
  }
  for (let i = 0; i < n; i++) {
    const other = pivots[i]!;
    if (other === i) continue;
    for (let l = 0; l < width; l++) {
      const p = bOffset + i * width + l;
      const q = bOffset + other * width + l;
      const swapped = b[p]!;
      b[p] = b[q]!;
      b[q] = swapped;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++)
      subtractRow(lu, luOffset + 2 * (i * n + k), b, bOffset + i * width, bOffset + k * width, width);
  }
  for (let i = n - 1; i >= 0; i--) {
    const row = bOffset + i * width;
    for (let k = i + 1; k < n; k++)
      subtractRow(lu, luOffset + 2 * (i * n + k), b, row, bOffset + k * width, width);
    const x = lu[luOffset + 2 * (i * n + i)]!;
    const y = lu[luOffset + 2 * (i * n + i) + 1]!;
    const size = x * x + y * y;
    for (let p = row, end = row + width; p < end; p += 2) {
      const u = b[p]!;
      const v = b[p + 1]!;
      b[p] = (u * x + v * y) / size;
      b[p + 1] = (v * x - u * y) / size;
    }
  }
  for (let i = 0; i < n; i++) {
    const factor = scales[n + i]!;
    for (let p = bOffset + i * width, end = p + width; p < end; p++) b[p] = factor * b[p]!;
  }
}

/** Row at `target` -= (entry at `p` of lu) times the row at `source`. */
function subtractRow(
  lu: Float64Array,
  at: number,
  b: Float64Array,
  target: number,
  source: number,
  width: number,
): void {
  const x = lu[at]!;
  const y = lu[at + 1]!;
  for (let p = target, q = source, end = target + width; p < end; p += 2, q += 2) {
    const u = b[q]!;
    const v = b[q + 1]!;
    b[p] = b[p]! - (x * u - y * v);
    b[p + 1] = b[p + 1]! - (x * v + y * u);
  }
}
