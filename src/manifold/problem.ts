import { checkChoice, checkOptions, describe, InputError } from "../core/index.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

/** A real function of a point, with its gradient (of the kind of the problem it belongs to). */
export interface Constraint<P> {
  value(x: P): number;
  gradient(x: P): P;
}

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
  /** Functions that have to be 0; for `augmentedLagrangian()`. */
  readonly equalities?: readonly Constraint<P>[];
  /** Functions that have to be at most 0; for `augmentedLagrangian()`. */
  readonly inequalities?: readonly Constraint<P>[];
}

/** How often the callbacks of a problem were called. A call of `costAndGradient` counts as one of both. */
export interface Evaluations {
  cost: number;
  gradient: number;
  hessian: number;
  preconditioner: number;
}

/** The constraints of a problem on flat buffers: equalities first, then inequalities. */
export interface Constraints {
  readonly equalities: number;
  readonly inequalities: number;
  values(out: Float64Array, x: Float64Array): void;
  /** gradient += sum_i weights[i] grad c_i(x); weights of 0 cost nothing. */
  addGradients(gradient: Float64Array, x: Float64Array, weights: Float64Array): void;
}

/**
 * A problem on flat buffers, as solvers use it. All vectors are Riemannian and tangent; nothing is allocated per
 * call but what the callbacks themselves allocate. A point that is not finite has cost NaN and is not shown to the
 * callbacks.
 */
export interface Evaluator {
  readonly size: number;
  readonly dimension: number;
  /** The kernels at offset 0. */
  readonly kernels: ManifoldKernels;
  readonly hasHessian: boolean;
  readonly hasPreconditioner: boolean;
  /** True where `costAndGradient` is given: the gradient at a trial point costs nothing more. */
  readonly hasJointGradient: boolean;
  readonly constraints?: Constraints;
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
  "equalities",
  "inequalities",
] as const;

