import { type Matrix, SingularValueDecomposition } from "ml-matrix";
import { checkOptions, checkPositive, describe, InputError } from "../core/index.ts";
import { energyOf, largestEntry, type RealMatrix, toMatrix } from "./real-matrix.ts";

export interface FrozenResidualInput {
  /** L_W > 0: smoothness of the loss in the full weight matrices. */
  readonly smoothness: number;
  /** Delta W*, dOut x dIn. */
  readonly change: RealMatrix;
  /** The frozen right factor, r x dIn; any rank. */
  readonly loraA: RealMatrix;
}

/**
 * Rank residual of a given frozen loraA, (L_W/2)||Delta W* (I - loraA^+ loraA)||_F^2: what of Delta W* lies outside
 * its rows. Smoothness at W* and the projection theorem; docs/theory.md, section 2.
 *
 * @returns in the unit of the loss
 * @throws InputError on empty or ragged matrices, widths that differ, or entries that are not finite.
 */
export function frozenResidual(input: FrozenResidualInput): number {
  checkOptions(input, "frozenResidual", ["smoothness", "change", "loraA"]);
  const smoothness = checkPositive(input.smoothness, "smoothness");
  const change = toMatrix(input.change, "change");
  const loraA = toMatrix(input.loraA, "loraA");
  if (loraA.columns !== change.columns) {
    throw new InputError(
      "loraA",
      describe(input.loraA),
      `${change.columns} columns, as many as the change has`,
    );
  }
  // both scaled to 1, so that no square under- or overflows
  const scale = largestEntry(change);
  if (scale === 0) return 0;
  change.mul(1 / scale);
  const basis = rowSpace(loraA);
  if (basis !== undefined) change.sub(change.mmul(basis).mmul(basis.transpose()));
  return (smoothness / 2) * scale * (scale * energyOf(change));
}

/** An orthonormal basis of the row space as columns; undefined for the zero matrix. */
function rowSpace(matrix: Matrix): Matrix | undefined {
  const scale = largestEntry(matrix);
  if (scale === 0) return undefined;
  const { rightSingularVectors, diagonal } = new SingularValueDecomposition(matrix.mul(1 / scale), {
    computeLeftSingularVectors: false,
    autoTranspose: true,
  });
  const negligible = Math.max(matrix.rows, matrix.columns) * Number.EPSILON * Math.max(...diagonal);
  const rank = diagonal.filter((s) => s > negligible).length;
  return rightSingularVectors.subMatrix(0, matrix.columns - 1, 0, rank - 1);
}
