import * as kernel from "../linalg/kernels/index.ts";
import { powerMultiplier } from "./secular.ts";
import { signalSpaces } from "./signal-spaces.ts";
import { anchoredMultiplier } from "./single-device.ts";
import { createSplittingCertificate } from "./splitting-certificate.ts";
import type { SplittingProblem } from "./splitting-problem.ts";

/**
 * The convex problem whose multipliers are the best splitting of the noise (docs/certificates-mmse.md, section 4): with
 * X_m = Y_m Y_m^H,
 *
 *   f(X) = sum_m tr X_m + sum_k max over v >= 0 of [ alpha_k sum_{m, i <= S} v / (t_kmi + v) - v ],
 *
 * t_kmi the eigenvalues of H_km^H X_m H_km, the smallest of them pooled into S in all. No splitting proves more than
 * min f, and the best one proves that. At high SNR the multipliers v_k react violently to X; `anchor` softens them.
 */
export interface SplittingRelaxation {
  /** n, of Y_m n x n: N_r, or the dimension of the signal space of all devices if that is smaller. */
  readonly size: number;
  /** f at Y [M, n, n]; writes its gradient 2 (I - N_m) Y_m, N_m = sum_k H_km Z_km H_km^H. */
  costAndGradient(y: Float64Array, gradient: Float64Array): number;
  /** The factor s for which f(s X) is smallest, X that of the last `costAndGradient`. */
  bestScale(y: Float64Array): number;
  /**
   * From now on f has -v - softness (v log(v / v_k) - v + v_k) in place of -v, where v_k is device k's multiplier of
   * the last `costAndGradient`, or `least` if that is larger. Softness 0: f itself.
   */
  anchor(softness: number, least: number): void;
  /** The smallest f(s X), s > 0, X that of the last `costAndGradient`. */
  limit(y: Float64Array): number;
  /** A verified lower bound on the MSE, from the splitting Z of the last `costAndGradient`. */
  bound(): number;
  /** The same from equal noise on the signal spaces of all devices: exact where these are orthogonal. */
  orthogonalBound(): number;
}

