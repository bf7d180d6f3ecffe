import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { designBeamformers, rayleighChannel } from "../../src/aircomp/index.ts";
import {
  createInverter,
  type Inverter,
  regularisedInversion,
  truncatedInversion,
} from "../../src/aircomp/schemes/channel-inversion.ts";
import { receiveSubspace } from "../../src/aircomp/subspaces.ts";
import {
  add,
  frobeniusNorm,
  identity,
  inverse,
  multiply,
  multiplyConjugateLeft,
  scale,
  subtract,
} from "../../src/linalg/index.ts";
import { runs, smoothProblem } from "./support.ts";

const inverterOf = (
  options: Parameters<typeof transceiverProblem>[0],
  name: "mrc" | "centroid",
): Inverter => {
  const problem = transceiverProblem(options);
  return createInverter(problem, receiveSubspace(name, problem, 1));
};

describe("channel inversion", () => {
  test("one device and one stream: both variants reach the optimum 1 / (1 + P s^2 / sigma2)", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.double({ min: -20, max: 40, noNaN: true }), (seed, snrDb) => {
        const channel = rayleighChannel({
          devices: 1,
          subcarriers: 1,
          receiveAntennas: 3,
          transmitAntennas: 2,
          taps: 1,
          seed,
        });
        const options = { channel, streams: 1, power: 10 ** (snrDb / 10), noiseVariance: 1 };
        const inverter = inverterOf(options, "mrc");
        const expected = 1 / (1 + inverter.gains[0]!);
        expect(Math.abs(truncatedInversion(inverter).mse / expected - 1)).toBeLessThanOrEqual(1e-11);
        expect(Math.abs(regularisedInversion(inverter).mse / expected - 1)).toBeLessThanOrEqual(1e-11);
      }),
      runs(30),
    );
  });

  test("the parameters are the best of a dense scan", () => {
    fc.assert(
      fc.property(smoothProblem, fc.constantFrom("mrc" as const, "centroid" as const), (problem, name) => {
        const inverter = inverterOf(problem, name);
        const regularised = regularisedInversion(inverter);
        const low = Math.log(inverter.gains.at(-1)! * 1e-8);
        const high = Math.log(inverter.gains[0]! * 1e4);
        for (let i = 0; i <= 300; i++) {
          const nu = Math.exp(low + ((high - low) * i) / 300);
          const found = inverter.cost((gain) => gain / (gain + nu));
          expect(regularised.mse).toBeLessThanOrEqual(found * (1 + 1e-6));
        }
        const truncated = truncatedInversion(inverter);
        if (inverter.gains.length > 48) return;
        for (const threshold of inverter.gains) {
          const found = inverter.cost((gain) => (gain >= threshold ? 1 : 0));
          expect(truncated.mse).toBeLessThanOrEqual(found * (1 + 1e-9));
        }
      }),
      runs(20),
    );
  });

  test("the design is the best of both variants in both subspaces, and says which", () => {
    const found = new Set<string>();
    fc.assert(
      fc.property(smoothProblem, (problem) => {
        const design = designBeamformers({ ...problem, scheme: "channel-inversion" });
        const all = (["mrc", "centroid"] as const).flatMap((name) => {
          const inverter = inverterOf(problem, name);
          return [regularisedInversion(inverter), truncatedInversion(inverter)];
        });
        const best = all.reduce((a, b) => (b.mse < a.mse ? b : a));
        expect(design.mse).toBe(best.mse);
        expect(design.rows).toEqual([{ iteration: 0, mse: best.mse, variant: best.variant }]);
        found.add(best.variant);
      }),
      runs(40),
    );
    expect(found.size).toBe(2);
  });

  test("transmit beamformers are one multiple of w G (G^H G + nu I)^{-1}, and one device is at its budget", () => {
    const channel = rayleighChannel({
      devices: 5,
      subcarriers: 2,
      receiveAntennas: 6,
      transmitAntennas: 3,
      taps: 2,
      seed: 3,
    });
    const options = { channel, streams: 2, power: 20, noiseVariance: 1 };
    const problem = transceiverProblem(options);
    const basis = receiveSubspace("mrc", problem, 1);
    const { transmit, parameter } = regularisedInversion(createInverter(problem, basis));
    const nu = (parameter * 0.2 ** 2) / 20;
    const ratios: number[] = [];
    const powers: number[] = [];
    for (let k = 0; k < 5; k++) {
      let power = 0;
      for (let m = 0; m < 2; m++) {
        const at = (k * 2 + m) * 12;
        const b = { rows: 3, cols: 2, data: transmit.slice(at, at + 12) };
        const g = multiplyConjugateLeft(channel.matrices.at(k, m), basis.at(m));
        const expected = multiply(g, inverse(add(multiplyConjugateLeft(g, g), scale(identity(2), nu))));
        const ratio = frobeniusNorm(b) / frobeniusNorm(expected);
        expect(frobeniusNorm(subtract(b, scale(expected, ratio)))).toBeLessThanOrEqual(
          1e-12 * frobeniusNorm(b),
        );
        ratios.push(ratio);
        power += frobeniusNorm(b) ** 2;
      }
      powers.push(power);
    }
    expect(Math.max(...ratios) / Math.min(...ratios) - 1).toBeLessThanOrEqual(1e-12);
    expect(Math.abs(Math.max(...powers) / 20 - 1)).toBeLessThanOrEqual(1e-12);
  });
});
