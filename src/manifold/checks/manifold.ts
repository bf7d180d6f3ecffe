import { checkInteger, checkOptions, checkSeed, randomStream } from "../../core/index.ts";
import { eigHermitian, zeros } from "../../linalg/index.ts";
import type { Manifold, ManifoldKernels } from "../types.ts";
import { checkRetraction, type RetractionCheck } from "./retraction.ts";
import { length } from "./start.ts";

/** A property that does not hold. */
export type ManifoldProperty =
  | "points"
  | "tangents"
  | "projection"
  | "metric"
  | "dimension"
  | "retraction"
  | "logarithm"
  | "distance"
  | "transport";

/** Worst residuals over the samples; each is relative, 0 for an exact manifold. */
export interface ManifoldCheck {
  readonly passed: boolean;
  /** What failed, in a fixed order. */
  readonly failures: readonly ManifoldProperty[];
  /** Of random and retracted points. */
  readonly pointResidual: number;
  /** Of random tangents, and | |u| - 1 |. */
  readonly tangentResidual: number;
  /** Projection: tangent, idempotent, self-adjoint in the ambient inner product, identity on tangents. */
  readonly projectionResidual: number;
  /** |<u, v> - <v, u>|, and how far <u, u> is from positive (1 if it is not). */
  readonly metricResidual: number;
  /** Rank of the Gram matrix of random tangents; left out above 256 dimensions. */
  readonly rank?: number;
  readonly retraction: RetractionCheck;
  /** |Log(Exp(u)) - u| / |u| up to a change of basis: through Exp; left out without a logarithm. */
  readonly logarithmResidual?: number;
  /** | d(x, R(tu)) - t | / t at t = 1e-4, which leaves an error of t. */
  readonly distanceResidual: number;
  /** Of transported tangents, and how far a transport by 0 is from the identity. */
  readonly transportResidual: number;
  /** Largest relative change of an inner product by the transport; 0 where it is an isometry. Not judged. */
  readonly isometryResidual: number;
}

export interface ManifoldCheckOptions {
  readonly seed?: number;
  /** Random points; default 5. */
  readonly samples?: number;
}

const LARGEST_RANK = 256;
const TOLERANCE = 1e-12;

/**
 * Tests what every manifold has to keep: points and tangents, projection, metric, dimension, retraction (see
 * {@link checkRetraction}), logarithm, distance and transport, at random points.
 *
 * @throws InputError for bad arguments only; a wrong manifold is a result.
 */
export function checkManifold<P>(manifold: Manifold<P>, options: ManifoldCheckOptions = {}): ManifoldCheck {
  checkOptions(options, "options", ["seed", "samples"]);
  const seed = checkSeed(options.seed ?? 0, "options.seed");
  const samples = checkInteger(options.samples ?? 5, "options.samples", 1);
  const { kernels } = manifold;
  const worst: Residuals = {
    point: 0,
    tangent: 0,
    projection: 0,
    metric: 0,
    logarithm: 0,
    distance: 0,
    transport: 0,
    isometry: 0,
  };
  for (let i = 0; i < samples; i++) sample(kernels, worst, seed, i);
  const retraction = checkRetraction(manifold, { seed });
  const rank = kernels.dimension <= LARGEST_RANK ? tangentRank(kernels, seed) : undefined;
  const tolerance = TOLERANCE * Math.sqrt(kernels.size);
  const failures: ManifoldProperty[] = [];
  const judge = (property: ManifoldProperty, good: boolean): void => {
    if (!good) failures.push(property);
  };
  judge("points", worst.point <= tolerance);
  judge("tangents", worst.tangent <= tolerance);
  judge("projection", worst.projection <= tolerance);
  judge("metric", worst.metric <= tolerance);
  judge("dimension", rank === undefined || rank === kernels.dimension);
  judge("retraction", retraction.passed);
  judge("logarithm", worst.logarithm <= 1e-9);
  judge("distance", worst.distance <= 1e-3);
  judge("transport", worst.transport <= tolerance);
  return {
    passed: failures.length === 0,
    failures,
    pointResidual: worst.point,
    tangentResidual: worst.tangent,
    projectionResidual: worst.projection,
    metricResidual: worst.metric,
    ...(rank === undefined ? {} : { rank }),
    retraction,
    ...(kernels.log === undefined || kernels.exp === undefined ? {} : { logarithmResidual: worst.logarithm }),
    distanceResidual: worst.distance,
    transportResidual: worst.transport,
    isometryResidual: worst.isometry,
  };
}

type Residuals = Record<
  "point" | "tangent" | "projection" | "metric" | "logarithm" | "distance" | "transport" | "isometry",
  number
