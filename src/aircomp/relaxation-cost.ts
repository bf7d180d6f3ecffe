import * as kernel from "../linalg/kernels/index.ts";
import type { TransceiverProblem } from "./updates.ts";

/**
 * Zero forcing without units: the devices that matter, their channels scaled to sqrt(P_k) / w_k H_km and, all by the
 * same power of two, to the size of the weakest. In these units a design A with sum_m ||A_m||^2 = 1 costs
 * max_k sum_m tr((A_m^H H_km H_km^H A_m)^{-1}); times `unit` that is sum_m MSE_m.
 */
export interface ForcingInstance {
  /** Indices of the K' devices that take part. */
  readonly active: readonly number[];
  /** K, M, N_r, N_t, S of the problem. */
  readonly devices: number;
  readonly subcarriers: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas: number;
  readonly streams: number;
  /** [H_1m ... H_K'm], [M, Nr, K' Nt]: one product serves all devices of a subcarrier. */
  readonly channel: Float64Array;
  /** sigma2 times the square of the power of two. */
  readonly unit: number;
}

/** Devices so many times stronger than the weakest are left out: their squares would leave double precision. */
const NEGLIGIBLE = 1e100;

/**
 * The instance of a problem; undefined where there is nothing to bound: no device has a weight, one that has is
 * silent or not heard at all, or the scale leaves double precision. Leaving out a device only lowers the optimum.
 */
export function forcingInstance(problem: TransceiverProblem): ForcingInstance | undefined {
  const { devices, subcarriers, weights, power, streams } = problem;
  const nr = problem.receiveAntennas;
  const nt = problem.transmitAntennas;
  const size = 2 * nr * nt;
  const strengths: number[] = [];
  for (let k = 0; k < devices; k++) {
    const largest = kernel.largestPart(problem.channel, k * subcarriers * size, subcarriers * nr * nt);
    strengths.push(weights[k]! > 0 ? (Math.sqrt(power[k]!) / weights[k]!) * largest : Number.NaN);
  }
  const weakest = Math.min(...strengths.filter((_, k) => weights[k]! > 0));
  if (!(weakest > 0) || weakest === Number.POSITIVE_INFINITY) return undefined;
  const active = Array.from({ length: devices }, (_, k) => k).filter(
    (k) => strengths[k]! <= NEGLIGIBLE * weakest,
  );
  const factor = kernel.powerOfTwoScale(weakest, 0);
  const width = active.length * nt;
  const channel = new Float64Array(2 * subcarriers * nr * width);
  active.forEach((k, index) => {
    const gain = (factor * Math.sqrt(power[k]!)) / weights[k]!;
    for (let m = 0; m < subcarriers; m++) {
      for (let row = 0; row < nr; row++) {
        const from = (k * subcarriers + m) * size + 2 * row * nt;
        const to = 2 * ((m * nr + row) * width + index * nt);
        for (let i = 0; i < 2 * nt; i++) channel[to + i] = gain * problem.channel[from + i]!;
      }
    }
  });
  const unit = problem.noiseVariance * factor * factor;
  if (!channel.every(Number.isFinite) || !(unit > 0 && unit < Number.POSITIVE_INFINITY)) return undefined;
  return {
    active,
    devices,
    subcarriers,
    receiveAntennas: nr,
    transmitAntennas: nt,
    streams,
    channel,
    unit,
  };
}

/**
 * The relaxed powers g_k(X) = sum_m phi_S(H_km^H X_m H_km), X_m = G_m G_m^H. With the eigenvalues
 * l_1 >= ... >= l_Nt of W,
 *
 *   phi_S(W) = max_V 2 s_S(V) - tr(V W V) = sum_{i<=j} 1/l_i + (S-j)^2 / sum_{i>j} l_i,
 *
 * where V = v I - C C^H has the eigenvectors of W and the eigenvalues 1/l_i for i <= j, v = (S-j) / sum_{i>j} l_i for
 * the others, j the largest number below S for which these ascend (docs/certificates.md). Its gradient in W is -V^2.
 */
