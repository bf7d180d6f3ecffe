import { applyReflector, makeReflector } from "./householder.ts";
import { tridiagonalEigen } from "./tridiagonalEigen.ts";
import { largestPart, powerOfTwoScale } from "./vector.ts";

/** Buffers for n x n Hermitian eigenproblems; make one per size and reuse it. */
export interface HermitianEigenWorkspace {
  readonly n: number;
  readonly matrix: Float64Array;
  readonly reflectors: Float64Array;
  readonly tau: Float64Array;
  readonly product: Float64Array;
  readonly diagonal: Float64Array;
  readonly offDiagonal: Float64Array;
  /** Eigenvectors of the real tridiagonal matrix, one per row. */
  readonly real: Float64Array;
  /** Eigenvectors of A, one per row. */
  readonly complex: Float64Array;
  readonly order: Int32Array;
}

export function createHermitianEigenWorkspace(n: number): HermitianEigenWorkspace {
  return {
    n,
    matrix: new Float64Array(2 * n * n),
    reflectors: new Float64Array(2 * n * n),
    tau: new Float64Array(2 * n),
    product: new Float64Array(2 * n),
    diagonal: new Float64Array(n),
    offDiagonal: new Float64Array(n),
    real: new Float64Array(n * n),
    complex: new Float64Array(2 * n * n),
    order: new Int32Array(n),
  };
}

/**
 * Eigenvalues (ascending, n) and orthonormal eigenvectors (columns of an n x n row-major matrix) of a Hermitian
 * A, of which only the lower triangle and the real part of the diagonal are read. Householder reduction to a
 * REAL tridiagonal matrix (the phases go into the reflectors, as LAPACK's zhetd2), implicit QL on it in real
 * arithmetic, back-transformation by the reflectors (Golub & Van Loan 8.3). `vectors` may be `a`.
 * Returns the number of QL iterations, or -1 if 50 n did not suffice (never seen on finite input).
 */
export function hermitianEigen(
  a: Float64Array,
  aOffset: number,
  values: Float64Array,
  valuesOffset: number,
  vectors: Float64Array,
  vectorsOffset: number,
  work: HermitianEigenWorkspace,
): number {
  const { n, matrix, reflectors, tau, diagonal, offDiagonal, real, complex, order } = work;
  const factor = powerOfTwoScale(largestPart(a, aOffset, n * n), 0);
  for (let i = 0, end = 2 * n * n; i < end; i++) matrix[i] = factor * a[aOffset + i]!;
  tridiagonalise(work);
  real.fill(0);
  for (let i = 0; i < n; i++) real[i * n + i] = 1;
  const iterations = tridiagonalEigen(diagonal, offDiagonal, n, real);

  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = 1; i < n; i++) {
    const moving = order[i]!;
    let j = i - 1;
    for (; j >= 0 && diagonal[order[j]!]! > diagonal[moving]!; j--) order[j + 1] = order[j]!;
    order[j + 1] = moving;
  }
  for (let i = 0, end = n * n; i < end; i++) {
    complex[2 * i] = real[i]!;
    complex[2 * i + 1] = 0;
  }
  const stride = 2 * n;
  for (let i = n - 2; i >= 0; i--) {
    applyReflector(
      reflectors,
      i * stride + 2 * (i + 1),
      n - i - 1,
      tau[2 * i]!,
      tau[2 * i + 1]!,
      complex,
      2 * (i + 1),
      stride,
      n,
    );
  }
  const unscale = 1 / factor;
  for (let j = 0; j < n; j++) {
    const from = order[j]!;
    values[valuesOffset + j] = unscale * diagonal[from]!;
    for (let i = 0, p = from * stride, q = vectorsOffset + 2 * j; i < n; i++, p += 2, q += stride) {
      vectors[q] = complex[p]!;
      vectors[q + 1] = complex[p + 1]!;
    }
  }
  return iterations;
}

/** Reduces the lower triangle of work.matrix; fills diagonal, offDiagonal, reflectors (row i holds v_i) and tau. */
function tridiagonalise(work: HermitianEigenWorkspace): void {
  const { n, matrix, reflectors, tau, product, diagonal, offDiagonal } = work;
  const stride = 2 * n;
  for (let i = 0; i + 1 < n; i++) {
    diagonal[i] = matrix[i * stride + 2 * i]!;
    const v = i * stride;
    for (let r = i + 1; r < n; r++) {
      reflectors[v + 2 * r] = matrix[r * stride + 2 * i]!;
      reflectors[v + 2 * r + 1] = matrix[r * stride + 2 * i + 1]!;
    }
    offDiagonal[i] = makeReflector(reflectors, v + 2 * (i + 1), n - i - 1, tau, 2 * i);
    const tr = tau[2 * i]!;
    const ti = tau[2 * i + 1]!;
    if (tr === 0 && ti === 0) continue;
    // product = A v over the trailing block
    for (let r = i + 1; r < n; r++) {
      const vr = reflectors[v + 2 * r]!;
      const vi = reflectors[v + 2 * r + 1]!;
      let sr = 0;
      let si = 0;
      const row = r * stride;
      for (let c = 2 * (i + 1); c < 2 * r; c += 2) {
        const x = matrix[row + c]!;
        const y = matrix[row + c + 1]!;
        const u = reflectors[v + c]!;
        const w = reflectors[v + c + 1]!;
        sr += x * u - y * w;
        si += x * w + y * u;
        product[c] = product[c]! + x * vr + y * vi;
        product[c + 1] = product[c + 1]! + x * vi - y * vr;
      }
      const d = matrix[row + 2 * r]!;
      product[2 * r] = sr + d * vr;
      product[2 * r + 1] = si + d * vi;
    }
    // w = tau A v - (tau / 2) (w^H v) v
    let dr = 0;
    let di = 0;
    for (let c = 2 * (i + 1); c < stride; c += 2) {
      const x = product[c]!;
      const y = product[c + 1]!;
      const wr = tr * x - ti * y;
      const wi = tr * y + ti * x;
      product[c] = wr;
      product[c + 1] = wi;
      dr += wr * reflectors[v + c]! + wi * reflectors[v + c + 1]!;
      di += wr * reflectors[v + c + 1]! - wi * reflectors[v + c]!;
    }
    const fr = -0.5 * (tr * dr - ti * di);
    const fi = -0.5 * (tr * di + ti * dr);
    for (let c = 2 * (i + 1); c < stride; c += 2) {
      const x = reflectors[v + c]!;
      const y = reflectors[v + c + 1]!;
      product[c] = product[c]! + fr * x - fi * y;
      product[c + 1] = product[c + 1]! + fr * y + fi * x;
    }
    // A <- A - v w^H - w v^H
    for (let r = i + 1; r < n; r++) {
      const vr = reflectors[v + 2 * r]!;
      const vi = reflectors[v + 2 * r + 1]!;
      const wr = product[2 * r]!;
      const wi = product[2 * r + 1]!;
      const row = r * stride;
      for (let c = 2 * (i + 1); c <= 2 * r; c += 2) {
        const x = reflectors[v + c]!;
        const y = reflectors[v + c + 1]!;
        const s = product[c]!;
        const t = product[c + 1]!;
        matrix[row + c] = matrix[row + c]! - (vr * s + vi * t) - (wr * x + wi * y);
        matrix[row + c + 1] = matrix[row + c + 1]! - (vi * s - vr * t) - (wi * x - wr * y);
      }
    }
  }
  if (n > 0) {
    diagonal[n - 1] = matrix[(n - 1) * stride + 2 * (n - 1)]!;
    offDiagonal[n - 1] = 0;
  }
}
