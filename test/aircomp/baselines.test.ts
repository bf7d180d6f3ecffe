import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  channelFrom,
  designBeamformers,
  estimateChannel,
  expectedEvaluation,
  rayleighChannel,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";
import { monotonicityResidual, powerBudgetResidual } from "../../src/testing/index.ts";
import { randomCorrelation, runs, smoothProblem } from "./support.ts";

describe.each(["channel-inversion", "sdr", "sca", "digital"] as const)("%s", (scheme) => {
  test("correlated gradients and estimated channels: the MSE is the expected one, in every row", () => {
    fc.assert(
      fc.property(smoothProblem, fc.integer({ min: 1, max: 3 }), fc.nat(999), (problem, rank, seed) => {
        const channel = estimateChannel(problem.channel, { errorVariance: 0.05, seed });
        const correlation = randomCorrelation(channel.devices, rank, seed);
        const options = { ...problem, channel, correlation, scheme, effort: "fast" as const };
        const design = designBeamformers(options);
        const { mse } = expectedEvaluation(channel, design, {
          noiseVariance: problem.noiseVariance,
          correlation,
        });
        expect(Math.abs(design.mse - mse)).toBeLessThanOrEqual(1e-10 * mse);
        expect(design.rows.at(-1)!.mse).toBe(design.mse);
        expect(monotonicityResidual(design.rows)).toBeLessThanOrEqual(1e-12);
        expect(powerBudgetResidual(design, problem.power)).toBeLessThanOrEqual(1e-9);
      }),
      runs(25),
    );
  });
});

describe("baselines compared", () => {
  test("with more antennas than all streams together bits win at high SNR, with many devices they do not", () => {
    const ratio = (devices: number, seed: number): number => {
      const channel = rayleighChannel({
        devices,
        subcarriers: 1,
        receiveAntennas: 4,
        transmitAntennas: 4,
        taps: 1,
        seed,
      });
      const options = { channel, streams: 1, power: 1e4, noiseVariance: 1 };
      const analog = designBeamformers({ ...options, scheme: "sca" });
      return designBeamformers({ ...options, scheme: "digital" }).mse / analog.mse;
    };
    for (let seed = 1; seed <= 5; seed++) {
      expect(ratio(1, seed)).toBeLessThan(1e-3);
      expect(ratio(2, seed)).toBeLessThan(1);
      expect(ratio(8, seed)).toBeGreaterThan(10);
    }
  });
});

test("zero-forcing schemes agree on who can be aligned: a faint subcarrier is served, one without rank is not", () => {
  const size = { devices: 3, subcarriers: 2, receiveAntennas: 4, transmitAntennas: 2 };
  const { matrices } = rayleighChannel({ ...size, seed: 5 });
  const withSecondSubcarrier = (factor: number): TrueChannel => {
    const data = matrices.data.slice();
    const block = 2 * 4 * 2;
    for (let i = block; i < 2 * block; i++) data[i]! *= factor;
    return channelFrom(new ComplexStack(matrices.shape, data));
  };
  for (const scheme of ["uniform-forcing", "sca", "sdr"] as const) {
    const common = { streams: 2, power: 1e4, noiseVariance: 1, scheme, effort: "fast" } as const;
    const faint = designBeamformers({ ...common, channel: withSecondSubcarrier(1e-15) });
    const dead = designBeamformers({ ...common, channel: withSecondSubcarrier(0) });
    expect([scheme, faint.reason === "infeasible", dead.reason]).toEqual([scheme, false, "infeasible"]);
  }
});
