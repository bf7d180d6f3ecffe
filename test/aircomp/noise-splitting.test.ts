import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { evaluateDesign } from "../../src/aircomp/index.ts";
import { noiseSplittingBound, splittingProblem } from "../../src/aircomp/noise-splitting.ts";
import { anchoredMultiplier, waterFillingBound } from "../../src/aircomp/single-device.ts";
import {
  createEigenvalueBound,
  createSplittingCertificate,
} from "../../src/aircomp/splitting-certificate.ts";
import { createBlockUpdates, type TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import {
  ComplexStack,
  fromDiagonal,
  hermitianPart,
  multiply,
  multiplyConjugateRight,
  qr,
  randomMatrix,
  svd,
} from "../../src/linalg/index.ts";
import {
  anySmall,
  channelAt,
  lowestMse,
  ROUNDING,
  randomSplitting,
  randomTransmit,
  smoothSmall,
  splittingValue,
  waterFilling,
} from "./noise-splitting-support.ts";
import { handmade, random, randomCorrelation, runs } from "./support.ts";

describe("waterFillingBound", () => {
  it("is the minimum, and never above it", () => {
    const gain = fc.integer({ min: -60, max: 60 }).map((x) => 10 ** (x / 10));
    fc.assert(
      fc.property(fc.array(fc.oneof(gain, fc.constant(0)), { minLength: 1, maxLength: 8 }), (l) => {
        const bound = waterFillingBound(
          Float64Array.from(l, (x) => 1 / x),
          l.length,
        );
        const { value } = waterFilling(l, 1);
        expect(bound).toBeLessThanOrEqual(value * ROUNDING);
        expect(bound).toBeGreaterThanOrEqual(value * (1 - 1e-11));
      }),
      runs(2000),
    );
  });

  it("counts modes without noise as perfect and unheard ones as lost", () => {
    const inf = Number.POSITIVE_INFINITY;
    expect(waterFillingBound(new Float64Array([0, 0]), 2)).toBe(0);
    expect(waterFillingBound(new Float64Array([inf, inf]), 2)).toBeCloseTo(2, 13);
    expect(waterFillingBound(new Float64Array([inf, 0]), 2)).toBeCloseTo(1, 13);
  });
});

describe("anchoredMultiplier", () => {
  it("solves its equation", () => {
    const decibels = fc.integer({ min: -80, max: 80 }).map((x) => 10 ** (x / 10));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(decibels, fc.constant(0)), { maxLength: 6 }),
        decibels,
        decibels,
        fc.constantFrom(0.1, 0.2, 1),
        (t, gain, anchor, softness) => {
          const v = anchoredMultiplier(Float64Array.from(t), t.length, gain, anchor, softness);
          const power = t.reduce((sum, x) => sum + (gain * x) / (x + v) ** 2, 0);
          expect(v).toBeGreaterThan(0);
          expect(Math.abs(softness * Math.log(v / anchor) - power + 1)).toBeLessThan(1e-10 * (1 + power));
        },
      ),
      runs(1000),
    );
  });
});

describe("createEigenvalueBound", () => {
  it("is at least the largest eigenvalue, and hardly more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(9999), fc.boolean(), (n, seed, repeated) => {
        const u = qr(random(n, n, seed)).q;
        const stream = randomStream(seed, "values");
        const values = Array.from({ length: n }, (_, i) =>
          repeated ? i % 2 : Math.exp(9 * stream.normal()),
        );
        values[0] = Math.max(...values, 1);
        const matrix = hermitianPart(
          multiplyConjugateRight(multiply(u, fromDiagonal(Float64Array.from(values))), u),
        );
        const trace = values.reduce((a, b) => a + b, 0);
        const bound = createEigenvalueBound(n)(matrix.data, trace);
        expect(bound).toBeGreaterThanOrEqual(values[0]! * (1 - 1e-14));
        expect(bound).toBeLessThanOrEqual(values[0]! * (1 + 1e-10));
      }),
      runs(500),
    );
  });
});

