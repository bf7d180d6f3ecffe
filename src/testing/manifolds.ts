import fc from "fast-check";
import { randomStream } from "../core/index.ts";
import type { Manifold } from "../manifold/index.ts";

/** A point of a manifold with a tangent there. */
export interface PointAndTangent<P> {
  readonly point: P;
  readonly tangent: P;
}

export interface TangentShape<P> {
  /** Default: any point of the manifold. */
  readonly point?: P;
  /** Largest norm; default 1. */
  readonly length?: number;
}

/** Random points of a manifold, one per seed. Shrinks to the points of the seeds 0, 1, 2, ... */
export function manifoldPoint<P>(manifold: Manifold<P>): fc.Arbitrary<P> {
  return seeds.map((seed) => pointOf(manifold, seed));
}

/**
 * A point and a tangent there, of norm up to `length`; norms of 0, and down to 1e-8 of `length`, occur. Shrinks to
 * small seeds and the tangent 0.
 */
export function manifoldTangent<P>(
  manifold: Manifold<P>,
  shape: TangentShape<P> = {},
): fc.Arbitrary<PointAndTangent<P>> {
  const { length = 1 } = shape;
  const factors = fc.oneof(
    fc.constantFrom(0, 1, 1e-4, 1e-8),
    fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  );
  return fc.tuple(seeds, seeds, factors).map(([pointSeed, tangentSeed, factor]) => {
    const point = shape.point ?? pointOf(manifold, pointSeed);
    return { point, tangent: scaled(manifold, point, tangentSeed, factor * length) };
  });
}

const seeds = fc.nat({ max: 9999 });

function pointOf<P>(manifold: Manifold<P>, seed: number): P {
  return manifold.randomPoint(randomStream(seed, "point"));
}

function scaled<P>(manifold: Manifold<P>, point: P, seed: number, factor: number): P {
  const flat = new Float64Array(manifold.kernels.size);
  manifold.write(flat, manifold.randomTangent(point, randomStream(seed, "tangent")), "tangent");
  return manifold.view(flat.map((value) => factor * value));
}
