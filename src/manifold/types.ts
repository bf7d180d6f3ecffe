import type { RandomStream } from "../core/index.ts";

/**
 * The hot layer of a manifold: kernels on flat buffers. A point and its tangents are `size` real numbers
 * (interleaved re, im) that start at the offset `at`, the same in every buffer of a call, so that products and
 * powers are their factors side by side. Kernels check nothing and allocate nothing. Unless said otherwise `out`
 * may be any of the other buffers.
 */
export interface ManifoldKernels {
  /** Real numbers of one point. */
  readonly size: number;
  /** Real dimension. */
  readonly dimension: number;
  /** <u, v>_x, real. */
  inner(at: number, x: Float64Array, u: Float64Array, v: Float64Array): number;
  /** Orthogonal projection of an ambient z onto the tangent space at x. */
  project(at: number, out: Float64Array, x: Float64Array, z: Float64Array): void;
  /** Riemannian gradient from the Euclidean one, g with Df(x)[v] = Re<g, v>. */
  toGradient(at: number, out: Float64Array, x: Float64Array, g: Float64Array): void;
  /** Riemannian Hessian along u from the Euclidean gradient g and its derivative h = Dg(x)[u]. */
  toHessian(
    at: number,
    out: Float64Array,
    x: Float64Array,
    g: Float64Array,
    h: Float64Array,
    u: Float64Array,
  ): void;
  /** y = R_x(t u), a point of the manifold or NaN however large t is; `y` is neither x nor u. */
  retract(at: number, y: Float64Array, x: Float64Array, u: Float64Array, t: number): void;
  /** v, tangent at x, carried to y = R_x(t u); `out` may be v, and is not x, y or u. */
  transport(
    at: number,
    out: Float64Array,
    v: Float64Array,
    x: Float64Array,
    u: Float64Array,
    t: number,
    y: Float64Array,
  ): void;
  /** Geodesic distance (or what the manifold documents). */
  distance(at: number, x: Float64Array, y: Float64Array): number;
  /** y = Exp_x(t u), where there is a closed form; `y` is neither x nor u. */
  exp?(at: number, y: Float64Array, x: Float64Array, u: Float64Array, t: number): void;
  /** u with Exp_x(u) = y, where there is a closed form; `u` is neither x nor y. */
  log?(at: number, u: Float64Array, x: Float64Array, y: Float64Array): void;
  /** A random point (uniform where the manifold is compact). */
  randomPoint(at: number, x: Float64Array, stream: RandomStream): void;
  /** A random tangent of norm 1 (zero where the dimension is 0). */
  randomTangent(at: number, u: Float64Array, x: Float64Array, stream: RandomStream): void;
  /** Distance of x to the manifold, relative; 0 on it up to rounding. */
  pointResidual(at: number, x: Float64Array): number;
  /** Distance of u to the tangent space at x, relative to |u|. */
  vectorResidual(at: number, x: Float64Array, u: Float64Array): number;
}

/**
 * A manifold: a frozen record of pure functions on points and tangents of type P (ComplexMatrix, ComplexStack
 * for a power, a record for a product). They never write to their arguments.
 */
export interface Manifold<P> {
  readonly name: string;
  /** Real dimension. */
  readonly dimension: number;
  /** The hot layer. */
  readonly kernels: ManifoldKernels;
  /** A zero-copy view of `kernels.size` numbers of a flat buffer, from `at`, as a point. */
  view(flat: Float64Array, at?: number): P;
  /** Copies a point or ambient vector into a flat buffer. @throws InputError naming `field` on another shape. */
  write(flat: Float64Array, point: P, field: string, at?: number): void;

  inner(x: P, u: P, v: P): number;
  norm(x: P, u: P): number;
  distance(x: P, y: P): number;
  project(x: P, z: P): P;
  /** Riemannian gradient from the Euclidean one. */
  gradient(x: P, euclideanGradient: P): P;
  /** Riemannian Hessian along u from the Euclidean gradient and its derivative along u. */
  hessian(x: P, euclideanGradient: P, euclideanHessian: P, u: P): P;
  /** R_x(t u); t = 1 by default. */
  retract(x: P, u: P, t?: number): P;
  /** v, tangent at x, carried along u to R_x(u). */
  transport(x: P, u: P, v: P): P;
  exp?(x: P, u: P, t?: number): P;
  log?(x: P, y: P): P;
  randomPoint(stream: RandomStream): P;
  randomTangent(x: P, stream: RandomStream): P;
  checkPoint(x: P): number;
  checkVector(x: P, u: P): number;
}
