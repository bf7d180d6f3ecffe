import * as kernel from "../linalg/kernels/index.ts";
import { waterFillingBound } from "./single-device.ts";
import type { SplittingProblem } from "./splitting-problem.ts";

/** What a splitting is made from, by slot m K + k; `most` = min(N_r, N_t) places each. */
export interface SplittingFactors {
  /** Modes of the device on the subcarrier. */
  readonly ranks: Int32Array;
  /** Rows that span the row space of its channel, r x Nt. */
  readonly bases: Float64Array;
  /** A unitary r x r matrix W; the modes are the rows of W^H bases. */
  readonly vectors: Float64Array;
  /** The noise z_i >= 0 of every mode. */
  readonly noise: Float64Array;
}

/** Twice the unit roundoff. Error bounds below count operations generously. */
const EPS = Number.EPSILON;
/** A smaller sum of all noise needs no scaling, and its square would leave double precision. */
const SMALLEST = 1e-150;

/**
 * The verified bound of docs/certificates-mmse.md, section 6. With O = W^H bases (r x Nt) and F = H O^H, both as
 * rounded, the splitting is Theta = c_m F diag(z) F^H for the channel F O, which is exact; everything that rounding
 * can have done is measured and paid for:
 *
 *   - O: sqrt(l_i) of the device's i-th mode is at most ||O|| / sqrt(c_m z_i), ||O||^2 <= 1 + ||O O^H - I||_F;
 *   - c_m: sum_k F diag(z) F^H <= I / c_m is proved by a Cholesky factorisation that runs through;
 *   - H - F O: divides the bound by (1 + eta)^2, eta^2 = sum_km ||H_km - F_km O_km||^2;
 *   - the water-filling: by its dual value.
 *
 * @returns a function that evaluates the bound of what the factors hold at the time; NaN if they are not finite
 */
