import type { RandomStream } from "../core/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { allFinite, fillNormal } from "./flat.ts";

/** What Stiefel and Grassmann share: n x p matrices with orthonormal columns, in place, with their workspace. */
export interface OrthonormalKernels {
  /** gram (p x p, returned, valid until the next call) = A^H B. */
  gram(at: number, a: Float64Array, b: Float64Array): Float64Array;
  /** out = Z - A C, C p x p; `out` may be `z` or `a`. */
  subtractProduct(at: number, out: Float64Array, z: Float64Array, a: Float64Array, c: Float64Array): void;
  /** y <- its Q factor, diagonal of R positive; NaN unless y is finite. */
  orthonormaliseQr(at: number, y: Float64Array): void;
  /** y <- its unitary polar factor, the nearest orthonormal matrix; NaN unless y is finite. */
  orthonormalisePolar(at: number, y: Float64Array): void;
  /** One Newton-Schulz step towards the polar factor: squares the distance to it. */
  polish(at: number, y: Float64Array): void;
  /** |X^H X - I| / (2 sqrt(p)). */
  pointResidual(at: number, x: Float64Array): number;
  /** Uniform (Haar): the Q factor of a Gaussian matrix. */
  randomPoint(at: number, x: Float64Array, stream: RandomStream): void;
}

/** A Gram matrix with eigenvalues within this ratio gives the polar factor to full accuracy. */
const WELL_CONDITIONED = 0.01;

export function orthonormalKernels(n: number, p: number): OrthonormalKernels {
  const size = 2 * n * p;
  const gramMatrix = new Float64Array(2 * p * p);
  const root = new Float64Array(2 * p * p);
  const vectors = new Float64Array(2 * p * p);
  const values = new Float64Array(p);
  const tall = new Float64Array(size);
  const right = new Float64Array(2 * p * p);
  const qrWork = kernel.createQrWorkspace(n, p);
  const eigenWork = kernel.createHermitianEigenWorkspace(p);
  const svdWork = kernel.createJacobiSvdWorkspace(n, p);

  const gram = (at: number, a: Float64Array, b: Float64Array): Float64Array => {
    kernel.multiplyConjugateLeft(gramMatrix, 0, a, at, b, at, p, n, p);
    return gramMatrix;
  };
  /** y <- y C. */
  const multiplyRight = (at: number, y: Float64Array, c: Float64Array): void => {
    kernel.multiply(tall, 0, y, at, c, 0, n, p, p);
    kernel.copy(y, at, tall, 0, n * p);
  };
  const polish = (at: number, y: Float64Array): void => {
    gram(at, y, y);
    for (let i = 0; i < 2 * p * p; i++) root[i] = -0.5 * gramMatrix[i]!;
    for (let i = 0; i < p; i++) root[2 * i * (p + 1)]! += 1.5;
    multiplyRight(at, y, root);
  };
  const orthonormaliseQr = (at: number, y: Float64Array): void => {
    if (!allFinite(y, at, size)) y.fill(Number.NaN, at, at + size);
    else kernel.qrFactor(y, at, y, at, right, 0, qrWork);
  };
  return {
    gram,
    subtractProduct(at, out, z, a, c) {
      kernel.multiply(tall, 0, a, at, c, 0, n, p, p);
      for (let i = 0; i < size; i++) out[at + i] = z[at + i]! - tall[i]!;
    },
    orthonormaliseQr,
    orthonormalisePolar(at, y) {
      if (!allFinite(y, at, size)) {
        y.fill(Number.NaN, at, at + size);
        return;
      }
      gram(at, y, y);
      const usable = allFinite(gramMatrix, 0, 2 * p * p);
      if (usable) kernel.hermitianEigen(gramMatrix, 0, values, 0, vectors, 0, eigenWork);
      if (usable && values[0]! > WELL_CONDITIONED * values[p - 1]! && values[0]! > 1e-280) {
        // Y (Y^H Y)^(-1/2)
        for (let i = 0; i < p; i++) {
          for (let j = 0; j < p; j++) {
            const factor = 1 / Math.sqrt(values[j]!);
            right[2 * (i * p + j)] = factor * vectors[2 * (i * p + j)]!;
            right[2 * (i * p + j) + 1] = factor * vectors[2 * (i * p + j) + 1]!;
          }
        }
        kernel.multiplyConjugateRight(root, 0, right, 0, vectors, 0, p, p, p);
        multiplyRight(at, y, root);
        polish(at, y);
        return;
      }
      kernel.jacobiSvd(y, at, tall, 0, values, 0, right, 0, svdWork);
      kernel.multiplyConjugateRight(y, at, tall, 0, right, 0, n, p, p);
    },
    polish,
    pointResidual(at, x) {
      gram(at, x, x);
      for (let i = 0; i < p; i++) gramMatrix[2 * i * (p + 1)]! -= 1;
      return 0.5 * Math.sqrt(kernel.squaredNorm(gramMatrix, 0, p * p) / p);
    },
    randomPoint(at, x, stream) {
      fillNormal(x, at, size, stream);
      orthonormaliseQr(at, x);
    },
  };
}
