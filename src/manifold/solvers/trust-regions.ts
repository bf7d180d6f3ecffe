import { checkInteger, checkNumber, checkOptions, checkPositive, InputError } from "../../core/index.ts";
import { allFinite, type Evaluator } from "../problem.ts";
import { initialState, type Mutable, normOf, type Solver, type SolverState } from "../solver.ts";
import { hasStalled, type Stall } from "./descent.ts";
import { truncatedCg } from "./truncated-cg.ts";

export interface TrustRegionsOptions {
  /** Largest radius. Default sqrt(real dimension of the manifold). */
  readonly maxRadius?: number;
  /** Radius at the start. Default maxRadius / 8. */
  readonly initialRadius?: number;
  /** A step is taken if the cost falls by more than this part of what the model promises, in (0, 0.25). Default 0.1. */
  readonly accept?: number;
  /** The inner residual falls to |g| min(|g|^theta, kappa). Default 0.1. */
  readonly kappa?: number;
  /** 1 for quadratic convergence. Default 1. */
  readonly theta?: number;
  /** Most inner iterations. Default: the dimension. */
  readonly maxInner?: number;
  /** Relative rounding level of the cost: within it a step is judged by the model. Default 1e3 * 2^-52. */
  readonly rounding?: number;
}

export interface TrustRegionsState extends Mutable<SolverState> {
  /** eta, H eta; trial point, gradient, Euclidean gradient; four of the inner iteration; three of differences. */
  scratch: Float64Array[];
  /** The Euclidean gradient at x, which Hessians need. */
  euclidean: Float64Array;
  radius: number;
  stall: Stall;
}

const defaults: Required<Omit<TrustRegionsOptions, "maxRadius" | "initialRadius" | "maxInner">> = {
  accept: 0.1,
  kappa: 0.1,
  theta: 1,
  rounding: 1e3 * 2 ** -52,
};
const optionNames: readonly string[] = [...Object.keys(defaults), "maxRadius", "initialRadius", "maxInner"];

/**
 * Riemannian trust regions with truncated conjugate gradients (Absil, Baker & Gallivan 2007). Without a Hessian in
 * the problem, it takes finite differences of the gradient (Boumal 2015). Near convergence, where a cost no longer
 * shows its own decrease, both decreases are raised by its rounding level before they are compared (Boumal et al.
 * 2014, section 3.4).
 *
 * @throws InputError on options that are unknown or out of range.
 */
export function trustRegions(options: TrustRegionsOptions = {}): Solver<TrustRegionsState> {
  checkOptions(options, "trustRegions", optionNames);
  const { accept, kappa, theta, rounding } = { ...defaults, ...options };
  checkNumber(accept, "trustRegions.accept", 0, 0.25);
  checkNumber(kappa, "trustRegions.kappa", 0, 1);
  checkNumber(theta, "trustRegions.theta", 0);
  checkNumber(rounding, "trustRegions.rounding", 0);
  for (const name of ["maxRadius", "initialRadius"] as const) {
    if (options[name] !== undefined) checkPositive(options[name], `trustRegions.${name}`);
  }
  if (options.maxInner !== undefined) checkInteger(options.maxInner, "trustRegions.maxInner", 1);
  const { initialRadius = 0, maxRadius = Number.POSITIVE_INFINITY } = options;
  if (initialRadius > maxRadius) {
    throw new InputError("trustRegions.initialRadius", `${initialRadius}`, "at most maxRadius");
  }
  return {
    name: "trust regions",
    init: (evaluator, x0) => init(evaluator, x0, options),
    step: (evaluator, state) => step(evaluator, state, options),
  };
}

function init(evaluator: Evaluator, x0: Float64Array, options: TrustRegionsOptions): TrustRegionsState {
  const euclidean = new Float64Array(evaluator.size);
  const state = initialState(evaluator, x0, 12, euclidean);
  return {
    ...state,
    euclidean,
    radius: options.initialRadius ?? largestRadius(evaluator, options) / 8,
    stall: { cost: state.cost, gradientNorm: state.gradientNorm, steps: 0 },
  };
}

function step(
  evaluator: Evaluator,
  state: TrustRegionsState,
  options: TrustRegionsOptions,
): TrustRegionsState {
  const { accept, rounding } = { ...defaults, ...options };
  const { x, gradient, cost } = state;
  const [eta, hessianEta, trial] = state.scratch as [Float64Array, Float64Array, Float64Array];
  const toBoundary = solveModel(evaluator, state, options);
  const decrease = -evaluator.inner(x, gradient, eta) - 0.5 * evaluator.inner(x, eta, hessianEta);
  evaluator.kernels.retract(0, trial, x, eta, 1);
  if (trial.every((value, i) => value === x[i])) {
    state.ended = "no-decrease";
    return state;
  }
  const trialCost = probe(evaluator, state);
  const level = rounding * Math.abs(cost);
  const ratio = (cost - trialCost + level) / (decrease + level);
  const accepted = decrease > 0 && ratio > accept && move(evaluator, state, trialCost);
  if (!accepted) state.stepSize = 0;
  if (!(decrease > 0) || !(ratio >= 0.25) || (!accepted && ratio > accept)) {
    state.radius /= 4;
  } else if (ratio > 0.75 && toBoundary) {
    state.radius = Math.min(2 * state.radius, largestRadius(evaluator, options));
  }
  state.iteration++;
  return state;
}