export function createSplittingCertificate(
  problem: SplittingProblem,
  factors: SplittingFactors,
): () => number {
  const {
    devices,
    subcarriers,
    receiveAntennas: nr,
    transmitAntennas: nt,
    streams,
    channel,
    gains,
  } = problem;
  const { ranks, bases, vectors, noise } = factors;
  const most = Math.min(nr, nt);
  const modes = new Float64Array(2 * most * nt);
  const directions = new Float64Array(2 * nr * most);
  const gram = new Float64Array(2 * most * most);
  const remainder = new Float64Array(2 * nr * nt);
  const total = new Float64Array(2 * nr * nr);
  const largestEigenvalue = createEigenvalueBound(nr);
  /** c_m */
  const scales = new Float64Array(subcarriers);
  /** at least ||O||^2, by slot */
  const spread = new Float64Array(devices * subcarriers);
  const own = new Float64Array(most);
  const inverse = new Float64Array(subcarriers * streams);

  /** O and F of a slot; returns at least ||H - F O||^2. */
  function exactChannel(m: number, k: number): number {
    const slot = m * devices + k;
    const r = ranks[slot]!;
    const h = 2 * (k * subcarriers + m) * nr * nt;
    kernel.multiplyConjugateLeft(
      modes,
      0,
      vectors,
      2 * slot * most * most,
      bases,
      2 * slot * most * nt,
      r,
      r,
      nt,
    );
    kernel.multiplyConjugateRight(directions, 0, channel, h, modes, 0, nr, nt, r);
    kernel.copy(remainder, 0, channel, h, nr * nt);
    kernel.multiply(remainder, 0, directions, 0, modes, 0, nr, r, nt, -1, true);
    kernel.multiplyConjugateRight(gram, 0, modes, 0, modes, 0, r, nt, r);
    for (let i = 0; i < r; i++) gram[2 * i * (r + 1)]! -= 1;
    const o = kernel.squaredNorm(modes, 0, r * nt);
    spread[slot] = 1 + Math.sqrt(kernel.squaredNorm(gram, 0, r * r)) + (2 * nt + 32) * EPS * (o + 1);
    const size = Math.sqrt(kernel.squaredNorm(channel, h, nr * nt));
    const product = Math.sqrt(kernel.squaredNorm(directions, 0, nr * r) * o);
    // what forming H - F O has rounded, and what the scaling of the channel did before
    const rounding = (2 * r + 32) * EPS * (product + size);
    return (Math.sqrt(kernel.squaredNorm(remainder, 0, nr * nt)) * (1 + 1e-12) + rounding) ** 2;
  }

  /** total += F diag(z) F^H; returns its trace. */
  function addNoise(m: number, k: number): number {
    const slot = m * devices + k;
    const r = ranks[slot]!;
    for (let i = 0; i < r; i++) {
      const root = Math.sqrt(noise[slot * most + i]!);
      for (let p = 2 * i; p < 2 * nr * r; p += 2 * r) {
        directions[p]! *= root;
        directions[p + 1]! *= root;
      }
    }
    kernel.addHermitianOuter(total, 0, directions, 0, nr, r, 1);
    return kernel.squaredNorm(directions, 0, nr * r);
  }

  /** At most D_k. */
  function distortion(k: number): number {
    inverse.fill(Number.POSITIVE_INFINITY);
    for (let m = 0; m < subcarriers; m++) {
      const slot = m * devices + k;
      const r = ranks[slot]!;
      const factor = (scales[m]! / spread[slot]!) * (1 - 8 * EPS);
      for (let i = 0; i < r; i++) own[i] = factor * noise[slot * most + i]!;
      // the S strongest modes: those with the least noise
      own.subarray(0, r).sort();
      for (let i = 0; i < Math.min(r, streams); i++) inverse[m * streams + i] = own[i]!;
    }
    return waterFillingBound(inverse, inverse.length);
  }

  return () => {
    let missed = 0;
    for (let m = 0; m < subcarriers; m++) {
      total.fill(0);
      let trace = 0;
      for (let k = 0; k < devices; k++) {
        if (gains[k] === 0) continue;
        missed += exactChannel(m, k);
        trace += addNoise(m, k);
      }
      // what accumulating the sum has rounded
      const rounding = (4 * devices * most + 64) * EPS * trace;
      if (!(trace < Number.POSITIVE_INFINITY)) return Number.NaN;
      scales[m] = trace > SMALLEST ? 1 / (largestEigenvalue(total, trace) + rounding) : 1;
    }
    let sum = 0;
    for (let k = 0; k < devices; k++) if (gains[k]! > 0) sum += gains[k]! * distortion(k);
    const factor = 1 + Math.sqrt(missed) * (1 + 1e-12);
    return (sum / (factor * factor)) * (1 - (devices + 32) * EPS);
  };
}

/**
 * A function that returns at least the largest eigenvalue of a positive semidefinite n x n matrix of the given trace,
 * and not much more. A candidate c is proved by the Cholesky factorisation of c I - A: if it runs through, then
 * L L^H = c I - A + E with ||E|| <= (n + 1) u tr(L L^H) up to a small factor (Higham 2002, theorem 10.3), so that
 * A <= c I + E.
 */
export function createEigenvalueBound(n: number): (matrix: Float64Array, trace: number) => number {
  const work = kernel.createHermitianEigenWorkspace(n);
  const values = new Float64Array(n);
  const shifted = new Float64Array(2 * n * n);
  const rounding = (4 * n + 32) * n * EPS;
  return (matrix, trace) => {
    kernel.hermitianEigen(matrix, 0, values, 0, shifted, 0, work);
    for (let slack = rounding; slack < 1; slack *= 16) {
      const candidate = values[n - 1]! * (1 + slack);
      if (!(candidate < trace)) break;
      for (let i = 0; i < 2 * n * n; i++) shifted[i] = -matrix[i]!;
      for (let i = 0; i < n; i++) shifted[2 * i * (n + 1)]! += candidate;
      if (kernel.choleskyFactor(shifted, 0, n) === -1) return candidate * (1 + rounding);
    }
    return trace * (1 + rounding);
  };
}