/** Allocates its workspace once; `costAndGradient` allocates nothing. */
export function createSplittingRelaxation(problem: SplittingProblem): SplittingRelaxation {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams, gains } = problem;
  const most = Math.min(nr, nt);
  const slots = devices * subcarriers;

  const { ranks, firstRow, heights, tallest, strengths, bases, rows, size } = signalSpaces(problem);
  const pointSize = 2 * size * size;

  // diag(s) U^H Y, the same times Z, and the eigenvalues and eigenvectors of its Gram matrix, ascending
  const received = new Float64Array(2 * subcarriers * tallest * size);
  const weighted = new Float64Array(2 * tallest * size);
  const gram = new Float64Array(2 * most * most);
  const rotated = new Float64Array(2 * most * size);
  const vectors = new Float64Array(2 * slots * most * most);
  const values = new Float64Array(slots * most);
  /** t, and the eigenvalues z of Z */
  const pooled = new Float64Array(slots * most);
  const noise = new Float64Array(slots * most);
  const modes = new Float64Array(subcarriers * most);
  const eigenWork = Array.from({ length: most + 1 }, (_, r) => kernel.createHermitianEigenWorkspace(r));
  const multipliers = new Float64Array(devices);
  const anchors = new Float64Array(devices);
  let softness = 0;
  const bound = createSplittingCertificate(problem, { ranks, bases, vectors, noise });

  const rowsOf = (m: number): number => 2 * m * devices * most * size;

  function costAndGradient(y: Float64Array, gradient: Float64Array): number {
    let cost = kernel.squaredNorm(y, 0, subcarriers * size * size);
    for (let m = 0; m < subcarriers; m++) {
      const t = 2 * m * tallest * size;
      kernel.multiply(received, t, rows, rowsOf(m), y, m * pointSize, heights[m]!, size, size);
      for (let k = 0; k < devices; k++) {
        const slot = m * devices + k;
        const r = ranks[slot]!;
        if (r === 0) continue;
        const own = t + 2 * firstRow[slot]! * size;
        kernel.multiplyConjugateRight(gram, 0, received, own, received, own, r, size, r);
        kernel.hermitianEigen(gram, 0, values, slot * most, vectors, 2 * slot * most * most, eigenWork[r]!);
        pool(slot * most, r);
      }
    }
    for (let k = 0; k < devices; k++) cost += spend(k);
    for (let m = 0; m < subcarriers; m++) {
      const t = 2 * m * tallest * size;
      for (let k = 0; k < devices; k++) {
        const slot = m * devices + k;
        const r = ranks[slot]!;
        if (r === 0) continue;
        const own = 2 * firstRow[slot]! * size;
        const basis = 2 * slot * most * most;
        kernel.multiplyConjugateLeft(rotated, 0, vectors, basis, received, t + own, r, r, size);
        for (let i = 0; i < r; i++) {
          kernel.scale(rotated, 2 * i * size, rotated, 2 * i * size, size, noise[slot * most + i]!);
        }
        kernel.multiply(weighted, own, vectors, basis, rotated, 0, r, r, size);
      }
      const at = m * pointSize;
      kernel.copy(gradient, at, y, at, size * size);
      kernel.multiplyConjugateLeft(
        gradient,
        at,
        rows,
        rowsOf(m),
        weighted,
        0,
        size,
        heights[m]!,
        size,
        -1,
        true,
      );
    }
    for (let i = 0; i < gradient.length; i++) gradient[i]! *= 2;
    return cost;
  }

  /** t from the r ascending eigenvalues of a slot: where r > S, the smallest share what S places leave. */
  function pool(at: number, r: number): void {
    for (let i = at; i < at + r; i++) pooled[i] = Math.max(0, values[i]!);
    if (r <= streams) return;
    let sum = 0;
    for (let i = 0; i <= r - streams; i++) sum += pooled[at + i]!;
    // the n largest stand alone; one that is smaller than the share of the rest joins them
    let n = streams - 1;
    for (; n > 0 && pooled[at + r - n]! < sum / (streams - n); n--) sum += pooled[at + r - n]!;
    pooled.fill(sum / (streams - n), at, at + r - n);
  }

  /** Puts `scale` t_k of the up to S modes per subcarrier into `modes`; returns their number. */
  function gather(k: number, scale: number): number {
    let count = 0;
    for (let m = 0; m < subcarriers; m++) {
      const slot = m * devices + k;
      const end = slot * most + ranks[slot]!;
      for (let i = end - Math.min(streams, ranks[slot]!); i < end; i++) modes[count++] = scale * pooled[i]!;
    }
    return count;
  }

  /** Device k's term of f; fills its noise. */
  function spend(k: number): number {
    const gain = gains[k]!;
    if (gain === 0) return 0;
    const count = gather(k, 1);
    const near = anchors[k]!;
    const v =
      near > 0
        ? anchoredMultiplier(modes, count, gain, near, softness)
        : powerMultiplier(modes, modes, count, Math.sqrt(gain), 1);
    multipliers[k] = v;
    const left = modesLeft(count, v);
    for (let m = 0; m < subcarriers; m++) {
      const start = (m * devices + k) * most;
      for (let i = start; i < start + ranks[m * devices + k]!; i++) {
        noise[i] = v > 0 ? (gain * (v / (pooled[i]! + v))) / (pooled[i]! + v) : 0;
      }
    }
    const held = near > 0 && v > 0 ? softness * (v * Math.log(v / near) - v + near) : 0;
    return gain * left - v - held;
  }

  function limit(y: Float64Array): number {
    const s = bestScale(y);
    let f = s * kernel.squaredNorm(y, 0, subcarriers * size * size);
    for (let k = 0; k < devices; k++) {
      const count = gather(k, s);
      const v = powerMultiplier(modes, modes, count, Math.sqrt(gains[k]!), 1);
      f += gains[k]! * modesLeft(count, v) - v;
    }
    return f;
  }

  /** sum of v / (t + v) over all S M places; those beyond `count` carry nothing */
  function modesLeft(count: number, v: number): number {
    let left = subcarriers * streams - count;
    for (let i = 0; i < count; i++) left += modes[i]! > 0 ? v / (modes[i]! + v) : 1;
    return left;
  }

  function bestScale(y: Float64Array): number {
    // the derivative of f(s X) times s is s tr X - sum_k v_k, and f is convex
    const trace = kernel.squaredNorm(y, 0, subcarriers * size * size);
    let low = -600;
    let high = 600;
    for (let step = 0; step < 36; step++) {
      const middle = 0.5 * (low + high);
      const s = Math.exp(middle);
      let slope = s * trace;
      for (let k = 0; k < devices; k++) {
        const count = gather(k, s);
        slope -= powerMultiplier(modes, modes, count, Math.sqrt(gains[k]!), 1);
      }
      if (slope > 0) high = middle;
      else low = middle;
    }
    return Math.exp(0.5 * (low + high));
  }

  function anchor(soft: number, least: number): void {
    softness = soft;
    for (let k = 0; k < devices; k++) anchors[k] = soft > 0 ? Math.max(multipliers[k]!, least) : 0;
  }

  function orthogonalBound(): number {
    vectors.fill(0);
    for (let slot = 0; slot < slots; slot++) {
      const r = ranks[slot]!;
      for (let i = 0; i < r; i++) {
        vectors[2 * (slot * most * most + i * r + i)] = 1;
        noise[slot * most + i] = 1 / strengths[slot * most + i]! / strengths[slot * most + i]!;
      }
    }
    return bound();
  }

  return { size, costAndGradient, bestScale, anchor, limit, bound, orthogonalBound };
}
