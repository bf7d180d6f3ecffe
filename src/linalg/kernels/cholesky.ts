/**
 * Cholesky factorisation A = L L^H of a Hermitian positive definite matrix, in place: reads the lower triangle
 * of A (n x n, row-major) and writes L there; the strict upper triangle is neither read nor written.
 * Returns -1 on success, else the index of the first pivot that is not positive (A is then partly overwritten).
 * Row by row (Golub & Van Loan, 4.2.5): both operands of every inner product are contiguous.
 */
export function choleskyFactor(a: Float64Array, aOffset: number, n: number): number {
  for (let i = 0; i < n; i++) {
    const rowI = aOffset + 2 * i * n;
    for (let j = 0; j < i; j++) {
      const rowJ = aOffset + 2 * j * n;
      let re = a[rowI + 2 * j]!;
      let im = a[rowI + 2 * j + 1]!;
      for (let p = rowI, q = rowJ, end = rowI + 2 * j; p < end; p += 2, q += 2) {
        const x = a[p]!;
        const y = a[p + 1]!;
        const u = a[q]!;
        const v = a[q + 1]!;
        re -= x * u + y * v;
        im -= y * u - x * v;
      }
      const pivot = a[rowJ + 2 * j]!;
      a[rowI + 2 * j] = re / pivot;
      a[rowI + 2 * j + 1] = im / pivot;
    }
    let pivot = a[rowI + 2 * i]!;
    for (let p = rowI, end = rowI + 2 * i; p < end; p++) pivot -= a[p]! * a[p]!;
    if (!(pivot > 0)) return i;
    a[rowI + 2 * i] = Math.sqrt(pivot);
    a[rowI + 2 * i + 1] = 0;
  }
  return -1;
}

/** Solves L Y = B in place of B (n x r, row-major); L lower triangular with real positive diagonal. */
export function solveLower(
  l: Float64Array,
  lOffset: number,
  n: number,
  b: Float64Array,
  bOffset: number,
  r: number,
): void {
  const width = 2 * r;
  for (let i = 0; i < n; i++) {
    const rowL = lOffset + 2 * i * n;
    const rowI = bOffset + i * width;
    for (let k = 0; k < i; k++) {
      const x = l[rowL + 2 * k]!;
      const y = l[rowL + 2 * k + 1]!;
      for (let p = rowI, q = bOffset + k * width, end = rowI + width; p < end; p += 2, q += 2) {
        const u = b[q]!;
        const v = b[q + 1]!;
        b[p] = b[p]! - (x * u - y * v);
        b[p + 1] = b[p + 1]! - (x * v + y * u);
      }
    }
    const pivot = l[rowL + 2 * i]!;
    for (let p = rowI, end = rowI + width; p < end; p++) b[p] = b[p]! / pivot;
  }
}

/** Solves L^H X = B in place of B (n x r, row-major); L lower triangular with real positive diagonal. */
export function solveLowerConjugate(
  l: Float64Array,
  lOffset: number,
  n: number,
  b: Float64Array,
  bOffset: number,
  r: number,
): void {
  const width = 2 * r;
  for (let i = n - 1; i >= 0; i--) {
    const rowL = lOffset + 2 * i * n;
    const rowI = bOffset + i * width;
    const pivot = l[rowL + 2 * i]!;
    for (let p = rowI, end = rowI + width; p < end; p++) b[p] = b[p]! / pivot;
    for (let k = 0; k < i; k++) {
      const x = l[rowL + 2 * k]!;
      const y = l[rowL + 2 * k + 1]!;
      for (let p = rowI, q = bOffset + k * width, end = rowI + width; p < end; p += 2, q += 2) {
        const u = b[p]!;
        const v = b[p + 1]!;
        b[q] = b[q]! - (x * u + y * v);
        b[q + 1] = b[q + 1]! - (x * v - y * u);
      }
    }
  }
}

/** Solves L L^H X = B in place of B (n x r, row-major) from the factor of {@link choleskyFactor}. */
export function choleskySolve(
  l: Float64Array,
  lOffset: number,
  n: number,
  b: Float64Array,
  bOffset: number,
  r: number,
): void {
  solveLower(l, lOffset, n, b, bOffset, r);
  solveLowerConjugate(l, lOffset, n, b, bOffset, r);
}
