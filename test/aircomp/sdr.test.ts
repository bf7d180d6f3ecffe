import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { designBeamformers, evaluateDesign, rayleighChannel } from "../../src/aircomp/index.ts";
import { relaxUniformForcing } from "../../src/aircomp/relaxation.ts";
import { runs } from "./support.ts";

const optionsOf = (seed: number, devices: number, streams: number, subcarriers = 1) => ({
  channel: rayleighChannel({
    devices,
    subcarriers,
    receiveAntennas: 6,
    transmitAntennas: streams,
    taps: Math.min(2, subcarriers),
    seed,
  }),
  streams,
  power: 10,
  noiseVariance: 1,
});

describe("semidefinite relaxation", () => {
  test("between the bound of the relaxation and what randomisation is proved to reach for one stream", () => {
    const ratios: number[] = [];
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 2, max: 20 }), (seed, devices) => {
        const options = optionsOf(seed, devices, 1);
        const { mse } = designBeamformers({ ...options, scheme: "sdr" });
        const { bound } = relaxUniformForcing(transceiverProblem(options))!;
        expect(mse).toBeGreaterThanOrEqual(bound);
        // Luo, Sidiropoulos, Tseng and Zhang, SIAM J. Optim. 18(1), 2007: 8 K, with high probability
        expect(mse).toBeLessThanOrEqual(8 * devices * bound);
        ratios.push(mse / bound);
      }),
      runs(40),
    );
    // and far better than proved
    ratios.sort((a, b) => a - b);
    expect(ratios[20]).toBeLessThan(3);
  });

  test("the bound holds for several streams and subcarriers", () => {
    for (const [streams, subcarriers] of [
      [2, 1],
      [3, 1],
      [1, 3],
      [2, 2],
    ] as const) {
      const options = optionsOf(4, 5, streams, subcarriers);
      const { mse, rows } = designBeamformers({ ...options, scheme: "sdr" });
      const { bound } = relaxUniformForcing(transceiverProblem(options))!;
      expect(mse).toBeGreaterThanOrEqual(bound);
      expect(mse).toBeLessThanOrEqual(rows[0]!.mse);
    }
  });

  test("no misalignment; the seed decides the draws", () => {
    const options = optionsOf(9, 6, 2, 2);
    const [a, b] = [1, 2].map((seed) =>
      designBeamformers({ ...options, scheme: "sdr", effort: "fast", seed }),
    );
    const { misalignment, noise } = evaluateDesign(options.channel, a!, { noiseVariance: 1 });
    expect(misalignment).toBeLessThanOrEqual(1e-24 * noise);
    expect(a!.rows[0]).toEqual(b!.rows[0]);
    expect(a!.mse).not.toBe(b!.mse);
    expect(a!.reason).toBe("all-draws");
  });

  test("a device that cannot be served is silent, and its misalignment counts", () => {
    const options = { ...optionsOf(3, 4, 2), power: [10, 0, 10, 10] };
    for (const scheme of ["sdr", "sca"] as const) {
      const design = designBeamformers({ ...options, scheme });
      expect([design.reason, design.converged]).toEqual(["infeasible", false]);
      expect(design.transmit.at(1, 0).data.every((x) => x === 0)).toBe(true);
      const { misalignment } = evaluateDesign(options.channel, design, { noiseVariance: 1 });
      expect(Math.abs(misalignment - 2 * 0.25 ** 2)).toBeLessThanOrEqual(1e-12);
      const silent = designBeamformers({ ...options, power: [0, 0, 0, 0], scheme });
      expect([silent.reason, silent.mse]).toEqual(["infeasible", 2 * 0.25]);
    }
  });
});
