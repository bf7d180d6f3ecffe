import { createEvaluator, type Problem } from "../problem.ts";
import { type ErrorCurve, errorCurve, fallsWith } from "./slope.ts";
import { type CheckOptions, checkStart, length } from "./start.ts";

/**
 * Why a gradient passed ("slope", "rounding": the first-order model is exact up to rounding, "zero-dimension") or
 * did not ("low-slope"; "no-slope": the cost is too noisy, or not finite nearby; "not-tangent"; "inconsistent":
 * `costAndGradient` disagrees with `cost` or `gradient`; "not-finite").
 */
export type GradientReason =
  | "slope"
  | "rounding"
  | "zero-dimension"
  | "low-slope"
  | "no-slope"
  | "not-tangent"
  | "inconsistent"
  | "not-finite";

export interface GradientCheck extends ErrorCurve {
  readonly passed: boolean;
  readonly reason: GradientReason;
  /** Share of the Riemannian gradient that is not tangent. */
  readonly tangentResidual: number;
  /** Relative difference of `costAndGradient` from `cost` and `gradient`; 0 without it. */
  readonly jointResidual: number;
}

/**
 * Compares the cost along a retraction with its first-order model: |f(R(tv)) - f - t <grad f, v>| falls with t^2
 * where the gradient is right, and with t where it is not: conjugated, or half of it (the Wirtinger derivative), or
 * of another cost. A gradient of kind "riemannian" has to be tangent as well (Boumal 2023, section 4.8).
 *
 * @throws InputError for bad arguments only; a wrong gradient is a result.
 */
export function checkGradient<P>(problem: Problem<P>, options: CheckOptions<P> = {}): GradientCheck {
  const evaluator = createEvaluator(problem);
  const { kernels, size } = evaluator;
  const { x, v } = checkStart(problem.manifold, options);
  const gradient = new Float64Array(size);
  const y = new Float64Array(size);
  const value = evaluator.cost(x);
  evaluator.gradient(gradient, x);
  const slope = kernels.inner(0, x, gradient, v);
  const curve = errorCurve(
    (t) => {
      kernels.retract(0, y, x, v, t);
      return Math.abs(evaluator.cost(y) - value - t * slope);
    },
    4 * Number.EPSILON * Math.max(Math.abs(value), Math.abs(slope)),
  );
  const tangentResidual = kernels.vectorResidual(0, x, gradient);
  const jointResidual = evaluator.hasJointGradient ? disagreement(problem, x) : 0;
  const finite = Number.isFinite(value) && Number.isFinite(slope);
  // at a critical point all of the gradient is rounding
  const tangent = tangentResidual <= 1e-8 || tangentResidual * length(gradient) <= 1e-12 * Math.abs(value);
  const reason: GradientReason = !finite
    ? "not-finite"
    : kernels.dimension === 0
      ? "zero-dimension"
      : !tangent
        ? "not-tangent"
        : !(jointResidual <= 1e-8)
          ? "inconsistent"
          : curve.rounding
            ? "rounding"
            : fallsWith(curve, 2)
              ? "slope"
              : Number.isNaN(curve.slope)
                ? "no-slope"
                : "low-slope";
  const passed = reason === "slope" || reason === "rounding" || reason === "zero-dimension";
  return { passed, reason, tangentResidual, jointResidual, ...curve };
}

/** How far `costAndGradient` is from `cost` and `gradient` at x, relative to their size. */
function disagreement<P>(problem: Problem<P>, x: Float64Array): number {
  const { costAndGradient: _joint, ...parts } = problem;
  const [joint, apart] = [createEvaluator(problem), createEvaluator<P>(parts)];
  const [a, b] = [new Float64Array(x.length), new Float64Array(x.length)];
  const costs = [joint.costAndGradient(a, x), apart.costAndGradient(b, x)] as const;
  const scale = Math.max(length(a), length(b));
  const gap = length(a.map((value, i) => value - b[i]!));
  const rise = Math.abs(costs[0] - costs[1]);
  return (
    (rise === 0 ? 0 : rise / Math.max(Math.abs(costs[0]), Math.abs(costs[1]), scale)) +
    (gap === 0 ? 0 : gap / scale)
  );
}
