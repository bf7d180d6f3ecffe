import { checkInteger } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { fillNormal, normalise } from "./flat.ts";
import { makeManifold, matrixShape } from "./make.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

/**
 * Vectors of C^n whose entries all have modulus 1 (phase shifters, reflecting surfaces): the product of n circles,
 * real dimension n, with the metric of the ambient space (Absil, Mahony & Sepulchre 2008, for n = 1). Retraction:
 * divide every entry by its modulus; exponential and logarithm in closed form; transport: parallel along the
 * circles, which is isometric.
 *
 * @param n >= 1; points are n x 1
 * @throws InputError unless n is a whole number >= 1.
 */
export function complexCircle(n: number): Manifold<ComplexMatrix> {
  checkInteger(n, "n", 1);
  return makeManifold(`complex circle(${n})`, circleKernels(n), matrixShape(n, 1));
}

function circleKernels(n: number): ManifoldKernels {
  const size = 2 * n;
  const project = (at: number, out: Float64Array, x: Float64Array, z: Float64Array): void => {
    for (let i = at; i < at + size; i += 2) {
      const along = x[i]! * z[i]! + x[i + 1]! * z[i + 1]!;
      out[i] = z[i]! - along * x[i]!;
      out[i + 1] = z[i + 1]! - along * x[i + 1]!;
    }
  };
  /** The angle from the entry of x at i to that of y, in (-pi, pi]. */
  const angle = (x: Float64Array, y: Float64Array, i: number): number => {
    // the imaginary part of conj(x) (y - x) keeps its digits for near points
    const sine = x[i]! * (y[i + 1]! - x[i + 1]!) - x[i + 1]! * (y[i]! - x[i]!);
    return Math.atan2(sine, x[i]! * y[i]! + x[i + 1]! * y[i + 1]!);
  };
  return {
    size,
    dimension: n,
    inner: (at, _x, u, v) => kernel.realInner(u, at, v, at, n),
    project,
    toGradient: project,
    toHessian(at, out, x, g, h, u) {
      for (let i = at; i < at + size; i += 2) {
        const curvature = x[i]! * g[i]! + x[i + 1]! * g[i + 1]!;
        const along = x[i]! * h[i]! + x[i + 1]! * h[i + 1]!;
        out[i] = h[i]! - along * x[i]! - curvature * u[i]!;
        out[i + 1] = h[i + 1]! - along * x[i + 1]! - curvature * u[i + 1]!;
      }
    },
    retract(at, y, x, u, t) {
      for (let i = at; i < at + size; i += 2) {
        y[i] = x[i]! + t * u[i]!;
        y[i + 1] = x[i + 1]! + t * u[i + 1]!;
        normalise(y, i, 2);
      }
    },
    transport(at, out, v, x, _u, _t, y) {
      for (let i = at; i < at + size; i += 2) {
        const along = x[i]! * v[i + 1]! - x[i + 1]! * v[i]!;
        out[i] = -along * y[i + 1]!;
        out[i + 1] = along * y[i]!;
      }
    },
    distance(at, x, y) {
      let sum = 0;
      for (let i = at; i < at + size; i += 2) sum += angle(x, y, i) ** 2;
      return Math.sqrt(sum);
    },
    exp(at, y, x, u, t) {
      for (let i = at; i < at + size; i += 2) {
        const turn = t * (x[i]! * u[i + 1]! - x[i + 1]! * u[i]!);
        const cosine = Math.cos(turn);
        const sine = Math.sin(turn);
        y[i] = x[i]! * cosine - x[i + 1]! * sine;
        y[i + 1] = x[i + 1]! * cosine + x[i]! * sine;
        normalise(y, i, 2);
      }
    },
    log(at, u, x, y) {
      for (let i = at; i < at + size; i += 2) {
        const turn = angle(x, y, i);
        u[i] = -turn * x[i + 1]!;
        u[i + 1] = turn * x[i]!;
      }
    },
    randomPoint(at, x, stream) {
      fillNormal(x, at, size, stream);
      for (let i = at; i < at + size; i += 2) normalise(x, i, 2);
    },
    randomTangent(at, u, x, stream) {
      for (let i = at; i < at + size; i += 2) {
        const along = stream.normal();
        u[i] = -along * x[i + 1]!;
        u[i + 1] = along * x[i]!;
      }
      normalise(u, at, size);
    },
    pointResidual(at, x) {
      let sum = 0;
      for (let i = at; i < at + size; i += 2) sum += (Math.sqrt(x[i]! ** 2 + x[i + 1]! ** 2) - 1) ** 2;
      return Math.sqrt(sum / n);
    },
    vectorResidual(at, x, u) {
      const squared = kernel.squaredNorm(u, at, n);
      let sum = 0;
      for (let i = at; i < at + size; i += 2) sum += (x[i]! * u[i]! + x[i + 1]! * u[i + 1]!) ** 2;
      return squared === 0 ? 0 : Math.sqrt(sum / squared);
    },
  };
}
