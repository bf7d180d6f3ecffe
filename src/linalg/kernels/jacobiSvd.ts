import { completeBasis } from "./basis.ts";
import {
  createHermitianEigenWorkspace,
  type HermitianEigenWorkspace,
  hermitianEigen,
} from "./hermitianEigen.ts";
import { applyReflector, makeReflector } from "./householder.ts";
import { orthogonaliseRows } from "./jacobi.ts";
import { multiplyConjugateLeft, multiplyConjugateRight } from "./multiply.ts";
import { bringLargestForward } from "./qr.ts";
import { conjugateTranspose, largestPart, powerOfTwoScale } from "./vector.ts";

/** Buffers for the SVD of rows x cols matrices; make one per size and reuse it. */
export interface JacobiSvdWorkspace {
  readonly rows: number;
  readonly cols: number;
  /** Columns of A (of A^H when A is wide) as contiguous rows; then the reflectors of its QR factorisation. */
  readonly columns: Float64Array;
  /** Columns of the long factor as contiguous rows. */
  readonly long: Float64Array;
  /** Columns of R^H as contiguous rows; rotated until they are orthogonal. */
  readonly lower: Float64Array;
  /** Columns of the accumulated rotations as contiguous rows. */
  readonly rotations: Float64Array;
  readonly tau: Float64Array;
  readonly norms: Float64Array;
  readonly order: Int32Array;
  /** Column of A that the pivoting moved to each position. */
  readonly pivots: Int32Array;
  /** R R^H and its eigenvectors, for sizes where that start pays. */
  readonly gram: Float64Array;
  readonly eigen: HermitianEigenWorkspace | undefined;
}

export function createJacobiSvdWorkspace(rows: number, cols: number): JacobiSvdWorkspace {
  const count = Math.min(rows, cols);
  return {
    rows,
    cols,
    columns: new Float64Array(2 * rows * cols),
    long: new Float64Array(2 * rows * cols),
    lower: new Float64Array(2 * count * count),
    rotations: new Float64Array(2 * count * count),
    tau: new Float64Array(2 * count),
    norms: new Float64Array(count),
    order: new Int32Array(count),
    pivots: new Int32Array(count),
    gram: new Float64Array(count < SMALLEST_EIGEN_START ? 0 : 2 * count * count),
    eigen: count < SMALLEST_EIGEN_START ? undefined : createHermitianEigenWorkspace(count),
  };
}

const SMALLEST_EIGEN_START = 4;
/** Smallest ratio on the diagonal of R at which the eigenvectors of R R^H are a good enough start. */
const WELL_CONDITIONED = 1e-3;

/**
 * Thin SVD A = U diag(s) V^H: A is rows x cols, k = min(rows, cols), U rows x k, s (k, descending), V cols x k,
 * both with orthonormal columns for every rank. QR with column pivoting, A P = Q R, then one-sided Jacobi
 * (Hestenes; Golub & Van Loan 8.6.3) on the columns of R^H, which converges in fewer sweeps than on A (Drmac &
 * Veselic, SIAM J. Matrix Anal. Appl. 29, 2008). Every singular value is found to high relative accuracy when the
 * columns of A (rows, if wide; either, if square) are well conditioned after scaling; values below 1e-290 times
 * the largest count as zero. A wide A is factored through A^H at no cost. U or V may be A's own buffer.
 *
 * Returns the number of sweeps, or -1 if 60 did not suffice (never seen on finite input; the factors are then
 * approximate).
 */
