import { checkChoice, checkInteger, checkOptions } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { allFinite, fillNormal, normalise } from "./flat.ts";
import { makeManifold, matrixShape } from "./make.ts";
import { type OrthonormalKernels, orthonormalKernels } from "./orthonormal.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

export interface GrassmannOptions {
  /**
   * The orthonormal basis of span(X + tU): its polar factor (default; commutes with X -> XQ) or its Q factor with
   * a positive diagonal of R. "exp": the exponential itself.
   */
  readonly retraction?: "polar" | "qr" | "exp";
  /**
   * "projection" (default) onto the new tangent space; "parallel" along the geodesic to the new point, which keeps
   * inner products and costs an SVD. Either is followed by the change of basis of the QR retraction.
   */
  readonly transport?: "projection" | "parallel";
}

/**
 * p-dimensional subspaces of C^n. A point is any orthonormal basis X (n x p) of it, X and XQ being the same point;
 * tangents are horizontal, X^H U = 0, with the metric of the ambient space. Real dimension 2p(n - p), 0 for p = n.
 * Costs must not depend on the basis: f(XQ) = f(X). All retractions are of second order. Exponential, parallel
 * transport and Hessian: Edelman, Arias & Smith 1998, section 2.5; logarithm and distance (the 2-norm of the
 * principal angles) from sines and cosines together, accurate for tiny angles and near pi/2 (Bendokat, Zimmermann
 * & Absil 2024, section 5.2). `log(x, y)` is the tangent whose exponential spans y.
 *
 * @throws InputError unless n and p are whole numbers with 1 <= p <= n, and the options are known.
 */
export function complexGrassmann(
  n: number,
  p: number,
  options: GrassmannOptions = {},
): Manifold<ComplexMatrix> {
  checkInteger(n, "n", 1);
  checkInteger(p, "p", 1, n);
  checkOptions(options, "options", ["retraction", "transport"]);
  const { retraction = "polar", transport = "projection" } = options;
  checkChoice(retraction, "options.retraction", ["polar", "qr", "exp"]);
  checkChoice(transport, "options.transport", ["projection", "parallel"]);
  return makeManifold(
    `complex Grassmann(${n}, ${p})`,
    grassmannKernels(n, p, retraction, transport),
    matrixShape(n, p),
  );
}

function grassmannKernels(
  n: number,
  p: number,
  retraction: "polar" | "qr" | "exp",
  transport: "projection" | "parallel",
): ManifoldKernels {
  const size = 2 * n * p;
  const shared = orthonormalKernels(n, p);
  const { gram, subtractProduct } = shared;
  const geodesic = geodesicKernels(n, p, shared);
  const step = new Float64Array(size);
  const curvature = new Float64Array(2 * p * p);
  const along = new Float64Array(2 * p * p);
  const project = (at: number, out: Float64Array, x: Float64Array, z: Float64Array): void => {
    if (n === p) out.fill(0, at, at + size);
    else subtractProduct(at, out, z, x, gram(at, x, z));
  };
  return {
    size,
    dimension: 2 * p * (n - p),
    inner: (at, _x, u, v) => kernel.realInner(u, at, v, at, n * p),
    project,
    toGradient: project,
    toHessian(at, out, x, g, h, u) {
      // H - U (X^H G), less its part along X
      if (n === p) {
        out.fill(0, at, at + size);
        return;
      }
      curvature.set(gram(at, x, g));
      along.set(gram(at, x, h));
      kernel.multiply(along, 0, gram(at, x, u), 0, curvature, 0, p, p, p, -1, true);
      kernel.multiply(step, 0, u, at, curvature, 0, n, p, p);
      kernel.multiply(step, 0, x, at, along, 0, n, p, p, 1, true);
      for (let i = 0; i < size; i++) out[at + i] = h[at + i]! - step[i]!;
    },
    retract(at, y, x, u, t) {
      if (retraction === "exp") {
        geodesic.exp(at, y, x, u, t);
        return;
      }
      for (let i = at; i < at + size; i++) y[i] = x[i]! + t * u[i]!;
      if (retraction === "qr") shared.orthonormaliseQr(at, y);
      else shared.orthonormalisePolar(at, y);
    },
    transport(at, out, v, x, u, t, y) {
      if (transport === "parallel") geodesic.parallel(at, out, v, x, u, t, y, retraction);
      else if (retraction === "qr") geodesic.changeBasis(at, out, v, x, y);
      else kernel.copy(out, at, v, at, n * p);
      project(at, out, y, out);
    },
    distance: (at, x, y) => (n === p ? 0 : geodesic.distance(at, x, y)),
    exp: geodesic.exp,
    log(at, u, x, y) {
      if (n === p) u.fill(0, at, at + size);
      else geodesic.log(at, u, x, y);
    },
    randomPoint: shared.randomPoint,
    randomTangent(at, u, x, stream) {
      fillNormal(u, at, size, stream);
      project(at, u, x, u);
      if (n > p) normalise(u, at, size);
      project(at, u, x, u);
    },
    pointResidual: shared.pointResidual,
    vectorResidual(at, x, u) {
      const squared = kernel.squaredNorm(u, at, n * p);
      return squared === 0 ? 0 : Math.sqrt(kernel.squaredNorm(gram(at, x, u), 0, p * p) / squared);
    },
  };
}

interface GeodesicKernels {
  exp: NonNullable<ManifoldKernels["exp"]>;
  log: NonNullable<ManifoldKernels["log"]>;
  distance: ManifoldKernels["distance"];
  /** out = V M, M the unitary factor of X^H Y: from the basis that polar and exp choose to that of y. */
  changeBasis(at: number, out: Float64Array, v: Float64Array, x: Float64Array, y: Float64Array): void;
  parallel(
    at: number,
    out: Float64Array,
    v: Float64Array,
    x: Float64Array,
    u: Float64Array,
    t: number,
    y: Float64Array,
    retraction: "polar" | "qr" | "exp",
  ): void;
}

