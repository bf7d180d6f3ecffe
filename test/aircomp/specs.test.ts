import { describe, expect, test } from "vitest";
import {
  type BeamformProblem,
  beamformOptions,
  type ChannelSpec,
  channelFromSpec,
  designBeamformers,
  powerFromSnr,
  rayleighChannel,
  ricianChannel,
} from "../../src/aircomp/index.ts";
import { toComplexJson } from "../../src/core/index.ts";

const size = { devices: 2, subcarriers: 3, receiveAntennas: 3, transmitAntennas: 2, seed: 4 } as const;

describe("channelFromSpec", () => {
  test("is the channel of the model that is named", () => {
    expect(channelFromSpec({ model: "rayleigh", ...size })).toEqual(rayleighChannel(size));
    expect(channelFromSpec({ model: "rician", kFactorDb: 3, ...size })).toEqual(
      ricianChannel({ ...size, kFactorDb: 3 }),
    );
    const { matrices } = rayleighChannel(size);
    const given = channelFromSpec({ model: "given", matrices: toComplexJson(matrices) });
    expect(given.matrices).toEqual(matrices);
  });

  test.each([
    [{ model: "given", file: "h.npy" }, /^channel.file: found "h.npy", expected matrices/],
    [{ model: "given" }, /^channel.matrices: found nothing, expected matrices or a file/],
    [{ model: "given", matrices: { shape: [1], re: [1], im: [0] } }, /^channel.matrices: found shape \[1\]/],
  ])("refuses %j", (spec, message) => {
    expect(() => channelFromSpec(spec as ChannelSpec)).toThrow(message);
  });
});

describe("powerFromSnr", () => {
  test("P_k = M sigma2 10^(snr/10)", () => {
    expect(Array.from(powerFromSnr(10, 2, 3, 0.5))).toEqual([15, 15]);
    expect(Array.from(powerFromSnr([0, 20], 2, 4, 1))).toEqual([4, 400]);
  });

  test("one value per device", () => {
    expect(() => powerFromSnr([0], 2, 4, 1)).toThrow(
      /^link.snrDb: found 1 values, expected one number, or 2/,
    );
  });
});

describe("beamformOptions", () => {
  const problem: BeamformProblem = {
    channel: { model: "rayleigh", ...size },
    link: { streams: 2, snrDb: [10, 0], noiseVariance: 2, weights: [1, 3] },
    solver: { scheme: "mrc", effort: "fast", seed: 9 },
  };

  test("states the same problem as the options themselves", () => {
    const direct = designBeamformers({
      channel: rayleighChannel(size),
      streams: 2,
      noiseVariance: 2,
      power: [60, 6],
      weights: [1, 3],
      scheme: "mrc",
      effort: "fast",
      seed: 9,
    });
    expect(designBeamformers(beamformOptions(problem))).toEqual(direct);
  });

  test("defaults: one stream, 10 dB, noise variance 1, equal weights", () => {
    const { channel, power, ...rest } = beamformOptions({ channel: problem.channel });
    expect(rest).toMatchObject({ streams: 1, noiseVariance: 1 });
    expect(Array.from(power as Float64Array)).toEqual([30, 30]);
    expect(channel).toEqual(rayleighChannel(size));
  });

  test.each([
    [{ ...problem, solver: { scheme: "magic" } }, /^solver.scheme/],
    [{ ...problem, link: { snr: 3 } }, /^link.snr: /],
    [{ ...problem, link: { streams: 0 } }, /^link.streams/],
    [{ ...problem, link: { noiseVariance: 0 } }, /^link.noiseVariance/],
    [{ ...problem, link: { energyPerRound: 1 } }, /^link.energyPerRound: found 1, expected null/],
    [{ ...problem, link: { latencyPerRound: 0.1 } }, /^link.latencyPerRound: found 0.1, expected null/],
    [{ ...problem, channel: { model: "rayleigh", ...size, devices: 0 } }, /^channel.devices/],
    [{ ...problem, channel: { model: "flat" } }, /^channel.model/],
    [{ ...problem, extra: 1 }, /^extra/],
    [{}, /^channel/],
  ])("refuses %j", (given, message) => {
    expect(() => beamformOptions(given as BeamformProblem)).toThrow(message);
  });
});
