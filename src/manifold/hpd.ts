import { checkChoice, checkInteger, checkOptions } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { allFinite, fillNormal } from "./flat.ts";
import { makeManifold, matrixShape } from "./make.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

export interface PositiveDefiniteOptions {
  /** "second-order" (default): X + tU + t^2/2 U X^-1 U. "exp": the exponential. */
  readonly retraction?: "second-order" | "exp";
  /**
   * "parallel" (default): E V E^H, E = (Y X^-1)^(1/2), along the geodesic from X to Y. "cholesky": the same with
   * E = L_Y L_X^-1 from the Cholesky factors, cheaper. Both keep inner products.
   */
  readonly transport?: "parallel" | "cholesky";
}

/**
 * Hermitian positive definite n x n matrices with the affine-invariant metric <U, V>_X = Re tr(X^-1 U X^-1 V);
 * tangents are the Hermitian matrices, real dimension n^2. Complete, with exactly one geodesic between any two
 * points (Bhatia 2007, chapter 6; Sra & Hosseini 2015). Exponential, logarithm, distance and parallel transport in
 * closed form, through the Cholesky factor of X; a step so long that the result is no longer positive definite in
 * doubles gives NaN. Random points have eigenvalues between 1/e and e, random eigenvectors.
 *
 * @throws InputError unless n is a whole number >= 1 and the options are known.
 */
export function hermitianPositiveDefinite(
  n: number,
  options: PositiveDefiniteOptions = {},
): Manifold<ComplexMatrix> {
  checkInteger(n, "n", 1);
  checkOptions(options, "options", ["retraction", "transport"]);
  const { retraction = "second-order", transport = "parallel" } = options;
  checkChoice(retraction, "options.retraction", ["second-order", "exp"]);
  checkChoice(transport, "options.transport", ["parallel", "cholesky"]);
  return makeManifold(
    `Hermitian positive definite(${n})`,
    positiveDefiniteKernels(n, retraction === "exp", transport === "parallel"),
    matrixShape(n, n),
  );
}

/** Below this size of L^-1 (Y - X) L^-H its own eigenvalues are used: log(1 + e) keeps the digits of e. */
const NEAR = 0.5;

