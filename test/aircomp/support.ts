import fc from "fast-check";
import { Matrix } from "ml-matrix";
import {
  type AnalogDesign,
  type DeviceCorrelation,
  designBeamformers,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { randomStream } from "../../src/core/index.ts";
import { type ComplexMatrix, ComplexStack, randomMatrix, realEmbedding } from "../../src/linalg/index.ts";
import { type BeamformingProblem, beamformingProblem, type ProblemShape } from "../../src/testing/index.ts";

/** Fixed seed of the property tests in this folder. */
export function runs(numRuns: number, seed = 1): { seed: number; numRuns: number } {
  return { seed, numRuns };
}

/**
 * Problems of every size the library is for: 1 to 40 devices, 1 to 64 subcarriers, 1 to 32 antennas, every kind of
 * channel, unequal powers and weights; large in one direction at a time, so that a run stays in milliseconds.
 */
export const anyProblem: fc.Arbitrary<BeamformingProblem> = fc.oneof(
  ...(
    [
      {},
      { devices: { min: 1, max: 40 } },
      { subcarriers: { min: 1, max: 64 }, devices: { max: 3 } },
      { receiveAntennas: { min: 1, max: 32 }, subcarriers: { max: 2 } },
      { transmitAntennas: { min: 1, max: 32 }, devices: { max: 3 }, subcarriers: { max: 2 } },
      { devices: 1 },
      { streams: 1 },
      {
        transmitAntennas: 1,
        receiveAntennas: 1,
        devices: { min: 1, max: 20 },
        subcarriers: { min: 1, max: 16 },
      },
    ] satisfies ProblemShape[]
  ).map((shape) => beamformingProblem(shape)),
);

/** Smooth problems without zeros and degenerate channels, for what needs a unique answer. */
export const smoothProblem: fc.Arbitrary<BeamformingProblem> = beamformingProblem({
  kinds: ["rayleigh"],
  zeros: false,
  snrDb: { min: -10, max: 20 },
});

/** A stack of CN(0, 1) entries. */
export function randomStack(shape: readonly number[], seed: number): ComplexStack {
  const stack = new ComplexStack(shape);
  randomStream(seed, "stack").fillComplexNormal(stack.data);
  return stack;
}

export function random(rows: number, cols: number, seed: number): ComplexMatrix {
  return randomMatrix(rows, cols, randomStream(seed, "matrix"));
}

/** A design with the given beamformers; its other fields are those of some design of these shapes. */
export function handmade(
  problem: BeamformingProblem,
  receive: ComplexStack,
  transmit: ComplexStack,
): AnalogDesign {
  return { ...designBeamformers({ ...problem, effort: "fast" }), receive, transmit };
}

/** A design of random beamformers, which nothing has optimised. */
export function randomDesign(problem: BeamformingProblem, seed: number): AnalogDesign {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = problem.channel;
  const receive = randomStack([subcarriers, nr, problem.streams], 2 * seed);
  return handmade(problem, receive, randomStack([devices, subcarriers, nt, problem.streams], 2 * seed + 1));
}

/** Weights scaled to sum 1. */
export function shares(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w) => w / total);
}

/** R as a full matrix. */
export function fullCorrelation(correlation: DeviceCorrelation, devices: number): number[][] {
  if (typeof correlation !== "number") return correlation.map((row) => [...row]);
  return Array.from({ length: devices }, (_, k) =>
    Array.from({ length: devices }, (_, j) => (j === k ? 1 : correlation)),
  );
}

/** Symmetric PSD K x K matrix of rank at most `rank`, diagonal at most 1. */
export function randomCorrelation(devices: number, rank: number, seed: number): number[][] {
  const stream = randomStream(seed, "correlation");
  const factor = Array.from({ length: devices }, () => Array.from({ length: rank }, () => stream.normal()));
  const product = factor.map((a) => factor.map((b) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)));
  const largest = Math.max(...product.map((row, k) => row[k]!));
  return product.map((row) => row.map((x) => x / largest));
}

/**
 * The MSE formula on the 2n real embedding, with ml-matrix: no complex arithmetic of our own takes part.
 * Traces and squared norms appear twice there.
 */
export function embeddedMse(
  channel: TrueChannel,
  design: Pick<AnalogDesign, "receive" | "transmit">,
  noiseVariance: number,
  weights: readonly number[],
  correlation: DeviceCorrelation,
): number {
  const { devices, subcarriers } = channel;
  const streams = design.receive.cols;
  const r = fullCorrelation(correlation, devices);
  let total = 0;
  for (let m = 0; m < subcarriers; m++) {
    const receive = realEmbedding(design.receive.at(m));
    const errors = weights.map((w, k) =>
      receive
        .transpose()
        .mmul(realEmbedding(channel.matrices.at(k, m)))
        .mmul(realEmbedding(design.transmit.at(k, m)))
        .sub(Matrix.eye(2 * streams).mul(w)),
    );
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < devices; j++) {
        total += (r[k]![j]! * errors[k]!.mmul(errors[j]!.transpose()).trace()) / 2;
      }
    }
    total += (noiseVariance * receive.norm("frobenius") ** 2) / 2;
  }
  return total;
}

/** min over p >= 0, sum p <= power, of sum_i 1/(1 + p_i l_i): p = (v l^-1/2 - 1/l)_+, v by bisection. */
export function waterFilling(l: readonly number[], power: number): number {
  const powers = (v: number): number[] => l.map((x) => (x > 0 ? Math.max(0, v / Math.sqrt(x) - 1 / x) : 0));
  let low = 0;
  let high = 1;
  const total = (v: number): number => powers(v).reduce((sum, p) => sum + p, 0);
  while (total(high) < power) high *= 2;
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (total(middle) < power) low = middle;
    else high = middle;
  }
  return powers(low).reduce((sum, p, i) => sum + 1 / (1 + p * l[i]!), 0);
}
