import { applyReflector, makeReflector } from "./householder.ts";
import { largestPart, powerOfTwoScale, squaredNorm } from "./vector.ts";

/** Buffers for the QR factorisation of rows x cols matrices; make one per size and reuse it. */
export interface QrWorkspace {
  readonly rows: number;
  readonly cols: number;
  /** Columns of Q: min(rows, cols), or rows when full. */
  readonly width: number;
  /** Columns of A as contiguous rows; holds the reflectors and R afterwards. */
  readonly columns: Float64Array;
  readonly reflectors: Float64Array;
  readonly tau: Float64Array;
  readonly beta: Float64Array;
}

export function createQrWorkspace(rows: number, cols: number, full = false): QrWorkspace {
  const rank = Math.min(rows, cols);
  const width = full ? rows : rank;
  return {
    rows,
    cols,
    width,
    columns: new Float64Array(2 * rows * cols),
    reflectors: new Float64Array(2 * rows * width),
    tau: new Float64Array(2 * rank),
    beta: new Float64Array(rank),
  };
}

/**
 * Householder QR, A = Q R: A rows x cols, Q rows x w, R w x cols, w = min(rows, cols) or rows (work.width), diagonal
 * of R real and >= 0, Q with orthonormal columns for every rank (Golub & Van Loan, 5.2.2; reflectors as LAPACK's
 * zlarfg). `q` may be the same buffer and offset as `a`.
 *
 * With `permutation` (cols) the largest remaining column comes first at every step (5.4.2): A P = Q R with a
 * diagonal that does not increase, and permutation[j] the column of A that went to position j.
 */
export function qrFactor(
  a: Float64Array,
  aOffset: number,
  q: Float64Array,
  qOffset: number,
  r: Float64Array,
  rOffset: number,
  work: QrWorkspace,
  permutation?: Int32Array,
): void {
  const { rows, cols, width, columns, reflectors, tau, beta } = work;
  const rank = Math.min(rows, cols);
  const stride = 2 * rows;
  // Pivoting compares squared norms: they have the most room when the largest entry is near 2^500.
  const target = permutation === undefined ? 0 : 500;
  const factor = powerOfTwoScale(largestPart(a, aOffset, rows * cols), target);
  for (let i = 0, p = aOffset; i < rows; i++) {
    for (let j = 0; j < cols; j++, p += 2) {
      columns[j * stride + 2 * i] = factor * a[p]!;
      columns[j * stride + 2 * i + 1] = factor * a[p + 1]!;
    }
  }
  if (permutation !== undefined) for (let j = 0; j < cols; j++) permutation[j] = j;
  for (let j = 0; j < rank; j++) {
    if (permutation !== undefined) bringLargestForward(columns, rows, cols, j, permutation);
    const head = j * stride + 2 * j;
    beta[j] = makeReflector(columns, head, rows - j, tau, 2 * j);
    applyReflector(
      columns,
      head,
      rows - j,
      tau[2 * j]!,
      -tau[2 * j + 1]!,
      columns,
      head + stride,
      stride,
      cols - j - 1,
    );
  }
  // Q = H_0 H_1 ... applied to the first w columns of the identity, as contiguous rows of `reflectors`.
  reflectors.fill(0);
  for (let j = rank; j < width; j++) reflectors[j * stride + 2 * j] = 1;
  for (let j = rank - 1; j >= 0; j--) {
    const head = j * stride + 2 * j;
    reflectors[head] = 1;
    applyReflector(
      columns,
      head,
      rows - j,
      tau[2 * j]!,
      tau[2 * j + 1]!,
      reflectors,
      head,
      stride,
      width - j,
    );
  }
  const unscale = 1 / factor;
  for (let i = 0; i < width; i++) {
    const row = rOffset + 2 * i * cols;
    if (i >= rank) r.fill(0, row, row + 2 * cols);
    const sign = i < rank && beta[i]! < 0 ? -1 : 1;
    for (let j = 0; j < cols && i < rank; j++) {
      const p = j * stride + 2 * i;
      r[row + 2 * j] = j < i ? 0 : j === i ? unscale * Math.abs(beta[i]!) : sign * unscale * columns[p]!;
      r[row + 2 * j + 1] = j <= i ? 0 : sign * unscale * columns[p + 1]!;
    }
    for (let l = 0; l < rows; l++) {
      q[qOffset + 2 * (l * width + i)] = sign * reflectors[i * stride + 2 * l]!;
      q[qOffset + 2 * (l * width + i) + 1] = sign * reflectors[i * stride + 2 * l + 1]!;
    }
  }
}

/** Swaps column `step` (a row of `columns`) with the one of largest norm from entry `step` on. */
export function bringLargestForward(
  columns: Float64Array,
  length: number,
  count: number,
  step: number,
  permutation: Int32Array,
): void {
  const stride = 2 * length;
  let best = step;
  let largest = -1;
  for (let i = step; i < count; i++) {
    const size = squaredNorm(columns, i * stride + 2 * step, length - step);
    if (size > largest) {
      largest = size;
      best = i;
    }
  }
  if (best === step) return;
  const swapped = permutation[step]!;
  permutation[step] = permutation[best]!;
  permutation[best] = swapped;
  for (let p = step * stride, q = best * stride, end = p + stride; p < end; p++, q++) {
    const x = columns[p]!;
    columns[p] = columns[q]!;
    columns[q] = x;
  }
}
