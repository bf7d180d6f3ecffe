import {
  add,
  type ComplexMatrix,
  conjugateTranspose,
  fromParts,
  multiply,
  multiplyConjugateRight,
  qr,
  scale,
} from "../../../src/linalg/index.ts";
import type { Evaluations, Problem } from "../../../src/manifold/index.ts";

/** The generator of the reference values: exact in IEEE doubles. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (16807 * state) % 2147483647;
    return state / 2147483647 - 0.5;
  };
}

export function cplx(rows: number, cols: number, seed: number): ComplexMatrix {
  const next = generator(seed);
  return { rows, cols, data: Float64Array.from({ length: 2 * rows * cols }, next) };
}

export function real(rows: number, cols: number, seed: number): ComplexMatrix {
  const next = generator(seed);
  return fromParts(
    rows,
    cols,
    Float64Array.from({ length: rows * cols }, next),
    new Float64Array(rows * cols),
  );
}

export const herm = (a: ComplexMatrix): ComplexMatrix => scale(add(a, conjugateTranspose(a)), 0.5);
export const gramOf = (a: ComplexMatrix): ComplexMatrix => multiplyConjugateRight(a, a);
export const orthonormal = (rows: number, cols: number, seed: number): ComplexMatrix =>
  qr(cplx(rows, cols, seed)).q;

export function diagonal(values: readonly number[]): ComplexMatrix {
  const n = values.length;
  const re = new Float64Array(n * n);
  values.forEach((value, i) => {
    re[i * (n + 1)] = value;
  });
  return fromParts(n, n, re, new Float64Array(n * n));
}

/** Entries divided by their moduli. */
export function moduliOne(a: ComplexMatrix): ComplexMatrix {
  const data = a.data.slice();
  for (let i = 0; i < data.length; i += 2) {
    const modulus = Math.hypot(data[i]!, data[i + 1]!);
    data[i]! /= modulus;
    data[i + 1]! /= modulus;
  }
  return { ...a, data };
}

/** sign Re tr(X^H A X N) on a manifold of n x p matrices, with its Hessian; N the identity by default. */
export function quadratic(
  manifold: Problem<ComplexMatrix>["manifold"],
  a: ComplexMatrix,
  sign: number,
  weights?: ComplexMatrix,
): Problem<ComplexMatrix> {
  const apply = (x: ComplexMatrix): ComplexMatrix => {
    const ax = multiply(a, x);
    return weights === undefined ? ax : multiply(ax, weights);
  };
  return {
    manifold,
    cost: (x) => sign * flatInner(x.data, apply(x).data),
    gradient: (x) => scale(apply(x), 2 * sign),
    hessian: (_x, v) => scale(apply(v), 2 * sign),
  };
}

export function flatInner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The same problem, counting calls; joint: through costAndGradient alone, the others throw. */
export function instrumented<P>(
  problem: Problem<P>,
  joint: boolean,
): { problem: Problem<P>; calls: Evaluations } {
  const calls = { cost: 0, gradient: 0, hessian: 0, preconditioner: 0 };
  const refuse = (): never => {
    throw new Error("a problem with costAndGradient is asked for nothing else");
  };
  const { hessian, preconditioner, ...rest } = problem;
  return {
    calls,
    problem: {
      ...rest,
      cost: joint
        ? refuse
        : (x) => {
            calls.cost++;
            return problem.cost(x);
          },
      gradient: joint
        ? refuse
        : (x) => {
            calls.gradient++;
            return problem.gradient(x);
          },
      ...(joint && {
        costAndGradient: (x: P) => {
          calls.cost++;
          calls.gradient++;
          return { cost: problem.cost(x), gradient: problem.gradient(x) };
        },
      }),
      ...(hessian && {
        hessian: (x: P, v: P) => {
          calls.hessian++;
          return hessian(x, v);
        },
      }),
      ...(preconditioner && {
        preconditioner: (x: P, v: P) => {
          calls.preconditioner++;
          return preconditioner(x, v);
        },
      }),
    },
  };
}
