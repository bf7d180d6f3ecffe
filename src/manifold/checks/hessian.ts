import { checkChoice } from "../../core/index.ts";
import { createEvaluator, type Evaluator, type Problem } from "../problem.ts";
import { type ErrorCurve, errorCurve, fallsWith } from "./slope.ts";
import { type CheckOptions, type CheckStart, checkStart, length } from "./start.ts";

/**
 * Why a Hessian passed ("slope"; "first-order-retraction": the slope is 2 because the retraction is of first order,
 * and the change of the gradient agrees; "rounding"; "zero-dimension") or did not.
 */
export type HessianReason =
  | "slope"
  | "first-order-retraction"
  | "rounding"
  | "zero-dimension"
  | "low-slope"
  | "no-slope"
  | "not-symmetric"
  | "not-linear"
  | "not-tangent"
  | "not-finite";

export interface HessianCheck extends ErrorCurve {
  readonly passed: boolean;
  readonly reason: HessianReason;
  /** |<Hu, w> - <u, Hw>|, relative to |Hu| + |Hw|, for random unit tangents. */
  readonly symmetryResidual: number;
  /** |H(au + bw) - aHu - bHw|, relative to the terms. */
  readonly linearityResidual: number;
  /** Share of Hv that is not tangent. */
  readonly tangentResidual: number;
  /** Errors of grad f(R(tv)) against the transported grad f + t Hv; slope at least 2 where the Hessian is right. */
  readonly gradientChange: ErrorCurve;
}

export interface HessianCheckOptions<P> extends CheckOptions<P> {
  /** The curve; default "exp" where the manifold has one. */
  readonly along?: "exp" | "retraction";
}

const TOLERANCE = 1e-8;

/**
 * Compares the cost along a curve with its second-order model, whose error falls with t^3 where Hessian and gradient
 * are right; and tests that the Hessian is linear, symmetric and tangent. Without a direction the errors are the norm
 * of those along three random ones, so that no wrong Hessian passes by luck. Along a retraction of first order the
 * slope is 2 away from critical points; then the change of the gradient decides, which needs a transport that
 * agrees with the connection to first order (Boumal 2023, section 6.8).
 *
 * @throws InputError for bad arguments, or a problem without a Hessian; a wrong Hessian is a result.
 */
export function checkHessian<P>(problem: Problem<P>, options: HessianCheckOptions<P> = {}): HessianCheck {
  const evaluator = createEvaluator(problem);
  const { kernels, size } = evaluator;
  const start = checkStart(problem.manifold, options, ["point", "direction", "seed", "along"]);
  const along = checkChoice(
    options.along ?? (kernels.exp === undefined ? "retraction" : "exp"),
    "options.along",
    kernels.exp === undefined ? ["retraction"] : ["exp", "retraction"],
  );
  const move = (along === "exp" ? kernels.exp : undefined) ?? kernels.retract;
  const { x, v } = start;
  const gradient = new Float64Array(size);
  const euclidean = new Float64Array(size);
  const applied = new Float64Array(size);
  const y = new Float64Array(size);
  const value = evaluator.cost(x);
  evaluator.gradient(gradient, x, euclidean);
  evaluator.hessian(applied, x, v, euclidean);
  // a wrong form may happen to be right along one direction
  const directions =
    options.direction === undefined ? [v, start.tangent("second"), start.tangent("third")] : [v];
  const models = directions.map((direction) => {
    const image = direction === v ? applied : new Float64Array(size);
    if (direction !== v) evaluator.hessian(image, x, direction, euclidean);
    const slope = kernels.inner(0, x, gradient, direction);
    return { direction, slope, bend: kernels.inner(0, x, image, direction) };
  });
  const scale = Math.max(...models.map(({ slope, bend }) => Math.max(Math.abs(slope), Math.abs(bend))));
  const curve = errorCurve(
    (t) => {
      let sum = 0;
      for (const { direction, slope, bend } of models) {
        move(0, y, x, direction, t);
        sum += (evaluator.cost(y) - value - t * (slope + 0.5 * t * bend)) ** 2;
      }
      return Math.sqrt(sum);
    },
    4 * Number.EPSILON * Math.max(Math.abs(value), scale),
  );
  const change = gradientChange(evaluator, x, v, gradient, applied);
  const residuals = structure(evaluator, start, euclidean, applied, length(gradient));
  const finite = Number.isFinite(value) && Number.isFinite(scale);
  const reason: HessianReason = !finite
    ? "not-finite"
    : kernels.dimension === 0
      ? "zero-dimension"
      : !(residuals.tangentResidual <= TOLERANCE)
        ? "not-tangent"
        : !(residuals.linearityResidual <= TOLERANCE)
          ? "not-linear"
          : !(residuals.symmetryResidual <= TOLERANCE)
            ? "not-symmetric"
            : curve.rounding
              ? "rounding"
              : fallsWith(curve, 3)
                ? "slope"
                : along === "retraction" && fallsWith(curve, 2) && fallsWith(change, 2)
                  ? "first-order-retraction"
                  : Number.isNaN(curve.slope)
                    ? "no-slope"
                    : "low-slope";
  const passed = ["slope", "first-order-retraction", "rounding", "zero-dimension"].includes(reason);
  return { passed, reason, ...residuals, gradientChange: change, ...curve };
}

