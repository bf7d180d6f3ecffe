/**
 * Kernels: in-place routines on interleaved (re, im), row-major Float64Arrays with offsets. They check nothing
 * and allocate nothing; whoever calls them owns the buffers and the workspaces. The pure functions of
 * `airfold/linalg` are built from them, and so are the hot loops of src/aircomp. Not published.
 */
export { completeBasis } from "./basis.ts";
export { choleskyFactor, choleskySolve, solveLower, solveLowerConjugate } from "./cholesky.ts";
export { createExpmWorkspace, type ExpmWorkspace, expm } from "./expm.ts";
export {
  createHermitianEigenWorkspace,
  type HermitianEigenWorkspace,
  hermitianEigen,
} from "./hermitianEigen.ts";
export { applyReflector, makeReflector } from "./householder.ts";
export {
  createJacobiSvdWorkspace,
  type JacobiSvdWorkspace,
  jacobiSingularValues,
  jacobiSvd,
} from "./jacobiSvd.ts";
export { luEliminate, luFactor, luSolve } from "./lu.ts";
export { addHermitianOuter, multiply, multiplyConjugateLeft, multiplyConjugateRight } from "./multiply.ts";
export { createQrWorkspace, type QrWorkspace, qrFactor } from "./qr.ts";
export { tridiagonalEigen } from "./tridiagonalEigen.ts";
export {
  axpy,
  axpyComplex,
  conjugateTranspose,
  copy,
  largestPart,
  makeHermitian,
  powerOfTwoScale,
  realInner,
  scale,
  squaredNorm,
} from "./vector.ts";
