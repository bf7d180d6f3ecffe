import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  aggregateOverTheAir,
  channelFrom,
  designBeamformers,
  estimateChannel,
  evaluateDesign,
  type LinkOptions,
  overTheAirLink,
  rayleighChannel,
  requiredPrefix,
} from "../../src/aircomp/index.ts";
import { impulseResponses } from "../../src/aircomp/multipath.ts";
import { createOfdm, demodulate, modulate } from "../../src/aircomp/ofdm.ts";
import { randomStream } from "../../src/core/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";
import { normalGradients, squaredError, weightedMean } from "./link-support.ts";
import { randomDesign, randomStack, runs } from "./support.ts";

/** Sizes of a link whose channel has `taps` taps (some longer than M: they wrap around). */
const sizes = fc.record({
  devices: fc.integer({ min: 1, max: 4 }),
  subcarriers: fc.oneof(fc.integer({ min: 1, max: 13 }), fc.constantFrom(16, 24, 30, 64)),
  receiveAntennas: fc.integer({ min: 1, max: 5 }),
  transmitAntennas: fc.integer({ min: 1, max: 3 }),
  taps: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat(1e6),
});

describe("agreement of the levels", () => {
  test("any shape, any number of taps, any M, noise included, to 1e-10", () => {
    fc.assert(
      fc.property(sizes, fc.nat(200), (size, more) => {
        const channel = rayleighChannel({ ...size, delaySpread: 3 });
        const streams = Math.min(size.receiveAntennas, size.transmitAntennas, 1 + (size.seed % 3));
        const noiseVariance = 0.5;
        const weights = Array.from({ length: size.devices }, (_, k) => 1 + ((size.seed + k) % 3));
        const design = randomDesign({ channel, streams, power: weights, noiseVariance, weights }, size.seed);
        const list = normalGradients(1 + more * (1 + (size.seed % 4)), size.devices, size.seed);
        const link = { channel, design, noiseVariance, weights, gradients: list, seed: size.seed };
        const flat = aggregateOverTheAir(link);
        const time = aggregateOverTheAir({ ...link, level: "time" });
        const error = Math.sqrt(squaredError(time.estimate, flat.estimate));
        expect(error).toBeLessThanOrEqual(1e-10 * Math.sqrt(squaredError(flat.estimate)));
        const { waveform, ...rest } = time;
        expect(rest.symbols).toBe(flat.symbols);
        expect(rest.correlation).toEqual(flat.correlation);
        for (const name of ["design", "measured", "cap"] as const) {
          expect(Math.abs(time.distortion[name] / flat.distortion[name] - 1)).toBeLessThan(1e-10);
        }
        expect(waveform?.taps).toBe(Math.min(size.taps, size.subcarriers));
        expect(waveform?.prefix).toBe(requiredPrefix(channel));
        expect(waveform?.samples).toBe(flat.symbols * (size.subcarriers + waveform!.prefix));
      }),
      runs(100),
    );
  });

  test("a channel without structure needs M taps and a prefix of M - 1", () => {
    for (const subcarriers of [1, 2, 7, 16, 33]) {
      const channel = channelFrom(randomStack([2, subcarriers, 3, 2], subcarriers));
      const noiseVariance = 0.1;
      const design = randomDesign({ channel, streams: 2, power: [1, 1], noiseVariance, weights: [1, 1] }, 3);
      const gradients = normalGradients(100, 2, 5);
      const link = { channel, design, noiseVariance, gradients, seed: 6 };
      const flat = aggregateOverTheAir(link).estimate;
      const time = aggregateOverTheAir({ ...link, level: "time" });
      expect(time.waveform?.taps).toBe(subcarriers);
      expect(time.waveform?.prefix).toBe(subcarriers - 1);
      expect(Math.sqrt(squaredError(time.estimate, flat))).toBeLessThan(
        1e-10 * Math.sqrt(squaredError(flat)),
      );
    }
  });

  test("a longer prefix changes nothing, a shorter one brings the symbol before", () => {
    const { channel, design, noiseVariance, gradients } = small;
    const run = (prefix: number): Float64Array =>
      aggregateOverTheAir({ ...small, level: "time", waveform: { prefix } }).estimate;
    const flat = aggregateOverTheAir({ channel, design, noiseVariance, gradients, seed: 1 }).estimate;
    const scale = Math.sqrt(squaredError(flat));
    expect(requiredPrefix(channel)).toBe(2);
    for (const prefix of [2, 3, 6])
      expect(Math.sqrt(squaredError(run(prefix), flat))).toBeLessThan(1e-10 * scale);
    for (const prefix of [0, 1])
      expect(Math.sqrt(squaredError(run(prefix), flat))).toBeGreaterThan(1e-3 * scale);
  });
});

