import type { Evaluator } from "../problem.ts";

/** The model m(eta) = <g, eta> + <H eta, eta> / 2 at x, to be lowered within a ball. */
export interface Subproblem {
  readonly x: Float64Array;
  readonly gradient: Float64Array;
  readonly radius: number;
  readonly kappa: number;
  readonly theta: number;
  readonly maxInner: number;
  /** Writes H v. */
  readonly hessian: (out: Float64Array, v: Float64Array) => void;
}

/** Buffers of the inner iteration; `eta` and `hessianEta` are the result. */
export interface SubproblemBuffers {
  readonly eta: Float64Array;
  readonly hessianEta: Float64Array;
  readonly residual: Float64Array;
  readonly preconditioned: Float64Array;
  readonly delta: Float64Array;
  readonly hessianDelta: Float64Array;
}

/** Why the inner iteration ended; "boundary" and "negative-curvature" reach the radius. */
export type SubproblemEnd =
  | "boundary"
  | "negative-curvature"
  | "residual"
  | "model-increase"
  | "max-inner"
  | "not-finite";

/**
 * Steihaug-Toint truncated conjugate gradients: eta starts at 0 and ends where the residual is down to
 * |r0| min(|r0|^theta, kappa), at the radius (in the norm of the preconditioner's inverse), or where the curvature
 * is not positive (Absil, Mahony & Sepulchre 2008, algorithm 11). Leaves the largest step for which the model is known
 * to fall.
 */
export function truncatedCg(
  evaluator: Evaluator,
  problem: Subproblem,
  buffers: SubproblemBuffers,
): SubproblemEnd {
  const { x, gradient, radius, kappa, theta, maxInner } = problem;
  const { eta, hessianEta, residual: r, preconditioned: z, delta, hessianDelta } = buffers;
  const inner = (u: Float64Array, v: Float64Array): number => evaluator.inner(x, u, v);
  eta.fill(0);
  hessianEta.fill(0);
  r.set(gradient);
  const target = goal(Math.sqrt(inner(r, r)), theta, kappa);
  evaluator.precondition(z, x, r);
  let zr = inner(z, r);
  if (!(zr > 0)) {
    z.set(r);
    zr = inner(r, r);
  }
  // squares and products in the norm of the preconditioner's inverse
  let etaEta = 0;
  let etaDelta = 0;
  let deltaDelta = zr;
  let model = 0;
  for (let i = 0; i < z.length; i++) delta[i] = -z[i]!;
  for (let k = 0; k < maxInner; k++) {
    problem.hessian(hessianDelta, delta);
    const curvature = inner(delta, hessianDelta);
    if (Number.isNaN(curvature)) return "not-finite";
    const alpha = zr / curvature;
    const next = etaEta + 2 * alpha * etaDelta + alpha * alpha * deltaDelta;
    if (curvature <= 0 || next >= radius * radius) {
      // to the radius along delta; the root without cancellation
      const room = radius * radius - etaEta;
      const tau = room / (etaDelta + Math.sqrt(etaDelta * etaDelta + deltaDelta * room));
      if (!Number.isFinite(tau)) return "not-finite";
      addScaled(eta, delta, tau);
      addScaled(hessianEta, hessianDelta, tau);
      return curvature <= 0 ? "negative-curvature" : "boundary";
    }
    addScaled(eta, delta, alpha);
    addScaled(hessianEta, hessianDelta, alpha);
    const lower = inner(eta, gradient) + 0.5 * inner(eta, hessianEta);
    if (!(lower < model)) {
      // rounding, or a Hessian that is not self-adjoint: without this step
      addScaled(eta, delta, -alpha);
      addScaled(hessianEta, hessianDelta, -alpha);
      return "model-increase";
    }
    model = lower;
    etaEta = next;
    addScaled(r, hessianDelta, alpha);
    if (Math.sqrt(inner(r, r)) <= target) return "residual";
    evaluator.precondition(z, x, r);
    const zrNew = inner(z, r);
    if (!(zrNew > 0)) return "residual";
    const beta = zrNew / zr;
    zr = zrNew;
    for (let i = 0; i < z.length; i++) delta[i] = beta * delta[i]! - z[i]!;
    etaDelta = beta * (etaDelta + alpha * deltaDelta);
    deltaDelta = zr + beta * beta * deltaDelta;
  }
  return "max-inner";
}

function goal(start: number, theta: number, kappa: number): number {
  return start * Math.min(start ** theta, kappa);
}

function addScaled(out: Float64Array, u: Float64Array, factor: number): void {
  for (let i = 0; i < out.length; i++) out[i]! += factor * u[i]!;
}
