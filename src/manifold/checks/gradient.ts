import { createEvaluator, type Problem } from "../problem.ts";
import { type ErrorCurve, errorCurve, fallsWith } from "./slope.ts";
import { type CheckOptions, checkStart, length } from "./start.ts";

/**
 * Why a gradient passed ("slope", "rounding": the first-order model is exact up to rounding, "zero-dimension") or
 * did not ("low-slope", "not-tangent", "not-finite").
 */
export type GradientReason =
  | "slope"
  | "rounding"
  | "zero-dimension"
  | "low-slope"
  | "not-tangent"
  | "not-finite";

export interface GradientCheck extends ErrorCurve {
  readonly passed: boolean;
  readonly reason: GradientReason;
  /** Share of the Riemannian gradient that is not tangent. */
  readonly tangentResidual: number;
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
  // both callbacks: a problem with `costAndGradient` must agree with its own `gradient`
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
  const finite = Number.isFinite(value) && Number.isFinite(slope);
  // at a critical point all of the gradient is rounding
  const tangent = tangentResidual <= 1e-8 || tangentResidual * length(gradient) <= 1e-12 * Math.abs(value);
  const reason: GradientReason = !finite
    ? "not-finite"
    : kernels.dimension === 0
      ? "zero-dimension"
      : !tangent
        ? "not-tangent"
        : curve.rounding
          ? "rounding"
          : fallsWith(curve, 2)
            ? "slope"
            : "low-slope";
  const passed = reason === "slope" || reason === "rounding" || reason === "zero-dimension";
  return { passed, reason, tangentResidual, ...curve };
}