const small = (() => {
  const channel = rayleighChannel({
    devices: 3,
    subcarriers: 6,
    receiveAntennas: 4,
    transmitAntennas: 2,
    taps: 3,
    delaySpread: 3,
    seed: 3,
  });
  const noiseVariance = 0.1;
  const design = designBeamformers({ channel, streams: 2, noiseVariance, power: 6, effort: "fast" });
  return { channel, design, noiseVariance, gradients: normalGradients(100, 3, 1), seed: 1 };
})();

describe("zero forcing without noise", () => {
  test("is the exact weighted mean to 1e-10 at both levels", () => {
    fc.assert(
      fc.property(sizes, fc.nat(99), (size, more) => {
        const channel = rayleighChannel(size);
        const streams = Math.min(size.receiveAntennas, size.transmitAntennas, 2);
        const weights = Array.from({ length: size.devices }, (_, k) => 1 + k);
        const share = weights.map((w) => w / weights.reduce((a, b) => a + b, 0));
        const design = designBeamformers({
          channel,
          streams,
          weights,
          power: 1,
          noiseVariance: 1,
          scheme: "uniform-forcing",
          effort: "fast",
        });
        const gradients = normalGradients(1 + more, size.devices, size.seed);
        const truth = weightedMean(gradients, share);
        const link = { channel, design, weights, noiseVariance: 1e-30, gradients, seed: more };
        for (const level of ["subcarrier", "time"] as const) {
          const { estimate, packScale, distortion } = aggregateOverTheAir({ ...link, level });
          const error = Math.sqrt(squaredError(estimate, truth) / estimate.length);
          expect(error).toBeLessThanOrEqual(1e-10 * packScale);
          expect(distortion.realised).toBeLessThanOrEqual(1e-20);
        }
      }),
      runs(60),
    );
  });
});

describe("imperfect channel knowledge", () => {
  test("a design for an estimate is sent over the true channel: the error is that of the true channel", () => {
    const truth = small.channel;
    const estimate = estimateChannel(truth, { pilotSnrDb: 10, seed: 4 });
    const { noiseVariance, gradients } = small;
    const design = designBeamformers({
      channel: estimate,
      streams: 2,
      noiseVariance,
      power: 6,
      effort: "fast",
    });
    const known = evaluateDesign(truth, design, { noiseVariance }).distortion;
    for (const level of ["subcarrier", "time"] as const) {
      const link = overTheAirLink({ channel: truth, design, noiseVariance, level });
      const errors = Array.from({ length: 400 }, (_, seed) => link.aggregate(gradients, seed).distortion);
      const { measured } = errors[0]!;
      const realised = errors.map((e) => e.realised);
      const mean = realised.reduce((sum, e) => sum + e, 0) / 400;
      const deviation = Math.sqrt(realised.reduce((sum, e) => sum + (e - mean) ** 2, 0) / 399);
      expect(Math.abs(errors[0]!.design / known - 1)).toBeLessThan(1e-10);
      expect(Math.abs(mean - measured)).toBeLessThan((4 * deviation) / 20);
      // what the design expected of its estimate's errors is another number
      expect(Math.abs(design.distortion / known - 1)).toBeGreaterThan(1e-3);
    }
    const both = (["subcarrier", "time"] as const).map(
      (level) =>
        aggregateOverTheAir({ channel: truth, design, noiseVariance, gradients, seed: 3, level }).estimate,
    );
    expect(Math.sqrt(squaredError(both[0]!, both[1]))).toBeLessThan(
      1e-10 * Math.sqrt(squaredError(both[0]!)),
    );
  });
});

