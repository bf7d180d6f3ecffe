import { checkInteger } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { fillNormal, normalise as normaliseFlat } from "./flat.ts";
import { makeManifold, matrixShape } from "./make.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

/**
 * The unit sphere of C^n, real dimension 2n - 1, with the metric of the ambient space. Retraction: normalise;
 * transport: projection; exponential and logarithm in closed form.
 *
 * @param n >= 1; points are n x 1
 * @throws InputError unless n is a whole number >= 1.
 */
export function complexSphere(n: number): Manifold<ComplexMatrix> {
  checkInteger(n, "n", 1);
  return makeManifold(`complex sphere(${n})`, sphereKernels(n), matrixShape(n, 1));
}

/** The kernels of the unit sphere of `count` complex numbers; other manifolds are built from it. */
export function sphereKernels(count: number): ManifoldKernels {
  const size = 2 * count;
  const inner = (at: number, u: Float64Array, v: Float64Array): number =>
    kernel.realInner(u, at, v, at, count);
  const norm = (at: number, u: Float64Array): number => Math.sqrt(kernel.squaredNorm(u, at, count));
  const project = (at: number, out: Float64Array, x: Float64Array, z: Float64Array): void => {
    const along = inner(at, x, z);
    for (let i = at; i < at + size; i++) out[i] = z[i]! - along * x[i]!;
  };
  const normalise = (at: number, y: Float64Array): void => normaliseFlat(y, at, size);
  return {
    size,
    dimension: size - 1,
    inner: (at, _x, u, v) => inner(at, u, v),
    project,
    toGradient: project,
    toHessian(at, out, x, g, h, u) {
      const curvature = inner(at, x, g);
      const along = inner(at, x, h);
      for (let i = at; i < at + size; i++) out[i] = h[i]! - along * x[i]! - curvature * u[i]!;
    },
    retract(at, y, x, u, t) {
      for (let i = at; i < at + size; i++) y[i] = x[i]! + t * u[i]!;
      normalise(at, y);
    },
    transport: (at, out, v, _x, _u, _t, y) => project(at, out, y, v),
    distance(at, x, y) {
      // half the chord and half the chord to the antipode: exact for near and for opposite points
      let chord = 0;
      let opposite = 0;
      for (let i = at; i < at + size; i++) {
        chord += (x[i]! - y[i]!) ** 2;
        opposite += (x[i]! + y[i]!) ** 2;
      }
      return 2 * Math.atan2(Math.sqrt(chord), Math.sqrt(opposite));
    },
    exp(at, y, x, u, t) {
      const angle = t * norm(at, u);
      const cosine = Math.cos(angle);
      const factor = angle === 0 ? t : (t * Math.sin(angle)) / angle;
      for (let i = at; i < at + size; i++) y[i] = cosine * x[i]! + factor * u[i]!;
      normalise(at, y);
    },
    log(at, u, x, y) {
      let chord = 0;
      let opposite = 0;
      for (let i = at; i < at + size; i++) {
        chord += (y[i]! - x[i]!) ** 2;
        opposite += (y[i]! + x[i]!) ** 2;
      }
      const distance = 2 * Math.atan2(Math.sqrt(chord), Math.sqrt(opposite));
      // y - x, or y + x where it is shorter, has the same projection as y and keeps its digits
      const sign = chord <= opposite ? -1 : 1;
      for (let i = at; i < at + size; i++) u[i] = y[i]! + sign * x[i]!;
      project(at, u, x, u);
      const length = norm(at, u);
      if (length === 0) {
        // the same point, or the opposite one: one of the shortest ways, along i x
        for (let i = at; i < at + size; i += 2) {
          u[i] = -distance * x[i + 1]!;
          u[i + 1] = distance * x[i]!;
        }
        return;
      }
      for (let i = at; i < at + size; i++) u[i]! *= distance / length;
    },
    randomPoint(at, x, stream) {
      fillNormal(x, at, size, stream);
      normalise(at, x);
    },
    randomTangent(at, u, x, stream) {
      fillNormal(u, at, size, stream);
      project(at, u, x, u);
      normalise(at, u);
    },
    pointResidual: (at, x) => Math.abs(norm(at, x) - 1),
    vectorResidual(at, x, u) {
      const length = norm(at, u);
      return length === 0 ? 0 : Math.abs(inner(at, x, u)) / length;
    },
  };
}
