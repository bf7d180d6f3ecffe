import { EigenvalueDecomposition, inverse, Matrix } from "ml-matrix";
import type { ForcingCertificate } from "../../src/aircomp/relaxation-bound.ts";
import { createRelaxedCost, forcingInstance } from "../../src/aircomp/relaxation-cost.ts";
import type { TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import { type ComplexMatrix, realEmbedding } from "../../src/linalg/index.ts";
import {
  anyOf,
  complexSphere,
  gradientNorm,
  lbfgs,
  maxIterations,
  minimize,
} from "../../src/manifold/index.ts";

export interface Sizes {
  readonly devices: number;
  readonly subcarriers?: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas: number;
  readonly streams: number;
}

/** CN(0, 1) channels; unit weights, powers and noise, or unequal ones. */
export function forcingProblem(sizes: Sizes, seed: number, equal = true): TransceiverProblem {
  const { devices, subcarriers = 1, receiveAntennas, transmitAntennas } = sizes;
  const stream = randomStream(seed, "forcing");
  const channel = new Float64Array(2 * devices * subcarriers * receiveAntennas * transmitAntennas);
  stream.fillComplexNormal(channel);
  const draw = (low: number, high: number): Float64Array =>
    Float64Array.from({ length: devices }, () => (equal ? 1 : low * (high / low) ** stream.uniform()));
  return {
    ...sizes,
    subcarriers,
    channel,
    weights: draw(0.1, 1),
    power: draw(0.1, 100),
    noiseVariance: equal ? 1 : 10 ** (3 * stream.uniform() - 2),
  };
}

/** `length / 2` independent CN(0, 1) entries. */
export function gaussian(length: number, seed: number): Float64Array {
  const out = new Float64Array(length);
  randomStream(seed, "gaussian").fillComplexNormal(out);
  return out;
}

/** The k-th channel matrix on subcarrier m as a real 2 Nr x 2 Nt matrix of ml-matrix. */
export function embeddedChannel(problem: TransceiverProblem, k: number, m: number): Matrix {
  const { receiveAntennas: rows, transmitAntennas: cols } = problem;
  const size = 2 * rows * cols;
  const at = (k * problem.subcarriers + m) * size;
  return realEmbedding({ rows, cols, data: problem.channel.slice(at, at + size) });
}

/** The matrix `index` of a stack of rows x cols matrices. */
export function embedded(stack: Float64Array, index: number, rows: number, cols: number): Matrix {
  const size = 2 * rows * cols;
  return realEmbedding({ rows, cols, data: stack.slice(index * size, (index + 1) * size) });
}

/** Eigenvalues of a Hermitian matrix from its embedding, ascending, each once. */
export function eigenvalues(matrix: Matrix): number[] {
  const symmetric = matrix.clone().add(matrix.transpose()).mul(0.5);
  const all = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true }).realEigenvalues;
  return all.sort((a, b) => a - b).filter((_, i) => i % 2 === 0);
}

/** sum_m MSE_m of A [M, Nr, S], scaled so that zero forcing just meets the budgets; ml-matrix does the algebra. */
export function forcedMse(problem: TransceiverProblem, receive: Float64Array): number {
  const { devices, subcarriers, receiveAntennas: nr, streams, weights, power } = problem;
  let worst = 0;
  for (let k = 0; k < devices; k++) {
    if (weights[k] === 0) continue;
    let sum = 0;
    for (let m = 0; m < subcarriers; m++) {
      const seen = embeddedChannel(problem, k, m)
        .transpose()
        .mmul(embedded(receive, m, nr, streams));
      sum += inverse(seen.transpose().mmul(seen)).trace() / 2;
    }
    worst = Math.max(worst, (weights[k]! ** 2 / power[k]!) * sum);
  }
  return problem.noiseVariance * worst * receive.reduce((sum, x) => sum + x * x, 0);
}

/** The value of a certificate as its formula says, without any margin: eigenvalues by ml-matrix. */
export function plainValue(problem: TransceiverProblem, certificate: ForcingCertificate): number {
  const {
    devices,
    subcarriers,
    receiveAntennas: nr,
    transmitAntennas: nt,
    streams,
    weights,
    power,
  } = problem;
  let sum = 0;
  for (let m = 0; m < subcarriers; m++) {
    const total = Matrix.zeros(2 * nr, 2 * nr);
    let gain = 0;
    for (let k = 0; k < devices; k++) {
      const at = k * subcarriers + m;
      const c = embedded(certificate.reductions, at, nt, streams);
      const v = Matrix.eye(2 * nt)
        .mul(certificate.levels[at]!)
        .sub(c.mmul(c.transpose()));
      const image = embeddedChannel(problem, k, m)
        .mmul(v)
        .mul(Math.sqrt(power[k]!) / weights[k]!);
      total.add(image.mmul(image.transpose()).mul(certificate.multipliers[k]!));
      const smallest = eigenvalues(v).slice(0, streams);
      gain += certificate.multipliers[k]! * smallest.reduce((a, b) => a + b, 0);
    }
    sum += Math.max(0, gain) / Math.sqrt(eigenvalues(total).at(-1)!);
  }
  return (problem.noiseVariance * sum ** 2) / certificate.multipliers.reduce((a, b) => a + b, 0);
}

/** A design of rank S, optimised locally from a random start: L-BFGS on ever sharper smoothings of the maximum. */
export function optimisedDesign(problem: TransceiverProblem, seed: number): Float64Array {
  const { subcarriers, receiveAntennas, streams } = problem;
  const instance = forcingInstance(problem)!;
  const size = subcarriers * receiveAntennas * streams;
  const cost = createRelaxedCost(instance, streams);
  const values = new Float64Array(instance.active.length);
  const gradient = { rows: size, cols: 1, data: new Float64Array(2 * size) };
  const manifold = complexSphere(size);
  let point: ComplexMatrix = { rows: size, cols: 1, data: new Float64Array(2 * size) };
  randomStream(seed, "design").fillComplexNormal(point.data);
  const norm = Math.hypot(...point.data);
  point.data.forEach((x, i) => {
    point.data[i] = x / norm;
  });
  for (const p of [10, 100, 1000]) {
    const costAndGradient = (x: ComplexMatrix): { cost: number; gradient: ComplexMatrix } => {
      const largest = cost.evaluate(values, x.data);
      const powers = values.map((g) => (g / largest) ** p);
      const sum = powers.reduce((a, b) => a + b, 0);
      cost.gradient(
        gradient.data,
        powers.map((g, k) => g / (sum * values[k]!)),
      );
      return { cost: Math.log(largest) + Math.log(sum) / p, gradient };
    };
    point = minimize(
      {
        manifold,
        cost: (x) => costAndGradient(x).cost,
        gradient: (x) => costAndGradient(x).gradient,
        costAndGradient,
      },
      point,
      { solver: lbfgs(), stop: anyOf(gradientNorm(1e-4), maxIterations(100)), record: false },
    ).point;
  }
  return point.data;
}
