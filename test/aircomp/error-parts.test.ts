import fc from "fast-check";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import {
  designBeamformers,
  type ErrorParts,
  errorParts,
  evaluateDesign,
  expectedEvaluation,
  overTheAirLink,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import { randomStream } from "../../src/core/index.ts";
import { entry, multiply, multiplyConjugateLeft } from "../../src/linalg/index.ts";
import { anyProblem, randomDesign, runs, shares, smoothProblem } from "./support.ts";

/** Gradients of all devices: what they have in common plus scaled deviations whose weighted sum vanishes. */
function drawGradients(weights: readonly number[], entries: number, scale: number, seed: number) {
  const stream = randomStream(seed, "gradients");
  const common = Float64Array.from({ length: entries }, () => stream.normal());
  const raw = weights.map(() => Float64Array.from({ length: entries }, () => scale * stream.normal()));
  const gradients = raw.map((own) =>
    own.map((x, i) => common[i]! + x - raw.reduce((sum, other, j) => sum + weights[j]! * other[i]!, 0)),
  );
  const square = (values: Float64Array): number => values.reduce((sum, x) => sum + x * x, 0);
  const deviation = gradients.reduce(
    (sum, g, k) => sum + weights[k]! * square(g.map((x, i) => x - common[i]!)),
    0,
  );
  return { gradients, common: square(common), deviation };
}

/** What the misalignment costs at most: (gain - 1) g + sum_k d_k h_k, which stays, and the noise of mean zero. */
function alignedBound(parts: ErrorParts, common: number, deviation: number): number {
  const kept = Math.abs(parts.gain - 1) * Math.sqrt(common) + Math.sqrt(parts.bias * deviation);
  return kept ** 2 + (Math.sqrt(parts.common * common) + Math.sqrt(parts.deviation * deviation)) ** 2;
}

describe("errorParts", () => {
  test("their bound holds for any gradients and any design, and the noise is that of the evaluation", () => {
    fc.assert(
      fc.property(
        anyProblem,
        fc.integer({ min: 1, max: 1e6 }),
        fc.constantFrom(0, 0.01, 0.3, 3),
        (problem, seed, scale) => {
          const { channel, noiseVariance } = problem;
          const weights = shares(problem.weights);
          const design = randomDesign(problem, seed);
          const { gradients, common, deviation } = drawGradients(weights, 6, scale, seed);
          const correlation = gradients.map((a) =>
            gradients.map((b) => a.reduce((s, x, i) => s + x * b[i]!, 0)),
          );
          const evaluation = evaluateDesign(channel, design, { noiseVariance, weights, correlation });
          const parts = errorParts(channel, design, { noiseVariance, weights });
          const perUse = problem.streams * channel.subcarriers;
          if (weights.includes(0) && parts.deviation === Number.POSITIVE_INFINITY) return;
          const bound = alignedBound(parts, common, deviation);
          expect(evaluation.misalignment / perUse).toBeLessThanOrEqual(bound * (1 + 1e-10) + 1e-300);
          expect(parts.noise).toBeCloseTo(evaluation.noise / perUse, 10);
        },
      ),
      runs(150),
    );
  });

  test("both parts are attained: the largest eigenvalue, by ml-matrix in an orthonormal basis", () => {
    fc.assert(
      fc.property(smoothProblem, fc.integer({ min: 1, max: 1e6 }), (problem, seed) => {
        const { channel, noiseVariance } = problem;
        const weights = shares(problem.weights);
        const K = channel.devices;
        const design = randomDesign(problem, seed);
        const perUse = problem.streams * channel.subcarriers;
        const { gain, bias, common, deviation } = errorParts(channel, design, { noiseVariance, weights });
        const misalignment = (correlation: number[][]): number =>
          evaluateDesign(channel, design, { noiseVariance, weights, correlation }).misalignment / perUse;
        const ones = Array.from({ length: K }, () => new Array<number>(K).fill(1));
        expect(misalignment(ones)).toBeCloseTo(common + (gain - 1) ** 2, 8);
        // d_k, the mean diagonal of A^H H B - w I
        const shifts = weights.map((w, k) => {
          let trace = 0;
          for (let m = 0; m < channel.subcarriers; m++) {
            const seen = multiply(channel.matrices.at(k, m), design.transmit.at(k, m));
            const received = multiplyConjugateLeft(design.receive.at(m), seen);
            for (let s = 0; s < problem.streams; s++) trace += entry(received, s, s).re;
          }
          return trace / perUse - w;
        });
        expect(gain).toBeCloseTo(1 + shifts.reduce((a, b) => a + b, 0), 8);
        if (K < 2) {
          expect([deviation, bias]).toEqual([0, expect.closeTo(0, 12)]);
          return;
        }
        // the Gram matrix of the misalignments, entry by entry from evaluations (polarisation)
        const unit = (k: number, j: number): number[][] =>
          ones.map((row, a) =>
            row.map((_, b) => (a === k || a === j ? 1 : 0) * (b === k || b === j ? 1 : 0)),
          );
        const gram = Matrix.zeros(K, K);
        for (let k = 0; k < K; k++) gram.set(k, k, misalignment(unit(k, k)));
        for (let k = 0; k < K; k++) {
          for (let j = 0; j < k; j++) {
            const value = (misalignment(unit(k, j)) - gram.get(k, k) - gram.get(j, j)) / 2;
            gram.set(k, j, value);
            gram.set(j, k, value);
          }
        }
        // h = N c with the columns of N a basis of { sum w h = 0 }, orthonormal in the weights
        const basis = Matrix.zeros(K, K - 1);
        for (let c = 0; c < K - 1; c++) {
          const before = weights.slice(0, c + 1).reduce((a, b) => a + b, 0);
          for (let k = 0; k <= c; k++) basis.set(k, c, 1 / before);
          basis.set(c + 1, c, -1 / weights[c + 1]!);
          const length = Math.sqrt(1 / before + 1 / weights[c + 1]!);
          for (let k = 0; k <= c + 1; k++) basis.set(k, c, basis.get(k, c) / length);
        }
        const shift = Matrix.columnVector(shifts);
        const kept = basis.transpose().mmul(shift).norm("frobenius") ** 2;
        expect(Math.abs(bias - kept)).toBeLessThanOrEqual(1e-7 * Math.max(kept, gram.trace()));
        gram.sub(shift.mmul(shift.transpose()));
        const reduced = basis.transpose().mmul(gram).mmul(basis);
        const values = new EigenvalueDecomposition(reduced, { assumeSymmetric: true }).realEigenvalues;
        const largest = Math.max(...values);
        expect(Math.abs(deviation - largest)).toBeLessThanOrEqual(1e-7 * Math.max(largest, gram.trace()));
      }),
      runs(60),
    );
  });

  test("the error over the air stays below them: every round, padding included", () => {
    const channel = rayleighChannel({
      devices: 4,
      subcarriers: 2,
      receiveAntennas: 4,
      transmitAntennas: 2,
      taps: 2,
      seed: 2,
    });
    const weights = [0.4, 0.3, 0.2, 0.1];
    for (const power of [0.01, 1, 100]) {
      const design = designBeamformers({ channel, streams: 2, power, noiseVariance: 1, weights });
      const parts = errorParts(channel, design, { noiseVariance: 1 });
      const link = overTheAirLink({ channel, design, noiseVariance: 1 });
      for (let seed = 1; seed <= 20; seed++) {
        const entries = 5 + seed;
        const { gradients, common, deviation } = drawGradients(weights, entries, seed / 5, seed);
        const sum = link.aggregate(gradients, seed);
        const noise = parts.noise * entries * sum.packScale ** 2;
        const aligned = alignedBound(parts, common, deviation);
        expect(sum.expectedSquaredError).toBeLessThanOrEqual((aligned + noise) * (1 + 1e-12));
      }
    }
  });

  test("a design for other devices is named, not the weights that it brings", () => {
    const size = { subcarriers: 1, receiveAntennas: 4, transmitAntennas: 2, seed: 1 };
    const few = rayleighChannel({ ...size, devices: 3 });
    const many = rayleighChannel({ ...size, devices: 4 });
    const options = { noiseVariance: 1 };
    const design = designBeamformers({ channel: many, streams: 1, power: 1, ...options, effort: "fast" });
    const ideal = designBeamformers({ channel: many, streams: 1, power: 1, ...options, scheme: "ideal" });
    const fieldOf = (run: () => unknown, field: string): void =>
      expect(run).toThrow(expect.objectContaining({ name: "InputError", field }));
    fieldOf(() => errorParts(few, design, options), "design.transmit");
    fieldOf(() => errorParts(few, ideal, options), "design.weights");
    fieldOf(() => errorParts(many, design, { ...options, weights: [1, 1, 1] }), "weights");
  });

  test("shrinkage that all devices share is common; zero forcing leaves noise alone", () => {
    const channel = rayleighChannel({
      devices: 3,
      subcarriers: 1,
      receiveAntennas: 4,
      transmitAntennas: 2,
      taps: 1,
      seed: 1,
    });
    const design = designBeamformers({
      channel,
      streams: 2,
      power: 10,
      noiseVariance: 1,
      scheme: "uniform-forcing",
    });
    const forced = errorParts(channel, design, { noiseVariance: 1 });
    expect(forced.common).toBeLessThan(1e-20);
    expect(forced.deviation).toBeLessThan(1e-20);
    expect(forced.noise).toBeCloseTo(design.distortion, 12);
    if (design.kind !== "analog") throw new Error("expected an analog design");
    const silent = { ...design, transmit: scaledBy(design.transmit, 0.5) };
    const shrunk = errorParts(channel, silent, { noiseVariance: 1 });
    expect(shrunk.gain).toBeCloseTo(0.5, 12);
    // alike in all devices and entries: no noise and no bias; `common` is what rounding leaves of 0.25 - 0.5^2
    for (const part of [shrunk.bias, shrunk.common, shrunk.deviation]) expect(part).toBeLessThan(1e-15);
  });

  test("an estimate adds its error to the noise; ideal has no parts; digital and misfits are refused", () => {
    const options = { devices: 2, subcarriers: 1, receiveAntennas: 2, transmitAntennas: 1, taps: 1, seed: 1 };
    const channel = rayleighChannel(options);
    const problem = { channel, streams: 1, power: 1, noiseVariance: 1 };
    expect(
      errorParts(channel, designBeamformers({ ...problem, scheme: "ideal" }), { noiseVariance: 1 }),
    ).toEqual({ gain: 1, bias: 0, common: 0, deviation: 0, noise: 0 });
    const digital = designBeamformers({ ...problem, scheme: "digital" });
    expect(() => errorParts(channel, digital, { noiseVariance: 1 })).toThrow(
      /design: found a digital design/,
    );
    expect(() => errorParts(channel, undefined as never, { noiseVariance: 1 })).toThrow(/design/);
    const design = designBeamformers(problem);
    expect(() => errorParts(channel, design, { noiseVariance: -1 })).toThrow(/noiseVariance/);
    const other = rayleighChannel({ ...options, receiveAntennas: 3 });
    expect(() => errorParts(other, design, { noiseVariance: 1 })).toThrow(/design.receive/);
    expect(expectedEvaluation(channel, design, { noiseVariance: 1 }).noise).toBeCloseTo(
      errorParts(channel, design, { noiseVariance: 1 }).noise,
      14,
    );
  });
});

function scaledBy<T extends { readonly data: Float64Array; readonly shape: readonly number[] }>(
  stack: T,
  by: number,
): T {
  const copy = Object.create(Object.getPrototypeOf(stack)) as T;
  return Object.assign(copy, stack, { data: stack.data.map((x) => by * x) });
}
