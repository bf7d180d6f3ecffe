import * as kernel from "../linalg/kernels/index.ts";
import { type ForcingInstance, forcingInstance } from "./relaxation-cost.ts";
import type { TransceiverProblem } from "./updates.ts";

/**
 * What proves a lower bound on the MSE of every zero-forcing design: multipliers y_k >= 0 of the devices and
 * Hermitian matrices V_km = v_km I - C_km C_km^H. Any values prove something; good ones prove much.
 */
export interface ForcingCertificate {
  /** y, K entries >= 0, not all 0; those of devices without weight are not used. */
  readonly multipliers: Float64Array;
  /** v, [K, M] */
  readonly levels: Float64Array;
  /** C, [K, M, Nt, S] */
  readonly reductions: Float64Array;
}

/** Room for the certificates of a problem, all 0. */
export function emptyCertificate(instance: ForcingInstance): ForcingCertificate {
  const { devices, subcarriers, transmitAntennas, streams } = instance;
  return {
    multipliers: new Float64Array(devices),
    levels: new Float64Array(devices * subcarriers),
    reductions: new Float64Array(2 * devices * subcarriers * transmitAntennas * streams),
  };
}

/**
 * The lower bound on sum_m MSE_m of every zero-forcing design that a certificate proves (`relaxUniformForcing` finds
 * good ones); 0 where it proves nothing. Holds in exact arithmetic, see {@link createCertificateEvaluator}.
 */
export function certifiedForcingBound(problem: TransceiverProblem, certificate: ForcingCertificate): number {
  const instance = forcingInstance(problem);
  if (instance === undefined) return 0;
  return instance.unit * createCertificateEvaluator(instance)(certificate) * (1 - accumulated(0));
}

/** Unit roundoff of double precision. */
const ROUNDOFF = 2 ** -53;

/**
 * Bound on the error of a complex inner product of n terms, as a part of the sum of the moduli of its terms: 2n real
 * products and sums for each part, sqrt(2) for the two parts, and room for some more operations on the operands.
 */
export function accumulated(n: number): number {
  const operations = 4 * (n + 16) * ROUNDOFF;
  return operations / (1 - operations);
}

/**
 * The value of certificates in the unit of the instance, on buffers of its own:
 *
 *   max_k g_k >= ( sum_m T_m Lambda_m^{-1/2} )^2 / sum_k y_k,
 *   T_m = sum_k y_k s_S(V_km),   Lambda_m = lambda_max( sum_k y_k H_km V_km^2 H_km^H ),
 *
 * which has the best scale of V on every subcarrier (docs/certificates.md). C has S columns, so that
 * s_S(V) = S v - ||C||^2 without any eigenvalues. Lambda_m is enclosed from above by a Cholesky factorisation of
 * Lambda I - M that runs through (Rump, BIT 46, 2006), and the rounding errors of M and of all sums are counted
 * against the bound: it holds in exact arithmetic for the problem's data. 0 where nothing is proved.
 */
export function createCertificateEvaluator(
  instance: ForcingInstance,
): (certificate: ForcingCertificate) => number {
  const { subcarriers, streams, active } = instance;
  const nr = instance.receiveAntennas;
  const nt = instance.transmitAntennas;
  const devices = active.length;
  const width = devices * nt;
  const single = new Float64Array(2 * nr * nt);
  const weight = new Float64Array(2 * nt * nt);
  const image = new Float64Array(2 * nr * nt);
  // F = [sqrt(y_1) H_1m V_1m ...], Nr x K' Nt, and M = F F^H
  const images = new Float64Array(2 * nr * width);
  const outer = new Float64Array(2 * nr * nr);
  const shifted = new Float64Array(2 * nr * nr);
  const eigenvalues = new Float64Array(nr);
  const eigenWork = kernel.createHermitianEigenWorkspace(nr);

  function evaluate({ multipliers, levels, reductions }: ForcingCertificate): number {
    let sum = 0;
    let total = 0;
    for (const k of active) total += multipliers[k]!;
    for (let m = 0; m < subcarriers; m++) {
      let gain = 0;
      let gainSize = 0;
      let uncertainty = 0;
      for (let k = 0; k < devices; k++) {
        const y = multipliers[active[k]!]!;
        const at = active[k]! * subcarriers + m;
        const level = levels[at]!;
        const reduction = kernel.squaredNorm(reductions, 2 * at * nt * streams, nt * streams);
        gain += y * (streams * level - reduction);
        gainSize += y * (streams * Math.abs(level) + reduction);
        const size = Math.abs(level) * Math.sqrt(nt) + reduction;
        uncertainty += y * (applyWeight(m, k, y, level, reductions) * size) ** 2;
      }
      gain -= accumulated(devices + nt * streams) * gainSize;
      if (gain > 0) {
        const error = accumulated(nt + streams) * Math.sqrt(uncertainty);
        sum += gain / Math.sqrt(largestEigenvalue(error));
      } else if (!(gain <= 0)) return 0;
    }
    const value = ((sum * sum) / total) * (1 - accumulated(devices + subcarriers));
    return value < Number.POSITIVE_INFINITY ? value : 0;
  }

  /** Writes sqrt(y) H_km V_km to its place in `images`; returns ||H_km||. */
  function applyWeight(m: number, k: number, y: number, level: number, reductions: Float64Array): number {
    weight.fill(0);
    for (let i = 0; i < nt; i++) weight[2 * i * (nt + 1)] = level;
    const at = active[k]! * subcarriers + m;
    kernel.addHermitianOuter(weight, 0, reductions, 2 * at * nt * streams, nt, streams, -1);
    takeChannel(single, instance, k, m);
    kernel.multiply(image, 0, single, 0, weight, 0, nr, nt, nt, Math.sqrt(y));
    for (let row = 0; row < nr; row++) {
      const to = 2 * (row * width + k * nt);
      for (let i = 0; i < 2 * nt; i++) images[to + i] = image[2 * row * nt + i]!;
    }
    return Math.sqrt(kernel.squaredNorm(single, 0, nr * nt));
  }

  /** Upper bound on ||F + E||_2^2 for the F in `images` and every E with ||E|| <= error. */
  function largestEigenvalue(error: number): number {
    outer.fill(0);
    kernel.addHermitianOuter(outer, 0, images, 0, nr, width, 1);
    kernel.hermitianEigen(outer, 0, eigenvalues, 0, shifted, 0, eigenWork);
    const energy = kernel.squaredNorm(images, 0, nr * width);
    // the trace, should no factorisation run through
    let largest = energy;
    for (let margin = 8 * accumulated(nr); margin < 1; margin *= 8) {
      const trial = Math.max(eigenvalues[nr - 1]!, 0) + margin * energy;
      for (let i = 0; i < outer.length; i++) shifted[i] = -outer[i]!;
      for (let i = 0; i < nr; i++) shifted[2 * i * (nr + 1)]! += trial;
      if (kernel.choleskyFactor(shifted, 0, nr) < 0) {
        largest = trial + accumulated(nr) * nr * trial;
        break;
      }
    }
    largest += accumulated(width) * energy;
    return (Math.sqrt(largest) + error) ** 2 * (1 + accumulated(0));
  }

  return evaluate;
}

