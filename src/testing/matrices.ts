import fc from "fast-check";
import {
  add,
  type ComplexMatrix,
  conjugateTranspose,
  identity,
  multiply,
  multiplyConjugateRight,
  qr,
  scale,
} from "../linalg/index.ts";
import { dimension, type Size } from "./sizes.ts";

/** Real and imaginary parts: whole numbers from -9 to 9 (readable, sums and products are exact), or doubles. */
export type Entries = "integers" | "doubles";

export interface MatrixShape {
  /** Default 1 to 6. */
  readonly rows?: Size;
  /** Default 1 to 6. */
  readonly cols?: Size;
  /** Default "integers". Doubles reach from 1e-3 to 1e3 in modulus, and 0. */
  readonly entries?: Entries;
}

export interface SquareShape {
  /** Rows and columns; default 1 to 6. */
  readonly size?: Size;
  /** Default "integers". */
  readonly entries?: Entries;
}

const small = { min: 1, max: 6 } as const;

/** Any complex matrix. Shrinks to fewer rows and columns, and entries to 0. */
export function complexMatrix(shape: MatrixShape = {}): fc.Arbitrary<ComplexMatrix> {
  return fc
    .tuple(dimension(shape.rows, small), dimension(shape.cols, small))
    .chain(([rows, cols]) => filled(rows, cols, shape.entries));
}

/** More columns than rows: `rows` (default 1 to 5), and 1 to 4 columns more. */
export function wideMatrix(shape: Omit<MatrixShape, "cols"> = {}): fc.Arbitrary<ComplexMatrix> {
  return fc
    .tuple(dimension(shape.rows, { min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }))
    .chain(([rows, more]) => filled(rows, rows + more, shape.entries));
}

/** More rows than columns: `cols` (default 1 to 5), and 1 to 4 rows more. */
export function tallMatrix(shape: Omit<MatrixShape, "rows"> = {}): fc.Arbitrary<ComplexMatrix> {
  return fc
    .tuple(dimension(shape.cols, { min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }))
    .chain(([cols, more]) => filled(cols + more, cols, shape.entries));
}

/** Hermitian to the bit: G + G^H. Repeated eigenvalues and low rank occur. Shrinks to 0. */
export function hermitianMatrix(shape: SquareShape = {}): fc.Arbitrary<ComplexMatrix> {
  return square(shape).map((g) => add(g, conjugateTranspose(g)));
}

/** Hermitian positive definite: G G^H + I, its smallest eigenvalue at least 1. Shrinks to the identity. */
export function positiveDefiniteMatrix(shape: SquareShape = {}): fc.Arbitrary<ComplexMatrix> {
  return square(shape).map((g) => add(hermitianPart(multiplyConjugateRight(g, g)), identity(g.rows)));
}

/** Unitary to rounding: the Q factor of a matrix, which shrinks to the identity. */
export function unitaryMatrix(shape: SquareShape = {}): fc.Arbitrary<ComplexMatrix> {
  return square(shape).map((g) => qr(add(g, scale(identity(g.rows), 10))).q);
}

/**
 * Of rank at most `rank` (default: 0 to min(rows, cols) - 1): a product of rows x rank and rank x cols factors,
 * exact with integer entries. Rank 0 is the zero matrix, to which it shrinks.
 */
export function rankDeficientMatrix(
  shape: MatrixShape & { readonly rank?: number } = {},
): fc.Arbitrary<ComplexMatrix> {
  return fc
    .tuple(dimension(shape.rows, small), dimension(shape.cols, small))
    .chain(([rows, cols]) =>
      dimension(shape.rank, { min: 0, max: Math.min(rows, cols) - 1 }).chain((rank) =>
        fc
          .tuple(filled(rows, rank, shape.entries), filled(rank, cols, shape.entries))
          .map(([left, right]) => multiply(left, right)),
      ),
    );
}

function square(shape: SquareShape): fc.Arbitrary<ComplexMatrix> {
  return dimension(shape.size, small).chain((n) => filled(n, n, shape.entries));
}

/** rows x cols with every real and imaginary part drawn by itself. */
function filled(rows: number, cols: number, entries: Entries = "integers"): fc.Arbitrary<ComplexMatrix> {
  const length = 2 * rows * cols;
  return fc
    .array(entries === "integers" ? integerPart : doublePart, { minLength: length, maxLength: length })
    .map((parts) => ({ rows, cols, data: Float64Array.from(parts) }));
}

const integerPart = fc.integer({ min: -9, max: 9 });
const doublePart = fc.oneof(
  integerPart,
  fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
  fc.double({ min: -1e3, max: -1e-3, noNaN: true }),
);

function hermitianPart(m: ComplexMatrix): ComplexMatrix {
  return scale(add(m, conjugateTranspose(m)), 0.5);
}