export function jacobiSvd(
  a: Float64Array,
  aOffset: number,
  u: Float64Array,
  uOffset: number,
  s: Float64Array,
  sOffset: number,
  v: Float64Array,
  vOffset: number,
  work: JacobiSvdWorkspace,
): number {
  const { rows, cols, columns, long, lower, rotations, tau, norms, order, pivots } = work;
  const factor = powerOfTwoScale(largestPart(a, aOffset, rows * cols), 500);
  const wide = factorThroughConjugate(a, aOffset, factor, work);
  const length = wide ? cols : rows;
  const count = wide ? rows : cols;
  const stride = 2 * length;
  const sweeps = reduce(a, aOffset, factor, wide, true, work);

  // R = W diag(s) X^H, W the rotations and X the normalised columns of R^H: long factor Q W, short factor P X.
  long.fill(0);
  for (let j = 0; j < count; j++) {
    const from = 2 * order[j]! * count;
    for (let i = 0, p = from, q = j * stride; i < 2 * count; i++, p++, q++) long[q] = rotations[p]!;
  }
  for (let j = count - 1; j >= 0; j--) {
    const head = j * stride + 2 * j;
    applyReflector(columns, head, length - j, tau[2 * j]!, tau[2 * j + 1]!, long, 2 * j, stride, count);
  }
  let rank = 0;
  for (let j = 0; j < count; j++) {
    const row = 2 * order[j]! * count;
    const norm = norms[order[j]!]!;
    s[sOffset + j] = norm / factor;
    if (norm === 0) continue;
    rank++;
    const inverse = 1 / norm;
    for (let p = row, q = 2 * j * count, end = row + 2 * count; p < end; p++, q++)
      rotations[q] = inverse * lower[p]!;
  }
  completeBasis(rotations, count, rank, count, norms);
  const left = wide ? v : u;
  const leftOffset = wide ? vOffset : uOffset;
  const right = wide ? u : v;
  const rightOffset = wide ? uOffset : vOffset;
  for (let j = 0; j < count; j++) {
    for (let i = 0, p = j * stride, q = leftOffset + 2 * j; i < length; i++, p += 2, q += 2 * count) {
      left[q] = long[p]!;
      left[q + 1] = long[p + 1]!;
    }
    for (let i = 0, p = 2 * j * count; i < count; i++, p += 2) {
      const q = rightOffset + 2 * (pivots[i]! * count + j);
      right[q] = rotations[p]!;
      right[q + 1] = rotations[p + 1]!;
    }
  }
  return sweeps;
}

/**
 * The singular values alone (min(rows, cols), descending): the same bits as those of {@link jacobiSvd}, without
 * the work for the factors. Returns the number of sweeps, or -1.
 */
export function jacobiSingularValues(
  a: Float64Array,
  aOffset: number,
  s: Float64Array,
  sOffset: number,
  work: JacobiSvdWorkspace,
): number {
  const { rows, cols, norms, order } = work;
  const factor = powerOfTwoScale(largestPart(a, aOffset, rows * cols), 500);
  const wide = factorThroughConjugate(a, aOffset, factor, work);
  const sweeps = reduce(a, aOffset, factor, wide, false, work);
  for (let j = 0; j < norms.length; j++) s[sOffset + j] = norms[order[j]!]! / factor;
  return sweeps;
}

/** Whether A^H is factored instead of A: it is wide, or square with rows that vary more than its columns. */
function factorThroughConjugate(
  a: Float64Array,
  aOffset: number,
  factor: number,
  work: JacobiSvdWorkspace,
): boolean {
  const { rows, cols, norms } = work;
  return rows < cols || (rows === cols && rowsVaryMore(a, aOffset, rows, factor, norms));
}

/**
 * Pivoted QR of factor A (factor A^H if `wide`), then rotations of the columns of R^H until they are orthogonal;
 * `norms` and `order` then hold the singular values. The rotations are kept only with `vectors`.
 */
function reduce(
  a: Float64Array,
  aOffset: number,
  factor: number,
  wide: boolean,
  vectors: boolean,
  work: JacobiSvdWorkspace,
): number {
  const { rows, cols, columns, lower, rotations, tau, norms, order, pivots } = work;
  const length = wide ? cols : rows;
  const count = wide ? rows : cols;
  const stride = 2 * length;
  if (wide) {
    for (let i = 0, end = stride * count; i < end; i += 2) {
      columns[i] = factor * a[aOffset + i]!;
      columns[i + 1] = -factor * a[aOffset + i + 1]!;
    }
  } else {
    for (let i = 0, p = aOffset; i < rows; i++) {
      for (let j = 0, q = 2 * i; j < cols; j++, p += 2, q += stride) {
        columns[q] = factor * a[p]!;
        columns[q + 1] = factor * a[p + 1]!;
      }
    }
  }
  factorWithPivoting(columns, length, count, lower, tau, pivots);
  for (let j = 0; j < count; j++) order[j] = j;
  startRotations(work, count);
  return orthogonaliseRows(lower, count, rotations, vectors ? count : 0, count, norms, order);
}