function geodesicKernels(n: number, p: number, shared: OrthonormalKernels): GeodesicKernels {
  const size = 2 * n * p;
  const square = 2 * p * p;
  // U = W diag(s) V^H
  const w = new Float64Array(size);
  const s = new Float64Array(p);
  const v = new Float64Array(square);
  const tall = new Float64Array(size);
  const base = new Float64Array(size);
  const left = new Float64Array(square);
  const right = new Float64Array(square);
  const small = new Float64Array(square);
  const turn = new Float64Array(2 * p);
  const tallWork = kernel.createJacobiSvdWorkspace(n, p);
  const squareWork = kernel.createJacobiSvdWorkspace(p, p);
  const { gram } = shared;

  /** tall = X V cos + W sin for the angles in `turn` (cosines, then sines). */
  const turned = (at: number, x: Float64Array, sign: 1 | -1): void => {
    kernel.multiply(base, 0, x, at, v, 0, n, p, p);
    for (let i = 0, q = 0; i < n; i++) {
      for (let j = 0; j < p; j++, q += 2) {
        const c = sign === 1 ? turn[j]! : turn[p + j]!;
        const d = sign === 1 ? turn[p + j]! : turn[j]! - 1;
        tall[q] = sign * c * base[q]! + d * w[q]!;
        tall[q + 1] = sign * c * base[q + 1]! + d * w[q + 1]!;
      }
    }
  };
  const setAngles = (t: number, arctangent: boolean): void => {
    for (let j = 0; j < p; j++) {
      const angle = arctangent ? Math.atan(t * s[j]!) : t * s[j]!;
      turn[j] = Math.cos(angle);
      turn[p + j] = Math.sin(angle);
    }
  };
  /** Principal angles in `turn`, from X^H Y = R diag(cos) Q^H; the columns of `tall` are (I - X X^H) Y Q. */
  const principalAngles = (at: number, x: Float64Array, y: Float64Array): void => {
    small.set(gram(at, x, y));
    kernel.jacobiSvd(small, 0, right, 0, s, 0, left, 0, squareWork);
    kernel.multiply(tall, 0, y, at, left, 0, n, p, p);
    for (let pass = 0; pass < 2; pass++) {
      kernel.multiplyConjugateLeft(small, 0, x, at, tall, 0, p, n, p);
      kernel.multiply(tall, 0, x, at, small, 0, n, p, p, -1, true);
    }
    turn.fill(0);
    for (let i = 0, q = 0; i < n; i++) {
      for (let j = 0; j < p; j++, q += 2) turn[p + j]! += tall[q]! ** 2 + tall[q + 1]! ** 2;
    }
    for (let j = 0; j < p; j++) {
      const sine = Math.sqrt(turn[p + j]!);
      turn[j] = Math.atan2(sine, s[j]!);
      turn[p + j] = sine;
    }
  };
  return {
    exp(at, y, x, u, t) {
      if (!allFinite(u, at, size) || !Number.isFinite(t)) {
        y.fill(Number.NaN, at, at + size);
        return;
      }
      kernel.jacobiSvd(u, at, w, 0, s, 0, v, 0, tallWork);
      setAngles(t, false);
      turned(at, x, 1);
      kernel.multiplyConjugateRight(y, at, tall, 0, v, 0, n, p, p);
      shared.orthonormalisePolar(at, y);
    },
    log(at, u, x, y) {
      principalAngles(at, x, y);
      for (let j = 0; j < p; j++) {
        const factor = turn[p + j] === 0 ? 0 : turn[j]! / turn[p + j]!;
        for (let q = 2 * j; q < size; q += 2 * p) {
          tall[q]! *= factor;
          tall[q + 1]! *= factor;
        }
      }
      kernel.multiplyConjugateRight(u, at, tall, 0, right, 0, n, p, p);
    },
    distance(at, x, y) {
      principalAngles(at, x, y);
      let sum = 0;
      for (let j = 0; j < p; j++) sum += turn[j]! ** 2;
      return Math.sqrt(sum);
    },
    changeBasis(at, out, from, x, y) {
      small.set(gram(at, x, y));
      kernel.jacobiSvd(small, 0, left, 0, s, 0, right, 0, squareWork);
      kernel.multiplyConjugateRight(small, 0, left, 0, right, 0, p, p, p);
      kernel.multiply(tall, 0, from, at, small, 0, n, p, p);
      kernel.copy(out, at, tall, 0, n * p);
    },
    parallel(at, out, from, x, u, t, y, retraction) {
      if (!allFinite(u, at, size)) {
        out.fill(Number.NaN, at, at + size);
        return;
      }
      // spans of X + tU lie on the geodesic along W atan(t s) V^H
      kernel.jacobiSvd(u, at, w, 0, s, 0, v, 0, tallWork);
      setAngles(t, retraction !== "exp");
      if (retraction === "qr") {
        turned(at, x, 1);
        kernel.multiplyConjugateRight(base, 0, tall, 0, v, 0, n, p, p);
        kernel.multiplyConjugateLeft(right, 0, base, 0, y, at, p, n, p);
      }
      // V + (-X V sin + W (cos - 1)) W^H V
      turned(at, x, -1);
      kernel.multiplyConjugateLeft(small, 0, w, 0, from, at, p, n, p);
      kernel.copy(base, 0, from, at, n * p);
      kernel.multiply(base, 0, tall, 0, small, 0, n, p, p, 1, true);
      if (retraction === "qr") kernel.multiply(out, at, base, 0, right, 0, n, p, p);
      else kernel.copy(out, at, base, 0, n * p);
    },
  };
}
