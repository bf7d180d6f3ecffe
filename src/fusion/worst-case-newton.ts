/** The linear system of a Newton step of the worst-case solver. */
import { type ComplexMatrix, hermitianPart, multiply } from "../linalg/index.ts";
import { innerProduct } from "./covariance.ts";

/** Relative to the start, in the norm of the preconditioner. */
const conjugateTolerance = 0.01;
const largestConjugateSteps = 200;

/**
 * Projected conjugate gradients (Gould, Hribar and Nocedal, SIAM J. Sci. Comput. 23, 2001) for R X S + S X R + X =
 * right - nu weight, <weight, X> = 0, with R = diag(rates).
 */
export function solveNewton(
  rates: Float64Array,
  curvature: ComplexMatrix,
  weight: ComplexMatrix,
  right: ComplexMatrix,
): ComplexMatrix {
  const r = curvature.rows;
  const inverse = new Float64Array(2 * r * r);
  for (let i = 0, p = 0; i < r; i++) {
    const si = curvature.data[2 * i * (r + 1)]!;
    for (let j = 0; j < r; j++, p += 2) {
      const sj = curvature.data[2 * j * (r + 1)]!;
      const entry = rates[i]! * sj + si * rates[j]! + 1;
      inverse[p] = inverse[p + 1] = 1 / entry;
    }
  }
  const precondition = (m: ComplexMatrix): ComplexMatrix => ({
    ...m,
    data: m.data.map((x, p) => x * inverse[p]!),
  });
  const normal = precondition(weight);
  const normalWeight = innerProduct(weight, normal);
  // The multiple of the weight leaves the residual itself, or its rounding ends up in the step.
  const withoutWeight = (m: ComplexMatrix): ComplexMatrix =>
    combine(m, weight, -innerProduct(normal, m) / normalWeight);

  let x: ComplexMatrix = { rows: r, cols: r, data: new Float64Array(2 * r * r) };
  let residual = withoutWeight(withoutWeight(right));
  let y = precondition(residual);
  let direction = y;
  let size = innerProduct(residual, y);
  const target = conjugateTolerance ** 2 * size;
  for (let k = 0; k < largestConjugateSteps && size > target; k++) {
    const image = applyHessian(rates, curvature, direction);
    const curved = innerProduct(direction, image);
    if (!(curved > 0)) break;
    const length = size / curved;
    x = combine(x, direction, length);
    residual = withoutWeight(combine(residual, image, -length));
    y = precondition(residual);
    const next = innerProduct(residual, y);
    direction = combine(y, direction, next / size);
    size = next;
  }
  return hermitianPart(x);
}

function applyHessian(rates: Float64Array, curvature: ComplexMatrix, x: ComplexMatrix): ComplexMatrix {
  const r = x.rows;
  const { data } = multiply(x, curvature);
  const out = new Float64Array(2 * r * r);
  for (let i = 0; i < r; i++) {
    for (let j = 0; j < r; j++) {
      const p = 2 * (i * r + j);
      const q = 2 * (j * r + i);
      out[p] = rates[i]! * data[p]! + rates[j]! * data[q]! + x.data[p]!;
      out[p + 1] = rates[i]! * data[p + 1]! - rates[j]! * data[q + 1]! + x.data[p + 1]!;
    }
  }
  return { rows: r, cols: r, data: out };
}

/** a + factor b */
export function combine(a: ComplexMatrix, b: ComplexMatrix, factor: number): ComplexMatrix {
  const data = a.data.slice();
  for (let i = 0; i < data.length; i++) data[i] = data[i]! + factor * b.data[i]!;
  return { rows: a.rows, cols: a.cols, data };
}
