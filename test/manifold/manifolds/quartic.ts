import { randomStream } from "../../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  conjugateTranspose,
  hermitianPart,
  multiply,
  multiplyConjugateLeft,
  randomMatrix,
  realInner,
  scale,
} from "../../../src/linalg/index.ts";
import type { Manifold, Problem } from "../../../src/manifold/index.ts";

export type Flat = Float64Array<ArrayBuffer>;

/** A point or vector as its flat numbers. */
export function toFlat<P>(manifold: Manifold<P>, point: P): Flat {
  const flat = new Float64Array(manifold.kernels.size);
  manifold.write(flat, point, "point");
  return flat;
}

/** A problem with all of its derivatives, and with a Hessian that is not optional. */
export type QuarticProblem<P> = Required<Pick<Problem<P>, "manifold" | "cost" | "gradient" | "hessian">>;

/**
 * f = sum over blocks of Re<C, X> + Re tr(X^H A X) / 2 + |X^H K X|^2 / 4 with indefinite Hermitian A and K. Without
 * blocks all numbers of a point are one long column; blocks (rows x cols, in order) leave the linear term out, and f
 * then depends on the column space of each block alone.
 */
export function quartic<P>(
  manifold: Manifold<P>,
  blocks?: readonly (readonly [number, number])[],
): QuarticProblem<P> {
  const { size } = manifold.kernels;
  const shapes = blocks ?? [[size / 2, 1] as const];
  const parts = shapes.map(([rows, cols], i) => {
    const stream = randomStream(77, "quartic", rows, cols, i);
    const hermitian = () => scale(hermitianPart(randomMatrix(rows, rows, stream)), 1 / Math.sqrt(rows));
    return {
      rows,
      cols,
      a: hermitian(),
      k: hermitian(),
      c: scale(randomMatrix(rows, cols, stream), blocks === undefined ? 1 : 0),
    };
  });
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((sum, p) => sum + 2 * p.rows * p.cols, 0));
  const cut = (point: P): ComplexMatrix[] => {
    const flat = toFlat(manifold, point);
    return parts.map(({ rows, cols }, i) => ({
      rows,
      cols,
      data: flat.slice(starts[i]!, starts[i]! + 2 * rows * cols),
    }));
  };
  const join = (matrices: readonly ComplexMatrix[]): P => {
    const flat = new Float64Array(size);
    matrices.forEach((m, i) => {
      flat.set(m.data, starts[i]!);
    });
    return manifold.view(flat);
  };
  return {
    manifold,
    cost: (point) =>
      cut(point).reduce((sum, x, i) => {
        const { a, k, c } = parts[i]!;
        const s = multiplyConjugateLeft(x, multiply(k, x));
        return sum + realInner(c, x) + 0.5 * realInner(x, multiply(a, x)) + 0.25 * realInner(s, s);
      }, 0),
    gradient: (point) =>
      join(
        cut(point).map((x, i) => {
          const { a, k, c } = parts[i]!;
          const kx = multiply(k, x);
          return add(c, add(multiply(a, x), multiply(kx, multiplyConjugateLeft(x, kx))));
        }),
      ),
    hessian(point, tangent) {
      const us = cut(tangent);
      return join(
        cut(point).map((x, i) => {
          const { a, k } = parts[i]!;
          const u = us[i]!;
          const [kx, ku] = [multiply(k, x), multiply(k, u)];
          const cross = multiplyConjugateLeft(u, kx);
          const turn = add(cross, conjugateTranspose(cross));
          return add(multiply(a, u), add(multiply(ku, multiplyConjugateLeft(x, kx)), multiply(kx, turn)));
        }),
      );
    },
  };
}
