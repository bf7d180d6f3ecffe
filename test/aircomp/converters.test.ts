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
    // more bits, but steps as wide as the input and wider
    [9, 40],
    [9, 50],
    [9, 60],
    [12, 60],
    [12, 80],
    [16, 100],
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

  test("gain and noise do not jump where sums take over from integrals, and stay finite", () => {
    const step = fc.double({ min: 0.4, max: 0.6, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 9, max: 24 }), step, (bits, d) => {
        const { gain, noise } = converterGain(bits, d * 2 ** (bits - 1));
        // a fine quantiser without clipping: the terms of the Fourier series of its error are below 1e-15
        expect(Math.abs(gain - 1)).toBeLessThan(1e-12);
        expect(Math.abs(noise / ((d * d) / 12) - 1)).toBeLessThan(1e-11);
      }),
      runs(200),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), fc.integer({ min: -100, max: 2200 }), (bits, db) => {
        const { gain, noise } = converterGain(bits, 10 ** (db / 20));
        expect(gain).toBeGreaterThan(0);
        expect(gain).toBeLessThan(Number.POSITIVE_INFINITY);
        expect(noise).toBeGreaterThanOrEqual(0);
        expect(noise).toBeLessThan(Number.POSITIVE_INFINITY);
      }),
      runs(200),
    );
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

  test.each<[string, WaveformOptions, number?]>([
    ["8-bit ADC", { receiveConverter: { bits: 8, clippingDb: 12 } }, 480],
    ["4-bit ADC", { receiveConverter: { bits: 4, clippingDb: 9 } }],
    ["5-bit DAC", { transmitConverter: { bits: 5, clippingDb: 10 } }],
    ["9-bit ADC with steps wider than the input", { receiveConverter: { bits: 9, clippingDb: 60 } }],
    ["9-bit DAC with steps wider than the input", { transmitConverter: { bits: 9, clippingDb: 60 } }],
    ["clipping DAC", { transmitConverter: { clippingDb: 3 } }],
    [
      "both, late and turned",
      {
        prefix: 8,
        timingOffsets: [1, 0, 0, 2],
        phaseOffsets: [0, 0.1, 0, 0],
        transmitConverter: { bits: 6, clippingDb: 11 },
        receiveConverter: { bits: 6, clippingDb: 11 },
      },
    ],
  ])("prediction for normal gradients: %s", (_, waveform, draws = 96) => {
    const prepared = overTheAirLink({ ...link, waveform });
    const ratios = Array.from({ length: draws }, (_x, seed) => {
      const { realised, measured } = prepared.aggregate(unitGradients(1280, seed), seed).distortion;
      return realised / measured;
    });
    const mean = ratios.reduce((sum, x) => sum + x, 0) / draws;
    const variance = ratios.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (draws - 1);
    expect(Math.abs(mean - 1)).toBeLessThan(0.02);
    // two standard errors
    expect(2 * Math.sqrt(variance / draws)).toBeLessThan(0.02);
  });

  test("a device with nothing to send radiates nothing, whatever its converters", () => {
    const converters = fc.record({
      bits: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Number.POSITIVE_INFINITY)),
      clippingDb: fc.integer({ min: 0, max: 20 }),
    });
    // sums of halves: packMean is 0 exactly
    const values = (i: number) => (i % 2 === 0 ? 1 : -1) * (1 + ((i >> 1) % 3) / 2);
    const silence = new Float64Array(384);
    const gone = { ...design, transmit: design.transmit.clone() };
    gone.transmit.data.fill(0, 0, gone.transmit.data.length / devices);
    fc.assert(
      fc.property(converters, fc.nat(999), (transmitConverter, seed) => {
        const list = Array.from({ length: devices }, (_, k) =>
          k === 0 ? silence : Float64Array.from({ length: 384 }, (_x, i) => values(i + 2 * k)),
        );
        const waveform = { transmitConverter };
        const found = aggregateOverTheAir({ ...link, gradients: list, seed, waveform });
        expect(found.correlation[0]![0]).toBe(0);
        const expected = aggregateOverTheAir({ ...link, design: gone, gradients: list, seed, waveform });
        expect(found.estimate).toEqual(expected.estimate);
        const { measured, cap, realised } = found.distortion;
        expect({ measured, cap, realised }).toEqual({
          measured: expected.distortion.measured,
          cap: expected.distortion.cap,
          realised: expected.distortion.realised,
        });
      }),
      runs(30),
    );
  });
});
