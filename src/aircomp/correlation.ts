import { checkInteger, checkNumber, describe, InputError } from "../core/index.ts";

/**
 * The second moments R of the devices' symbols (K x K, real, positive semidefinite; the diagonal is the
 * mean power q_k of device k's symbols): a number c in [0, 1] for (1 - c) I + c 11^T, or R row by row.
 * 0 (independent unit-power symbols, R = I) is the assumption of the literature.
 */
export type DeviceCorrelation = number | readonly (readonly number[])[];

/** Most devices of a channel: R and its factor are dense, K^2 <= 2^26 entries each. */
export const MAX_DEVICES: number = 2 ** 13;

/** @throws InputError on more devices than dense K x K matrices are made for. */
export function checkDeviceCount(devices: number): void {
  checkInteger(devices, "channel.devices", 1, MAX_DEVICES);
}

/** R as a flat K x K matrix. @throws InputError on too many devices, and unless R is a number in [0, 1] or symmetric PSD of size K. */
export function correlationMatrix(correlation: DeviceCorrelation, devices: number): Float64Array {
  const field = "correlation";
  checkDeviceCount(devices);
  const matrix = new Float64Array(devices * devices);
  if (typeof correlation === "number") {
    checkNumber(correlation, field, 0, 1);
    matrix.fill(correlation);
    for (let k = 0; k < devices; k++) matrix[k * devices + k] = 1;
    return matrix;
  }
  if (!Array.isArray(correlation) || correlation.length !== devices) {
    throw new InputError(
      field,
      describe(correlation),
      `a number in [0, 1] or a ${devices} x ${devices} matrix`,
    );
  }
  for (let k = 0; k < devices; k++) {
    const row = correlation[k];
    if (!Array.isArray(row) || row.length !== devices) {
      throw new InputError(`${field}[${k}]`, describe(row), `a row of ${devices} numbers`);
    }
    for (let j = 0; j < devices; j++) {
      matrix[k * devices + j] = checkNumber(row[j], `${field}[${k}][${j}]`);
    }
  }
  checkPositiveSemidefinite(matrix, devices, field);
  for (let k = 0; k < devices; k++) {
    for (let j = 0; j < k; j++) {
      const mean = 0.5 * matrix[k * devices + j]! + 0.5 * matrix[j * devices + k]!;
      matrix[k * devices + j] = mean;
      matrix[j * devices + k] = mean;
    }
  }
  return matrix;
}

/** R = L L^T: K rows of `rank` numbers, row-major. Devices without power have rows of zeros. */
export interface CorrelationFactor {
  readonly rank: number;
  readonly factor: Float64Array;
}

/** A second moment below this fraction of the largest is below rounding, even in products with the others. */
export const NO_POWER = 1e-30;

/**
 * R = L L^T by Cholesky with diagonal pivoting, on R scaled to a unit diagonal; stops at its numerical rank. Sums of
 * squares of the K factored terms are the MSE, which can then not cancel to below zero. L = I for R = I.
 */
export function correlationFactor(matrix: Float64Array, devices: number): CorrelationFactor {
  const n = devices;
  let largest = 0;
  for (let k = 0; k < n; k++) largest = Math.max(largest, matrix[k * n + k]!);
  const roots = Float64Array.from({ length: n }, (_, k) =>
    matrix[k * n + k]! > NO_POWER * largest ? Math.sqrt(matrix[k * n + k]!) : 0,
  );
  const scaled = (k: number, j: number): number =>
    k === j ? 1 : roots[k]! > 0 && roots[j]! > 0 ? matrix[k * n + j]! / roots[k]! / roots[j]! : 0;
  const left = Float64Array.from(roots, (root) => (root > 0 ? 1 : 0)); // diagonal of what is left
  const columns: Float64Array[] = [];
  while (columns.length < n) {
    let pivot = 0;
    for (let k = 1; k < n; k++) if (left[k]! > left[pivot]!) pivot = k;
    if (!(left[pivot]! > 16 * n * Number.EPSILON)) break;
    const root = Math.sqrt(left[pivot]!);
    const column = new Float64Array(n);
    for (let k = 0; k < n; k++) {
      if (k === pivot) column[k] = root;
      else if (left[k]! > 0) {
        let value = scaled(k, pivot);
        for (const before of columns) value -= before[k]! * before[pivot]!;
        column[k] = value / root;
      }
    }
    for (let k = 0; k < n; k++) left[k] = k === pivot ? 0 : Math.max(0, left[k]! - column[k]! ** 2);
    columns.push(column);
  }
  const rank = columns.length;
  const factor = new Float64Array(n * rank);
  columns.forEach((column, l) => {
    for (let k = 0; k < n; k++) factor[k * rank + l] = roots[k]! * column[k]!;
  });
  return { rank, factor };
}

/** Symmetric to rounding, and PSD once scaled to a unit diagonal: no pivot of its LDL^T elimination is negative. */
function checkPositiveSemidefinite(matrix: Float64Array, n: number, field: string): void {
  const work = matrix.slice();
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      const root = Math.sqrt(Math.max(0, matrix[k * n + k]!)) * Math.sqrt(Math.max(0, matrix[j * n + j]!));
      if (root > 0) work[k * n + j] = matrix[k * n + j]! / root;
    }
  }
  let scale = 0;
  for (let k = 0; k < n; k++) scale = Math.max(scale, Math.abs(work[k * n + k]!));
  const tolerance = 1e-10 * scale;
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < k; j++) {
      if (Math.abs(work[k * n + j]! - work[j * n + k]!) > tolerance) {
        throw new InputError(
          `${field}[${k}][${j}]`,
          "an entry unlike its mirror image",
          "a symmetric matrix",
        );
      }
    }
  }
  for (let k = 0; k < n; k++) {
    const pivot = work[k * n + k]!;
    let column = 0;
    for (let i = k + 1; i < n; i++) column = Math.max(column, Math.abs(work[i * n + k]!));
    if (pivot < -tolerance || (pivot <= tolerance && column > Math.sqrt(tolerance * scale))) {
      throw new InputError(
        field,
        `an indefinite matrix (pivot ${k} is ${pivot})`,
        "a positive semidefinite matrix",
      );
    }
    if (pivot <= tolerance) continue;
    for (let i = k + 1; i < n; i++) {
      const factor = work[i * n + k]! / pivot;
      for (let j = k + 1; j < n; j++) work[i * n + j]! -= factor * work[k * n + j]!;
    }
  }
}

/** Whether R = I, exactly. */
export function isIdentity(matrix: Float64Array, n: number): boolean {
  return matrix.every((r, i) => r === (i % (n + 1) === 0 ? 1 : 0));
}

/** Whether no two devices are correlated. */
export function isDiagonal(matrix: Float64Array, n: number): boolean {
  return matrix.every((r, i) => r === 0 || i % (n + 1) === 0);
}
