import { Matrix } from "ml-matrix";
import { checkInteger, checkNumbers, describe, InputError } from "../core/index.ts";
import { largestSize } from "./payload.ts";

/** A real matrix: an array of rows, or an object with `rows`, `columns` and `get(i, j)` such as ml-matrix's `Matrix`. */
export type RealMatrix =
  | readonly ArrayLike<number>[]
  | { readonly rows: number; readonly columns: number; get(row: number, column: number): number };

/** A copy as an ml-matrix. @throws InputError where it is empty, ragged, or an entry is not a finite number. */
export function toMatrix(value: RealMatrix, field: string): Matrix {
  if (Array.isArray(value)) return fromRows(value as readonly ArrayLike<number>[], field);
  const source = value as Exclude<RealMatrix, readonly ArrayLike<number>[]>;
  if (value === null || typeof value !== "object" || typeof source.get !== "function") {
    throw new InputError(
      field,
      describe(value),
      "an array of rows, or a matrix with rows, columns and get(i, j)",
    );
  }
  const rows = checkInteger(source.rows, `${field}.rows`, 1, largestSize);
  const columns = checkInteger(source.columns, `${field}.columns`, 1, largestSize);
  const result = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const entry = source.get(i, j);
      if (!Number.isFinite(entry))
        throw new InputError(`${field}[${i}][${j}]`, describe(entry), "a finite number");
      result.set(i, j, entry);
    }
  }
  return result;
}

function fromRows(rows: readonly ArrayLike<number>[], field: string): Matrix {
  const columns = rows[0]?.length ?? 0;
  if (columns === 0) throw new InputError(field, describe(rows), "at least one row and one column");
  const result = new Matrix(rows.length, columns);
  rows.forEach((row, i) => {
    const entries = checkNumbers(row, `${field}[${i}]`, columns);
    for (let j = 0; j < columns; j++) result.set(i, j, entries[j]!);
  });
  return result;
}

/** The largest modulus of the entries. */
export function largestEntry(matrix: Matrix): number {
  let largest = 0;
  for (let i = 0; i < matrix.rows; i++) {
    for (let j = 0; j < matrix.columns; j++) largest = Math.max(largest, Math.abs(matrix.get(i, j)));
  }
  return largest;
}

/** The sum of the squares of the entries. */
export function energyOf(matrix: Matrix): number {
  let sum = 0;
  for (let i = 0; i < matrix.rows; i++) {
    for (let j = 0; j < matrix.columns; j++) sum += matrix.get(i, j) ** 2;
  }
  return sum;
}