function gradientChange(
  evaluator: Evaluator,
  x: Float64Array,
  v: Float64Array,
  gradient: Float64Array,
  applied: Float64Array,
): ErrorCurve {
  const { kernels, size } = evaluator;
  const y = new Float64Array(size);
  const there = new Float64Array(size);
  const model = new Float64Array(size);
  return errorCurve(
    (t) => {
      kernels.retract(0, y, x, v, t);
      evaluator.gradient(there, y);
      for (let i = 0; i < size; i++) model[i] = gradient[i]! + t * applied[i]!;
      kernels.transport(0, model, model, x, v, t, y);
      for (let i = 0; i < size; i++) model[i]! -= there[i]!;
      return Math.sqrt(Math.max(0, kernels.inner(0, y, model, model)));
    },
    8 * Number.EPSILON * Math.max(length(gradient), length(applied)),
  );
}

/** Symmetry, linearity and tangency, relative to the size of the terms. */
function structure(
  evaluator: Evaluator,
  start: CheckStart,
  euclidean: Float64Array,
  applied: Float64Array,
  gradientLength: number,
): Pick<HessianCheck, "symmetryResidual" | "linearityResidual" | "tangentResidual"> {
  const { kernels, size } = evaluator;
  const { x, v } = start;
  const w = start.tangent("hessian");
  const appliedW = new Float64Array(size);
  const mixed = new Float64Array(size);
  const appliedMixed = new Float64Array(size);
  evaluator.hessian(appliedW, x, w, euclidean);
  const [a, b] = [0.75, -1.5];
  for (let i = 0; i < size; i++) mixed[i] = a * v[i]! + b * w[i]!;
  evaluator.hessian(appliedMixed, x, mixed, euclidean);
  for (let i = 0; i < size; i++) mixed[i] = appliedMixed[i]! - a * applied[i]! - b * appliedW[i]!;
  const norm = (u: Float64Array): number => Math.sqrt(Math.max(0, kernels.inner(0, x, u, u)));
  // a Hessian that is rounding beside the gradient counts as zero
  const least = 1e-6 * gradientLength;
  const size1 = Math.max(norm(applied) + norm(appliedW), least);
  const skew = Math.abs(kernels.inner(0, x, applied, w) - kernels.inner(0, x, v, appliedW));
  const lengthOf = Math.max(length(applied), least);
  const tangent = (kernels.vectorResidual(0, x, applied) * length(applied)) / lengthOf;
  return {
    symmetryResidual: size1 === 0 ? 0 : skew / size1,
    linearityResidual: size1 === 0 ? 0 : norm(mixed) / size1,
    tangentResidual: lengthOf === 0 ? 0 : tangent,
  };
}