/**
 * What the hardest single device proves, max_k (sum_{m, i<=S} 1/s_i(H_km))^2, with s_i the singular values, and the
 * design that it would choose alone: V with the right singular vectors and the eigenvalues 1/s_i, 1/s_S for i > S,
 * and X_m proportional to sum_{i<=S} u_i u_i^H / s_i.
 *
 * Writes the certificate and the factor G, [M, Nr, q], q >= S, of that X; returns the value, +Infinity if some
 * H_km has fewer than S singular values above rounding noise: then no zero-forcing design exists.
 */
export function hardestDevice(
  certificate: ForcingCertificate,
  factor: Float64Array,
  rank: number,
  instance: ForcingInstance,
): number {
  const { subcarriers, streams, active } = instance;
  const nr = instance.receiveAntennas;
  const nt = instance.transmitAntennas;
  const thin = Math.min(nr, nt);
  const single = new Float64Array(2 * nr * nt);
  const left = new Float64Array(2 * nr * thin);
  const right = new Float64Array(2 * nt * thin);
  const singular = new Float64Array(thin);
  const svdWork = kernel.createJacobiSvdWorkspace(nr, nt);
  const decompose = (k: number, m: number): void => {
    takeChannel(single, instance, k, m);
    kernel.jacobiSvd(single, 0, left, 0, singular, 0, right, 0, svdWork);
  };
  let hardest = 0;
  let largest = 0;
  for (let k = 0; k < active.length; k++) {
    let sum = 0;
    for (let m = 0; m < subcarriers; m++) {
      decompose(k, m);
      if (!(singular[streams - 1]! > RANK_TOLERANCE * singular[0]!)) return Number.POSITIVE_INFINITY;
      for (let i = 0; i < streams; i++) sum += 1 / singular[i]!;
    }
    if (sum > largest) {
      largest = sum;
      hardest = k;
    }
  }
  const { multipliers, levels, reductions } = certificate;
  multipliers[active[hardest]!] = 1;
  for (let m = 0; m < subcarriers; m++) {
    decompose(hardest, m);
    const at = active[hardest]! * subcarriers + m;
    const level = 1 / singular[streams - 1]!;
    levels[at] = level;
    for (let i = 0; i < streams; i++) {
      const reduction = Math.sqrt(Math.max(0, level - 1 / singular[i]!));
      copyColumn(reductions, 2 * at * nt * streams, streams, right, thin, nt, i, reduction);
      const amplitude = 1 / Math.sqrt(largest * singular[i]!);
      copyColumn(factor, 2 * m * nr * rank, rank, left, thin, nr, i, amplitude);
    }
  }
  return largest * largest;
}

/** Singular values below this part of the largest are rounding noise. */
const RANK_TOLERANCE = 1e-14;

/** out = H_km, Nr x Nt. */
function takeChannel(out: Float64Array, instance: ForcingInstance, k: number, m: number): void {
  const nr = instance.receiveAntennas;
  const nt = instance.transmitAntennas;
  const width = instance.active.length * nt;
  for (let row = 0; row < nr; row++) {
    const from = 2 * ((m * nr + row) * width + k * nt);
    for (let i = 0; i < 2 * nt; i++) out[2 * row * nt + i] = instance.channel[from + i]!;
  }
}

/** Column i of a matrix of `rows` rows, times a factor, into column i of another. */
function copyColumn(
  out: Float64Array,
  outOffset: number,
  outWidth: number,
  from: Float64Array,
  fromWidth: number,
  rows: number,
  i: number,
  factor: number,
): void {
  for (let row = 0; row < rows; row++) {
    const p = outOffset + 2 * (row * outWidth + i);
    const q = 2 * (row * fromWidth + i);
    out[p] = factor * from[q]!;
    out[p + 1] = factor * from[q + 1]!;
  }
}
