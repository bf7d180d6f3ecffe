import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AggregationOptions,
  aggregateOverTheAir,
  channelFrom,
  designBeamformers,
  evaluateDesign,
  overTheAirLink,
  rayleighChannel,
  type TrueChannel,
  type WaveformOptions,
} from "../../src/aircomp/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";
import { normalGradients, squaredError } from "./link-support.ts";
import { runs } from "./support.ts";

const devices = 3;
const subcarriers = 6;
const channel = rayleighChannel({
  devices,
  subcarriers,
  receiveAntennas: 4,
  transmitAntennas: 2,
  taps: 3,
  delaySpread: 2,
  seed: 3,
});
const noiseVariance = 0.02;
const design = designBeamformers({ channel, streams: 2, noiseVariance, power: 6, effort: "fast" });
const link = { channel, design, noiseVariance, level: "time" } as const;

/** H_km exp(i phase_k - 2 pi i m delay_k / M): the channel of devices within the prefix. */
function turned(h: TrueChannel, delays: readonly number[], phases: readonly number[]): TrueChannel {
  const matrices = new ComplexStack(h.matrices.shape);
  for (let k = 0; k < h.devices; k++) {
    for (let m = 0; m < h.subcarriers; m++) {
      const angle = (phases[k] ?? 0) - (2 * Math.PI * m * (delays[k] ?? 0)) / h.subcarriers;
      const [from, to] = [h.matrices.at(k, m).data, matrices.at(k, m).data];
      for (let i = 0; i < from.length; i += 2) {
        to[i] = Math.cos(angle) * from[i]! - Math.sin(angle) * from[i + 1]!;
        to[i + 1] = Math.sin(angle) * from[i]! + Math.cos(angle) * from[i + 1]!;
      }
    }
  }
  return channelFrom(matrices);
}

describe("errors within the prefix", () => {
  test("are a channel with other phases, to rounding, sample by sample and in the prediction", () => {
    const delays = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: devices, maxLength: devices });
    const phases = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), {
      minLength: devices,
      maxLength: devices,
    });
    fc.assert(
      fc.property(delays, phases, fc.nat(999), (timingOffsets, phaseOffsets, seed) => {
        const gradients = normalGradients(1 + (seed % 70), devices, seed);
        const waveform = { prefix: 5, timingOffsets, phaseOffsets };
        const found = aggregateOverTheAir({ ...link, gradients, seed, waveform });
        const effective = turned(channel, timingOffsets, phaseOffsets);
        const expected = aggregateOverTheAir({
          channel: effective,
          design,
          noiseVariance,
          gradients,
          seed,
        });
        const error = Math.sqrt(squaredError(found.estimate, expected.estimate));
        expect(error).toBeLessThanOrEqual(1e-10 * Math.sqrt(squaredError(expected.estimate)));
        for (const name of ["design", "measured", "cap", "realised"] as const) {
          expect(Math.abs(found.distortion[name] / expected.distortion[name] - 1)).toBeLessThan(1e-10);
        }
        const known = evaluateDesign(effective, design, { noiseVariance });
        expect(Math.abs(found.distortion.design / known.distortion - 1)).toBeLessThan(1e-10);
      }),
      runs(25),
    );
  });

  test("a phase costs more the larger it is; a delay turns all phases, and one sample costs as much as three", () => {
    const gradients = normalGradients(200, devices, 1);
    const cost = (waveform: WaveformOptions): number =>
      aggregateOverTheAir({ ...link, gradients, seed: 1, waveform: { prefix: 5, ...waveform } }).distortion
        .design;
    const phases = [0, 0.05, 0.1, 0.3, 1, 2, 3].map((phase) => cost({ phaseOffsets: [phase, 0, 0] }));
    for (let i = 1; i < phases.length; i++) expect(phases[i]!).toBeGreaterThan(phases[i - 1]!);
    // over all subcarriers the phases of a whole number of samples go around the circle
    const delays = [0, 1, 2, 3].map((delay) => cost({ timingOffsets: [delay, 0, 0] }));
    expect(delays[0]).toBe(phases[0]);
    for (let i = 1; i < 4; i++) {
      expect(delays[i]!).toBeGreaterThan(10 * delays[0]!);
      expect(Math.abs(delays[i]! / delays[1]! - 1)).toBeLessThan(0.05);
    }
  });
});

