import { type RandomStream, randomStream } from "../core/index.ts";
import { ComplexStack, eigHermitian, qr, randomMatrix, svd } from "../linalg/index.ts";
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
  return dominantEigenvectors(name === "mrc" ? channelEnergy(problem, m) : centroid(problem, m), nr, streams);
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
 * The weighted-subspace centroid (Zhu and Huang, IEEE Internet Things J. 6(4), 2019): sum_k c_k U_k U_k^H with
 * U_k the S dominant left singular vectors of H_km and c_k = s_S(H_km)^2, the weakest of their gains.
 */
function centroid(problem: TransceiverProblem, m: number): Float64Array {
  const {
    devices,
    subcarriers,
    receiveAntennas: nr,
    transmitAntennas: nt,
    streams,
    channel,
    weights,
  } = problem;
  const sum = new Float64Array(2 * nr * nr);
  for (let k = 0; k < devices; k++) {
    if (weights[k] === 0) continue;
    const h = (k * subcarriers + m) * 2 * nr * nt;
    const { u, s } = svd({ rows: nr, cols: nt, data: channel.slice(h, h + 2 * nr * nt) });
    const leading = new Float64Array(2 * nr * streams);
    for (let row = 0; row < nr; row++) {
      const from = 2 * row * u.cols;
      leading.set(u.data.subarray(from, from + 2 * streams), 2 * row * streams);
    }
    kernel.addHermitianOuter(sum, 0, leading, 0, nr, streams, s[streams - 1]! ** 2);
  }
  return sum;
}

function dominantEigenvectors(hermitian: Float64Array, n: number, count: number): Float64Array {
  const { vectors } = eigHermitian({ rows: n, cols: n, data: hermitian });
  const leading = new Float64Array(2 * n * count);
  for (let row = 0; row < n; row++) {
    for (let col = 0; col < count; col++) {
      const from = 2 * (row * n + (n - 1 - col));
      leading[2 * (row * count + col)] = vectors.data[from]!;
      leading[2 * (row * count + col) + 1] = vectors.data[from + 1]!;
    }
  }
  return leading;
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
