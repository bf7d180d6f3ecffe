import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  aggregateOverTheAir,
  decode,
  deviceBeamformers,
  encode,
  gradientStatistics,
  measuredCorrelation,
  planRound,
  type RoundPlan,
  rayleighChannel,
  requiredPrefix,
  superposeSignals,
} from "../../src/aircomp/index.ts";
import { InputError } from "../../src/core/index.ts";
import { normalGradients, squaredError } from "./link-support.ts";
import { randomDesign, runs } from "./support.ts";

const sizes = fc.record({
  devices: fc.integer({ min: 1, max: 4 }),
  subcarriers: fc.integer({ min: 1, max: 9 }),
  receiveAntennas: fc.integer({ min: 1, max: 4 }),
  transmitAntennas: fc.integer({ min: 1, max: 3 }),
  taps: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat(1e6),
});

function setting(size: typeof sizes extends fc.Arbitrary<infer T> ? T : never) {
  const channel = rayleighChannel({ ...size, delaySpread: 3 });
  const streams = Math.min(size.receiveAntennas, size.transmitAntennas);
  const weights = Array.from({ length: size.devices }, (_, k) => (size.seed + k) % 3);
  if (Math.max(...weights) === 0) weights[0] = 1;
  const noiseVariance = 0.5;
  const power = weights.map(() => 1);
  const design = randomDesign({ channel, streams, power, noiseVariance, weights }, size.seed);
  const gradients = normalGradients(1 + (size.seed % 150), size.devices, size.seed);
  return { channel, design, noiseVariance, weights, gradients, seed: size.seed };
}

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe("encode, the medium, decode", () => {
  const waveforms = fc.constantFrom(
    undefined,
    {},
    { receiveConverter: { bits: 10, clippingDb: 12 } },
    { transmitConverter: { bits: 9, clippingDb: 12 }, receiveConverter: { clippingDb: 8 } },
  );
  const errors = fc.constantFrom({}, { maxTimingOffset: 1, phaseRms: 0.2 });

  test("compose to aggregateOverTheAir to 1e-12; bit for bit at level time when the plan has the same bits", () => {
    fc.assert(
      fc.property(sizes, waveforms, errors, fc.boolean(), (size, converters, synchronisation, text) => {
        const { gradients, ...link } = setting(size);
        const time = converters !== undefined;
        const prefix = Math.min(size.subcarriers, requiredPrefix(link.channel) + 1);
        const whole = aggregateOverTheAir({
          ...link,
          gradients,
          ...(time ? { level: "time", waveform: { prefix, ...converters, ...synchronisation } } : {}),
        });
        const pass = text ? json : structuredClone;
        const plan = pass(
          planRound({
            statistics: gradients.map((g) => pass(gradientStatistics(g))),
            design: link.design,
            weights: link.weights,
            seed: link.seed,
            ...(time ? { level: "time", prefix, ...converters } : {}),
          }),
        );
        expect(plan.symbols).toBe(whole.symbols);
        whole.correlation.forEach((row, k) => {
          expect(Math.abs(plan.powers[k]! - row[k]!)).toBeLessThanOrEqual(1e-12 * (1 + row[k]!));
        });
        const compose = (used: RoundPlan): Float64Array => {
          const signals = gradients.map((gradient, k) =>
            pass(encode({ plan: used, gradient, transmit: pass(deviceBeamformers(link.design, k)) })),
          );
          const received = superposeSignals({
            plan: used,
            signals,
            channel: link.channel,
            noiseVariance: link.noiseVariance,
            ...(time ? { synchronisation } : {}),
          });
          return decode({ plan: used, received: pass(received), receive: link.design.receive });
        };
        const exact = { ...plan, packMean: whole.packMean, packScale: whole.packScale };
        const same = compose(exact);
        const bound = 1e-12 * Math.sqrt(squaredError(whole.estimate));
        if (time) expect(same).toEqual(whole.estimate);
        else expect(Math.sqrt(squaredError(same, whole.estimate))).toBeLessThanOrEqual(bound);
        // a last bit of the scale may move a sample across a threshold of a converter
        if (time && Object.keys(converters).length > 0) return;
        expect(Math.sqrt(squaredError(compose(plan), whole.estimate))).toBeLessThanOrEqual(bound);
      }),
      runs(120),
    );
  });

  test("R of the stack's gradients is that of the link", () => {
    const { gradients, ...link } = setting({
      devices: 3,
      subcarriers: 4,
      receiveAntennas: 3,
      transmitAntennas: 2,
      taps: 2,
      seed: 77,
    });
    const whole = aggregateOverTheAir({ ...link, gradients });
    const statistics = gradients.map(gradientStatistics);
    const plan = planRound({ statistics, design: link.design, weights: link.weights, seed: link.seed });
    measuredCorrelation(plan, gradients).forEach((row, k) => {
      row.forEach((r, j) => {
        expect(Math.abs(r - whole.correlation[k]![j]!)).toBeLessThan(1e-12);
      });
    });
  });

  test("gradients of any size: the same as the link, or an error that names what is too large", () => {
    const power = fc.integer({ min: -1080, max: 1023 });
    fc.assert(
      fc.property(
        sizes,
        fc.array(power, { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        (size, powers, time) => {
          const { gradients: plain, ...link } = setting(size);
          const gradients = plain.map((g, k) => g.map((x) => 2 ** powers[k]! * x));
          const design = { ...link.design, transmit: link.design.transmit.clone() };
          const beam = design.transmit.data.length / size.devices;
          link.weights.forEach((w, k) => {
            if (w === 0 && size.seed % 2 === 0) design.transmit.data.fill(0, k * beam, (k + 1) * beam);
          });
          const prefix = Math.min(size.subcarriers, requiredPrefix(link.channel));
          const waveform = time ? ({ level: "time", prefix } as const) : {};
          try {
            const plan = planRound({
              statistics: gradients.map(gradientStatistics),
              design,
              weights: link.weights,
              seed: link.seed,
              ...waveform,
            });
            const signals = gradients.map((gradient, k) =>
              encode({ plan, gradient, transmit: deviceBeamformers(design, k) }),
            );
            const received = superposeSignals({ plan, signals, channel: link.channel, noiseVariance: 0.5 });
            const estimate = decode({ plan, received, receive: design.receive });
            const correlation = measuredCorrelation(plan, gradients);
            for (const x of [...estimate, ...correlation.flat(), ...plan.powers, plan.packScale]) {
              expect(Number.isFinite(x)).toBe(true);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            // entries near the end of the doubles, or a device of weight 0 that is heard
            const heard = size.seed % 2 === 1 && link.weights.includes(0);
            expect(heard || Math.max(...powers) > 980).toBe(true);
          }
        },
      ),
      runs(300),
    );
  });

  test("a plan with next to no scale sends nothing", () => {
    const { gradients, ...link } = setting({
      devices: 2,
      subcarriers: 2,
      receiveAntennas: 2,
      transmitAntennas: 1,
      taps: 1,
      seed: 5,
    });
    const statistics = gradients.map(gradientStatistics);
    const plan = { ...planRound({ statistics, design: link.design, seed: 1 }), packScale: 1e-310 };
    const gradient = gradients[0]!;
    const signal = encode({ plan, gradient, transmit: deviceBeamformers(link.design, 0) });
    expect(signal.data.every((x) => x === 0)).toBe(true);
    expect(measuredCorrelation(plan, gradients).flat()).toEqual([0, 0, 0, 0]);
  });

  test("statistics of gradients of any size", () => {
    for (const factor of [1, 2 ** 660, 2 ** -660]) {
      const { entries, mean, deviation } = gradientStatistics([1, 2, 3, 6].map((x) => factor * x));
      expect([entries, mean / factor]).toEqual([4, 3]);
      expect(deviation / factor).toBeCloseTo(Math.sqrt(3.5), 14);
    }
    expect(gradientStatistics(Float32Array.of(5, 5))).toEqual({ entries: 2, mean: 5, deviation: 0 });
  });
});

describe("inputs of the round", () => {
  const { gradients, ...link } = setting({
    devices: 2,
    subcarriers: 4,
    receiveAntennas: 2,
    transmitAntennas: 2,
    taps: 2,
    seed: 4,
  });
  const statistics = gradients.map(gradientStatistics);
  const { design, seed, channel, noiseVariance } = link;
  const plan = planRound({ statistics, design, seed });
  const transmit = deviceBeamformers(design, 0);
  const gradient = gradients[0]!;
  const signals = gradients.map((g, k) =>
    encode({ plan, gradient: g, transmit: deviceBeamformers(design, k) }),
  );
  const received = superposeSignals({ plan, signals, channel, noiseVariance });
  const { receive } = design;

  test.each<[string, () => unknown, RegExp]>([
    ["an empty gradient", () => gradientStatistics([]), /^gradient: found an array of 0/],
    ["NaN", () => gradientStatistics([Number.NaN]), /^gradient\[0\]: found NaN/],
    [
      "too few statistics",
      () => planRound({ statistics: statistics.slice(1), design, seed }),
      /^statistics: found/,
    ],
    [
      "no statistics of a device",
      () => planRound({ statistics: [null as never, statistics[1]!], design, seed }),
      /^statistics\[0\]: found null, expected an object/,
    ],
    [
      "deviations that leave no room",
      () =>
        planRound({ statistics: [{ ...statistics[0]!, deviation: 1e301 }, statistics[1]!], design, seed }),
      /^statistics\[0\]: found entries far from the weighted mean/,
    ],
    [
      "deviations that leave no room, on the device",
      () => gradientStatistics([1.7e308, -1.7e308]),
      /^gradient: found entries far/,
    ],
    [
      "a loud device of weight 0 that is heard",
      () =>
        planRound({
          statistics: [statistics[0]!, { ...statistics[1]!, deviation: 1e200 }],
          weights: [1, 0],
          design,
          seed,
        }),
      /^statistics\[1\]: found deviations of more than 1e\+?100 packScale/,
    ],
    [
      "a gradient that is not the one of the plan",
      () => encode({ plan, gradient: gradient.map((x) => 1e200 * x), transmit }),
      /^gradient: found deviations of more than 1e\+?100 packScale/,
    ],
    [
      "samples that cannot be squared",
      () =>
        decode({
          plan,
          received: { shape: received.shape, data: received.data.map(() => 1e155) },
          receive,
        }),
      /^received.data\[0\]: found 1e\+155, expected a finite number, at most 1e\+100 in size/,
    ],
    [
      "an estimate that overflows",
      () =>
        decode({
          plan: { ...plan, packScale: 1e299 },
          received: { shape: received.shape, data: received.data.map(() => 1e90) },
          receive,
        }),
      /^received: found samples whose estimate overflows/,
    ],
    [
      "lengths that differ",
      () => planRound({ statistics: [statistics[0]!, { ...statistics[1]!, entries: 3 }], design, seed }),
      /^statistics\[1\].entries: found 3/,
    ],
    ["no prefix", () => planRound({ statistics, design, seed, level: "time" }), /^prefix: found undefined/],
    [
      "a waveform without samples",
      () => planRound({ statistics, design, seed, prefix: 1 }),
      /^plan.prefix: found a waveform at level "subcarrier"/,
    ],
    [
      "a design that sends bits",
      () => planRound({ statistics, design: { ...design, kind: "digital" } as never, seed }),
      /^design.kind/,
    ],
    ["a device that is not there", () => deviceBeamformers(design, 2), /^device: found 2/],
    [
      "an unknown field",
      () => encode({ plan: { ...plan, noise: 1 } as never, gradient, transmit }),
      /^plan.noise/,
    ],
    [
      "symbols that do not fit",
      () => encode({ plan: { ...plan, symbols: 99 }, gradient, transmit }),
      /^plan.symbols/,
    ],
    ["another length", () => encode({ plan, gradient: gradient.slice(1), transmit }), /^gradient: found/],
    [
      "an infinite entry",
      () => encode({ plan, gradient: gradient.map((x, i) => (i === 2 ? 1 / 0 : x)), transmit }),
      /^gradient\[2\]: found Infinity/,
    ],
    [
      "all beamformers at once",
      () => encode({ plan, gradient, transmit: design.transmit }),
      /^transmit.shape: found shape \[2, 4, 2, 2\], expected shape \[4, any, 2\]/,
    ],
    ["no signals", () => superposeSignals({ plan, signals: [], channel, noiseVariance }), /^signals: found/],
    [
      "a signal of another round",
      () => superposeSignals({ plan, signals: [signals[0]!, transmit], channel, noiseVariance }),
      /^signals\[1\].shape/,
    ],
    [
      "late devices without samples",
      () => superposeSignals({ plan, signals, channel, noiseVariance, synchronisation: {} }),
      /^synchronisation: found errors at level "subcarrier"/,
    ],
    [
      "a signal that is not",
      () => decode({ plan, received: null as never, receive }),
      /^received: found null/,
    ],
    [
      "numbers that are not",
      () =>
        decode({
          plan,
          received: { shape: received.shape, data: received.data.map(() => Number.NaN) },
          receive,
        }),
      /^received.data\[0\]: found NaN/,
    ],
    [
      "a data array that is short",
      () => decode({ plan, received: { shape: received.shape, data: new Float64Array(3) }, receive }),
      /^received.data: found/,
    ],
  ])("refuses %s", (_, run, message) => {
    expect(run).toThrow(message);
  });
});

test("a gradient of more power than was told is refused, whatever the scale", () => {
  const channel = rayleighChannel({
    devices: 2,
    subcarriers: 4,
    receiveAntennas: 2,
    transmitAntennas: 2,
    seed: 1,
  });
  const design = randomDesign(
    { channel, streams: 1, power: [1, 1], noiseVariance: 1, weights: [0.5, 0.5] },
    1,
  );
  const gradients = normalGradients(40, 2, 3);
  const plan = planRound({ statistics: gradients.map(gradientStatistics), design, seed: 1 });
  const transmit = deviceBeamformers(design, 0);
  expect(() => encode({ plan, gradient: gradients[0]!, transmit })).not.toThrow();
  for (const factor of [1.5, 1000]) {
    const gradient = gradients[0]!.map((value) => factor * value);
    expect(() => encode({ plan, gradient, transmit })).toThrow(/^gradient: found symbols of power/);
  }
});
