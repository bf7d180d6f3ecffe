/** What the files of the multi-user channel share: checks of covariances and channels, and rates. */
import { describe, InputError } from "../core/index.ts";
import {
  type ComplexMatrix,
  cholesky,
  eigHermitianGeneralized,
  hermitianPart,
  multiplyConjugateRight,
} from "../linalg/index.ts";

/** Moduli outside [1 / limit, limit] (other than 0) are refused: ratios and squares must stay in range. */
const limit = 1e100;
/**
 * Departure from symmetry, and eigenvalue below zero, that still count as rounding, relative to the largest
 * entry.
 */
const roundingTolerance = 1e-9;

/** A number that is 0 (if `zero`) or within the range that all computations here are safe for. */
export function checkPower(value: unknown, field: string, zero: boolean): number {
  const inRange = typeof value === "number" && value >= 1 / limit && value <= limit;
  if (inRange || (zero && value === 0)) return value as number;
  throw new InputError(field, describe(value), `a number from 1e-100 to 1e100${zero ? ", or 0" : ""}`);
}

/** A matrix of finite entries with at least one row and column. @throws InputError */
export function checkEntries(m: ComplexMatrix, field: string, rows?: number): ComplexMatrix {
  const expected = "a complex matrix { rows, cols, data: Float64Array }";
  // arrays of arrays come from elsewhere (NumPy, math.js)
  const isMatrix =
    m !== null && typeof m === "object" && typeof m.rows === "number" && typeof m.cols === "number";
  if (!isMatrix) throw new InputError(field, describe(m), expected);
  const sizes = `rows ${m.rows}, cols ${m.cols}`;
  const whole = Number.isSafeInteger(m.rows) && Number.isSafeInteger(m.cols) && m.rows > 0 && m.cols > 0;
  if (!whole) throw new InputError(field, sizes, "at least one row and one column");
  if (!(m.data instanceof Float64Array) || m.data.length !== 2 * m.rows * m.cols) {
    throw new InputError(`${field}.data`, describe(m.data), `a Float64Array of ${2 * m.rows * m.cols}`);
  }
  if (rows !== undefined && m.rows !== rows) throw new InputError(field, sizes, `${rows} rows`);
  let largest = 0;
  for (let i = 0; i < m.data.length; i++) {
    const modulus = Math.abs(m.data[i]!);
    if (!(modulus <= limit)) {
      throw new InputError(
        `${field}.data[${i}]`,
        describe(m.data[i]),
        "finite numbers of modulus at most 1e100",
      );
    }
    if (modulus > largest) largest = modulus;
  }
  if (largest > 0 && largest < 1 / limit) {
    throw new InputError(
      field,
      `entries of at most ${largest}`,
      "a largest entry of at least 1e-100, or zero",
    );
  }
  return m;
}

/**
 * The exactly Hermitian part of a positive semidefinite matrix of `size` rows.
 * @throws InputError on another size, NaN, or a matrix that is not Hermitian or has an eigenvalue below zero by
 * more than 1e-9 of the largest entry.
 */
export function checkCovariance(m: ComplexMatrix, field: string, size?: number): ComplexMatrix {
  checkEntries(m, field, size);
  const { rows: n, cols, data } = m;
  if (n !== cols) throw new InputError(field, `a ${n} x ${cols} matrix`, "a square matrix");
  let largest = 0;
  for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(data[i]!));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const p = 2 * (i * n + j);
      const q = 2 * (j * n + i);
      const gap = Math.max(Math.abs(data[p]! - data[q]!), Math.abs(data[p + 1]! + data[q + 1]!));
      if (gap > roundingTolerance * largest) {
        throw new InputError(
          field,
          `entries (${i}, ${j}) and (${j}, ${i}) not conjugate`,
          "a Hermitian matrix",
        );
      }
    }
  }
  const part = hermitianPart(m);
  if (largest === 0) return part;
  const shifted = { ...part, data: part.data.slice() };
  addDiagonal(shifted, roundingTolerance * largest);
  if (!isPositive(shifted)) {
    throw new InputError(field, "an eigenvalue below zero", "a positive semidefinite matrix");
  }
  return part;
}

/** As {@link checkCovariance}, for a noise covariance that has to be invertible. */
export function checkNoise(m: ComplexMatrix, field: string, size?: number): ComplexMatrix {
  const part = checkCovariance(m, field, size);
  if (isPositive(part) && isRegular(part)) return part;
  throw new InputError(
    field,
    "a singular matrix",
    "a positive definite noise covariance (a floor makes one)",
  );
}

