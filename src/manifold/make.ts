import { checkNumber, describe, InputError, type RandomStream } from "../core/index.ts";
import { type ComplexMatrix, ComplexStack } from "../linalg/index.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

/** How the points of a manifold look from outside. */
export interface PointShape<P> {
  view(flat: Float64Array, at: number): P;
  write(flat: Float64Array, point: P, field: string, at: number): void;
}

/** Complex matrices of one shape; vectors are n x 1. */
export function matrixShape(rows: number, cols: number): PointShape<ComplexMatrix> {
  const size = 2 * rows * cols;
  return {
    view: (flat, at) => ({ rows, cols, data: flat.subarray(at, at + size) }),
    write(flat, point, field, at) {
      const isMatrix =
        point?.data instanceof Float64Array && point.data.length === 2 * point.rows * point.cols;
      if (!isMatrix || point.rows !== rows || point.cols !== cols) {
        const found = isMatrix ? `a ${point.rows} x ${point.cols} matrix` : describe(point);
        throw new InputError(field, found, `a ${rows} x ${cols} complex matrix`);
      }
      copyFinite(flat, point.data, field, at);
    },
  };
}

/** Stacks of one shape [...leading, rows, cols]. */
export function stackShape(shape: readonly number[]): PointShape<ComplexStack> {
  const size = 2 * shape.reduce((product, n) => product * n, 1);
  return {
    view: (flat, at) => new ComplexStack(shape, flat.subarray(at, at + size)),
    write(flat, point, field, at) {
      if (!(point instanceof ComplexStack) || point.shape.join() !== shape.join()) {
        const found =
          point instanceof ComplexStack ? `a stack of shape [${point.shape.join(", ")}]` : describe(point);
        throw new InputError(field, found, `a stack of shape [${shape.join(", ")}]`);
      }
      copyFinite(flat, point.data, field, at);
    },
  };
}

function copyFinite(flat: Float64Array, data: Float64Array, field: string, at: number): void {
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i])) checkNumber(data[i], `${field}.data[${i}]`);
  flat.set(data, at);
}

/** The pure functions of a manifold over its kernels. */
export function makeManifold<P>(name: string, kernels: ManifoldKernels, shape: PointShape<P>): Manifold<P> {
  const { size } = kernels;
  const flat = (point: P, field: string): Float64Array => {
    const buffer = new Float64Array(size);
    shape.write(buffer, point, field, 0);
    return buffer;
  };
  const fresh = (fill: (out: Float64Array) => void): P => {
    const out = new Float64Array(size);
    fill(out);
    return shape.view(out, 0);
  };
  const { exp, log } = kernels;
  const manifold: Manifold<P> = {
    name,
    dimension: kernels.dimension,
    kernels,
    view: (buffer, at = 0) => shape.view(buffer, at),
    write: (buffer, point, field, at = 0) => shape.write(buffer, point, field, at),
    inner: (x, u, v) => kernels.inner(0, flat(x, "x"), flat(u, "u"), flat(v, "v")),
    norm: (x, u) => {
      const vector = flat(u, "u");
      return Math.sqrt(Math.max(0, kernels.inner(0, flat(x, "x"), vector, vector)));
    },
    distance: (x, y) => kernels.distance(0, flat(x, "x"), flat(y, "y")),
    project: (x, z) => fresh((out) => kernels.project(0, out, flat(x, "x"), flat(z, "z"))),
    gradient: (x, g) =>
      fresh((out) => kernels.toGradient(0, out, flat(x, "x"), flat(g, "euclideanGradient"))),
    hessian: (x, g, h, u) =>
      fresh((out) =>
        kernels.toHessian(
          0,
          out,
          flat(x, "x"),
          flat(g, "euclideanGradient"),
          flat(h, "euclideanHessian"),
          flat(u, "u"),
        ),
      ),
    retract: (x, u, t = 1) =>
      fresh((out) => kernels.retract(0, out, flat(x, "x"), flat(u, "u"), checkNumber(t, "t"))),
    transport: (x, u, v) =>
      fresh((out) => {
        const [from, step, y] = [flat(x, "x"), flat(u, "u"), new Float64Array(size)];
        kernels.retract(0, y, from, step, 1);
        kernels.transport(0, out, flat(v, "v"), from, step, 1, y);
      }),
    randomPoint: (stream: RandomStream) => fresh((out) => kernels.randomPoint(0, out, stream)),
    randomTangent: (x, stream) => fresh((out) => kernels.randomTangent(0, out, flat(x, "x"), stream)),
    checkPoint: (x) => kernels.pointResidual(0, flat(x, "x")),
    checkVector: (x, u) => kernels.vectorResidual(0, flat(x, "x"), flat(u, "u")),
  };
  if (exp !== undefined) {
    manifold.exp = (x, u, t = 1) =>
      fresh((out) => exp(0, out, flat(x, "x"), flat(u, "u"), checkNumber(t, "t")));
  }
  if (log !== undefined) {
    manifold.log = (x, y) => fresh((out) => log(0, out, flat(x, "x"), flat(y, "y")));
  }
  return Object.freeze(manifold);
}
