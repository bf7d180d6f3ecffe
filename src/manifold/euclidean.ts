import { checkInteger } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { makeManifold, matrixShape } from "./make.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

/**
 * All complex rows x cols matrices with <u, v> = Re tr(u^H v); dimension 2 rows cols. Retraction, exponential and
 * transport are those of a vector space.
 *
 * @throws InputError unless the sizes are whole numbers >= 1.
 */
export function complexEuclidean(rows: number, cols: number): Manifold<ComplexMatrix> {
  checkInteger(rows, "rows", 1);
  checkInteger(cols, "cols", 1);
  return makeManifold(
    `complex Euclidean(${rows}, ${cols})`,
    euclideanKernels(rows * cols),
    matrixShape(rows, cols),
  );
}

function euclideanKernels(count: number): ManifoldKernels {
  const size = 2 * count;
  const copy = (at: number, out: Float64Array, from: Float64Array): void =>
    kernel.copy(out, at, from, at, count);
  const step = (at: number, y: Float64Array, x: Float64Array, u: Float64Array, t: number): void => {
    for (let i = at; i < at + size; i++) y[i] = x[i]! + t * u[i]!;
  };
  return {
    size,
    dimension: size,
    inner: (at, _x, u, v) => kernel.realInner(u, at, v, at, count),
    project: (at, out, _x, z) => copy(at, out, z),
    toGradient: (at, out, _x, g) => copy(at, out, g),
    toHessian: (at, out, _x, _g, h) => copy(at, out, h),
    retract: step,
    exp: step,
    log: (at, u, x, y) => {
      for (let i = at; i < at + size; i++) u[i] = y[i]! - x[i]!;
    },
    transport: (at, out, v) => copy(at, out, v),
    distance: (at, x, y) => {
      let sum = 0;
      for (let i = at; i < at + size; i++) sum += (y[i]! - x[i]!) ** 2;
      return Math.sqrt(sum);
    },
    randomPoint: (at, x, stream) => {
      for (let i = at; i < at + size; i++) x[i] = stream.normal();
    },
    randomTangent: (at, u, _x, stream) => {
      let sum = 0;
      for (let i = at; i < at + size; i++) sum += (u[i] = stream.normal()) ** 2;
      for (let i = at; i < at + size; i++) u[i]! /= Math.sqrt(sum);
    },
    pointResidual: () => 0,
    vectorResidual: () => 0,
  };
}
