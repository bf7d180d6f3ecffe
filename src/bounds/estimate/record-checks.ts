import { checkNumber, describe, InputError } from "../../core/index.ts";
import type { LoggedVector } from "./types.ts";

/** Checks of a record of a training log. All throw InputError naming the field. */

/** A list of at least one entry; the entries are checked by {@link sumOfSquares}. */
export function vector(value: unknown, field: string): LoggedVector {
  const isList = Array.isArray(value) || value instanceof Float64Array || value instanceof Float32Array;
  if (!isList || (value as LoggedVector).length === 0) {
    throw new InputError(
      field,
      value === undefined ? "nothing" : describe(value),
      "an array of at least one number",
    );
  }
  return value as LoggedVector;
}

/** The sum of squares of finite numbers, small enough for the differences and products of two. */
export function sumOfSquares(values: LoggedVector, field: string): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    // Number.isFinite is false for strings and null too
    if (!Number.isFinite(value)) checkNumber(value, `${field}[${i}]`);
    sum += value * value;
  }
  if (!(sum < 1e150)) throw new InputError(field, `a norm of ${Math.sqrt(sum)}`, "a norm below 1e75");
  return sum;
}

export function wrongLength(field: string, found: LoggedVector, expected: number, why: string): InputError {
  return new InputError(field, `${found.length} numbers`, `${expected} ${why}`);
}

export function samePoint(point: LoggedVector, parameters: Float64Array): boolean {
  for (let i = 0; i < parameters.length; i++) if (point[i] !== parameters[i]) return false;
  return true;
}

/** Whether a new round begins. */
export function checkOrder(round: number, before: number): boolean {
  if (round >= before) return round > before;
  throw new InputError(
    "round",
    `${round} after ${before}`,
    "rounds in increasing order, with the lines of a round together",
  );
}