/** Fills eta and H eta; true if the step goes to the radius. */
function solveModel(evaluator: Evaluator, state: TrustRegionsState, options: TrustRegionsOptions): boolean {
  const { kappa, theta } = { ...defaults, ...options };
  const { x, gradient, radius } = state;
  const [eta, hessianEta, , , , residual, preconditioned, delta, hessianDelta] = state.scratch;
  const end = truncatedCg(
    evaluator,
    {
      x,
      gradient,
      radius,
      kappa,
      theta,
      maxInner: options.maxInner ?? evaluator.dimension,
      hessian: hessianAt(evaluator, state),
    },
    {
      eta: eta!,
      hessianEta: hessianEta!,
      residual: residual!,
      preconditioned: preconditioned!,
      delta: delta!,
      hessianDelta: hessianDelta!,
    },
  );
  if (allFinite(eta!) && (end !== "not-finite" || eta!.some((value) => value !== 0))) {
    return end === "boundary" || end === "negative-curvature";
  }
  // no model to speak of: down the gradient, to the radius
  for (let i = 0; i < gradient.length; i++) eta![i] = (-radius / state.gradientNorm) * gradient[i]!;
  hessianEta!.fill(0);
  return true;
}

/** Cost at the trial point, +Infinity where it is not finite; with it the gradient, where that is free. */
function probe(evaluator: Evaluator, state: TrustRegionsState): number {
  const [, , trial, trialGradient, trialEuclidean] = state.scratch;
  const cost = evaluator.hasJointGradient
    ? evaluator.costAndGradient(trialGradient!, trial!, trialEuclidean)
    : evaluator.cost(trial!);
  return Number.isFinite(cost) ? cost : Number.POSITIVE_INFINITY;
}

/** To the trial point, unless its gradient is not finite. */
function move(evaluator: Evaluator, state: TrustRegionsState, trialCost: number): boolean {
  const { scratch } = state;
  const [eta, , trial, trialGradient, trialEuclidean] = scratch;
  if (!evaluator.hasJointGradient) evaluator.gradient(trialGradient!, trial!, trialEuclidean);
  const trialNorm = normOf(evaluator, trial!, trialGradient!);
  if (!Number.isFinite(trialNorm) || !allFinite(trialGradient!)) return false;
  state.stepSize = normOf(evaluator, state.x, eta!);
  scratch[2] = state.x;
  scratch[3] = state.gradient;
  scratch[4] = state.euclidean;
  state.x = trial!;
  state.gradient = trialGradient!;
  state.euclidean = trialEuclidean!;
  state.previousCost = state.cost;
  state.cost = trialCost;
  state.gradientNorm = trialNorm;
  if (hasStalled(state.stall, trialCost, trialNorm)) state.ended = "no-decrease";
  return true;
}

function hessianAt(
  evaluator: Evaluator,
  state: TrustRegionsState,
): (out: Float64Array, v: Float64Array) => void {
  const { x, euclidean, gradient, scratch } = state;
  if (evaluator.hasHessian) return (out, v) => evaluator.hessian(out, x, v, euclidean);
  const [y, yGradient, carried] = scratch.slice(9) as [Float64Array, Float64Array, Float64Array];
  const { kernels } = evaluator;
  const size = flatNorm(x);
  return (out, v) => {
    const length = flatNorm(v);
    if (length === 0) {
      out.fill(0);
      return;
    }
    // a millionth of the size of x: far from rounding, and from the third derivative
    const t = (2 ** -20 * (size > 0 ? size : 1)) / length;
    kernels.retract(0, y, x, v, t);
    evaluator.gradient(yGradient, y);
    kernels.transport(0, carried, v, x, v, t, y);
    kernels.transport(0, out, yGradient, y, carried, -t, x);
    for (let i = 0; i < out.length; i++) out[i] = (out[i]! - gradient[i]!) / t;
  };
}

function flatNorm(u: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < u.length; i++) sum += u[i]! * u[i]!;
  return Math.sqrt(sum);
}

function largestRadius(evaluator: Evaluator, options: TrustRegionsOptions): number {
  return options.maxRadius ?? Math.max(Math.sqrt(evaluator.dimension), options.initialRadius ?? 0);
}