/**
 * Whether a positive definite matrix is so beyond rounding: with its diagonal scaled to 1 it stays positive definite less
 * n (n + 1) u, the error of a Cholesky factor (Demmel, LAPACK Working Note 14, 1989). The worst noise against a signal of
 * low rank without a floor is not, and rates against it would be rounding.
 */
function isRegular(m: ComplexMatrix): boolean {
  const n = m.rows;
  const scales = Float64Array.from({ length: n }, (_, i) => 1 / Math.sqrt(m.data[2 * i * (n + 1)]!));
  const data = m.data.map((entry, p) => entry * scales[Math.floor(p / (2 * n))]! * scales[(p >> 1) % n]!);
  const scaled = { rows: n, cols: n, data };
  addDiagonal(scaled, -n * (n + 1) * 2 ** -53);
  return isPositive(scaled);
}

/** A non-empty list of covariances of one size. */
export function checkCovariances(list: readonly ComplexMatrix[], field: string): ComplexMatrix[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw new InputError(field, describe(list), "an array of covariances, one per user");
  }
  const size = (list[0] as ComplexMatrix | null)?.rows;
  return Array.from(list, (m, q) => checkCovariance(m, `${field}[${q}]`, q === 0 ? undefined : size));
}

/** A non-empty list of channels with the same number of rows. */
export function checkChannels(list: readonly ComplexMatrix[], field: string): readonly ComplexMatrix[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw new InputError(field, describe(list), "an array of channel matrices, one per user");
  }
  const rows = (list[0] as ComplexMatrix | null)?.rows;
  return Array.from(list, (m, q) => checkEntries(m, `${field}[${q}]`, q === 0 ? undefined : rows));
}

/** A matrix scaled by a power of two, so that its largest part is near 1, has a Cholesky factor. */
export function isPositive(m: ComplexMatrix): boolean {
  try {
    cholesky(m);
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

/** m <- m + value I. */
export function addDiagonal(m: ComplexMatrix, value: number): void {
  for (let i = 0; i < m.rows; i++) {
    const p = 2 * i * (m.rows + 1);
    m.data[p] = m.data[p]! + value;
  }
}

/** The sum of Hermitian matrices of one size, or the n x n zero matrix. */
export function sumOf(list: readonly ComplexMatrix[], n: number): ComplexMatrix {
  const data = new Float64Array(2 * n * n);
  for (const m of list) for (let i = 0; i < data.length; i++) data[i] = data[i]! + m.data[i]!;
  return { rows: n, cols: n, data };
}

/** Columns of m times the factors. */
export function scaledColumns(m: ComplexMatrix, factors: ArrayLike<number>): ComplexMatrix {
  const data = m.data.slice();
  for (let p = 0, i = 0; i < m.rows; i++) {
    for (let j = 0; j < m.cols; j++, p += 2) {
      data[p] = data[p]! * factors[j]!;
      data[p + 1] = data[p + 1]! * factors[j]!;
    }
  }
  return { rows: m.rows, cols: m.cols, data };
}

/** The columns from `first` on. */
export function columnsFrom(m: ComplexMatrix, first: number, end: number = m.cols): ComplexMatrix {
  const cols = end - first;
  const data = new Float64Array(2 * m.rows * cols);
  for (let i = 0; i < m.rows; i++) {
    data.set(m.data.subarray(2 * (i * m.cols + first), 2 * (i * m.cols + end)), 2 * i * cols);
  }
  return { rows: m.rows, cols, data };
}

/** vectors diag(values) vectors^H, exactly Hermitian. */
export function fromEigen(vectors: ComplexMatrix, values: ArrayLike<number>): ComplexMatrix {
  return hermitianPart(multiplyConjugateRight(scaledColumns(vectors, values), vectors));
}

/** Real trace of a b for Hermitian a and b of one size. */
export function innerProduct(a: ComplexMatrix, b: ComplexMatrix): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]! * b.data[i]!;
  return sum;
}

/** Real trace. */
export function realTrace(m: ComplexMatrix): number {
  let sum = 0;
  for (let i = 0; i < m.rows; i++) sum += m.data[2 * i * (m.rows + 1)]!;
  return sum;
}

/**
 * log det(I + noise^-1 signal) in nats, from the eigenvalues of the pencil, so that small rates keep their digits;
 * +Infinity for a noise that is singular to rounding.
 */
export function rateAgainst(signal: ComplexMatrix, noise: ComplexMatrix): number {
  if (signal.data.every((entry) => entry === 0)) return 0;
  if (!isPositive(noise)) return Number.POSITIVE_INFINITY;
  let rate = 0;
  for (const value of eigHermitianGeneralized(signal, noise).values) rate += Math.log1p(Math.max(0, value));
  return rate;
}
