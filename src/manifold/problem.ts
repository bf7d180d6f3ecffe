import { checkChoice, checkOptions, describe, InputError } from "../core/index.ts";
import type { Manifold } from "./types.ts";

/** A cost on a manifold. Every function gets points it must not write to, and may return a buffer it reuses. */
export interface Problem<P> {
  readonly manifold: Manifold<P>;
  cost(x: P): number;
  /** Euclidean gradient g with Df(x)[v] = Re<g, v> (twice the Wirtinger derivative df/dz*), unless `gradientKind` says otherwise. */
  gradient(x: P): P;
  /** Both at once; where it is given, solvers call it once per trial point and nothing else. */
  costAndGradient?(x: P): { readonly cost: number; readonly gradient: P };
  /** Derivative of `gradient` at x along the tangent v (of the same kind: Euclidean derivative, or Riemannian Hessian). */
  hessian?(x: P, v: P): P;
  /** Approximate inverse of the Riemannian Hessian: tangent to tangent, self-adjoint and positive. */
  preconditioner?(x: P, v: P): P;
  /** Default "euclidean". */
  readonly gradientKind?: "euclidean" | "riemannian";
}

/** How often the callbacks of a problem were called. A call of `costAndGradient` counts as one of both. */
export interface Evaluations {
  cost: number;
  gradient: number;
  hessian: number;
  preconditioner: number;
}

/**
 * A problem on flat buffers, as solvers use it. All vectors are Riemannian and tangent; nothing is allocated per
 * call but what the callbacks themselves allocate.
 */
export interface Evaluator {
  readonly size: number;
  readonly dimension: number;
  /** The kernels at offset 0. */
  readonly kernels: Manifold<unknown>["kernels"];
  readonly hasHessian: boolean;
  readonly hasPreconditioner: boolean;
  /** True where `costAndGradient` is given: the gradient at a trial point costs nothing more. */
  readonly hasJointGradient: boolean;
  readonly evaluations: Evaluations;
  cost(x: Float64Array): number;
  /** Writes the Riemannian gradient at x, and keeps the Euclidean one in `euclidean` if given; returns the cost. */
  costAndGradient(gradient: Float64Array, x: Float64Array, euclidean?: Float64Array): number;
  /** The Riemannian gradient alone. */
  gradient(gradient: Float64Array, x: Float64Array, euclidean?: Float64Array): void;
  /** Writes Hess f(x)[v]; `euclidean` is the Euclidean gradient at x. @throws where the problem has no Hessian. */
  hessian(out: Float64Array, x: Float64Array, v: Float64Array, euclidean: Float64Array): void;
  /** Writes the preconditioned v (v itself without a preconditioner). */
  precondition(out: Float64Array, x: Float64Array, v: Float64Array): void;
  inner(x: Float64Array, u: Float64Array, v: Float64Array): number;
}

const problemNames = [
  "manifold",
  "cost",
  "gradient",
  "costAndGradient",
  "hessian",
  "preconditioner",
  "gradientKind",
] as const;

/** @throws InputError if the problem lacks a part, or has one that is not known. */
export function createEvaluator<P>(problem: Problem<P>): Evaluator {
  checkOptions(problem, "problem", problemNames);
  const { manifold } = problem;
  if (typeof manifold?.kernels?.size !== "number") {
    throw new InputError("problem.manifold", describe(manifold), "a manifold");
  }
  for (const name of ["cost", "gradient"] as const) {
    if (typeof problem[name] !== "function") {
      throw new InputError(`problem.${name}`, describe(problem[name]), "a function");
    }
  }
  for (const name of ["costAndGradient", "hessian", "preconditioner"] as const) {
    if (problem[name] !== undefined && typeof problem[name] !== "function") {
      throw new InputError(`problem.${name}`, describe(problem[name]), "a function, or nothing");
    }
  }
  const kind = checkChoice(problem.gradientKind ?? "euclidean", "problem.gradientKind", [
    "euclidean",
    "riemannian",
  ]);
  const { kernels } = manifold;
  const { size } = kernels;
  const views = new WeakMap<Float64Array, P>();
  const scratch = new Float64Array(size);
  const evaluations: Evaluations = { cost: 0, gradient: 0, hessian: 0, preconditioner: 0 };

  const view = (flat: Float64Array): P => {
    let point = views.get(flat);
    if (point === undefined) {
      point = manifold.view(flat);
      views.set(flat, point);
    }
    return point;
  };
  const writeGradient = (out: Float64Array, x: Float64Array, gradient: P, euclidean?: Float64Array): void => {
    const target = euclidean ?? scratch;
    write(target, gradient);
    if (kind === "riemannian") out.set(target);
    else kernels.toGradient(0, out, x, target);
  };
  /** A gradient that is not finite belongs to a point that the line search has to refuse: let it pass as NaN. */
  const write = (out: Float64Array, value: P): void => {
    try {
      manifold.write(out, value, "gradient");
    } catch (error) {
      if (!(error instanceof InputError) || !error.field.includes(".data[")) throw error;
      out.fill(Number.NaN);
    }
  };

  return {
    size,
    dimension: kernels.dimension,
    kernels,
    hasHessian: problem.hessian !== undefined,
    hasPreconditioner: problem.preconditioner !== undefined,
    hasJointGradient: problem.costAndGradient !== undefined,
    evaluations,
    cost(x) {
      if (problem.costAndGradient !== undefined) return this.costAndGradient(new Float64Array(size), x);
      evaluations.cost++;
      return problem.cost(view(x));
    },
    costAndGradient(out, x, euclidean) {
      evaluations.cost++;
      evaluations.gradient++;
      if (problem.costAndGradient !== undefined) {
        const { cost, gradient } = problem.costAndGradient(view(x));
        writeGradient(out, x, gradient, euclidean);
        return cost;
      }
      const cost = problem.cost(view(x));
      writeGradient(out, x, problem.gradient(view(x)), euclidean);
      return cost;
    },
    gradient(out, x, euclidean) {
      evaluations.gradient++;
      writeGradient(out, x, problem.gradient(view(x)), euclidean);
    },
    hessian(out, x, v, euclidean) {
      if (problem.hessian === undefined) throw new InputError("problem.hessian", "nothing", "a function");
      evaluations.hessian++;
      write(out, problem.hessian(view(x), view(v)));
      if (kind === "euclidean") kernels.toHessian(0, out, x, euclidean, out, v);
    },
    precondition(out, x, v) {
      if (problem.preconditioner === undefined) {
        out.set(v);
        return;
      }
      evaluations.preconditioner++;
      write(out, problem.preconditioner(view(x), view(v)));
    },
    inner: (x, u, v) => kernels.inner(0, x, u, v),
  };
}