/** @throws InputError if the problem lacks a part, or has one that is not known. */
export function createEvaluator<P>(problem: Problem<P>): Evaluator {
  const kind = checkProblem(problem);
  const { manifold } = problem;
  const { kernels } = manifold;
  const { size } = kernels;
  const views = new WeakMap<Float64Array, P>();
  const scratch = new Float64Array(size);
  const unused = new Float64Array(size);
  const evaluations: Evaluations = { cost: 0, gradient: 0, hessian: 0, preconditioner: 0 };

  const view = (flat: Float64Array): P => {
    let point = views.get(flat);
    if (point === undefined) {
      point = manifold.view(flat);
      views.set(flat, point);
    }
    return point;
  };
  /** A vector that is not finite belongs to a point that the solver has to refuse: let it pass as NaN. */
  const write = (out: Float64Array, value: P, field: string): void => {
    try {
      manifold.write(out, value, field);
    } catch (error) {
      if (!(error instanceof InputError) || !error.field.includes(".data[")) throw error;
      out.fill(Number.NaN);
    }
  };
  const writeGradient = (
    out: Float64Array,
    x: Float64Array,
    gradient: P,
    euclidean: Float64Array = scratch,
    field = "problem.gradient(x)",
  ): void => {
    write(euclidean, gradient, field);
    if (kind === "riemannian") out.set(euclidean);
    else kernels.toGradient(0, out, x, euclidean);
  };

  const evaluator: Evaluator = {
    size,
    dimension: kernels.dimension,
    kernels,
    hasHessian: problem.hessian !== undefined,
    hasPreconditioner: problem.preconditioner !== undefined,
    hasJointGradient: problem.costAndGradient !== undefined,
    evaluations,
    cost(x) {
      if (!allFinite(x)) return Number.NaN;
      if (problem.costAndGradient !== undefined) return evaluator.costAndGradient(unused, x);
      evaluations.cost++;
      return realCost(problem.cost(view(x)));
    },
    costAndGradient(out, x, euclidean) {
      if (!allFinite(x)) {
        out.fill(Number.NaN);
        return Number.NaN;
      }
      evaluations.cost++;
      evaluations.gradient++;
      if (problem.costAndGradient !== undefined) {
        const { cost, gradient } = problem.costAndGradient(view(x));
        writeGradient(out, x, gradient, euclidean, "problem.costAndGradient(x).gradient");
        return realCost(cost);
      }
      const cost = realCost(problem.cost(view(x)));
      writeGradient(out, x, problem.gradient(view(x)), euclidean);
      return cost;
    },
    gradient(out, x, euclidean) {
      if (problem.costAndGradient !== undefined) {
        evaluator.costAndGradient(out, x, euclidean);
        return;
      }
      if (!allFinite(x)) {
        out.fill(Number.NaN);
        return;
      }
      evaluations.gradient++;
      writeGradient(out, x, problem.gradient(view(x)), euclidean);
    },
    hessian(out, x, v, euclidean) {
      if (problem.hessian === undefined) throw new InputError("problem.hessian", "nothing", "a function");
      evaluations.hessian++;
      write(out, problem.hessian(view(x), view(v)), "problem.hessian(x, v)");
      if (kind === "euclidean") kernels.toHessian(0, out, x, euclidean, out, v);
    },
    precondition(out, x, v) {
      if (problem.preconditioner === undefined) {
        out.set(v);
        return;
      }
      evaluations.preconditioner++;
      write(out, problem.preconditioner(view(x), view(v)), "problem.preconditioner(x, v)");
    },
    inner: (x, u, v) => kernels.inner(0, x, u, v),
  };

  const { equalities = [], inequalities = [] } = problem;
  const all = [...equalities, ...inequalities];
  if (all.length === 0) return evaluator;
  const fieldOf = (i: number): string =>
    i < equalities.length
      ? `problem.equalities[${i}].gradient(x)`
      : `problem.inequalities[${i - equalities.length}].gradient(x)`;
  const constraints: Constraints = {
    equalities: equalities.length,
    inequalities: inequalities.length,
    values(out, x) {
      for (let i = 0; i < all.length; i++) out[i] = all[i]!.value(view(x));
    },
    addGradients(gradient, x, weights) {
      for (let i = 0; i < all.length; i++) {
        const weight = weights[i]!;
        if (weight === 0) continue;
        writeGradient(unused, x, all[i]!.gradient(view(x)), scratch, fieldOf(i));
        for (let j = 0; j < size; j++) gradient[j]! += weight * unused[j]!;
      }
    },
  };
  return { ...evaluator, constraints };
}

/** Whether every number is finite. */
export function allFinite(x: Float64Array): boolean {
  // x - x is 0 for finite numbers and NaN for the others
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! - x[i]!;
  return sum === 0;
}

function checkProblem<P>(problem: Problem<P>): "euclidean" | "riemannian" {
  checkOptions(problem, "problem", problemNames);
  if (typeof problem.manifold?.kernels?.size !== "number") {
    throw new InputError("problem.manifold", describe(problem.manifold), "a manifold");
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
  for (const name of ["equalities", "inequalities"] as const) {
    const list: unknown = problem[name] ?? [];
    if (!Array.isArray(list))
      throw new InputError(`problem.${name}`, describe(list), "a list of constraints");
    list.forEach((constraint: Partial<Constraint<P>> | null | undefined, i) => {
      if (typeof constraint?.value !== "function" || typeof constraint.gradient !== "function") {
        const expected = "an object with the functions value and gradient";
        throw new InputError(`problem.${name}[${i}]`, describe(constraint), expected);
      }
    });
  }
  return checkChoice(problem.gradientKind ?? "euclidean", "problem.gradientKind", [
    "euclidean",
    "riemannian",
  ]);
}

/** Costs are real numbers, NaN and infinities included; anything else is a mistake of the problem. */
function realCost(cost: number): number {
  if (typeof cost === "number") return cost;
  throw new InputError("problem.cost(x)", describe(cost), "a real number");
}
