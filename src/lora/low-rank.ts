import { Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import type { LowRankFactors } from "./adapters.ts";

/** How singular values are shared by the factors: sqrt(s) each, or all to loraB, so that the rows of loraA are orthonormal. */
export type FactorSplit = "balanced" | "orthonormal";

/** The product left right as u diag(s) v^T, s descending; q columns, q <= min(dOut, dIn). */
interface SingularProduct {
  /** dOut x q, orthonormal columns. */
  readonly u: Matrix;
  readonly s: readonly number[];
  /** dIn x q, orthonormal columns. */
  readonly v: Matrix;
}

/**
 * Splits left right into its best approximation of the given rank (Eckart-Young, from the singular value
 * decomposition) and the rest. dOut x dIn is formed only where left has at least min(dOut, dIn) columns.
 *
 * @param left dOut x q, or dOut x dIn where `right` is undefined
 * @param right q x dIn
 * @returns `head` of exactly `rank` slots, zero beyond the rank of the product; `tail` without the singular values that are
 *   zero up to rounding. head + tail is the product.
 */
export function splitProduct(
  left: Matrix,
  right: Matrix | undefined,
  rank: number,
  split: FactorSplit,
): { readonly head: LowRankFactors; readonly tail: LowRankFactors } {
  const product = singularProduct(left, right);
  const { u, s, v } = product;
  const least = (s[0] ?? 0) * Number.EPSILON * Math.max(u.rows, v.rows);
  const numericRank = s.filter((value) => value > least).length;
  return {
    head: factorsOf(product, 0, rank, Math.min(rank, s.length), split),
    tail: factorsOf(product, rank, Math.max(0, numericRank - rank), numericRank, split),
  };
}

/** A flat row-major matrix, copied. */
export function matrixOf(values: ArrayLike<number>, rows: number, columns: number): Matrix {
  const matrix = Matrix.zeros(rows, columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) matrix.set(i, j, values[i * columns + j]!);
  }
  return matrix;
}

/** Slots `from` up to `to`, in `slots` slots. */
function factorsOf(
  { u, s, v }: SingularProduct,
  from: number,
  slots: number,
  to: number,
  split: FactorSplit,
): LowRankFactors {
  const loraB = new Float64Array(u.rows * slots);
  const loraA = new Float64Array(slots * v.rows);
  for (let l = from; l < to; l++) {
    const toA = split === "balanced" ? Math.sqrt(s[l]!) : 1;
    const toB = split === "balanced" ? toA : s[l]!;
    for (let i = 0; i < u.rows; i++) loraB[i * slots + l - from] = u.get(i, l) * toB;
    for (let j = 0; j < v.rows; j++) loraA[(l - from) * v.rows + j] = v.get(j, l) * toA;
  }
  return { rank: slots, loraB, loraA };
}

function singularProduct(left: Matrix, right: Matrix | undefined): SingularProduct {
  if (right === undefined || left.columns >= Math.min(left.rows, right.columns)) {
    const [dense, unit] = normalised(right === undefined ? left : scaledProduct(left, right));
    return decompose(dense, unit * (right === undefined ? 1 : unitOf(left) * unitOf(right)));
  }
  // left = Q_B R_B, right^T = Q_A R_A: the singular values are those of the small R_B R_A^T
  const qrLeft = new QrDecomposition(left.clone().div(unitOf(left)));
  const qrRight = new QrDecomposition(right.transpose().div(unitOf(right)));
  const small = qrLeft.upperTriangularMatrix.mmul(qrRight.upperTriangularMatrix.transpose());
  const [core, unit] = normalised(small);
  const { u, s, v } = decompose(core, unit * unitOf(left) * unitOf(right));
  return { u: qrLeft.orthogonalMatrix.mmul(u), s, v: qrRight.orthogonalMatrix.mmul(v) };
}

function decompose(matrix: Matrix, unit: number): SingularProduct {
  const result = new SingularValueDecomposition(matrix, { autoTranspose: true });
  const q = Math.min(matrix.rows, matrix.columns);
  return {
    u: result.leftSingularVectors.subMatrix(0, matrix.rows - 1, 0, q - 1),
    s: result.diagonal.slice(0, q).map((value) => value * unit),
    v: result.rightSingularVectors.subMatrix(0, matrix.columns - 1, 0, q - 1),
  };
}

function scaledProduct(left: Matrix, right: Matrix): Matrix {
  return left
    .clone()
    .div(unitOf(left))
    .mmul(right.clone().div(unitOf(right)));
}

/** In units of its largest entry, so that squares neither overflow nor vanish. */
function normalised(matrix: Matrix): [Matrix, number] {
  const unit = unitOf(matrix);
  return [matrix.clone().div(unit), unit];
}

/** The largest modulus of the entries, 1 for a zero matrix. */
function unitOf(matrix: Matrix): number {
  let largest = 0;
  for (let i = 0; i < matrix.rows; i++) {
    for (let j = 0; j < matrix.columns; j++) largest = Math.max(largest, Math.abs(matrix.get(i, j)));
  }
  return largest > 0 ? largest : 1;
}
