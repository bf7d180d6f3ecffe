import { applyReflector, makeReflector } from "./householder.ts";
import { largestPart, powerOfTwoScale } from "./vector.ts";

/** Buffers for the QR factorisation of rows x cols matrices; make one per size and reuse it. */
export interface QrWorkspace {
  readonly rows: number;
  readonly cols: number;
  /** Columns of A as contiguous rows; holds the reflectors and R afterwards. */
  readonly columns: Float64Array;
  readonly reflectors: Float64Array;
  readonly tau: Float64Array;
  readonly beta: Float64Array;
}

export function createQrWorkspace(rows: number, cols: number): QrWorkspace {
  const rank = Math.min(rows, cols);
  return {
    rows,
    cols,
    columns: new Float64Array(2 * rows * cols),
    reflectors: new Float64Array(2 * rows * rank),
    tau: new Float64Array(2 * rank),
    beta: new Float64Array(rank),
  };
}

/**
 * Thin Householder QR, A = Q R: A rows x cols, Q rows x k, R k x cols, k = min(rows, cols), diagonal of R real
 * and >= 0, Q with orthonormal columns for every rank (Golub & Van Loan, 5.2.2; reflectors as LAPACK's zlarfg).
 * `q` may be the same buffer and offset as `a`.
 */
export function qrFactor(
  a: Float64Array,
  aOffset: number,
  q: Float64Array,
  qOffset: number,
  r: Float64Array,
  rOffset: number,
  work: QrWorkspace,
): void {
  const { rows, cols, columns, reflectors, tau, beta } = work;
  const rank = Math.min(rows, cols);
  const stride = 2 * rows;
  const factor = powerOfTwoScale(largestPart(a, aOffset, rows * cols), 0);
  for (let i = 0, p = aOffset; i < rows; i++) {
    for (let j = 0; j < cols; j++, p += 2) {
      columns[j * stride + 2 * i] = factor * a[p]!;
      columns[j * stride + 2 * i + 1] = factor * a[p + 1]!;
    }
  }
  for (let j = 0; j < rank; j++) {
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
  // Q = H_0 H_1 ... applied to the first k columns of the identity, as contiguous rows of `reflectors`.
  reflectors.fill(0);
  for (let j = rank - 1; j >= 0; j--) {
    const head = j * stride + 2 * j;
    reflectors[head] = 1;
    applyReflector(columns, head, rows - j, tau[2 * j]!, tau[2 * j + 1]!, reflectors, head, stride, rank - j);
  }
  const unscale = 1 / factor;
  for (let i = 0; i < rank; i++) {
    const sign = beta[i]! < 0 ? -1 : 1;
    const row = rOffset + 2 * i * cols;
    for (let j = 0; j < cols; j++) {
      const p = j * stride + 2 * i;
      r[row + 2 * j] = j < i ? 0 : j === i ? unscale * Math.abs(beta[i]!) : sign * unscale * columns[p]!;
      r[row + 2 * j + 1] = j <= i ? 0 : sign * unscale * columns[p + 1]!;
    }
    for (let l = 0; l < rows; l++) {
      q[qOffset + 2 * (l * rank + i)] = sign * reflectors[i * stride + 2 * l]!;
      q[qOffset + 2 * (l * rank + i) + 1] = sign * reflectors[i * stride + 2 * l + 1]!;
    }
  }
}
