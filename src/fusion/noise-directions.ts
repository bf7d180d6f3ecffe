import type { RandomStream } from "../core/index.ts";
import type { Factored } from "./entry-covariance.ts";

/** A sum of independent noises: diagonal parts added up, full ones as factors. Sigma = diag + sum factor factor^T. */
export interface NoiseFactors {
  readonly variances: Float64Array;
  /** n x n row-major lower triangular. */
  readonly lowers: Float64Array[];
}

/** How many directions: random ones, or a basis. */
export type ProbeCount = number | "coordinates";

/** Sum of lambda^2 Sigma over the given covariances. */
export function noiseOf(
  size: number,
  parts: readonly { readonly covariance: Factored; readonly lambda: number }[],
): NoiseFactors {
  const factors: NoiseFactors = { variances: new Float64Array(size), lowers: [] };
  for (const { covariance, lambda } of parts) {
    if (lambda === 0) continue;
    if (covariance.kind === "full") factors.lowers.push(covariance.lower.map((x) => lambda * x));
    else for (let i = 0; i < size; i++) factors.variances[i]! += lambda ** 2 * covariance.variances[i]!;
  }
  return factors;
}

/**
 * Directions v with E v v^T = Sigma (random signs: of all white probes those of least variance for a trace, Hutchinson
 * 1989), or "coordinates": directions whose outer products add up to Sigma. None where Sigma is 0.
 */
export function* directions(
  { variances, lowers }: NoiseFactors,
  probes: ProbeCount,
  stream: RandomStream,
): Generator<Float64Array> {
  const n = variances.length;
  const deviations = variances.map(Math.sqrt);
  if (probes === "coordinates") {
    for (let i = 0; i < n; i++) {
      if (deviations[i] === 0) continue;
      const out = new Float64Array(n);
      out[i] = deviations[i]!;
      yield out;
    }
    for (const lower of lowers) {
      for (let j = 0; j < n; j++) yield Float64Array.from({ length: n }, (_, i) => lower[i * n + j]!);
    }
    return;
  }
  if (lowers.length === 0 && deviations.every((x) => x === 0)) return;
  const signs = new Float64Array(n);
  const draw = (): void => {
    for (let i = 0; i < n; i++) signs[i] = stream.uniform() < 0.5 ? -1 : 1;
  };
  for (let p = 0; p < probes; p++) {
    draw();
    const out = deviations.map((x, i) => x * signs[i]!);
    for (const lower of lowers) {
      draw();
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) out[i]! += lower[i * n + j]! * signs[j]!;
    }
    yield out;
  }
}