export interface RelaxedCost {
  /** Writes all g_k (K' entries) at the factor G, [M, Nr, q]; returns the largest, +Infinity where one is not finite. */
  evaluate(values: Float64Array, factor: Float64Array): number;
  /** Gradient of sum_k weights[k] g_k at the factor of the last `evaluate`, as df = Re<gradient, dG>. */
  gradient(out: Float64Array, weights: Float64Array): void;
  /** V of the last `evaluate`: v, [K, M], and C, [K, M, Nt, S]; devices that do not take part keep what they have. */
  maximisers(levels: Float64Array, reductions: Float64Array): void;
}

/** Below this ratio of eigenvalues, Gram matrices lose too many digits and the factor itself is decomposed. */
const WELL_CONDITIONED = 1e-8;

/** Allocates its workspace once; the functions allocate nothing. */
export function createRelaxedCost(instance: ForcingInstance, rank: number): RelaxedCost {
  const { subcarriers, streams, channel, active } = instance;
  const nr = instance.receiveAntennas;
  const nt = instance.transmitAntennas;
  const devices = active.length;
  const width = devices * nt;
  const channelSize = 2 * nr * width;
  const factorSize = 2 * nr * rank;
  const productSize = 2 * width * rank;
  const deviceSize = 2 * nt * rank;
  // Y_km = H_km^H G_m below each other, [M, K' Nt, q], and the multiples of -2 V^2 Y of one subcarrier
  const products = new Float64Array(subcarriers * productSize);
  const slopes = new Float64Array(productSize);
  // V of each Y: the level v, the number j of modes below it, their values and vectors (rows)
  const levels = new Float64Array(devices * subcarriers);
  const modeCounts = new Int32Array(devices * subcarriers);
  const modes = new Float64Array(devices * subcarriers * streams);
  const vectors = new Float64Array(2 * devices * subcarriers * streams * nt);
  const gram = new Float64Array(2 * nt * nt);
  const square = new Float64Array(2 * nt * nt);
  const eigenvalues = new Float64Array(nt);
  const eigenWork = kernel.createHermitianEigenWorkspace(nt);
  const thin = Math.min(nt, rank);
  const singular = new Float64Array(thin);
  const right = new Float64Array(2 * rank * thin);
  const svdWork = kernel.createJacobiSvdWorkspace(nt, rank);

  function evaluate(values: Float64Array, factor: Float64Array): number {
    values.fill(0);
    for (let m = 0; m < subcarriers; m++) {
      const y = m * productSize;
      const h = m * channelSize;
      const g = m * factorSize;
      kernel.multiplyConjugateLeft(products, y, channel, h, factor, g, width, nr, rank);
      for (let k = 0; k < devices; k++) {
        values[k]! += relaxedInverse(k * subcarriers + m, y + k * deviceSize);
      }
    }
    let largest = 0;
    for (let k = 0; k < devices; k++) {
      // NaN counts as not finite
      if (!(values[k]! < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
      largest = Math.max(largest, values[k]!);
    }
    return largest;
  }

  /** phi_S(Y Y^H) for the Y at offset y; keeps V under the index `at`. */
  function relaxedInverse(at: number, y: number): number {
    modeCounts[at] = 0;
    if (streams === 1) {
      levels[at] = 1 / kernel.squaredNorm(products, y, nt * rank);
      return levels[at]!;
    }
    gram.fill(0);
    kernel.addHermitianOuter(gram, 0, products, y, nt, rank, 1);
    // eigenvectors take the place of the matrix
    kernel.hermitianEigen(gram, 0, eigenvalues, 0, gram, 0, eigenWork);
    if (!(eigenvalues[nt - streams]! > WELL_CONDITIONED * eigenvalues[nt - 1]!)) decompose(y);
    let tail = 0;
    for (let i = 0; i <= nt - streams; i++) tail += Math.max(0, eigenvalues[i]!);
    let j = streams - 1;
    for (; j > 0 && (streams - j) * eigenvalues[nt - j]! < tail; j--) tail += eigenvalues[nt - j]!;
    const level = (streams - j) / tail;
    levels[at] = level;
    modeCounts[at] = j;
    let total = (streams - j) * level;
    for (let i = 0; i < j; i++) {
      const column = nt - 1 - i;
      const mode = 1 / eigenvalues[column]!;
      modes[at * streams + i] = mode;
      total += mode;
      const to = 2 * (at * streams + i) * nt;
      for (let row = 0; row < nt; row++) {
        vectors[to + 2 * row] = gram[2 * (row * nt + column)]!;
        vectors[to + 2 * row + 1] = gram[2 * (row * nt + column) + 1]!;
      }
    }
    return total;
  }

  /** Squared singular values of the Y at offset y, ascending, to `eigenvalues`, its left singular vectors to `gram`. */
  function decompose(y: number): void {
    kernel.jacobiSvd(products, y, square, 0, singular, 0, right, 0, svdWork);
    eigenvalues.fill(0);
    gram.fill(0);
    for (let i = 0; i < thin; i++) {
      const column = nt - 1 - i;
      eigenvalues[column] = singular[i]! * singular[i]!;
      for (let row = 0; row < nt; row++) {
        gram[2 * (row * nt + column)] = square[2 * (row * thin + i)]!;
        gram[2 * (row * nt + column) + 1] = square[2 * (row * thin + i) + 1]!;
      }
    }
  }

  function gradient(out: Float64Array, weights: Float64Array): void {
    for (let m = 0; m < subcarriers; m++) {
      for (let k = 0; k < devices; k++) {
        const at = k * subcarriers + m;
        const level = levels[at]!;
        const factor = -2 * weights[k]!;
        const y = m * productSize + k * deviceSize;
        if (modeCounts[at] === 0) {
          kernel.scale(slopes, k * deviceSize, products, y, nt * rank, factor * level * level);
          continue;
        }
        // -2 V^2 = -2 (v^2 I - sum_i (v^2 - v_i^2) u_i u_i^H)
        square.fill(0);
        for (let i = 0; i < nt; i++) square[2 * i * (nt + 1)] = factor * level * level;
        for (let i = 0; i < modeCounts[at]!; i++) {
          const mode = modes[at * streams + i]!;
          const fall = (level - mode) * (level + mode);
          kernel.addHermitianOuter(square, 0, vectors, 2 * (at * streams + i) * nt, nt, 1, -factor * fall);
        }
        kernel.multiply(slopes, k * deviceSize, square, 0, products, y, nt, nt, rank);
      }
      kernel.multiply(out, m * factorSize, channel, m * channelSize, slopes, 0, nr, width, rank);
    }
  }

  function maximisers(outLevels: Float64Array, reductions: Float64Array): void {
    for (let k = 0; k < devices; k++) {
      for (let m = 0; m < subcarriers; m++) {
        const at = k * subcarriers + m;
        const to = active[k]! * subcarriers + m;
        outLevels[to] = levels[at]!;
        const c = 2 * to * nt * streams;
        reductions.fill(0, c, c + 2 * nt * streams);
        for (let i = 0; i < modeCounts[at]!; i++) {
          const length = Math.sqrt(Math.max(0, levels[at]! - modes[at * streams + i]!));
          const from = 2 * (at * streams + i) * nt;
          for (let row = 0; row < nt; row++) {
            reductions[c + 2 * (row * streams + i)] = length * vectors[from + 2 * row]!;
            reductions[c + 2 * (row * streams + i) + 1] = length * vectors[from + 2 * row + 1]!;
          }
        }
      }
    }
  }

  return { evaluate, gradient, maximisers };
}
