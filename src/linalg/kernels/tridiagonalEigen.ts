const EPSILON = 2 ** -52;

/**
 * Implicit QL with Wilkinson shifts on a real symmetric tridiagonal matrix (Golub & Van Loan 8.3.5; EISPACK
 * imtql2). `diagonal` (n) is overwritten by the eigenvalues, unsorted; `offDiagonal` (n, the last entry unused)
 * is destroyed; the rows of `vectors` (n x n, real, row-major) are rotated along, so that starting from the
 * identity row j becomes the eigenvector of diagonal[j]. Entries should be scaled to at most about 1.
 * Returns the number of iterations, or -1 after 50 n.
 */
export function tridiagonalEigen(
  diagonal: Float64Array,
  offDiagonal: Float64Array,
  n: number,
  vectors: Float64Array,
): number {
  let norm = 0;
  for (let i = 0; i < n; i++) {
    norm = Math.max(norm, Math.abs(diagonal[i]!), i + 1 < n ? Math.abs(offDiagonal[i]!) : 0);
  }
  const negligible = norm * 2 ** -120;
  const cap = 50 * n;
  let iterations = 0;
  for (let l = 0; l < n; l++) {
    for (;;) {
      let m = l;
      for (; m + 1 < n; m++) {
        const size = Math.abs(offDiagonal[m]!);
        if (size <= negligible) break;
        if (size <= EPSILON * (Math.abs(diagonal[m]!) + Math.abs(diagonal[m + 1]!))) break;
      }
      if (m === l) break;
      if (iterations++ >= cap) return -1;
      let g = (diagonal[l + 1]! - diagonal[l]!) / (2 * offDiagonal[l]!);
      let r = Math.abs(g) > 1e100 ? Math.abs(g) : Math.sqrt(g * g + 1);
      g = diagonal[m]! - diagonal[l]! + offDiagonal[l]! / (g + (g >= 0 ? r : -r));
      let s = 1;
      let c = 1;
      let p = 0;
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * offDiagonal[i]!;
        const b = c * offDiagonal[i]!;
        r = Math.sqrt(f * f + g * g);
        offDiagonal[i + 1] = r;
        if (r === 0) {
          diagonal[i + 1] = diagonal[i + 1]! - p;
          break;
        }
        s = f / r;
        c = g / r;
        g = diagonal[i + 1]! - p;
        r = (diagonal[i]! - g) * s + 2 * c * b;
        p = s * r;
        diagonal[i + 1] = g + p;
        g = c * r - b;
        rotateRows(vectors, i * n, n, c, s);
      }
      offDiagonal[m] = 0;
      if (i >= l) continue;
      diagonal[l] = diagonal[l]! - p;
      offDiagonal[l] = g;
    }
  }
  return iterations;
}

/** (row, next row) <- (c row - s next, s row + c next), rows of n contiguous reals. */
function rotateRows(vectors: Float64Array, start: number, n: number, c: number, s: number): void {
  for (let p = start, q = start + n, end = start + n; p < end; p++, q++) {
    const x = vectors[p]!;
    const y = vectors[q]!;
    vectors[p] = c * x - s * y;
    vectors[q] = s * x + c * y;
  }
}
