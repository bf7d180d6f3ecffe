import { checkChoice, checkInteger, checkOptions } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { allFinite, fillNormal, normalise } from "./flat.ts";
import { makeManifold, matrixShape } from "./make.ts";
import { type OrthonormalKernels, orthonormalKernels } from "./orthonormal.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

export interface StiefelOptions {
  /** "qr" (default): Q factor of X + tU with a positive diagonal of R. "polar": its nearest orthonormal matrix. */
  readonly retraction?: "qr" | "polar";
}

/**
 * n x p matrices with orthonormal columns, X^H X = I; the unit sphere for p = 1, the unitary group for p = n. Real
 * dimension 2np - p^2, metric of the ambient space. Retractions by QR (first order) and polar factor (second
 * order), both in Absil, Mahony & Sepulchre 2008, section 4.1.1; the exponential by Edelman, Arias & Smith 1998,
 * eq. (2.42), from exponentials of a 2p x 2p and a p x p matrix. Transport: projection. The logarithm has no
 * closed form and is left out, and `distance` is that of the ambient space, |X - Y|.
 *
 * @throws InputError unless n and p are whole numbers with 1 <= p <= n, and the options are known.
 */
export function complexStiefel(n: number, p: number, options: StiefelOptions = {}): Manifold<ComplexMatrix> {
  checkInteger(n, "n", 1);
  checkInteger(p, "p", 1, n);
  checkOptions(options, "options", ["retraction"]);
  const retraction = checkChoice(options.retraction ?? "qr", "options.retraction", ["qr", "polar"]);
  return makeManifold(
    `complex Stiefel(${n}, ${p})`,
    stiefelKernels(n, p, retraction === "polar"),
    matrixShape(n, p),
  );
}

function stiefelKernels(n: number, p: number, polar: boolean): ManifoldKernels {
  const size = 2 * n * p;
  const shared = orthonormalKernels(n, p);
  const { gram, subtractProduct } = shared;
  const exp = exponential(n, p, shared);
  const project = (at: number, out: Float64Array, x: Float64Array, z: Float64Array): void => {
    const normal = gram(at, x, z);
    kernel.makeHermitian(normal, 0, p);
    subtractProduct(at, out, z, x, normal);
  };
  const step = new Float64Array(size);
  const curvature = new Float64Array(2 * p * p);
  const along = new Float64Array(2 * p * p);
  return {
    size,
    dimension: size - p * p,
    inner: (at, _x, u, v) => kernel.realInner(u, at, v, at, n * p),
    project,
    toGradient: project,
    toHessian(at, out, x, g, h, u) {
      // W = H - U C with C = sym(X^H G), less its normal part X sym(X^H W)
      curvature.set(gram(at, x, g));
      kernel.makeHermitian(curvature, 0, p);
      along.set(gram(at, x, h));
      kernel.multiply(along, 0, gram(at, x, u), 0, curvature, 0, p, p, p, -1, true);
      kernel.makeHermitian(along, 0, p);
      kernel.multiply(step, 0, u, at, curvature, 0, n, p, p);
      kernel.multiply(step, 0, x, at, along, 0, n, p, p, 1, true);
      for (let i = 0; i < size; i++) out[at + i] = h[at + i]! - step[i]!;
    },
    retract(at, y, x, u, t) {
      for (let i = at; i < at + size; i++) y[i] = x[i]! + t * u[i]!;
      if (polar) shared.orthonormalisePolar(at, y);
      else shared.orthonormaliseQr(at, y);
    },
    transport: (at, out, v, _x, _u, _t, y) => project(at, out, y, v),
    distance(at, x, y) {
      let sum = 0;
      for (let i = at; i < at + size; i++) sum += (x[i]! - y[i]!) ** 2;
      return Math.sqrt(sum);
    },
    exp,
    randomPoint: shared.randomPoint,
    randomTangent(at, u, x, stream) {
      fillNormal(u, at, size, stream);
      project(at, u, x, u);
      normalise(u, at, size);
    },
    pointResidual: shared.pointResidual,
    vectorResidual(at, x, u) {
      const squared = kernel.squaredNorm(u, at, n * p);
      const normal = gram(at, x, u);
      kernel.makeHermitian(normal, 0, p);
      return squared === 0 ? 0 : Math.sqrt(kernel.squaredNorm(normal, 0, p * p) / squared);
    },
  };
}

/** Y = [X U] exp(t [A, -S; I, A]) [I; 0] exp(-tA), A = X^H U, S = U^H U, with U first scaled to length 1. */
function exponential(
  n: number,
  p: number,
  { polish, pointResidual }: OrthonormalKernels,
): NonNullable<ManifoldKernels["exp"]> {
  const size = 2 * n * p;
  const unit = new Float64Array(size);
  const a = new Float64Array(2 * p * p);
  const s = new Float64Array(2 * p * p);
  const block = new Float64Array(8 * p * p);
  const blockWork = kernel.createExpmWorkspace(2 * p);
  const work = kernel.createExpmWorkspace(p);
  return (at, y, x, u, t) => {
    const length = Math.sqrt(kernel.squaredNorm(u, at, n * p));
    const time = t * length;
    if (time === 0) {
      kernel.copy(y, at, x, at, n * p);
      return;
    }
    for (let i = 0; i < size; i++) unit[i] = u[at + i]! / length;
    kernel.multiplyConjugateLeft(a, 0, x, at, unit, 0, p, n, p, time);
    kernel.multiplyConjugateLeft(s, 0, unit, 0, unit, 0, p, n, p, -time);
    for (let i = 0; i < p; i++) {
      // the skew-Hermitian part of A only, in rows i and p + i of the block matrix
      for (let j = 0; j < p; j++) {
        const above = 2 * (i * p + j);
        const below = 2 * (j * p + i);
        const re = 0.5 * (a[above]! - a[below]!);
        const im = 0.5 * (a[above + 1]! + a[below + 1]!);
        const top = 4 * i * p + 2 * j;
        const bottom = 4 * (p + i) * p + 2 * j;
        block[top] = block[bottom + 2 * p] = re;
        block[top + 1] = block[bottom + 2 * p + 1] = im;
        block[top + 2 * p] = s[above]!;
        block[top + 2 * p + 1] = s[above + 1]!;
        block[bottom] = i === j ? time : 0;
        block[bottom + 1] = 0;
      }
    }
    for (let i = 0; i < p; i++) {
      for (let j = 0; j < 2 * p; j++) a[2 * i * p + j] = -block[4 * i * p + j]!;
    }
    const good =
      allFinite(block, 0, 8 * p * p) &&
      kernel.expm(block, 0, block, 0, blockWork) >= 0 &&
      kernel.expm(a, 0, a, 0, work) >= 0;
    if (!good) {
      y.fill(Number.NaN, at, at + size);
      return;
    }
    // first block column, times exp(-tA)
    for (let part = 0; part < 2; part++) {
      for (let i = 0; i < p; i++) {
        for (let j = 0; j < 2 * p; j++) s[2 * i * p + j] = block[4 * (part * p + i) * p + j]!;
      }
      kernel.multiply(block, 4 * p * p * part, s, 0, a, 0, p, p, p);
      if (part === 0) kernel.multiply(y, at, x, at, block, 0, n, p, p);
      else kernel.multiply(y, at, unit, 0, block, 4 * p * p, n, p, p, 1, true);
    }
    // for very long steps the exponentials lose their digits
    if (pointResidual(at, y) < 1e-7) polish(at, y);
    else y.fill(Number.NaN, at, at + size);
  };
}
