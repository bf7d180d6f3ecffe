import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkConverter, convert, converterGain } from "../../src/aircomp/converters.ts";
import {
  aggregateOverTheAir,
  designBeamformers,
  overTheAirLink,
  rayleighChannel,
  type WaveformOptions,
} from "../../src/aircomp/index.ts";
import { randomStream } from "../../src/core/index.ts";
import { squaredError } from "./link-support.ts";
import { runs } from "./support.ts";

const devices = 4;
const channel = rayleighChannel({
  devices,
  subcarriers: 32,
  receiveAntennas: 4,
  transmitAntennas: 2,
  taps: 4,
  seed: 2,
});
const noiseVariance = 1e-4;
const design = designBeamformers({ channel, streams: 2, noiseVariance, power: 32, effort: "fast" });
const link = { channel, design, noiseVariance, level: "time" } as const;

/** Normal entries of unit variance, independent between devices; the last device has less power. */
function unitGradients(entries: number, seed: number): Float64Array[] {
  const stream = randomStream(seed, "gradients");
  return Array.from({ length: devices }, (_, k) =>
    Float64Array.from({ length: entries }, () => (k === devices - 1 ? 0.4 : 1) * stream.normal()),
  );
}

describe("a converter", () => {
  const converter = fc.record({
    bits: fc.oneof(fc.integer({ min: 1, max: 24 }), fc.constant(Number.POSITIVE_INFINITY)),
    clippingDb: fc.integer({ min: -10, max: 30 }),
  });

  test("rounds to levels half a step from zero and from each other, clips, and is silent without a reference", () => {
    fc.assert(
      fc.property(converter, fc.double({ min: -40, max: 40, noNaN: true }), (options, x) => {
        const checked = checkConverter(options, "converter");
        const top = 10 ** (options.clippingDb / 20);
        const samples = Float64Array.of(x, -x, x, x);
        convert(samples, 2, Float64Array.of(1, 0), checked);
        expect(Array.from(samples.subarray(2))).toEqual([0, 0]);
        const [y] = samples;
        if (options.bits === Number.POSITIVE_INFINITY) {
          expect(y).toBe(Math.min(top, Math.max(-top, x)));
          return;
        }
        const step = (2 * top) / 2 ** options.bits;
        const level = y! / step - 0.5;
        expect(Math.abs(level - Math.round(level))).toBeLessThan(1e-6);
        expect(Math.abs(y!)).toBeLessThanOrEqual((top - step / 2) * (1 + 1e-12));
        const clipped = Math.min(top, Math.max(-top, x));
        expect(Math.abs(y! - clipped)).toBeLessThanOrEqual((step / 2) * (1 + 1e-9));
      }),
      runs(300),
    );
  });

  // means over a fine grid of the normal density, by the midpoint rule
  test.each([
    [1, 0],
    [1, 6],
    [2, 3],
    [3, -5],
    [4, 8],
    [6, 12],
    [8, 10],
    [9, 10],
    [12, 6],
    [Number.POSITIVE_INFINITY, 2],
    [10, -8],
  ])("gain and noise for a normal input: %d bits, %d dB", (bits, clippingDb) => {
    const checked = checkConverter({ bits, clippingDb }, "converter");
    const count = 2_000_000;
    const samples = new Float64Array(2 * count);
    for (let i = 0; i < 2 * count; i++) samples[i] = ((i + 0.5) / count - 1) * 9;
    const inputs = samples.slice();
    convert(samples, 1, Float64Array.of(1), checked);
    let [gain, square] = [0, 0];
    for (let i = 0; i < 2 * count; i++) {
      const p = (Math.exp(-0.5 * inputs[i]! ** 2) / Math.sqrt(2 * Math.PI)) * (9 / count);
      gain += p * inputs[i]! * samples[i]!;
      square += p * samples[i]! ** 2;
    }
    const found = converterGain(bits, 10 ** (clippingDb / 20));
    expect(Math.abs(found.gain - gain)).toBeLessThan(2e-6);
    expect(Math.abs(found.noise - (square - gain * gain))).toBeLessThan(2e-6 + 2e-3 * found.noise);
  });

  test.each([
    [
      { bits: 0, clippingDb: 10 },
      /^waveform.transmitConverter.bits: found 0, expected a whole number from 1 to 24/,
    ],
    [{ bits: 25, clippingDb: 10 }, /^waveform.transmitConverter.bits/],
    [{ bits: 2.5, clippingDb: 10 }, /^waveform.transmitConverter.bits/],
    [{ bits: 3 }, /^waveform.transmitConverter.clippingDb: found undefined/],
    [{ bits: 3, clippingDb: Number.POSITIVE_INFINITY }, /^waveform.transmitConverter.clippingDb/],
    [
      { bits: 3, clippingDb: 10, dither: true },
      /^waveform.transmitConverter.dither: found an unknown option/,
    ],
    [8, /^waveform.transmitConverter: found 8/],
  ])("refuses %j", (transmitConverter, message) => {
    const waveform = { transmitConverter } as unknown as WaveformOptions;
    expect(() => overTheAirLink({ ...link, waveform })).toThrow(message);
  });
});

