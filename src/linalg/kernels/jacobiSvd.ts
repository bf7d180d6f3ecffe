import { completeBasis } from "./basis.ts";
import { applyReflector, makeReflector } from "./householder.ts";
import { largestPart, powerOfTwoScale, squaredNorm } from "./vector.ts";

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
  };
}

const MAX_SWEEPS = 60;
/** Columns are scaled so that the largest entry is near 2^500; below this norm a column counts as zero. */
const ZERO_NORM = 1e-152;

/**
 * Thin SVD A = U diag(s) V^H: A is rows x cols, k = min(rows, cols), U rows x k, s (k, descending), V cols x k,
 * both with orthonormal columns for every rank. QR with column pivoting, A P = Q R, then one-sided Jacobi
 * (Hestenes; Golub & Van Loan 8.6.3) on the columns of R^H, which converges in fewer sweeps than on A (Drmac &
 * Veselic, SIAM J. Matrix Anal. Appl. 29, 2008). Every singular value is found to high relative accuracy when the
 * columns of A (rows, if wide) are well conditioned after scaling; values below 1e-290 times the largest count as
 * zero. A wide A is factored through A^H at no cost. U or V may be A's own buffer.
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
  const wide = rows < cols;
  const length = wide ? cols : rows;
  const count = wide ? rows : cols;
  const stride = 2 * length;
  const factor = powerOfTwoScale(largestPart(a, aOffset, rows * cols), 500);
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
  rotations.fill(0);
  for (let j = 0; j < count; j++) {
    rotations[2 * (j * count + j)] = 1;
    order[j] = j;
  }
  const sweeps = orthogonaliseColumns(lower, count, rotations, count, count, norms, order);

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
    let best = j;
    let largest = -1;
    for (let i = j; i < count; i++) {
      const size = squaredNorm(columns, i * stride + 2 * j, length - j);
      if (size > largest) {
        largest = size;
        best = i;
      }
    }
    if (best !== j) {
      const swapped = pivots[j]!;
      pivots[j] = pivots[best]!;
      pivots[best] = swapped;
      for (let p = j * stride, q = best * stride, end = p + stride; p < end; p++, q++) {
        const x = columns[p]!;
        columns[p] = columns[q]!;
        columns[q] = x;
      }
    }
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
 * Rotates the `count` contiguous rows of `columns` (each `length` complex entries) until they are orthogonal to
 * working precision, applying the same rotations to the rows of `rotations` (each `width` entries). `order`, on
 * entry any permutation, lists the rows by descending norm on return; `norms` are their norms. Returns the
 * number of sweeps or -1.
 */
export function orthogonaliseColumns(
  columns: Float64Array,
  length: number,
  rotations: Float64Array,
  width: number,
  count: number,
  norms: Float64Array,
  order: Int32Array,
): number {
  const tolerance = 2 ** -52 * Math.max(1, Math.sqrt(length));
  let sweep = 0;
  let rotated = true;
  while (rotated && sweep < MAX_SWEEPS) {
    rotated = false;
    sweep++;
    for (let j = 0; j < count; j++) {
      const norm = Math.sqrt(squaredNorm(columns, 2 * j * length, length));
      norms[j] = norm < ZERO_NORM ? 0 : norm;
    }
    for (let i = 0; i < count; i++) {
      // de Rijk: bring the largest of the remaining columns to position i.
      let best = i;
      for (let j = i + 1; j < count; j++) if (norms[order[j]!]! > norms[order[best]!]!) best = j;
      const swapped = order[i]!;
      order[i] = order[best]!;
      order[best] = swapped;
      if (norms[order[i]!] === 0) break;
      for (let j = i + 1; j < count; j++) {
        if (rotatePair(columns, length, rotations, width, norms, order[i]!, order[j]!, tolerance))
          rotated = true;
      }
    }
  }
  for (let i = 1; i < count; i++) {
    const moving = order[i]!;
    let j = i - 1;
    for (; j >= 0 && norms[order[j]!]! < norms[moving]!; j--) order[j + 1] = order[j]!;
    order[j + 1] = moving;
  }
  return rotated ? -1 : sweep;
}

/** Makes two columns orthogonal; false if they already are. */
function rotatePair(
  columns: Float64Array,
  length: number,
  rotations: Float64Array,
  width: number,
  norms: Float64Array,
  first: number,
  second: number,
  tolerance: number,
): boolean {
  const na = norms[first]!;
  const nb = norms[second]!;
  if (na === 0 || nb === 0) return false;
  const pStart = 2 * first * length;
  const qStart = 2 * second * length;
  const pEnd = pStart + 2 * length;
  let gr = 0;
  let gi = 0;
  for (let p = pStart, q = qStart; p < pEnd; p += 2, q += 2) {
    const x = columns[p]!;
    const y = columns[p + 1]!;
    const z = columns[q]!;
    const w = columns[q + 1]!;
    gr += x * z + y * w;
    gi += x * w - y * z;
  }
  const inverse = 1 / (na * nb);
  gr *= inverse;
  gi *= inverse;
  const cosine = Math.sqrt(gr * gr + gi * gi);
  if (!(cosine > tolerance)) return false;
  const zeta = (nb / na - na / nb) / (2 * cosine);
  const size = Math.abs(zeta);
  const root = size > 1e8 ? size : Math.sqrt(1 + size * size);
  const t = (zeta >= 0 ? 1 : -1) / (size + root);
  const c = 1 / Math.sqrt(1 + t * t);
  const sr = (c * t * gr) / cosine;
  const si = (c * t * gi) / cosine;
  // a <- c a - conj(s) b, b <- s a + c b
  let aa = 0;
  let bb = 0;
  for (let p = pStart, q = qStart; p < pEnd; p += 2, q += 2) {
    const x = columns[p]!;
    const y = columns[p + 1]!;
    const z = columns[q]!;
    const w = columns[q + 1]!;
    const ar = c * x - (sr * z + si * w);
    const ai = c * y - (sr * w - si * z);
    const br = sr * x - si * y + c * z;
    const bi = sr * y + si * x + c * w;
    columns[p] = ar;
    columns[p + 1] = ai;
    columns[q] = br;
    columns[q + 1] = bi;
    aa += ar * ar + ai * ai;
    bb += br * br + bi * bi;
  }
  const newA = Math.sqrt(aa);
  const newB = Math.sqrt(bb);
  norms[first] = newA < ZERO_NORM ? 0 : newA;
  norms[second] = newB < ZERO_NORM ? 0 : newB;
  const end = 2 * (first + 1) * width;
  for (let p = 2 * first * width, q = 2 * second * width; p < end; p += 2, q += 2) {
    const x = rotations[p]!;
    const y = rotations[p + 1]!;
    const z = rotations[q]!;
    const w = rotations[q + 1]!;
    rotations[p] = c * x - (sr * z + si * w);
    rotations[p + 1] = c * y - (sr * w - si * z);
    rotations[q] = sr * x - si * y + c * z;
    rotations[q + 1] = sr * y + si * x + c * w;
  }
  return true;
}
