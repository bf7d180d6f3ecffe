import { checkInteger } from "../core/index.ts";
import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { fillNormal } from "./flat.ts";
import { makeManifold, matrixShape } from "./make.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

/**
 * Matrices whose columns have unit norm: the product of `cols` unit spheres of C^rows, real dimension
 * cols (2 rows - 1), with the metric of the ambient space (Absil & Gallivan 2006). Retraction: normalise the
 * columns; transport: projection; exponential and logarithm in closed form, column by column.
 *
 * @throws InputError unless the sizes are whole numbers >= 1.
 */
export function complexOblique(rows: number, cols: number): Manifold<ComplexMatrix> {
  checkInteger(rows, "rows", 1);
  checkInteger(cols, "cols", 1);
  return makeManifold(
    `complex oblique(${rows}, ${cols})`,
    obliqueKernels(rows, cols),
    matrixShape(rows, cols),
  );
}

/** Matrices are row-major: sums over a column are kept for all columns at once while running through the rows. */
function obliqueKernels(rows: number, cols: number): ManifoldKernels {
  const count = rows * cols;
  const size = 2 * count;
  const first = new Float64Array(cols);
  const second = new Float64Array(cols);
  const third = new Float64Array(cols);

  /** sums[j] = Re <a_j, b_j>. */
  const inners = (sums: Float64Array, at: number, a: Float64Array, b: Float64Array): void => {
    sums.fill(0);
    for (let i = 0, p = at; i < rows; i++) {
      for (let j = 0; j < cols; j++, p += 2) sums[j]! += a[p]! * b[p]! + a[p + 1]! * b[p + 1]!;
    }
  };
  /** out_j = f_j a_j + g_j b_j. */
  const combine = (
    at: number,
    out: Float64Array,
    f: Float64Array,
    a: Float64Array,
    g: Float64Array,
    b: Float64Array,
  ): void => {
    for (let i = 0, p = at; i < rows; i++) {
      for (let j = 0; j < cols; j++, p += 2) {
        out[p] = f[j]! * a[p]! + g[j]! * b[p]!;
        out[p + 1] = f[j]! * a[p + 1]! + g[j]! * b[p + 1]!;
      }
    }
  };
  const scaleColumns = (at: number, out: Float64Array, f: Float64Array): void => {
    for (let i = 0, p = at; i < rows; i++) {
      for (let j = 0; j < cols; j++, p += 2) {
        out[p]! *= f[j]!;
        out[p + 1]! *= f[j]!;
      }
    }
  };
  const normaliseColumns = (at: number, y: Float64Array): void => {
    // in two passes: powers of two bring the largest part of every column near 1
    first.fill(0);
    for (let i = 0, p = at; i < rows; i++) {
      for (let j = 0; j < cols; j++, p += 2)
        first[j] = Math.max(first[j]!, Math.abs(y[p]!), Math.abs(y[p + 1]!));
    }
    for (let j = 0; j < cols; j++) first[j] = kernel.powerOfTwoScale(first[j]!, 0);
    scaleColumns(at, y, first);
    inners(first, at, y, y);
    for (let j = 0; j < cols; j++) first[j] = 1 / Math.sqrt(first[j]!);
    scaleColumns(at, y, first);
  };
  const project = (at: number, out: Float64Array, x: Float64Array, z: Float64Array): void => {
    inners(first, at, x, z);
    for (let j = 0; j < cols; j++) first[j] = -first[j]!;
    second.fill(1);
    combine(at, out, first, x, second, z);
  };
  /** Angles between the columns in `first`; `second` holds the squares of y_j - x_j, `third` of y_j + x_j. */
  const angles = (at: number, x: Float64Array, y: Float64Array): void => {
    second.fill(0);
    third.fill(0);
    for (let i = 0, p = at; i < rows; i++) {
      for (let j = 0; j < cols; j++, p += 2) {
        second[j]! += (y[p]! - x[p]!) ** 2 + (y[p + 1]! - x[p + 1]!) ** 2;
        third[j]! += (y[p]! + x[p]!) ** 2 + (y[p + 1]! + x[p + 1]!) ** 2;
      }
    }
    for (let j = 0; j < cols; j++) first[j] = 2 * Math.atan2(Math.sqrt(second[j]!), Math.sqrt(third[j]!));
  };
  return {
    size,
    dimension: size - cols,
    inner: (at, _x, u, v) => kernel.realInner(u, at, v, at, count),
    project,
    toGradient: project,
    toHessian(at, out, x, g, h, u) {
      inners(first, at, x, g);
      inners(second, at, x, h);
      for (let i = 0, p = at; i < rows; i++) {
        for (let j = 0; j < cols; j++, p += 2) {
          out[p] = h[p]! - second[j]! * x[p]! - first[j]! * u[p]!;
          out[p + 1] = h[p + 1]! - second[j]! * x[p + 1]! - first[j]! * u[p + 1]!;
        }
      }
    },
    retract(at, y, x, u, t) {
      for (let i = at; i < at + size; i++) y[i] = x[i]! + t * u[i]!;
      normaliseColumns(at, y);
    },
    transport: (at, out, v, _x, _u, _t, y) => project(at, out, y, v),
    distance(at, x, y) {
      angles(at, x, y);
      let sum = 0;
      for (let j = 0; j < cols; j++) sum += first[j]! ** 2;
      return Math.sqrt(sum);
    },
    exp(at, y, x, u, t) {
      inners(second, at, u, u);
      for (let j = 0; j < cols; j++) {
        const angle = t * Math.sqrt(second[j]!);
        first[j] = Math.cos(angle);
        second[j] = angle === 0 ? t : (t * Math.sin(angle)) / angle;
      }
      combine(at, y, first, x, second, u);
      normaliseColumns(at, y);
    },
    log(at, u, x, y) {
      angles(at, x, y);
      third.set(first);
      // y - x, or y + x where it is shorter, has the same projection as y and keeps its digits
      for (let i = 0, p = at; i < rows; i++) {
        for (let j = 0; j < cols; j++, p += 2) {
          const sign = third[j]! <= Math.PI / 2 ? -1 : 1;
          u[p] = y[p]! + sign * x[p]!;
          u[p + 1] = y[p + 1]! + sign * x[p + 1]!;
        }
      }
      project(at, u, x, u);
      inners(first, at, u, u);
      for (let j = 0; j < cols; j++) {
        const length = Math.sqrt(first[j]!);
        // opposite columns: one of the shortest ways, along i x
        second[j] = length === 0 ? third[j]! : 0;
        first[j] = length === 0 ? 0 : third[j]! / length;
      }
      for (let i = 0, p = at; i < rows; i++) {
        for (let j = 0; j < cols; j++, p += 2) {
          u[p] = first[j]! * u[p]! - second[j]! * x[p + 1]!;
          u[p + 1] = first[j]! * u[p + 1]! + second[j]! * x[p]!;
        }
      }
    },
    randomPoint(at, x, stream) {
      fillNormal(x, at, size, stream);
      normaliseColumns(at, x);
    },
    randomTangent(at, u, x, stream) {
      fillNormal(u, at, size, stream);
      project(at, u, x, u);
      const length = Math.sqrt(kernel.squaredNorm(u, at, count));
      for (let i = at; i < at + size; i++) u[i]! /= length;
    },
    pointResidual(at, x) {
      inners(first, at, x, x);
      let sum = 0;
      for (let j = 0; j < cols; j++) sum += (Math.sqrt(first[j]!) - 1) ** 2;
      return Math.sqrt(sum / cols);
    },
    vectorResidual(at, x, u) {
      const squared = kernel.squaredNorm(u, at, count);
      inners(first, at, x, u);
      let sum = 0;
      for (let j = 0; j < cols; j++) sum += first[j]! ** 2;
      return squared === 0 ? 0 : Math.sqrt(sum / squared);
    },
  };
}