function positiveDefiniteKernels(n: number, useExp: boolean, parallel: boolean): ManifoldKernels {
  const count = n * n;
  const size = 2 * count;
  const factor = new Float64Array(size);
  const other = new Float64Array(size);
  const a = new Float64Array(size);
  const b = new Float64Array(size);
  const c = new Float64Array(size);
  const values = new Float64Array(n);
  const eigenWork = kernel.createHermitianEigenWorkspace(n);
  const svdWork = kernel.createJacobiSvdWorkspace(n, n);
  const qrWork = kernel.createQrWorkspace(n, n);

  /** out = L, A = L L^H, zeros above the diagonal; NaN where A is not positive definite. */
  const cholesky = (out: Float64Array, at: number, x: Float64Array): boolean => {
    kernel.copy(out, 0, x, at, count);
    const good = allFinite(out, 0, size) && kernel.choleskyFactor(out, 0, n) < 0;
    if (!good) out.fill(Number.NaN);
    else for (let i = 0; i < n; i++) out.fill(0, 2 * (i * n + i + 1), 2 * (i + 1) * n);
    return good;
  };
  /** out = L^-1 U L^-H, Hermitian; uses `c`. */
  const whiten = (out: Float64Array, at: number, u: Float64Array): void => {
    kernel.copy(c, 0, u, at, count);
    kernel.makeHermitian(c, 0, n);
    kernel.solveLower(factor, 0, n, c, 0, n);
    kernel.conjugateTranspose(out, 0, c, 0, n, n);
    kernel.solveLower(factor, 0, n, out, 0, n);
    kernel.makeHermitian(out, 0, n);
  };
  /** out = F U F^H, Hermitian; uses `c`. */
  const congruence = (at: number, out: Float64Array, f: Float64Array, u: Float64Array): void => {
    kernel.multiply(c, 0, f, 0, u, 0, n, n, n);
    kernel.multiplyConjugateRight(out, at, c, 0, f, 0, n, n, n);
    kernel.makeHermitian(out, at, n);
  };
  /** Columns of the matrix times the values. */
  const scaleColumns = (m: Float64Array): void => {
    for (let i = 0, p = 0; i < n; i++) {
      for (let j = 0; j < n; j++, p += 2) {
        m[p]! *= values[j]!;
        m[p + 1]! *= values[j]!;
      }
    }
  };
  /** y = F F^H, or NaN where that is not positive definite. */
  const setOuter = (at: number, y: Float64Array, f: Float64Array): void => {
    y.fill(0, at, at + size);
    if (allFinite(f, 0, size)) kernel.addHermitianOuter(y, at, f, 0, n, n, 1);
    refuseSingular(at, y);
  };
  const refuseSingular = (at: number, y: Float64Array): void => {
    if (!cholesky(other, at, y)) y.fill(Number.NaN, at, at + size);
  };
  /** Logarithms of the eigenvalues of L^-1 Y L^-H in `values`, eigenvectors in `a`; false off the manifold. */
  const relativeLogarithms = (at: number, x: Float64Array, y: Float64Array): boolean => {
    if (!cholesky(factor, at, x) || !cholesky(other, at, y)) return false;
    for (let i = 0; i < size; i++) b[i] = y[at + i]! - x[at + i]!;
    whiten(a, 0, b);
    if (Math.sqrt(kernel.squaredNorm(a, 0, count)) < NEAR) {
      kernel.hermitianEigen(a, 0, values, 0, a, 0, eigenWork);
      for (let j = 0; j < n; j++) values[j] = Math.log1p(values[j]!);
      return true;
    }
    // the singular values of L_X^-1 L_Y, of high relative accuracy
    kernel.solveLower(factor, 0, n, other, 0, n);
    kernel.jacobiSvd(other, 0, a, 0, values, 0, b, 0, svdWork);
    for (let j = 0; j < n; j++) values[j] = 2 * Math.log(values[j]!);
    return true;
  };
  const exp: NonNullable<ManifoldKernels["exp"]> = (at, y, x, u, t) => {
    cholesky(factor, at, x);
    whiten(a, at, u);
    for (let i = 0; i < size; i++) a[i] = t * a[i]!;
    if (!allFinite(a, 0, size)) {
      y.fill(Number.NaN, at, at + size);
      return;
    }
    kernel.hermitianEigen(a, 0, values, 0, a, 0, eigenWork);
    for (let j = 0; j < n; j++) values[j] = Math.exp(0.5 * values[j]!);
    kernel.multiply(b, 0, factor, 0, a, 0, n, n, n);
    scaleColumns(b);
    setOuter(at, y, b);
  };
  return {
    size,
    dimension: count,
    inner(at, x, u, v) {
      if (!cholesky(factor, at, x)) return Number.NaN;
      whiten(a, at, u);
      if (u === v) return kernel.squaredNorm(a, 0, count);
      whiten(b, at, v);
      return kernel.realInner(a, 0, b, 0, count);
    },
    project(at, out, _x, z) {
      kernel.copy(out, at, z, at, count);
      kernel.makeHermitian(out, at, n);
    },
    toGradient(at, out, x, g) {
      kernel.copy(a, 0, g, at, count);
      kernel.makeHermitian(a, 0, n);
      kernel.multiply(c, 0, x, at, a, 0, n, n, n);
      kernel.multiply(b, 0, c, 0, x, at, n, n, n);
      kernel.copy(out, at, b, 0, count);
      kernel.makeHermitian(out, at, n);
    },
    toHessian(at, out, x, g, h, u) {
      // X sym(H) X + sym(U sym(G) X): the derivative of X sym(G) X and the term of the connection
      kernel.copy(a, 0, h, at, count);
      kernel.makeHermitian(a, 0, n);
      kernel.multiply(c, 0, x, at, a, 0, n, n, n);
      kernel.copy(a, 0, g, at, count);
      kernel.makeHermitian(a, 0, n);
      kernel.multiply(c, 0, u, at, a, 0, n, n, n, 1, true);
      kernel.multiply(b, 0, c, 0, x, at, n, n, n);
      kernel.copy(out, at, b, 0, count);
      kernel.makeHermitian(out, at, n);
    },
    retract(at, y, x, u, t) {
      if (useExp) {
        exp(at, y, x, u, t);
        return;
      }
      cholesky(factor, at, x);
      // U X^-1 U = B^H B, B = L^-1 U
      kernel.copy(a, 0, u, at, count);
      kernel.solveLower(factor, 0, n, a, 0, n);
      kernel.multiplyConjugateLeft(b, 0, a, 0, a, 0, n, n, n);
      for (let i = 0; i < size; i++) y[at + i] = x[at + i]! + t * (u[at + i]! + 0.5 * t * b[i]!);
      kernel.makeHermitian(y, at, n);
      refuseSingular(at, y);
    },
    transport(at, out, v, x, _u, _t, y) {
      cholesky(factor, at, x);
      cholesky(other, at, y);
      whiten(b, at, v);
      if (parallel) {
        // L_X^-1 L_Y = W diag(s) Z^H: E = L_X W diag(s) W^H L_X^-1
        kernel.solveLower(factor, 0, n, other, 0, n);
        if (!allFinite(other, 0, size)) {
          out.fill(Number.NaN, at, at + size);
          return;
        }
        kernel.jacobiSvd(other, 0, a, 0, values, 0, other, 0, svdWork);
        kernel.copy(other, 0, a, 0, count);
        scaleColumns(other);
        kernel.multiplyConjugateRight(c, 0, other, 0, a, 0, n, n, n);
        kernel.multiply(other, 0, factor, 0, c, 0, n, n, n);
      }
      congruence(at, out, other, b);
    },
    distance(at, x, y) {
      if (!relativeLogarithms(at, x, y)) return Number.NaN;
      let sum = 0;
      for (let j = 0; j < n; j++) sum += values[j]! ** 2;
      return Math.sqrt(sum);
    },
    exp,
    log(at, u, x, y) {
      if (!relativeLogarithms(at, x, y)) {
        u.fill(Number.NaN, at, at + size);
        return;
      }
      kernel.multiply(b, 0, factor, 0, a, 0, n, n, n);
      kernel.copy(a, 0, b, 0, count);
      scaleColumns(b);
      kernel.multiplyConjugateRight(u, at, b, 0, a, 0, n, n, n);
      kernel.makeHermitian(u, at, n);
    },
    randomPoint(at, x, stream) {
      fillNormal(a, 0, size, stream);
      kernel.qrFactor(a, 0, a, 0, b, 0, qrWork);
      for (let j = 0; j < n; j++) values[j] = Math.exp(stream.uniform() - 0.5);
      scaleColumns(a);
      setOuter(at, x, a);
    },
    randomTangent(at, u, x, stream) {
      cholesky(factor, at, x);
      // the Hermitian part of a Gaussian matrix is normal in every direction
      fillNormal(a, 0, size, stream);
      kernel.makeHermitian(a, 0, n);
      const length = Math.sqrt(kernel.squaredNorm(a, 0, count));
      for (let i = 0; i < size; i++) a[i]! /= length;
      congruence(at, u, factor, a);
    },
    pointResidual(at, x) {
      // a matrix that is not positive definite counts as far away
      if (!cholesky(other, at, x)) return 1;
      return skewShare(at, x);
    },
    vectorResidual: (at, _x, u) => skewShare(at, u),
  };

  /** |(A - A^H) / 2| / |A|. */
  function skewShare(at: number, m: Float64Array): number {
    const squared = kernel.squaredNorm(m, at, count);
    kernel.copy(a, 0, m, at, count);
    kernel.makeHermitian(a, 0, n);
    let sum = 0;
    for (let i = 0; i < size; i++) sum += (m[at + i]! - a[i]!) ** 2;
    return squared === 0 ? 0 : Math.sqrt(sum / squared);
  }
}