/** Whether the norms of the rows of the n x n matrix factor A are further apart than those of its columns. */
function rowsVaryMore(
  a: Float64Array,
  aOffset: number,
  n: number,
  factor: number,
  columnSums: Float64Array,
): boolean {
  columnSums.fill(0);
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0, p = aOffset; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++, p += 2) {
      const x = factor * a[p]!;
      const y = factor * a[p + 1]!;
      const size = x * x + y * y;
      sum += size;
      columnSums[j] = columnSums[j]! + size;
    }
    if (sum < least) least = sum;
    if (sum > most) most = sum;
  }
  let leastColumn = Number.POSITIVE_INFINITY;
  let mostColumn = 0;
  for (let j = 0; j < n; j++) {
    const sum = columnSums[j]!;
    if (sum < leastColumn) leastColumn = sum;
    if (sum > mostColumn) mostColumn = sum;
  }
  return least / most < leastColumn / mostColumn;
}

/**
 * Householder QR with column pivoting (Golub & Van Loan 5.4.2) of the matrix whose columns are the `count` rows
 * of `columns` (each `length` entries): leaves the reflectors there, writes the columns of R^H to the rows of
 * `lower` (count x count) and the original index of every column to `pivots`.
 */
function factorWithPivoting(
  columns: Float64Array,
  length: number,
  count: number,
  lower: Float64Array,
  tau: Float64Array,
  pivots: Int32Array,
): void {
  const stride = 2 * length;
  for (let j = 0; j < count; j++) pivots[j] = j;
  for (let j = 0; j < count; j++) {
    bringLargestForward(columns, length, count, j, pivots);
    const head = j * stride + 2 * j;
    const beta = makeReflector(columns, head, length - j, tau, 2 * j);
    const tr = tau[2 * j]!;
    const ti = -tau[2 * j + 1]!;
    applyReflector(columns, head, length - j, tr, ti, columns, head + stride, stride, count - j - 1);
    lower[2 * (j * count + j)] = beta;
    lower[2 * (j * count + j) + 1] = 0;
  }
  // Only now: every later swap also permutes the rows of R that are already there.
  for (let j = 0; j < count; j++) {
    const row = 2 * j * count;
    lower.fill(0, row, row + 2 * j);
    for (let i = j + 1; i < count; i++) {
      const p = i * stride + 2 * j;
      lower[row + 2 * i] = columns[p]!;
      lower[row + 2 * i + 1] = -columns[p + 1]!;
    }
  }
}

/**
 * The rotations to start from. Where R is well conditioned, the eigenvectors of R R^H: its columns are then
 * orthogonal to about eps / WELL_CONDITIONED^2, one or two sweeps finish, and the unitary product costs no
 * accuracy that R^H itself would keep. Otherwise the identity, for the sake of small singular values.
 */
function startRotations(work: JacobiSvdWorkspace, count: number): void {
  const { lower, rotations, gram, norms, eigen } = work;
  const size = 2 * count * count;
  const first = Math.abs(lower[0]!);
  const last = Math.abs(lower[size - 2]!);
  if (eigen !== undefined && last > WELL_CONDITIONED * first) {
    // The rows of `lower` are the columns l_i of R^H: lower lower^H is the conjugate of their Gram matrix.
    const factor = powerOfTwoScale(first, 0);
    for (let i = 0; i < size; i++) rotations[i] = factor * lower[i]!;
    multiplyConjugateRight(gram, 0, rotations, 0, rotations, 0, count, count, count);
    if (hermitianEigen(gram, 0, norms, 0, gram, 0, eigen) >= 0) {
      multiplyConjugateLeft(rotations, 0, gram, 0, lower, 0, count, count, count);
      lower.set(rotations);
      conjugateTranspose(rotations, 0, gram, 0, count, count);
      return;
    }
  }
  rotations.fill(0);
  for (let j = 0; j < count; j++) rotations[2 * (j * count + j)] = 1;
}
