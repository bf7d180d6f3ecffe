import { largestPart, powerOfTwoScale } from "./vector.ts";

/**
 * LU factorisation with partial pivoting of A (n x n), in place, after scaling rows and then columns by powers
 * of two so that the largest entry of each is in [1, 2) (Golub & Van Loan 3.4, 3.5.2): P D A E = L U. `pivots`
 * (n) gets the row swapped at each step, `scales` (2n) the diagonals of D and E.
 * Returns -1 on success, else the first column whose pivot is at most 2 n eps: A is singular to working
 * precision.
 */
export function luFactor(
  a: Float64Array,
  aOffset: number,
  n: number,
  pivots: Int32Array,
  scales: Float64Array,
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
  const tolerance = 2 * n * 2 ** -52;
  for (let j = 0; j < n; j++) {
    let best = -1;
    let row = j;
    for (let i = j; i < n; i++) {
      const p = aOffset + 2 * (i * n + j);
      const size = a[p]! * a[p]! + a[p + 1]! * a[p + 1]!;
      if (size > best) {
        best = size;
        row = i;
      }
    }
    pivots[j] = row;
    if (!(Math.sqrt(best) > tolerance)) return j;
    if (row !== j) {
      for (let l = 0; l < 2 * n; l++) {
        const p = aOffset + 2 * j * n + l;
        const q = aOffset + 2 * row * n + l;
        const swapped = a[p]!;
        a[p] = a[q]!;
        a[q] = swapped;
      }
    }
    const pivot = aOffset + 2 * (j * n + j);
    const size = a[pivot]! * a[pivot]! + a[pivot + 1]! * a[pivot + 1]!;
    const gr = a[pivot]! / size;
    const gi = -a[pivot + 1]! / size;
    for (let i = j + 1; i < n; i++) {
      const head = aOffset + 2 * (i * n + j);
      const x = a[head]! * gr - a[head + 1]! * gi;
      const y = a[head]! * gi + a[head + 1]! * gr;
      a[head] = x;
      a[head + 1] = y;
      for (let p = head + 2, q = pivot + 2, end = head + 2 * (n - j); p < end; p += 2, q += 2) {
        const u = a[q]!;
        const v = a[q + 1]!;
        a[p] = a[p]! - (x * u - y * v);
        a[p + 1] = a[p + 1]! - (x * v + y * u);
      }
    }
  }
  return -1;
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
