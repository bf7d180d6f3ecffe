import { describe, InputError } from "../core/index.ts";
import { largestPart } from "./kernels/index.ts";
import type { ComplexMatrix } from "./types.ts";

/** Relative departure from Hermitian symmetry that still counts as rounding. */
const HERMITIAN_TOLERANCE = 1e-8;

/** "3 x 2", for error messages. */
export function shapeOf(m: ComplexMatrix): string {
  return `${m.rows} x ${m.cols}`;
}

/** A well-formed matrix of finite entries; throws {@link InputError} naming `field` otherwise. */
export function checkMatrix(m: ComplexMatrix, field: string): ComplexMatrix {
  const { cols, data } = checkLayout(m, field);
  // 0 x is 0 for finite x and NaN otherwise: one test for all entries, then the search for the culprit.
  // Four sums, because one would wait for itself at every entry.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = data.length - (data.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += 0 * data[i]!;
    b += 0 * data[i + 1]!;
    c += 0 * data[i + 2]!;
    d += 0 * data[i + 3]!;
  }
  for (let i = whole; i < data.length; i++) a += 0 * data[i]!;
  if (a + b + c + d === 0) return m;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i]!)) {
      const position = i >> 1;
      const part = i & 1 ? "imaginary" : "real";
      const where = `entry (${Math.floor(position / cols)}, ${position % cols})`;
      throw new InputError(field, `${data[i]} in the ${part} part of ${where}`, "finite numbers only");
    }
  }
  return m;
}

/** A square matrix of finite entries. */
export function checkSquare(m: ComplexMatrix, field: string): ComplexMatrix {
  checkMatrix(m, field);
  if (m.rows !== m.cols) throw new InputError(field, `a ${shapeOf(m)} matrix`, "a square matrix");
  return m;
}

/** A Hermitian matrix of finite entries, up to 1e-8 of its largest entry. */
export function checkHermitian(m: ComplexMatrix, field: string): ComplexMatrix {
  checkSquare(m, field);
  const { rows: n, data } = m;
  const tolerance = HERMITIAN_TOLERANCE * largestPart(data, 0, n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const p = 2 * (i * n + j);
      const q = 2 * (j * n + i);
      const re = Math.abs(data[p]! - data[q]!);
      const im = Math.abs(data[p + 1]! + data[q + 1]!);
      if (re > tolerance || im > tolerance) {
        throw new InputError(
          field,
          `entries (${i}, ${j}) and (${j}, ${i}) that are not conjugate`,
          "a Hermitian matrix",
        );
      }
    }
  }
  return m;
}

/** Two matrices of the same shape, both finite. */
export function checkSameShape(a: ComplexMatrix, b: ComplexMatrix): void {
  checkMatrix(a, "a");
  checkMatrix(b, "b");
  if (a.rows !== b.rows || a.cols !== b.cols) {
    throw new InputError("b", `a ${shapeOf(b)} matrix`, `a ${shapeOf(a)} matrix, the shape of a`);
  }
}

/** A result that is finite; throws {@link InputError} naming the argument `field` it overflowed for otherwise. */
export function checkRange<T extends Float64Array>(result: T, field: string, found: string): T {
  let probe = 0;
  for (let i = 0; i < result.length; i++) probe += 0 * result[i]!;
  if (probe === 0) return result;
  throw new InputError(field, found, `a result within the range of doubles (${Number.MAX_VALUE})`);
}

function checkLayout(m: unknown, field: string): ComplexMatrix {
  const expected = "a complex matrix { rows, cols, data: Float64Array }";
  if (m === null || typeof m !== "object") throw new InputError(field, describe(m), expected);
  const { rows, cols, data } = m as Partial<ComplexMatrix>;
  if (!Number.isSafeInteger(rows) || !Number.isSafeInteger(cols) || rows! < 0 || cols! < 0) {
    throw new InputError(field, `rows ${String(rows)}, cols ${String(cols)}`, expected);
  }
  if (!(data instanceof Float64Array))
    throw new InputError(`${field}.data`, describe(data), "a Float64Array");
  if (data.length !== 2 * rows! * cols!) {
    throw new InputError(
      `${field}.data`,
      `${data.length} numbers`,
      `${2 * rows! * cols!} for a ${rows} x ${cols} matrix`,
    );
  }
  return m as ComplexMatrix;
}