describe("a link with converters", () => {
  const gradients = unitGradients(2560, 3);

  test("many bits and no clipping: the ideal waveform up to the step", () => {
    const ideal = aggregateOverTheAir({ ...link, gradients, seed: 1 });
    const converter = { bits: 24, clippingDb: 24 };
    for (const waveform of [
      { transmitConverter: converter },
      { receiveConverter: converter },
      { transmitConverter: converter, receiveConverter: converter },
      { transmitConverter: { clippingDb: 60 }, receiveConverter: { clippingDb: 60 } },
    ]) {
      const found = aggregateOverTheAir({ ...link, gradients, seed: 1, waveform });
      const difference = Math.sqrt(squaredError(found.estimate, ideal.estimate));
      // step 2 rms 10^(24/20) / 2^24 = 1.9e-6 rms
      expect(difference).toBeLessThan(1e-5 * Math.sqrt(squaredError(ideal.estimate)));
      expect(Math.abs(found.distortion.measured / ideal.distortion.measured - 1)).toBeLessThan(1e-5);
    }
    const unclipped = aggregateOverTheAir({
      ...link,
      gradients,
      seed: 1,
      waveform: { transmitConverter: { clippingDb: 60 } },
    });
    expect(unclipped.estimate).toEqual(ideal.estimate);
  });

  test.each(["transmitConverter", "receiveConverter"] as const)(
    "%s: without clipping the error falls by 6 dB per bit",
    (name) => {
      const ideal = aggregateOverTheAir({ ...link, gradients, seed: 1 }).estimate;
      const errors = [6, 7, 8, 9, 10].map((bits) => {
        const waveform = { [name]: { bits, clippingDb: 15 } };
        return squaredError(aggregateOverTheAir({ ...link, gradients, seed: 1, waveform }).estimate, ideal);
      });
      for (let i = 1; i < errors.length; i++) {
        const fall = 10 * Math.log10(errors[i - 1]! / errors[i]!);
        expect(Math.abs(fall - 6.02)).toBeLessThan(0.5);
      }
    },
  );

  test.each<[string, WaveformOptions, number]>([
    ["8-bit ADC", { receiveConverter: { bits: 8, clippingDb: 12 } }, 0.03],
    ["4-bit ADC", { receiveConverter: { bits: 4, clippingDb: 9 } }, 0.04],
    ["5-bit DAC", { transmitConverter: { bits: 5, clippingDb: 10 } }, 0.04],
    ["clipping DAC", { transmitConverter: { clippingDb: 3 } }, 0.06],
    [
      "both, late and turned",
      {
        prefix: 8,
        timingOffsets: [1, 0, 0, 2],
        phaseOffsets: [0, 0.1, 0, 0],
        transmitConverter: { bits: 6, clippingDb: 11 },
        receiveConverter: { bits: 6, clippingDb: 11 },
      },
      0.04,
    ],
  ])("prediction for normal gradients: %s", (_, waveform, tolerance) => {
    const prepared = overTheAirLink({ ...link, waveform });
    let ratio = 0;
    const draws = 24;
    for (let seed = 0; seed < draws; seed++) {
      const { realised, measured } = prepared.aggregate(unitGradients(1280, seed), seed).distortion;
      ratio += realised / measured / draws;
    }
    expect(Math.abs(ratio - 1)).toBeLessThan(tolerance);
  });
});
