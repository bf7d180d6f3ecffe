import type fc from "fast-check";
import { alternate } from "../../src/aircomp/alternating.ts";
import { bestAmplitude } from "../../src/aircomp/start.ts";
import { receiveSubspace } from "../../src/aircomp/subspaces.ts";
import { createBlockUpdates, type TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  eigHermitian,
  hermitianPart,
  identity,
  inverse,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  randomMatrix,
  scale,
  sqrtmHermitian,
} from "../../src/linalg/index.ts";
import { type BeamformingProblem, beamformingProblem, type ProblemShape } from "../../src/testing/index.ts";

export const small: ProblemShape = {
  devices: { min: 1, max: 5 },
  subcarriers: { min: 1, max: 3 },
  receiveAntennas: { min: 1, max: 4 },
  transmitAntennas: { min: 1, max: 3 },
  snrDb: { min: -30, max: 60 },
};
export const anySmall: fc.Arbitrary<BeamformingProblem> = beamformingProblem(small);
export const smoothSmall: fc.Arbitrary<BeamformingProblem> = beamformingProblem({
  ...small,
  kinds: ["rayleigh"],
  zeros: false,
  snrDb: { min: -10, max: 30 },
});
/** What rounding may do to the MSE of a design that attains the bound. */
export const ROUNDING: number = 1 + 1e-12;

/** Random transmit beamformers that spend a random part of every budget. */
export function randomTransmit(problem: TransceiverProblem, seed: number): Float64Array {
  const { devices, subcarriers, transmitAntennas: nt, streams } = problem;
  const stream = randomStream(seed, "transmit");
  const size = 2 * subcarriers * nt * streams;
  const out = new Float64Array(devices * size);
  stream.fillComplexNormal(out);
  for (let k = 0; k < devices; k++) {
    const own = out.subarray(k * size, (k + 1) * size);
    const norm = Math.sqrt(own.reduce((sum, x) => sum + x * x, 0));
    const part = stream.normal() > 0 ? 1 : Math.exp(-Math.abs(stream.normal()));
    for (let i = 0; i < size; i++) own[i]! *= (Math.sqrt(problem.power[k]!) * part) / norm;
  }
  return out;
}

/** The lowest MSE of some designs within the budgets. */
export function lowestMse(problem: TransceiverProblem, seed: number): number {
  const updates = createBlockUpdates(problem);
  const { subcarriers, receiveAntennas: nr, streams } = problem;
  const receive = new Float64Array(2 * subcarriers * nr * streams);
  let lowest = updates.receive(receive, randomTransmit(problem, seed));
  for (const name of ["mrc", "random"] as const) {
    const basis = receiveSubspace(name, problem, seed);
    const t = bestAmplitude(problem, basis);
    const stop = { maxIterations: 30, relativeDecrease: 1e-7 };
    lowest = Math.min(
      lowest,
      alternate(
        problem,
        basis.data.map((x) => t * x),
        stop,
      ).mse,
    );
  }
  return lowest;
}

export function channelAt(problem: TransceiverProblem, k: number, m: number): ComplexMatrix {
  const { receiveAntennas: rows, transmitAntennas: cols } = problem;
  const size = 2 * rows * cols;
  const at = (k * problem.subcarriers + m) * size;
  return { rows, cols, data: problem.channel.slice(at, at + size) };
}

/** min over p >= 0, sum p <= budget, of sum 1 / (1 + p l), by bisection for the water level; and the minimiser. */
export function waterFilling(l: readonly number[], budget: number): { value: number; powers: number[] } {
  let low = -400;
  let high = 400;
  const powersAt = (x: number): number[] =>
    l.map((li) => (li > 0 ? Math.max(0, Math.exp(x) / Math.sqrt(li) - 1 / li) : 0));
  const total = (powers: readonly number[]): number => powers.reduce((a, b) => a + b, 0);
  for (let i = 0; i < 200; i++) {
    const x = 0.5 * (low + high);
    if (total(powersAt(x)) > budget) high = x;
    else low = x;
  }
  const powers = powersAt(low);
  return { value: l.reduce((sum, li, i) => sum + 1 / (1 + powers[i]! * li), 0), powers };
}

/** D of a device alone in noise of full rank, and its best receive beamformers: model formulas, no code of the bound. */
export function alone(
  channels: readonly ComplexMatrix[],
  noise: readonly ComplexMatrix[],
  streams: number,
  budget: number,
): { value: number; receive: ComplexMatrix[] } {
  const inverses = noise.map((theta) => hermitianPart(inverse(theta)));
  const eigen = channels.map((h, m) =>
    eigHermitian(hermitianPart(multiplyConjugateLeft(h, multiply(inverses[m]!, h)))),
  );
  const leading = (values: ArrayLike<number>): number[] => Array.from(values).reverse().slice(0, streams);
  const gains = eigen.flatMap(({ values }) => leading(values).map((x) => Math.max(0, x)));
  const { value, powers } = waterFilling(gains, budget);
  const receive = eigen.map(({ vectors }, m) => {
    const columns = vectors.cols;
    const beams = { rows: vectors.rows, cols: streams, data: new Float64Array(2 * vectors.rows * streams) };
    for (let i = 0; i < streams; i++) {
      const l = gains[m * streams + i]!;
      const p = powers[m * streams + i]!;
      for (let row = 0; row < vectors.rows; row++) {
        for (const part of [0, 1]) {
          const entry = vectors.data[2 * (row * columns + columns - 1 - i) + part]!;
          beams.data[2 * (row * streams + i) + part] = (entry * Math.sqrt(p)) / (1 + p * l);
        }
      }
    }
    return multiply(inverses[m]!, multiply(channels[m]!, beams));
  });
  return { value, receive };
}

/** Random Theta_k > 0 with sum sigma2 I. */
export function randomSplitting(
  devices: number,
  n: number,
  noiseVariance: number,
  seed: number,
): ComplexMatrix[] {
  const stream = randomStream(seed, "splitting");
  const parts = Array.from({ length: devices }, () => {
    const g = randomMatrix(n, n, stream);
    return add(scale(multiplyConjugateRight(g, g), Math.exp(stream.normal())), scale(identity(n), 0.05));
  });
  const root = inverse(sqrtmHermitian(hermitianPart(parts.reduce(add))));
  return parts.map((part) => scale(hermitianPart(multiply(root, multiply(part, root))), noiseVariance));
}

export function splittingValue(
  problem: TransceiverProblem,
  thetas: readonly (readonly ComplexMatrix[])[],
): number {
  const { devices, subcarriers, streams, power, weights } = problem;
  let sum = 0;
  for (let k = 0; k < devices; k++) {
    const channels = Array.from({ length: subcarriers }, (_, m) => channelAt(problem, k, m));
    sum +=
      weights[k]! ** 2 *
      alone(
        channels,
        thetas.map((theta) => theta[k]!),
        streams,
        power[k]!,
      ).value;
  }
  return sum;
}
