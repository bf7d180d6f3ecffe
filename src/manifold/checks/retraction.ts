import type { Manifold } from "../types.ts";
import { type ErrorCurve, errorCurve, fallsWith } from "./slope.ts";
import { type CheckOptions, checkStart, length } from "./start.ts";

/** Why a retraction passed ("slope", "rounding", "zero-dimension") or did not. */
export type RetractionReason =
  | "slope"
  | "rounding"
  | "zero-dimension"
  | "low-slope"
  | "no-slope"
  | "not-at-x"
  | "off-manifold"
  | "not-finite";

export interface RetractionCheck extends ErrorCurve {
  readonly passed: boolean;
  readonly reason: RetractionReason;
  /** What R(tv) is compared with: Exp(tv) in the distance of the manifold, or x + tv in that of the ambient space. */
  readonly reference: "exp" | "line";
  /** 2 where the error against the exponential falls with t^3, 1 where with t^2; unknown (0) against a line. */
  readonly order: 0 | 1 | 2;
  /** |R(0) - x| / |x|. */
  readonly zeroResidual: number;
  /** Largest residual of R(tv) for t up to 1e3. */
  readonly pointResidual: number;
}

/**
 * Tests R(0) = x, that R(tv) lies on the manifold, and that its distance from Exp(tv) (from x + tv, where there is
 * no exponential) falls with t^2 at least.
 *
 * @throws InputError for bad arguments only; a wrong retraction is a result.
 */
export function checkRetraction<P>(manifold: Manifold<P>, options: CheckOptions<P> = {}): RetractionCheck {
  const { kernels } = manifold;
  const { size } = kernels;
  const { x, v } = checkStart(manifold, options);
  const y = new Float64Array(size);
  const z = new Float64Array(size);
  const { exp } = kernels;
  const difference = (a: Float64Array, b: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += (a[i]! - b[i]!) ** 2;
    return Math.sqrt(sum);
  };
  const curve = errorCurve(
    (t) => {
      kernels.retract(0, y, x, v, t);
      if (exp !== undefined) {
        exp(0, z, x, v, t);
        return kernels.distance(0, y, z);
      }
      for (let i = 0; i < size; i++) z[i] = x[i]! + t * v[i]!;
      return difference(y, z);
    },
    4 * Number.EPSILON * length(x),
  );
  kernels.retract(0, y, x, v, 0);
  const zeroResidual = difference(x, y) / (length(x) || 1);
  let pointResidual = 0;
  for (const t of [...curve.steps, 10, 1e3]) {
    kernels.retract(0, y, x, v, t);
    const finite = y.every(Number.isFinite);
    // beyond the reach of the exponential a point may be NaN, which line searches refuse
    if (finite) pointResidual = Math.max(pointResidual, kernels.pointResidual(0, y));
    else if (t <= 0.1) pointResidual = Number.NaN;
  }
  const tolerance = 1e-13 * Math.sqrt(size);
  const reason: RetractionReason = Number.isNaN(zeroResidual + pointResidual)
    ? "not-finite"
    : zeroResidual > tolerance
      ? "not-at-x"
      : pointResidual > tolerance
        ? "off-manifold"
        : kernels.dimension === 0
          ? "zero-dimension"
          : curve.rounding
            ? "rounding"
            : fallsWith(curve, 2)
              ? "slope"
              : Number.isNaN(curve.slope)
                ? "no-slope"
                : "low-slope";
  const passed = ["slope", "rounding", "zero-dimension"].includes(reason);
  const order = exp === undefined || !passed ? 0 : fallsWith(curve, 3) ? 2 : 1;
  return {
    passed,
    reason,
    reference: exp === undefined ? "line" : "exp",
    order,
    zeroResidual,
    pointResidual,
    ...curve,
  };
}
