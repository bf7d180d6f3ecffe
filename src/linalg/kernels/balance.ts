/** Diagonal scalings stay within 2^+-this. */
const LARGEST_EXPONENT = 500;

/**
 * Balancing (Osborne 1960; Golub & Van Loan 7.5.7): A <- D^-1 A D with powers of two in D, in place, until the
 * one-norms of row i and column i without the diagonal agree to a factor of about 2. A row or column below 1 counts
 * as 1: this is for the exponential, where smaller entries do no harm, and it bounds what a triangular matrix, which
 * has no finite balance, can ask for. `factors` (n) gets the diagonal of D.
 */
export function balance(a: Float64Array, aOffset: number, n: number, factors: Float64Array): void {
  const most = 2 ** LARGEST_EXPONENT;
  factors.fill(1, 0, n);
  let changed = true;
  for (let sweep = 0; changed && sweep < 100; sweep++) {
    changed = false;
    for (let i = 0; i < n; i++) {
      let row = 0;
      let column = 0;
      for (let j = 0; j < n; j++) {
        if (j === i) continue;
        const p = aOffset + 2 * (i * n + j);
        const q = aOffset + 2 * (j * n + i);
        row += Math.abs(a[p]!) + Math.abs(a[p + 1]!);
        column += Math.abs(a[q]!) + Math.abs(a[q + 1]!);
      }
      row = Math.max(1, row);
      column = Math.max(1, column);
      const exponent = Math.round((Math.log2(row) - Math.log2(column)) / 2);
      const factor = 2 ** exponent;
      const next = factors[i]! * factor;
      if (next > most || next < 1 / most) continue;
      if (!(row / factor + column * factor < 0.95 * (row + column))) continue;
      changed = true;
      factors[i] = next;
      for (let j = 0; j < n; j++) {
        if (j === i) continue;
        const p = aOffset + 2 * (i * n + j);
        const q = aOffset + 2 * (j * n + i);
        a[p] = a[p]! / factor;
        a[p + 1] = a[p + 1]! / factor;
        a[q] = a[q]! * factor;
        a[q + 1] = a[q + 1]! * factor;
      }
    }
  }
}
