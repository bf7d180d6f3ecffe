/**
 * linalg: complex matrices and their decompositions, for matrices of a few to a few hundred rows. Pure functions
 * that check shapes and finiteness, never write to their arguments and never return views of them; they are thin
 * owners of the in-place kernels in ./kernels. Knows nothing of manifolds or radio. Inner product
 * <a, b> = Re tr(a^H b).
 */
export {
  add,
  conjugateTranspose,
  frobeniusNorm,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  realInner,
  scale,
  subtract,
  trace,
} from "./arithmetic.ts";
export { cholesky, choleskySolve, logDet } from "./cholesky.ts";
export {
  entry,
  fromComplex,
  fromParts,
  identity,
  randomMatrix,
  realEmbedding,
  toParts,
  zeros,
} from "./construct.ts";
export { determinant, type LogDeterminant, logDetLu } from "./determinant.ts";
export { eigHermitian, type HermitianEigen } from "./eigHermitian.ts";
export { eigHermitianGeneralized } from "./eigHermitianGeneralized.ts";
export { expm } from "./expm.ts";
export { inverse, type Lu, lu, luSolve } from "./lu.ts";
export { expmHermitian, inverseSqrtmHermitian, logmHermitian, sqrtmHermitian } from "./matrixFunctions.ts";
export { conditionNumber, type NormKind, norm } from "./norms.ts";
export { type Polar, polar } from "./polar.ts";
export { type PivotedQr, type Qr, type QrOptions, qr } from "./qr.ts";
export { diagonal, fromDiagonal, hermitianPart, kronecker, skewHermitianPart } from "./structure.ts";
export { nullSpace, orthonormalBasis, rank } from "./subspaces.ts";
export { pseudoInverse, type Svd, svd, svdValues } from "./svd.ts";
export { type ComplexMatrix, ComplexStack } from "./types.ts";
