import { checkOptions, checkSeed, InputError, randomStream } from "../../core/index.ts";
import type { Manifold } from "../types.ts";

/** Where a check is made. */
export interface CheckOptions<P> {
  /** Default: random. */
  readonly point?: P;
  /** A tangent at the point, of any length but 0: checks scale it to norm 1. Default: random. */
  readonly direction?: P;
  /** Of the random point and tangents; default 0. */
  readonly seed?: number;
}

export interface CheckStart {
  readonly x: Float64Array;
  /** Of norm 1; 0 where the dimension is 0. */
  readonly v: Float64Array;
  /** A further random tangent. */
  tangent(name: string): Float64Array;
}

/** @throws InputError on a point off the manifold, a direction that is no tangent, or unknown options. */
export function checkStart<P>(
  manifold: Manifold<P>,
  options: CheckOptions<P>,
  names: readonly string[] = ["point", "direction", "seed"],
): CheckStart {
  checkOptions(options, "options", names);
  const { kernels } = manifold;
  const stream = randomStream(checkSeed(options.seed ?? 0, "options.seed"), "check");
  const x = new Float64Array(kernels.size);
  const v = new Float64Array(kernels.size);
  if (options.point === undefined) kernels.randomPoint(0, x, stream.split("point"));
  else {
    manifold.write(x, options.point, "options.point");
    const residual = kernels.pointResidual(0, x);
    if (!(residual <= 1e-6)) throw offManifold("options.point", residual, `a point of ${manifold.name}`);
  }
  if (options.direction === undefined) kernels.randomTangent(0, v, x, stream.split("direction"));
  else {
    manifold.write(v, options.direction, "options.direction");
    const residual = kernels.vectorResidual(0, x, v);
    const length = Math.sqrt(kernels.inner(0, x, v, v));
    if (!(residual <= 1e-6) || !(length > 0)) {
      throw offManifold("options.direction", residual, "a tangent at the point, not 0");
    }
    for (let i = 0; i < v.length; i++) v[i]! /= length;
  }
  return {
    x,
    v,
    tangent(name) {
      const u = new Float64Array(kernels.size);
      kernels.randomTangent(0, u, x, stream.split("tangent", name));
      return u;
    },
  };
}

function offManifold(field: string, residual: number, expected: string): InputError {
  return new InputError(field, `one with residual ${residual}`, expected);
}

/** Euclidean length of a flat buffer. */
export function length(a: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * a[i]!;
  return Math.sqrt(sum);
}