describe("noiseSplittingBound is a lower bound", () => {
  it("on the MSE of alternating, baseline and random designs, at -30 to 60 dB", () => {
    fc.assert(
      fc.property(anySmall, fc.nat(9999), (drawn, seed) => {
        const problem = transceiverProblem(drawn);
        const bound = noiseSplittingBound(problem)!;
        expect(bound.value).toBeLessThanOrEqual(lowestMse(problem, seed) * ROUNDING);
        expect(bound.value).toBeGreaterThanOrEqual(bound.startValue);
        expect(bound.limit).toBeGreaterThanOrEqual(bound.value);
        // certified: hardly any splitting would prove more
        expect(bound.value).toBeGreaterThan(0.9 * bound.limit);
      }),
      runs(1200),
    );
  });

  it("whatever the splitting, and from factors that are not what they should be", () => {
    fc.assert(
      fc.property(anySmall, fc.nat(9999), fc.constantFrom(0, 1e-8, 1e-2), (drawn, seed, damage) => {
        const problem = transceiverProblem(drawn);
        const { splitting } = splittingProblem(problem);
        const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = splitting;
        const most = Math.min(nr, nt);
        const slots = devices * subcarriers;
        const stream = randomStream(seed, "factors");
        const bases = new Float64Array(2 * slots * most * nt);
        const vectors = new Float64Array(2 * slots * most * most);
        for (let m = 0; m < subcarriers; m++) {
          for (let k = 0; k < devices; k++) {
            const slot = m * devices + k;
            const { v } = svd(channelAt(problem, k, m));
            for (let i = 0; i < most; i++) {
              for (let j = 0; j < nt; j++) {
                bases[2 * ((slot * most + i) * nt + j)] = v.data[2 * (j * most + i)]!;
                bases[2 * ((slot * most + i) * nt + j) + 1] = -v.data[2 * (j * most + i) + 1]!;
              }
            }
            vectors.set(qr(randomMatrix(most, most, stream)).q.data, 2 * slot * most * most);
          }
        }
        for (let i = 0; i < bases.length; i++) bases[i]! += damage * stream.normal();
        for (let i = 0; i < vectors.length; i++) vectors[i]! += damage * stream.normal();
        const noise = Float64Array.from({ length: slots * most }, () => Math.exp(4 * stream.normal()));
        const ranks = new Int32Array(slots).fill(most);
        const certificate = createSplittingCertificate(splitting, { ranks, bases, vectors, noise });
        const value = certificate();
        expect(value).toBeLessThanOrEqual(lowestMse(problem, seed) * ROUNDING);
        expect(value).toBeGreaterThanOrEqual(0);
        for (const broken of [Number.POSITIVE_INFINITY, Number.NaN]) {
          noise[seed % noise.length] = broken;
          if (splitting.gains[Math.floor((seed % noise.length) / most) % devices]! > 0)
            expect(certificate()).toBeNaN();
        }
      }),
      runs(400),
    );
  });

  it("and so is the textbook form for random Theta, which never beats the limit", () => {
    fc.assert(
      fc.property(anySmall, fc.nat(9999), (drawn, seed) => {
        const problem = transceiverProblem(drawn);
        const { devices, subcarriers, receiveAntennas: nr, noiseVariance } = problem;
        const thetas = Array.from({ length: subcarriers }, (_, m) =>
          randomSplitting(devices, nr, noiseVariance, 3 * seed + m),
        );
        const value = splittingValue(problem, thetas);
        expect(value).toBeLessThanOrEqual(lowestMse(problem, seed) * (1 + 1e-9));
        expect(value).toBeLessThanOrEqual(
          noiseSplittingBound(problem, { effort: "fast" })!.limit * (1 + 1e-9),
        );
      }),
      runs(200),
    );
  });

  it("for correlated devices and estimation errors", () => {
    let positive = 0;
    fc.assert(
      fc.property(
        anySmall,
        fc.nat(9999),
        fc.constantFrom(0, 0.3, 0.9),
        fc.constantFrom(0, 0.05, 2),
        (drawn, seed, c, se2) => {
          const perfect = transceiverProblem(drawn);
          const { devices, subcarriers } = perfect;
          const correlation = Float64Array.from(
            randomCorrelation(devices, devices, seed).flatMap((row, k) =>
              row.map((x, j) => (seed % 2 === 0 ? (k === j ? 1 : c) : 0.7 * x + (k === j ? 0.3 : 0))),
            ),
          );
          const errorVariance = Float64Array.from({ length: devices }, (_, k) => se2 * (1 + (k % 3)));
          const problem: TransceiverProblem = { ...perfect, correlation, errorVariance };
          const bound = noiseSplittingBound(problem, { effort: "fast" });
          if (bound === undefined) return;
          positive++;
          const updates = createBlockUpdates(problem);
          const { receiveAntennas: nr, transmitAntennas: nt, streams } = problem;
          const receive = new Float64Array(2 * subcarriers * nr * streams);
          const transmit = randomTransmit(problem, seed);
          for (let i = 0; i < 4; i++) {
            const mse = updates.receive(receive, transmit);
            expect(bound.value).toBeLessThanOrEqual(mse * ROUNDING);
            updates.transmit(transmit, receive);
          }
          // the same figure from the public evaluation, with the model's term for the estimation errors
          const design = handmade(
            drawn,
            new ComplexStack([subcarriers, nr, streams], receive),
            new ComplexStack([devices, subcarriers, nt, streams], transmit),
          );
          const rows = Array.from({ length: devices }, (_, k) =>
            Array.from(correlation.subarray(k * devices, (k + 1) * devices)),
          );
          let mse = evaluateDesign(drawn.channel, design, {
            noiseVariance: drawn.noiseVariance,
            correlation: rows,
          }).mse;
          const square = (data: Float64Array): number => data.reduce((sum, x) => sum + x * x, 0);
          for (let k = 0; k < devices; k++) {
            for (let m = 0; m < subcarriers; m++) {
              const energy = square(design.receive.at(m).data) * square(design.transmit.at(k, m).data);
              mse += correlation[k * devices + k]! * errorVariance[k]! * energy;
            }
          }
          expect(bound.value).toBeLessThanOrEqual(mse * ROUNDING);
        },
      ),
      runs(300),
    );
    expect(positive).toBeGreaterThan(240);
  });

  it("that estimation errors raise", () => {
    fc.assert(
      fc.property(smoothSmall, (drawn) => {
        const problem = transceiverProblem(drawn);
        const errorVariance = new Float64Array(problem.devices).fill(0.2);
        const exact = noiseSplittingBound(problem, { effort: "thorough" })!;
        const poor = noiseSplittingBound({ ...problem, errorVariance }, { effort: "thorough" })!;
        expect(poor.limit).toBeGreaterThan(exact.value);
      }),
      runs(30),
    );
  });
});