/** Realised errors over many seeds against what each of them was predicted to be. */
function compare(
  options: Omit<AggregationOptions, "seed">,
  draws: number,
): { readonly mean: number; readonly interval: number } {
  const prepared = overTheAirLink({
    channel: options.channel,
    design: options.design,
    noiseVariance: options.noiseVariance,
    level: "time",
    waveform: options.waveform!,
  });
  const ratios: number[] = [];
  for (let seed = 0; seed < draws; seed++) {
    const { realised, measured, cap } = prepared.aggregate(options.gradients, seed).distortion;
    expect(measured).toBeLessThanOrEqual(cap * (1 + 1e-12));
    ratios.push(realised / measured);
  }
  const mean = ratios.reduce((sum, x) => sum + x, 0) / draws;
  const variance = ratios.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (draws - 1);
  return { mean, interval: 4 * Math.sqrt(variance / draws) };
}

describe("the prediction is the mean of the error", () => {
  test("gradients that are alike, carriers that are far apart: what they disturb is alike too", () => {
    const few = rayleighChannel({
      devices: 2,
      subcarriers: 8,
      receiveAntennas: 2,
      transmitAntennas: 1,
      taps: 2,
      seed: 3,
    });
    const quiet = { channel: few, noiseVariance: 1e-3 };
    const single = designBeamformers({ ...quiet, streams: 1, power: 8, effort: "fast" });
    const [shared] = normalGradients(32, 1, 1);
    const gradients = [shared!, shared!];
    const waveform = { frequencyOffsets: [0.5, 0.2] };
    const { mean, interval } = compare({ ...quiet, design: single, gradients, waveform }, 800);
    expect(Math.abs(mean - 1)).toBeLessThan(interval);
    // the wrong sign of one imaginary part is 10 % off
    expect(interval).toBeLessThan(0.04);
  });

  const cases: [string, number, WaveformOptions, number?][] = [
    ["within the prefix", 60, { prefix: 5, timingOffsets: [3, 0, 1], phaseOffsets: [0.1, -0.4, 0.2] }],
    ["no prefix at all", 60, { prefix: 0 }, 1600],
    ["a prefix that is too short, two symbols", 40, { prefix: 1 }, 1600],
    ["a single symbol has no neighbour", 24, { prefix: 0, timingOffsets: [1, 0, 0] }, 1600],
    ["one late device beyond the prefix", 60, { prefix: 2, timingOffsets: [3, 0, 0] }],
    ["late by a whole symbol and more", 100, { prefix: 0, timingOffsets: [6, 6, 5] }],
    ["early devices", 60, { prefix: 3, timingOffsets: [-1, -6, 1] }],
    ["a carrier that is off", 60, { prefix: 2, frequencyOffsets: [0.05, 0, -0.1] }],
    ["a common frequency offset, many symbols", 240, { frequencyOffsets: [0.02, 0.02, 0.02] }],
    [
      "everything at once",
      60,
      {
        prefix: 1,
        timingOffsets: [2, -1, 0],
        phaseOffsets: [0.3, 0, 0.1],
        frequencyOffsets: [0.1, -0.2, 0.01],
      },
    ],
    ["drawn delays and phases", 60, { prefix: 4, maxTimingOffset: 3, phaseRms: 0.2 }],
  ];
  test.each(cases)("%s", (_, entries, waveform, draws = 600) => {
    const { mean, interval } = compare(
      { ...link, gradients: normalGradients(entries, devices, 5), waveform },
      draws,
    );
    expect(Math.abs(mean - 1)).toBeLessThan(interval);
    // four standard errors of 0.3 to 1 %
    expect(interval).toBeLessThan(0.04);
  });
});
