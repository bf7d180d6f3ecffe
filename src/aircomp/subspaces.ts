import { type RandomStream, randomStream } from "../core/index.ts";
import {
  ComplexStack,
  eigHermitian,
  hermitianPart,
  multiply,
  multiplyConjugateLeft,
  qr,
  randomMatrix,
  svd,
} from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import type { TransceiverProblem } from "./updates.ts";

/**
 * Receive subspaces F_m (N_r x S, orthonormal) that need no optimisation: they are the baselines
 * `centroid`, `mrc` and `random`, and the informed starts of the iterative schemes.
 */
export type Subspace = "centroid" | "mrc" | "random";

/** F of shape [M, Nr, S] for the named subspace. */
export function receiveSubspace(name: Subspace, problem: TransceiverProblem, seed: number): ComplexStack {
  const { subcarriers, receiveAntennas: nr, streams } = problem;
  const basis = new ComplexStack([subcarriers, nr, streams]);
  const stream = randomStream(seed, "random-subspace");
  for (let m = 0; m < subcarriers; m++) {
    basis.at(m).data.set(oneSubcarrier(name, problem, m, stream));
  }
  return basis;
}

function oneSubcarrier(
  name: Subspace,
  problem: TransceiverProblem,
  m: number,
  stream: RandomStream,
): Float64Array {
  const { receiveAntennas: nr, streams } = problem;
  if (name === "random") return qr(randomMatrix(nr, streams, stream)).q.data;
  const energy = channelEnergy(problem, m);
  return dominantEigenvectors(name === "mrc" ? energy : centroid(problem, m), energy, nr, streams);
}

/** sum_k w_k P_k H_km H_km^H: the energy of the devices at the array, whose dominant eigenvectors MRC takes. */
function channelEnergy(problem: TransceiverProblem, m: number): Float64Array {
  const { devices, receiveAntennas: nr, transmitAntennas: nt, channel, weights, power } = problem;
  const energy = new Float64Array(2 * nr * nr);
  for (let k = 0; k < devices; k++) {
    const h = (k * problem.subcarriers + m) * 2 * nr * nt;
    kernel.addHermitianOuter(energy, 0, channel, h, nr, nt, weights[k]! * power[k]!);
  }
  return energy;
}

/**
 * The weighted-subspace centroid (Zhu and Huang, IEEE Internet Things J. 6(4), 2019): sum_k c_k U_k U_k^H with U_k
 * the left singular vectors of H_km and c_k the square of its smallest singular value. Devices with at least as many
 * antennas as the server see all of its space; of them the S dominant directions count.
 */
function centroid(problem: TransceiverProblem, m: number): Float64Array {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams } = problem;
  const { channel, weights } = problem;
  const kept = nt < nr ? nt : streams;
  const sum = new Float64Array(2 * nr * nr);
  for (let k = 0; k < devices; k++) {
    if (weights[k] === 0) continue;
    const h = (k * subcarriers + m) * 2 * nr * nt;
    const { u, s } = svd({ rows: nr, cols: nt, data: channel.slice(h, h + 2 * nr * nt) });
    const leading = new Float64Array(2 * nr * kept);
    for (let row = 0; row < nr; row++) {
      const from = 2 * row * u.cols;
      leading.set(u.data.subarray(from, from + 2 * kept), 2 * row * kept);
    }
    kernel.addHermitianOuter(sum, 0, leading, 0, nr, kept, s[kept - 1]! ** 2);
  }
  return sum;
}

/**
 * The `count` dominant eigenvectors. Where the last of them shares its eigenvalue with others (one device alone has a
 * centroid with N_t equal ones), those with the most energy are taken, so that the choice does not depend on rounding.
 */
function dominantEigenvectors(
  hermitian: Float64Array,
  energy: Float64Array,
  n: number,
  count: number,
): Float64Array {
  const { values, vectors } = eigHermitian({ rows: n, cols: n, data: hermitian });
  const descending = Array.from({ length: n }, (_, i) => n - 1 - i);
  const last = values[descending[count - 1]!]!;
  const tolerance = 1e-9 * Math.max(0, values[n - 1]!);
  const above = descending.filter((i) => values[i]! > last + tolerance);
  const tied = descending.filter((i) => Math.abs(values[i]! - last) <= tolerance);
  const leading = new Float64Array(2 * n * count);
  copyColumns(leading, count, 0, vectors.data, n, above);
  const wanted = count - above.length;
  if (tied.length === wanted) {
    copyColumns(leading, count, above.length, vectors.data, n, tied);
    return leading;
  }
  const group = new Float64Array(2 * n * tied.length);
  copyColumns(group, tied.length, 0, vectors.data, n, tied);
  const basis = { rows: n, cols: tied.length, data: group };
  const inside = multiplyConjugateLeft(basis, multiply({ rows: n, cols: n, data: energy }, basis));
  const rotated = multiply(basis, eigHermitian(hermitianPart(inside)).vectors);
  const strongest = Array.from({ length: wanted }, (_, i) => tied.length - 1 - i);
  copyColumns(leading, count, above.length, rotated.data, tied.length, strongest);
  return leading;
}

/** Copies columns of a matrix with `fromWidth` columns behind each other into one with `width`, from column `at`. */
function copyColumns(
  out: Float64Array,
  width: number,
  at: number,
  from: Float64Array,
  fromWidth: number,
  columns: readonly number[],
): void {
  if (columns.length === 0) return;
  const rows = from.length / (2 * fromWidth);
  columns.forEach((column, j) => {
    for (let row = 0; row < rows; row++) {
      const source = 2 * (row * fromWidth + column);
      const target = 2 * (row * width + at + j);
      out[target] = from[source]!;
      out[target + 1] = from[source + 1]!;
    }
  });
}

/** The same problem behind fixed receive subspaces: channel F_m^H H_km; the noise stays white. */
export function projectProblem(problem: TransceiverProblem, basis: ComplexStack): TransceiverProblem {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams } = problem;
  const channel = new Float64Array(2 * devices * subcarriers * streams * nt);
  for (let k = 0; k < devices; k++) {
    for (let m = 0; m < subcarriers; m++) {
      const index = k * subcarriers + m;
      kernel.multiplyConjugateLeft(
        channel,
        index * 2 * streams * nt,
        basis.data,
        m * 2 * nr * streams,
        problem.channel,
        index * 2 * nr * nt,
        streams,
        nr,
        nt,
      );
    }
  }
  return { ...problem, receiveAntennas: streams, channel };
}

/** A_m = F_m T_m: the receive beamformers of a projected problem, back at the antennas. */
export function liftReceive(basis: ComplexStack, inner: Float64Array): ComplexStack {
  const [subcarriers, nr, streams] = basis.shape as [number, number, number];
  const lifted = new ComplexStack([subcarriers, nr, streams]);
  for (let m = 0; m < subcarriers; m++) {
    kernel.multiply(
      lifted.data,
      m * 2 * nr * streams,
      basis.data,
      m * 2 * nr * streams,
      inner,
      m * 2 * streams * streams,
      nr,
      streams,
      streams,
    );
  }
  return lifted;
}
