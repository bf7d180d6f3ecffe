import { add, type ComplexMatrix, ComplexStack, multiply, scale } from "../../../src/linalg/index.ts";
import {
  complexCircle,
  complexEuclidean,
  complexGrassmann,
  complexOblique,
  complexSphere,
  complexStiefel,
  hermitianPositiveDefinite,
  type Problem,
  power,
  product,
} from "../../../src/manifold/index.ts";
import { cplx, diagonal, flatInner, gramOf, herm, moduliOne, orthonormal, quadratic } from "./support.ts";

/** A problem with the start, and what is known of its minimum. */
export interface Case<P> {
  readonly problem: Problem<P>;
  readonly x0: P;
  /** Gradient norm to reach; 1e-6 by default. */
  readonly tolerance?: number;
  /** The lowest cost, where every critical point that solvers reach has it. */
  readonly minimum?: number;
  /** Solvers (by the beginning of their names) that are too slow for it. */
  readonly slow?: readonly string[];
}

type Pair = { readonly a: ComplexMatrix; readonly b: ComplexMatrix };

// biome-ignore lint/suspicious/noExplicitAny: the cases have points of different types
export const cases: Readonly<Record<string, () => Case<any>>> = {
  "dominant subspace, Grassmann": () => ({
    problem: quadratic(complexGrassmann(24, 3), herm(cplx(24, 24, 12)), -1),
    x0: orthonormal(24, 3, 99),
  }),
  "dominant subspace, Stiefel": () => ({
    problem: quadratic(complexStiefel(16, 2), herm(cplx(16, 16, 12)), -1),
    x0: orthonormal(16, 2, 99),
  }),
  "Rayleigh quotient, sphere": () => ({
    problem: quadratic(complexSphere(20), herm(cplx(20, 20, 11)), 1),
    x0: orthonormal(20, 1, 99),
  }),
  "Brockett, Stiefel": () => ({
    problem: quadratic(complexStiefel(12, 3), herm(cplx(12, 12, 13)), 1, diagonal([3, 2, 1])),
    x0: orthonormal(12, 3, 99),
  }),
  "unit modulus, circle": () => ({
    problem: quadratic(complexCircle(16), gramOf(cplx(16, 16, 14)), -1),
    x0: moduliOne(cplx(16, 1, 99)),
  }),
  "unit columns, oblique": () => {
    const target = cplx(6, 4, 41);
    return {
      problem: {
        manifold: complexOblique(6, 4),
        cost: (x) => squaredDistance(x.data, target.data),
        gradient: (x) => scale(add(x, scale(target, -1)), 2),
        hessian: (_x, v) => scale(v, 2),
      } satisfies Problem<ComplexMatrix>,
      x0: complexOblique(6, 4).view(unitColumns(cplx(6, 4, 99)).data),
    };
  },
  "mean, positive definite": () => {
    const manifold = hermitianPositiveDefinite(3);
    const points = [21, 22, 23].map((seed) => add(gramOf(cplx(3, 3, seed)), diagonal([0.1, 0.1, 0.1])));
    return {
      problem: {
        manifold,
        gradientKind: "riemannian",
        cost: (x) => points.reduce((sum, s) => sum + 0.5 * manifold.distance(x, s) ** 2, 0),
        gradient: (x) => points.map((s) => scale(manifold.log!(x, s), -1)).reduce((sum, u) => add(sum, u)),
      } satisfies Problem<ComplexMatrix>,
      x0: diagonal([1, 1, 1]),
    };
  },
  "Rosenbrock, complex plane": () => ({
    // |1 - z|^2 + 10 |w - z^2|^2
    problem: {
      manifold: complexEuclidean(2, 1),
      cost: ({ data }) => {
        const [a, b, c, d] = data as unknown as [number, number, number, number];
        const [p, q] = [c - (a * a - b * b), d - 2 * a * b];
        return (1 - a) ** 2 + b * b + 10 * (p * p + q * q);
      },
      gradient: ({ data }) => {
        const [a, b, c, d] = data as unknown as [number, number, number, number];
        const [p, q] = [c - (a * a - b * b), d - 2 * a * b];
        return {
          rows: 2,
          cols: 1,
          data: Float64Array.of(
            2 * (a - 1) - 40 * (p * a + q * b),
            2 * b + 40 * (p * b - q * a),
            20 * p,
            20 * q,
          ),
        };
      },
    } satisfies Problem<ComplexMatrix>,
    x0: { rows: 2, cols: 1, data: Float64Array.of(-1.2, 0.4, 1, -0.3) },
    minimum: 0,
    slow: ["gradient descent (armijo)", "conjugate gradient (fletcher"],
  }),
  "least squares with a preconditioner": () => {
    const scales = [1, 10, 100, 1000, 1e4];
    const target = cplx(5, 2, 3);
    const weigh = (x: ComplexMatrix, exponent: number): ComplexMatrix => ({
      ...x,
      data: x.data.map((value, i) => value * scales[Math.floor(i / 4)]! ** exponent),
    });
    return {
      problem: {
        manifold: complexEuclidean(5, 2),
        cost: (x) => {
          const difference = add(x, scale(target, -1));
          return flatInner(difference.data, weigh(difference, 1).data);
        },
        gradient: (x) => scale(weigh(add(x, scale(target, -1)), 1), 2),
        hessian: (_x, v) => scale(weigh(v, 1), 2),
        preconditioner: (_x, v) => scale(weigh(v, -1), 0.4),
      } satisfies Problem<ComplexMatrix>,
      x0: cplx(5, 2, 99),
      minimum: 0,
    };
  },
  "rank-one approximation, product of spheres": () => {
    const h = cplx(6, 4, 8);
    const manifold = product({ a: complexSphere(6), b: complexSphere(4) });
    const star = (m: ComplexMatrix): ComplexMatrix => ({
      rows: m.cols,
      cols: m.rows,
      data: transposed(m),
    });
    return {
      problem: {
        manifold,
        cost: ({ a, b }) => -flatInner(a.data, multiply(h, b).data),
        gradient: ({ a, b }) => ({ a: scale(multiply(h, b), -1), b: scale(multiply(star(h), a), -1) }),
        hessian: (_x, { a, b }) => ({ a: scale(multiply(h, b), -1), b: scale(multiply(star(h), a), -1) }),
      } satisfies Problem<Pair>,
      x0: { a: orthonormal(6, 1, 98), b: orthonormal(4, 1, 99) },
    };
  },
  "several subspaces, power": () => {
    const matrices = [1, 2, 3].map((seed) => herm(cplx(8, 8, seed)));
    const apply = (x: ComplexStack): ComplexStack => {
      const out = new ComplexStack(x.shape);
      matrices.forEach((a, i) => {
        out.at(i).data.set(scale(multiply(a, x.at(i)), -2).data);
      });
      return out;
    };
    const x0 = new ComplexStack([3, 8, 2]);
    for (let i = 0; i < 3; i++) x0.at(i).data.set(orthonormal(8, 2, 90 + i).data);
    return {
      problem: {
        manifold: power(complexGrassmann(8, 2), 3),
        cost: (x) => 0.5 * flatInner(x.data, apply(x).data),
        gradient: apply,
        hessian: (_x, v) => apply(v),
      } satisfies Problem<ComplexStack>,
      x0,
    };
  },
};

function squaredDistance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
}

function transposed({ rows, cols, data }: ComplexMatrix): Float64Array {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      out[2 * (j * rows + i)] = data[2 * (i * cols + j)]!;
      out[2 * (j * rows + i) + 1] = -data[2 * (i * cols + j) + 1]!;
    }
  }
  return out;
}

export function unitColumns(a: ComplexMatrix): ComplexMatrix {
  const norms = new Float64Array(a.cols);
  a.data.forEach((value, i) => {
    norms[Math.floor(i / 2) % a.cols]! += value * value;
  });
  return { ...a, data: a.data.map((value, i) => value / Math.sqrt(norms[Math.floor(i / 2) % a.cols]!)) };
}
