import { checkInteger } from "../checks.ts";
import { describe, InputError } from "../errors.ts";

/**
 * A complex array of any rank: what every codec reads and writes.
 * `data` is interleaved (re, im) and row-major over `shape`, so `data.length = 2 * product(shape)`;
 * the empty shape is a single number. A `ComplexStack` of linalg is one.
 */
export interface ComplexArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** More axes than any channel has; also NumPy's limit before version 2. */
const maxRank = 32;
/** 2 GiB of complex128: beyond it a declared shape is taken for a damaged file. */
const maxEntries = 2 ** 27;

/**
 * The shape as a fresh array of whole numbers >= 0.
 * @throws InputError on `field` if it is no array, too long, or too large; on `field[i]` for a bad extent.
 */
export function checkShape(value: unknown, field: string): number[] {
  if (!Array.isArray(value)) throw new InputError(field, describe(value), "an array of whole numbers >= 0");
  if (value.length > maxRank) throw new InputError(field, `${value.length} axes`, `at most ${maxRank} axes`);
  const shape = Array.from(value, (extent: unknown, axis) => checkInteger(extent, `${field}[${axis}]`));
  if (entryCount(shape) > maxEntries) {
    throw new InputError(field, `a shape of ${shape.join(" x ")}`, `at most ${maxEntries} entries`);
  }
  return shape;
}

/** Number of entries of an array of this shape: the product of its extents, 1 for the empty shape. */
export function entryCount(shape: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((product, extent) => product * extent, 1);
}

/**
 * Refuses a value that is not a {@link ComplexArray} with agreeing shape and data.
 * @throws InputError on `field`, `field.shape` or `field.data`. Entries may be anything, NaN included.
 */
export function checkComplexArray(value: unknown, field: string): ComplexArray {
  if (value === null || typeof value !== "object")
    throw new InputError(field, describe(value), "a complex array");
  const { shape, data } = value as { shape?: unknown; data?: unknown };
  const length = 2 * entryCount(checkShape(shape, `${field}.shape`));
  if (!(data instanceof Float64Array)) {
    throw new InputError(`${field}.data`, describe(data), `a Float64Array of length ${length}`);
  }
  if (data.length !== length) {
    throw new InputError(`${field}.data`, `length ${data.length}`, `length ${length}, two numbers per entry`);
  }
  return value as ComplexArray;
}

/**
 * Refuses NaN and infinite entries.
 * @throws InputError on `field.data[i]`, i counting interleaved numbers.
 */
export function checkFinite(array: ComplexArray, field: string): ComplexArray {
  const at = array.data.findIndex((number) => !Number.isFinite(number));
  if (at >= 0) throw new InputError(`${field}.data[${at}]`, String(array.data[at]), "a finite number");
  return array;
}

/** Reorders interleaved column-major numbers (Fortran, MATLAB) of the given shape to row-major, in a new array. */
export function rowMajorFrom(columnMajor: Float64Array, shape: readonly number[]): Float64Array {
  const count = entryCount(shape);
  const rowMajor = new Float64Array(2 * count);
  const strides = shape.map((_, axis) => entryCount(shape.slice(0, axis)));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < count; to++) {
    rowMajor[2 * to] = columnMajor[2 * from]!;
    rowMajor[2 * to + 1] = columnMajor[2 * from + 1]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return rowMajor;
}
