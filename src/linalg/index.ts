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
export { eigHermitian, type HermitianEigen } from "./eigHermitian.ts";
export { inverse, luSolve } from "./lu.ts";
export { sqrtmHermitian } from "./matrixFunctions.ts";
export { type Polar, polar } from "./polar.ts";
export { type Qr, qr } from "./qr.ts";
export { pseudoInverse, type Svd, svd } from "./svd.ts";
export { type ComplexMatrix, ComplexStack } from "./types.ts";