describe("what a round reports", () => {
  test("the realised distortion is the error of the round, at every level and for every design", () => {
    const { channel, noiseVariance, gradients } = small;
    const truth = weightedMean(gradients, [1 / 3, 1 / 3, 1 / 3]);
    const scheme = (name: "digital" | "ideal") =>
      designBeamformers({ channel, streams: 2, noiseVariance, power: 6, scheme: name });
    const plain = { channel, noiseVariance } as const;
    const links: LinkOptions[] = [
      { ...plain, design: small.design },
      { ...plain, design: small.design, level: "time" },
      { ...plain, design: scheme("digital") },
      { ...plain, design: scheme("ideal") },
      { ...plain, design: scheme("ideal"), level: "time", waveform: { prefix: 1 } },
    ];
    for (const link of links) {
      const { estimate, packScale, distortion, correlation } = aggregateOverTheAir({
        ...link,
        gradients,
        seed: 2,
      });
      const expected = squaredError(estimate, truth) / (100 * packScale ** 2);
      expect(Math.abs(distortion.realised - expected)).toBeLessThanOrEqual(1e-12 * (1 + expected));
      expect(correlation.length).toBe(3);
      expect(Object.keys(distortion).sort()).toEqual(["cap", "design", "measured", "realised"]);
    }
    const equal = gradients.map(() => new Float64Array(7).fill(0.3));
    expect(aggregateOverTheAir({ ...small, gradients: equal }).distortion.realised).toBe(0);
  });

  test("a prepared link gives bit for bit what a single aggregation gives", () => {
    const { channel, design, noiseVariance, gradients } = small;
    const waveform = {
      prefix: 3,
      maxTimingOffset: 2,
      phaseRms: 0.1,
      receiveConverter: { bits: 9, clippingDb: 10 },
    };
    const link = { channel, design, noiseVariance, level: "time", waveform } as const;
    const prepared = overTheAirLink(link);
    prepared.aggregate(normalGradients(31, 3, 8), 1);
    for (const seed of [1, 2]) {
      expect(prepared.aggregate(gradients, seed)).toEqual(aggregateOverTheAir({ ...link, gradients, seed }));
    }
  });

  test("peak to average: 0 dB for one subcarrier of constant power, at most M for M", () => {
    const channel = channelFrom({ shape: [1, 1, 1, 1], re: [1], im: [0] });
    const design = designBeamformers({ channel, streams: 1, noiseVariance: 1, power: 1 });
    const signs = randomStream(1, "signs");
    const gradients = [Float64Array.from({ length: 64 }, () => (signs.uniform() < 0.5 ? -1 : 1))];
    const link = { channel, design, noiseVariance: 1, level: "time", seed: 1 } as const;
    // packMean shifts the entries a little
    expect(aggregateOverTheAir({ ...link, gradients }).waveform?.peakToAverageDb).toBeLessThan(1.5);
    const wide = aggregateOverTheAir({ ...small, level: "time" }).waveform!;
    expect(wide.peakToAverageDb).toBeGreaterThan(3);
    const silent = [new Float64Array(4)];
    expect(aggregateOverTheAir({ ...link, gradients: silent }).waveform?.peakToAverageDb).toBe(0);
  });
});

describe("samples", () => {
  test("modulation is unitary and demodulation undoes it, whatever the prefix", () => {
    const size = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat(20), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(size, fc.nat(999), ([subcarriers, more, antennas], seed) => {
        const prefix = more % (subcarriers + 1);
        const ofdm = createOfdm(subcarriers, prefix);
        const carriers = randomStack([3, subcarriers, antennas], seed);
        const samples = new Float64Array(2 * 3 * ofdm.length * antennas);
        modulate(samples, carriers.data, ofdm, antennas, 3);
        const back = new Float64Array(carriers.data.length);
        demodulate(back, samples, ofdm, antennas, 3);
        expect(Math.sqrt(squaredError(back, carriers.data))).toBeLessThan(1e-13 * back.length);
        const width = 2 * antennas;
        for (let symbol = 0; symbol < 3; symbol++) {
          const first = symbol * ofdm.length * width;
          const window = samples.subarray(first + prefix * width, first + ofdm.length * width);
          const sent = carriers.data.subarray(
            symbol * subcarriers * width,
            (symbol + 1) * subcarriers * width,
          );
          expect(Math.abs(squaredError(window) / squaredError(sent) - 1)).toBeLessThan(1e-12);
          expect(samples.subarray(first, first + prefix * width)).toEqual(
            window.slice(window.length - prefix * width),
          );
        }
      }),
      runs(60),
    );
  });

  test("impulse responses: as many taps as were drawn, each device by itself, tiny devices too", () => {
    const taps = 5;
    const gains = [1, 1e-30, 1e-200, 0];
    const size = { devices: 4, subcarriers: 24, receiveAntennas: 2, transmitAntennas: 2 };
    const channel = rayleighChannel({ ...size, taps, delaySpread: 4, gains, seed: 5 });
    expect(impulseResponses(channel).map(({ count }) => count)).toEqual([taps, taps, taps, 1]);
    // a weak echo is no rounding error
    const echo = new ComplexStack([1, 24, 1, 1]);
    for (let m = 0; m < 24; m++) {
      const angle = (-2 * Math.PI * 20 * m) / 24;
      echo.at(0, m).data.set([1 + 1e-12 * Math.cos(angle), 1e-12 * Math.sin(angle)]);
    }
    expect(impulseResponses(channelFrom(echo))[0]!.count).toBe(21);
    const big = rayleighChannel({ ...size, devices: 1, subcarriers: 3000, taps: 7, delaySpread: 9, seed: 6 });
    expect(requiredPrefix(big)).toBe(6);
  });
});

