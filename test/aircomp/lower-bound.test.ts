import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  certifyDesign,
  designBeamformers,
  mseLowerBound,
  rayleighChannel,
  type Scheme,
} from "../../src/aircomp/index.ts";
import { InputError } from "../../src/core/index.ts";
import { beamformingProblem } from "../../src/testing/index.ts";
import { runs } from "./support.ts";

const channel = rayleighChannel({
  devices: 3,
  subcarriers: 2,
  receiveAntennas: 4,
  transmitAntennas: 2,
  seed: 1,
});
const problem = { channel, streams: 2, power: 10, noiseVariance: 1 };
const zeroForcing: readonly Scheme[] = ["uniform-forcing", "sca", "sdr"];
const others: readonly Scheme[] = [
  "manifold",
  "alternating",
  "centroid",
  "mrc",
  "random",
  "channel-inversion",
];

test("no design of any scheme is below its bound, on 400 problems of every kind", () => {
  const shape = beamformingProblem({ snrDb: { min: -30, max: 60 }, subcarriers: { max: 2 } });
  let proved = 0;
  fc.assert(
    fc.property(shape, (drawn) => {
      const every = mseLowerBound({ ...drawn, effort: "fast" });
      const aligned = mseLowerBound({ ...drawn, effort: "fast", zeroForcing: true });
      if (every !== undefined) proved++;
      for (const scheme of [...others, ...zeroForcing]) {
        const { mse, reason } = designBeamformers({ ...drawn, scheme, effort: "fast" });
        expect(every?.value ?? 0).toBeLessThanOrEqual(mse);
        if (zeroForcing.includes(scheme) && reason !== "infeasible") {
          expect(aligned?.value ?? 0).toBeLessThanOrEqual(mse);
        }
      }
    }),
    runs(400),
  );
  expect(proved).toBeGreaterThan(390);
});

describe("the bound of a design", () => {
  test("names its kind, and is left out where nobody asked or nothing is proved", () => {
    expect(designBeamformers(problem).lowerBound?.kind).toBe("noise-splitting");
    expect(designBeamformers({ ...problem, scheme: "mrc" }).lowerBound?.kind).toBe("noise-splitting");
    for (const scheme of zeroForcing) {
      const design = designBeamformers({ ...problem, scheme });
      expect(design).toHaveProperty("lowerBound.kind", "uniform-forcing-dual");
    }
    expect(designBeamformers({ ...problem, certificate: false })).not.toHaveProperty("lowerBound");
    expect(designBeamformers({ ...problem, effort: "fast" })).not.toHaveProperty("lowerBound");
    expect(designBeamformers({ ...problem, effort: "fast", certificate: true }).lowerBound).toBeDefined();
    expect(designBeamformers({ ...problem, correlation: 1 })).not.toHaveProperty("lowerBound");
    const dead = { ...problem, power: [10, 0, 10], scheme: "uniform-forcing" } as const;
    expect(designBeamformers(dead)).not.toHaveProperty("lowerBound");
    expect(() => designBeamformers({ ...problem, certificate: 1 as never })).toThrow(/^certificate: found/);
  });

  test("certifyDesign gives what the design would have had, and replaces an old one", () => {
    const whole = designBeamformers(problem);
    const bare = designBeamformers({ ...problem, certificate: false });
    expect(certifyDesign(bare, problem)).toEqual(whole);
    const coupled = designBeamformers({ ...problem, correlation: 1 });
    const stale = { ...coupled, lowerBound: { value: 7, kind: "noise-splitting" as const } };
    expect(certifyDesign(stale, { ...problem, correlation: 1 })).not.toHaveProperty("lowerBound");
    const ideal = designBeamformers({ ...problem, scheme: "ideal" });
    expect(certifyDesign(ideal, problem)).toBe(ideal);
  });

  const bare = designBeamformers({ ...problem, certificate: false });
  const wider = rayleighChannel({
    devices: 4,
    subcarriers: 2,
    receiveAntennas: 4,
    transmitAntennas: 2,
    seed: 1,
  });
  test.each([
    ["less power", bare, { power: 0.001 }],
    ["other weights", bare, { weights: [1, 0, 0] }],
    ["another channel", bare, { channel: wider }],
    ["other streams", bare, { streams: 1 }],
    ["another noise variance", bare, { noiseVariance: 2 }],
    ["no design", null, {}],
  ])("a design made for something else is refused: %s", (_, design, change) => {
    expect(() => certifyDesign(design as never, { ...problem, ...change })).toThrow(InputError);
  });
});