>;

function sample(kernels: ManifoldKernels, worst: Residuals, seed: number, index: number): void {
  const { size, dimension } = kernels;
  const stream = randomStream(seed, "check manifold", index);
  const buffer = (): Float64Array => new Float64Array(size);
  const [x, u, v, y, a, b, z] = [buffer(), buffer(), buffer(), buffer(), buffer(), buffer(), buffer()];
  const note = (name: keyof Residuals, value: number): void => {
    // NaN is the worst of all
    if (!(value <= worst[name])) worst[name] = value;
  };
  const distanceOf = (p: Float64Array, q: Float64Array): number => length(p.map((value, i) => value - q[i]!));
  const dot = (p: Float64Array, q: Float64Array): number =>
    p.reduce((sum, value, i) => sum + value * q[i]!, 0);

  kernels.randomPoint(0, x, stream);
  kernels.randomTangent(0, u, x, stream);
  kernels.randomTangent(0, v, x, stream);
  kernels.retract(0, y, x, u, 0.5);
  note("point", kernels.pointResidual(0, x));
  note("point", kernels.pointResidual(0, y));

  for (let i = 0; i < size; i++) z[i] = stream.normal();
  kernels.project(0, a, x, z);
  kernels.project(0, b, x, a);
  note("projection", distanceOf(a, b) / length(z));
  note("projection", (kernels.vectorResidual(0, x, a) * length(a)) / length(z));
  for (let i = 0; i < size; i++) b[i] = stream.normal();
  const left = dot(a, b);
  kernels.project(0, a, x, b);
  note("projection", Math.abs(left - dot(z, a)) / (length(z) * length(b)));
  if (dimension === 0) return;

  note("tangent", kernels.vectorResidual(0, x, u));
  note("tangent", Math.abs(Math.sqrt(kernels.inner(0, x, u, u)) - 1));
  kernels.project(0, a, x, u);
  note("projection", distanceOf(a, u) / length(u));
  note("metric", Math.abs(kernels.inner(0, x, u, v) - kernels.inner(0, x, v, u)));
  note("metric", kernels.inner(0, x, v, v) > 0 ? 0 : 1);
  for (let i = 0; i < size; i++) a[i] = u[i]! - 0.5 * v[i]!;
  const expanded = kernels.inner(0, x, u, u) - kernels.inner(0, x, u, v) + 0.25 * kernels.inner(0, x, v, v);
  note("metric", Math.abs(kernels.inner(0, x, a, a) - expanded));

  kernels.transport(0, a, v, x, u, 0.5, y);
  kernels.transport(0, b, u, x, u, 0.5, y);
  note("transport", kernels.vectorResidual(0, y, a));
  note("transport", kernels.vectorResidual(0, y, b));
  note("isometry", Math.abs(kernels.inner(0, y, a, a) - kernels.inner(0, x, v, v)));
  note("isometry", Math.abs(kernels.inner(0, y, a, b) - kernels.inner(0, x, v, u)));
  kernels.retract(0, z, x, u, 0);
  kernels.transport(0, a, v, x, u, 0, z);
  note("transport", distanceOf(a, v) / length(v));

  const t = 1e-4;
  kernels.retract(0, z, x, u, t);
  note("distance", Math.abs(kernels.distance(0, x, z) / t - 1));
  if (kernels.exp !== undefined && kernels.log !== undefined) {
    kernels.exp(0, y, x, u, 0.5);
    kernels.log(0, a, x, y);
    for (let i = 0; i < size; i++) b[i] = a[i]! - 0.5 * u[i]!;
    note("logarithm", 2 * Math.sqrt(Math.max(0, kernels.inner(0, x, b, b))));
  }
}

/** Rank of the Gram matrix of more random tangents than there are dimensions. */
function tangentRank(kernels: ManifoldKernels, seed: number): number {
  const stream = randomStream(seed, "check manifold", "rank");
  const x = new Float64Array(kernels.size);
  kernels.randomPoint(0, x, stream);
  const count = kernels.dimension + 3;
  const tangents = Array.from({ length: count }, () => {
    const u = new Float64Array(kernels.size);
    kernels.randomTangent(0, u, x, stream);
    return u;
  });
  const gram = zeros(count, count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      const value = kernels.inner(0, x, tangents[i]!, tangents[j]!);
      gram.data[2 * (i * count + j)] = value;
      gram.data[2 * (j * count + i)] = value;
    }
  }
  if (!gram.data.every(Number.isFinite)) return Number.NaN;
  const { values } = eigHermitian(gram);
  const largest = Math.max(...values);
  return values.filter((value) => value > 1e-10 * largest).length;
}