describe("inputs", () => {
  const { channel, design, noiseVariance } = small;
  test.each<[string, object, RegExp]>([
    ["an unknown level", { level: "sample" }, /^level: found "sample"/],
    [
      "a waveform without samples",
      { level: "subcarrier", waveform: {} },
      /^waveform: found a waveform at level "sub/,
    ],
    ["no object", { waveform: 3 }, /^waveform: found 3/],
    ["an unknown option", { waveform: { cyclic: 3 } }, /^waveform.cyclic: found an unknown option/],
    [
      "a prefix longer than a symbol",
      { waveform: { prefix: 7 } },
      /^waveform.prefix: found 7, expected a whole/,
    ],
    [
      "half a sample",
      { waveform: { timingOffsets: [0, 0.5, 0] } },
      /^waveform.timingOffsets\[1\]: found 0.5/,
    ],
    ["too late", { waveform: { timingOffsets: [0, 7, 0] } }, /^waveform.timingOffsets\[1\]: found 7/],
    ["too few offsets", { waveform: { timingOffsets: [0] } }, /^waveform.timingOffsets: found an array of 1/],
    [
      "both given and drawn",
      { waveform: { timingOffsets: [0, 0, 0], maxTimingOffset: 1 } },
      /^waveform.maxTimingOffset: found a value next to timingOffsets/,
    ],
    [
      "phases twice",
      { waveform: { phaseOffsets: [0, 0, 0], phaseRms: 1 } },
      /^waveform.phaseRms: found a value next to phaseOffsets/,
    ],
    ["a negative spread", { waveform: { phaseRms: -1 } }, /^waveform.phaseRms: found -1/],
    [
      "a phase that is not",
      { waveform: { phaseOffsets: [0, Number.NaN, 0] } },
      /^waveform.phaseOffsets\[1\]/,
    ],
    [
      "a frequency",
      { waveform: { frequencyOffsets: [0, 0, 0.6] } },
      /^waveform.frequencyOffsets\[2\]: found 0.6/,
    ],
  ])("refuses %s", (_, change, message) => {
    const options = { channel, design, noiseVariance, level: "time", ...change } as LinkOptions;
    expect(() => overTheAirLink(options)).toThrow(message);
  });

  test("refuses samples of a digital design, which has none; the waveform of an ideal one changes nothing", () => {
    const options = { channel, streams: 2, noiseVariance, power: 6 } as const;
    const digital = designBeamformers({ ...options, scheme: "digital" });
    expect(() => overTheAirLink({ channel, design: digital, noiseVariance, level: "time" })).toThrow(
      /^level: found "time" for a digital design, expected an analog or ideal design/,
    );
    const ideal = designBeamformers({ ...options, scheme: "ideal" });
    const { gradients } = small;
    const link = { channel, design: ideal, noiseVariance, gradients, seed: 1 };
    expect(aggregateOverTheAir({ ...link, level: "time", waveform: { prefix: 0, phaseRms: 1 } })).toEqual(
      aggregateOverTheAir(link),
    );
    expect(() => aggregateOverTheAir({ ...link, level: "time", waveform: { prefix: -1 } })).toThrow(/prefix/);
  });
});
