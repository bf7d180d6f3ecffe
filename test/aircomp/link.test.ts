import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Aggregate,
  type AggregationOptions,
  aggregateOverTheAir,
  channelFrom,
  designBeamformers,
  evaluateDesign,
  type Gradient,
  overTheAirLink,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import { InputError, randomStream } from "../../src/core/index.ts";
import { ComplexStack, multiplyConjugateLeft, pseudoInverse, scale } from "../../src/linalg/index.ts";
import { beamformingProblem, gradients } from "../../src/testing/index.ts";
import { handmade, random, randomDesign, runs, shares } from "./support.ts";

const devices = 3;
const weights = [0.5, 0.2, 0.3];
const channel = rayleighChannel({
  devices,
  subcarriers: 2,
  receiveAntennas: 4,
  transmitAntennas: 2,
  taps: 2,
  seed: 3,
});
const noiseVariance = 1;
const problem = { channel, streams: 2, noiseVariance, weights, power: [4, 1, 20] };
const design = designBeamformers(problem);
const link = { channel, design, noiseVariance, weights } as const;

function weightedMean(list: readonly Gradient[], share: readonly number[]): Float64Array {
  return Float64Array.from({ length: list[0]!.length }, (_, i) =>
    list.reduce((sum, g, k) => sum + share[k]! * g[i]!, 0),
  );
}

function squaredError(a: ArrayLike<number>, b: Float64Array): number {
  return b.reduce((sum, x, i) => sum + (a[i]! - x) ** 2, 0);
}

/** Squared errors over many seeds: their mean, its 4-sigma interval, and what was predicted. */
function sampleErrors(
  options: Omit<AggregationOptions, "seed">,
  draws: number,
): { readonly mean: number; readonly interval: number; readonly predicted: number } {
  const truth = weightedMean(options.gradients, weights);
  const errors: number[] = [];
  let predicted = 0;
  for (let seed = 0; seed < draws; seed++) {
    const aggregate = aggregateOverTheAir({ ...options, seed });
    errors.push(squaredError(aggregate.estimate, truth));
    predicted = aggregate.expectedSquaredError;
  }
  const mean = errors.reduce((sum, e) => sum + e, 0) / draws;
  const variance = errors.reduce((sum, e) => sum + (e - mean) ** 2, 0) / (draws - 1);
  return { mean, interval: 4 * Math.sqrt(variance / draws), predicted };
}

/** K gradients of Q normal entries: own part, common part, and a mean of each device. */
function normalGradients(
  entries: number,
  own: number,
  common: number,
  mean: (k: number) => number,
): Float64Array[] {
  const stream = randomStream(9, "gradients");
  const shared = Float64Array.from({ length: entries }, () => stream.normal());
  return Array.from({ length: devices }, (_, k) =>
    shared.map((x) => mean(k) + common * x + own * (1 + k) * stream.normal()),
  );
}

describe("a prepared link", () => {
  test("gives in every round, bit for bit, what a single aggregation gives; whatever was sent before", () => {
    fc.assert(
      fc.property(gradients({ devices }), fc.integer({ min: 0, max: 1000 }), (list, seed) => {
        const prepared = overTheAirLink(link);
        prepared.aggregate(
          list.map((g) => Float64Array.from(g, (x) => 2 * x + 1)),
          seed + 1,
        );
        expect(prepared.aggregate(list, seed)).toEqual(
          aggregateOverTheAir({ ...link, gradients: list, seed }),
        );
      }),
      { numRuns: 50 },
    );
  });

  test("refuses what is not part of a link", () => {
    expect(() => overTheAirLink({ ...link, seed: 1 } as never)).toThrow(/seed/);
    expect(() => overTheAirLink({ ...link, noiseVariance: 0 })).toThrow(/noiseVariance/);
    expect(() => overTheAirLink(link).aggregate([[1]], 1)).toThrow(/gradients/);
  });
});

describe("the error of the estimate", () => {
  // 2 S M = 8 reals per OFDM symbol
  const cases: [string, Float64Array[], Partial<AggregationOptions>][] = [
    ["independent", normalGradients(64, 1, 0, () => 0), {}],
    ["correlated", normalGradients(64, 0.5, 1, () => 0), {}],
    ["identical", normalGradients(64, 0, 1, () => 0), {}],
    ["non-zero means", normalGradients(64, 0.5, 0.5, (k) => 10 * k), {}],
    ["one common mean", normalGradients(64, 0.5, 0.5, () => 1e3), {}],
    ["a misfit design", normalGradients(64, 0.5, 0.5, (k) => k), { design: handmadeDesign() }],
    ["entries of alternating sign", [1, 2, 3].map(alternating), { design: handmadeDesign() }],
    ["one OFDM symbol", normalGradients(8, 0.5, 0.5, (k) => k), {}],
    ["two entries that fill a symbol", normalGradients(2, 0.5, 0.5, (k) => k), narrow()],
  ];
  test.each(cases)("is the predicted one in the mean: %s", (_, list, change) => {
    const { mean, interval, predicted } = sampleErrors({ ...link, gradients: list, ...change }, 400);
    expect(Math.abs(mean - predicted)).toBeLessThan(interval);
    // the interval means something
    expect(interval).toBeLessThan(0.4 * mean);
  });

  function handmadeDesign() {
    return randomDesign(problem, 5);
  }

  /** Without interleaving all real parts would be high and all imaginary parts low. */
  function alternating(level: number): Float64Array {
    return Float64Array.from(
      { length: 64 },
      (_, i) => (i % 2 === 0 ? level : -level) + 0.1 * ((i * level) % 3),
    );
  }

  function narrow(): Partial<AggregationOptions> {
    const one = rayleighChannel({
      devices,
      subcarriers: 1,
      receiveAntennas: 2,
      transmitAntennas: 1,
      seed: 1,
    });
    return {
      channel: one,
      design: designBeamformers({ channel: one, streams: 1, power: 2, noiseVariance: 1, weights }),
    };
  }

  test("predictions: measured and designed distortion within the cap, Q packScale^2 omega", () => {
    fc.assert(
      fc.property(gradients({ devices, entries: { min: 1, max: 40 } }), fc.nat(999), (list, seed) => {
        const found = aggregateOverTheAir({ ...link, gradients: list, seed });
        const { measured, cap } = found.distortion;
        expect(measured).toBeGreaterThanOrEqual(0);
        expect(measured).toBeLessThanOrEqual(cap * (1 + 1e-12));
        expect(found.distortion.design).toBeCloseTo(design.distortion, 12);
        const expected = list[0]!.length * found.packScale ** 2 * measured;
        expect(Math.abs(found.expectedSquaredError - expected)).toBeLessThanOrEqual(1e-12 * expected);
        expect(found.symbols).toBe(Math.ceil(list[0]!.length / 8));
        expect(found.estimate.length).toBe(list[0]!.length);
        const mean = list.reduce(
          (sum, g, k) => sum + (weights[k]! * g.reduce((a, x) => a + x, 0)) / g.length,
          0,
        );
        expect(found.packMean).toBeCloseTo(mean, 12);
      }),
      runs(100),
    );
  });

  test("packScale is the largest root mean square deviation, so that every device keeps its budget", () => {
    fc.assert(
      fc.property(gradients({ devices, entries: { min: 1, max: 40 } }), (list) => {
        for (const share of [weights, [0.5, 0, 0.5]]) {
          const options = { ...link, weights: share, gradients: list, seed: 1 };
          const { packScale, packMean, correlation } = aggregateOverTheAir(options);
          const squares = list.map((g) => g.reduce((sum, x) => sum + (x - packMean) ** 2, 0) / g.length);
          const heard = squares.filter((_, k) => share[k]! > 0);
          expect(Math.abs(packScale ** 2 - Math.max(...heard))).toBeLessThanOrEqual(1e-13 * packScale ** 2);
          correlation.forEach((row, k) => {
            if (packScale < 1e-9) return;
            expect(Math.abs(row[k]! - squares[k]! / packScale ** 2)).toBeLessThan(1e-12 * (1 + row[k]!));
            if (share[k]! > 0) expect(row[k]!).toBeLessThanOrEqual(1 + 1e-12);
            row.forEach((x, j) => {
              expect(x).toBe(correlation[j]![k]!);
            });
          });
        }
      }),
      runs(60),
    );
  });

  test("the measured distortion of unit-power independent symbols is that of the design, with R as measured", () => {
    const list = normalGradients(80000, 1, 0, () => 0).map((g, k) => g.map((x) => x / (1 + k)));
    const { distortion, correlation } = aggregateOverTheAir({ ...link, gradients: list, seed: 1 });
    const withR = evaluateDesign(channel, design, { noiseVariance, weights, correlation });
    expect(distortion.measured).toBeCloseTo(withR.distortion, 4);
    expect(distortion.measured / design.distortion).toBeCloseTo(1, 1);
  });
});

describe("without error", () => {
  test("the ideal design gives the weighted mean", () => {
    fc.assert(
      fc.property(gradients({ devices }), fc.nat(99), (list, seed) => {
        const ideal = designBeamformers({ ...problem, scheme: "ideal" });
        const { estimate, expectedSquaredError, distortion } = aggregateOverTheAir({
          ...link,
          design: ideal,
          gradients: list,
          seed,
        });
        expect(squaredError(estimate, weightedMean(list, weights))).toBeLessThan(
          1e-26 * (1 + estimate.length * 1e4),
        );
        expect(expectedSquaredError).toBe(0);
        expect(distortion).toEqual({ design: 0, measured: 0, cap: 0, realised: 0 });
      }),
      runs(60),
    );
  });

  test("zero forcing and next to no noise give the weighted mean: any problem, any Q", () => {
    const shape = { kinds: ["rayleigh"], receiveAntennas: { min: 4, max: 6 }, transmitAntennas: 3 } as const;
    fc.assert(
      fc.property(beamformingProblem({ ...shape, streams: { max: 2 } }), fc.nat(999), (given, seed) => {
        const share = shares(given.weights);
        const h = given.channel;
        const receive = new ComplexStack([h.subcarriers, h.receiveAntennas, given.streams]);
        const transmit = new ComplexStack([h.devices, h.subcarriers, h.transmitAntennas, given.streams]);
        for (let m = 0; m < h.subcarriers; m++) {
          const a = random(h.receiveAntennas, given.streams, seed + m);
          receive.at(m).data.set(a.data);
          for (let k = 0; k < h.devices; k++) {
            const seen = multiplyConjugateLeft(a, h.matrices.at(k, m));
            transmit.at(k, m).data.set(scale(pseudoInverse(seen), share[k]!).data);
          }
        }
        const forcing = handmade(given, receive, transmit);
        const stream = randomStream(seed, "values");
        const entries = 1 + stream.integer(60);
        const list = Array.from({ length: h.devices }, (_, k) =>
          Float64Array.from({ length: entries }, () => 5 * k + stream.normal()),
        );
        const options = { channel: h, design: forcing, gradients: list, weights: given.weights, seed };
        const { estimate, packScale } = aggregateOverTheAir({ ...options, noiseVariance: 1e-20 });
        const error = Math.sqrt(squaredError(estimate, weightedMean(list, share)));
        expect(error).toBeLessThanOrEqual(1e-8 * packScale * Math.sqrt(entries));
      }),
      runs(60),
    );
  });

  test("gradients whose entries are all equal arrive exactly: there is nothing to send", () => {
    const list = [
      new Float64Array(5).fill(0.7),
      new Float64Array(5).fill(0.7),
      new Float64Array(5).fill(0.7),
    ];
    const found = aggregateOverTheAir({ ...link, gradients: list, seed: 1 });
    expect(found.packScale).toBeLessThan(1e-15);
    expect(found.expectedSquaredError).toBeLessThan(1e-28);
    for (const x of found.estimate) expect(x).toBeCloseTo(0.7, 14);
    const zeros = aggregateOverTheAir({ ...link, gradients: list.map((g) => g.fill(0)), seed: 1 });
    expect(Array.from(zeros.estimate)).toEqual([0, 0, 0, 0, 0]);
    expect(zeros.packScale).toBe(0);
    expect(zeros.expectedSquaredError).toBe(0);
    const quarter = list.map((g) => g.fill(0.25));
    expect(Array.from(aggregateOverTheAir({ ...link, gradients: quarter, seed: 1 }).estimate)).toEqual(
      Array(5).fill(0.25),
    );
  });
});

describe("inputs", () => {
  test("same seed, same bits; another seed, other noise; arguments are left alone", () => {
    const list = normalGradients(21, 1, 0.5, (k) => k);
    const before = list.map((g) => g.slice());
    const run = (seed: number): Aggregate => aggregateOverTheAir({ ...link, gradients: list, seed });
    expect(run(4)).toEqual(run(4));
    expect(run(5).estimate).not.toEqual(run(4).estimate);
    expect(list).toEqual(before);
    expect(run(4).expectedSquaredError).toBe(run(5).expectedSquaredError);
  });

  test("Float32Array, Float64Array and plain arrays of the same numbers", () => {
    const single = normalGradients(21, 1, 0.5, (k) => k).map((g) => Float32Array.from(g));
    const run = (list: readonly Gradient[]): Aggregate =>
      aggregateOverTheAir({ ...link, gradients: list, seed: 2 });
    const expected = run(single);
    expect(run(single.map((g) => Float64Array.from(g)))).toEqual(expected);
    expect(run(single.map((g) => Array.from(g)))).toEqual(expected);
  });

  test("the order of the entries does not matter to the prediction", () => {
    const list = normalGradients(40, 1, 0.5, (k) => k);
    const order = randomStream(1, "order").permutation(40);
    const permuted = list.map((g) => Float64Array.from(order, (i) => g[i]!));
    const run = (gradients: readonly Gradient[]): number =>
      aggregateOverTheAir({ ...link, gradients, seed: 1 }).expectedSquaredError;
    expect(Math.abs(run(permuted) / run(list) - 1)).toBeLessThan(1e-12);
    // and on average the errors agree
    const plain = sampleErrors({ ...link, gradients: list }, 300);
    const other = sampleErrors({ ...link, gradients: permuted }, 300);
    expect(Math.abs(other.mean - plain.mean)).toBeLessThan(Math.hypot(plain.interval, other.interval));
  });

  test("the prediction is exact for any Q, padding included", () => {
    for (const entries of [1, 2, 3, 5, 13]) {
      const list = normalGradients(entries, 0.5, 0.5, (k) => k);
      const { mean, interval, predicted } = sampleErrors({ ...link, gradients: list }, 4000);
      expect(Math.abs(mean - predicted)).toBeLessThan(interval);
      expect(interval / mean).toBeLessThan(0.12);
    }
  });

  test("entries of 1e200 and 1e-200 are sent as well as those of 1", () => {
    const list = normalGradients(16, 1, 0.3, (k) => k);
    const plain = aggregateOverTheAir({ ...link, gradients: list, seed: 1 }).estimate;
    for (const factor of [2 ** 660, 2 ** -660]) {
      const scaled = list.map((gradient) => gradient.map((x) => factor * x));
      const { estimate } = aggregateOverTheAir({ ...link, gradients: scaled, seed: 1 });
      estimate.forEach((x, i) => {
        expect(Math.abs(x / factor - plain[i]!)).toBeLessThan(1e-12);
      });
    }
  });

  test("entries of any size: finite results, or an error that names them", () => {
    const silent = [0.5, 0, 0.5];
    const quiet = designBeamformers({ ...problem, weights: silent });
    const ideal = designBeamformers({ ...problem, scheme: "ideal" });
    const digital = designBeamformers({ ...problem, scheme: "digital" });
    const power = fc.integer({ min: -1080, max: 1023 });
    const designs = fc.constantFrom(
      { design, weights },
      { design: quiet, weights: silent },
      { design: ideal, weights },
      { design: digital, weights: silent },
    );
    fc.assert(
      fc.property(
        fc.tuple(power, power, power),
        fc.integer({ min: 1, max: 12 }),
        designs,
        fc.constantFrom("subcarrier", "time"),
        fc.nat(999),
        (powers, entries, chosen, level, seed) => {
          const list = powers.map((p, k) =>
            Float64Array.from({ length: entries }, (_, i) => 2 ** p * Math.cos(i + k + seed)),
          );
          const options = { ...link, ...chosen, gradients: list, seed };
          let found: Aggregate;
          try {
            found = aggregateOverTheAir(
              chosen.design.kind === "digital" ? options : { ...options, level: level as "time" },
            );
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            expect(String((error as InputError).field)).toMatch(/^gradients/);
            expect(Math.max(...powers)).toBeGreaterThan(996);
            return;
          }
          const { estimate, correlation, distortion, packScale, expectedSquaredError } = found;
          for (const x of [...estimate, ...correlation.flat(), ...Object.values(distortion), packScale]) {
            expect(Number.isFinite(x)).toBe(true);
          }
          expect(expectedSquaredError).toBeGreaterThanOrEqual(0);
        },
      ),
      runs(400),
    );
  });

  test("next to nothing is nothing; too much is refused", () => {
    const run = (sizes: readonly number[], more: object = {}): Aggregate =>
      aggregateOverTheAir({
        ...link,
        ...more,
        gradients: sizes.map((x) => [x, -x, 0]),
        seed: 1,
      });
    for (const size of [5e-324, 1e-310, 1e-301]) {
      const { estimate, packScale, distortion } = run([size, -size, size]);
      expect(packScale).toBe(0);
      expect(distortion.realised).toBe(0);
      for (const x of estimate) expect(Math.abs(x)).toBeLessThan(1e-300);
    }
    expect(() => run([1, 1e301, 1])).toThrow(
      /^gradients\[1\]: found entries far from the weighted mean, expected at most 1e\+?300 from it/,
    );
    expect(() => aggregateOverTheAir({ ...link, gradients: [[1.7e308], [-1.7e308], [0]], seed: 1 })).toThrow(
      /^gradients\[0\]/,
    );
    // heard although its weight is 0: it would disturb the others without limit
    expect(() => run([1, 1e120, 1], { weights: [0.5, 0, 0.5] })).toThrow(
      /^gradients\[1\]: found deviations of more than 1e\+?100 packScale/,
    );
    expect(run([1e200, 2e200, 1e200]).expectedSquaredError).toBe(Number.POSITIVE_INFINITY);
    const ideal = designBeamformers({ ...problem, scheme: "ideal" });
    expect(run([1e200, 2e200, 1e200], { design: ideal }).expectedSquaredError).toBe(0);
  });

  test("a silent device may have entries of any size", () => {
    const silent = [0.5, 0, 0.5];
    const own = designBeamformers({ ...problem, weights: silent });
    for (const level of ["subcarrier", "time"] as const) {
      const run = (size: number, rest: number) =>
        aggregateOverTheAir({
          ...link,
          design: own,
          weights: silent,
          level,
          gradients: [
            [rest, -rest, 0],
            [size, -size, 0],
            [0, rest, rest],
          ],
          seed: 1,
        });
      const expected = run(0, 1);
      for (const size of [1e120, 1e200, 1e308]) {
        expect(run(size, 1).estimate).toEqual(expected.estimate);
        expect(run(size, 1).distortion).toEqual(expected.distortion);
        expect(run(size, 2 ** -660).distortion.measured).toBeCloseTo(expected.distortion.measured, 12);
      }
    }
  });

  test("a device of weight 0 changes nothing", () => {
    const silent = [0.5, 0, 0.5];
    const own = designBeamformers({ ...problem, weights: silent });
    const list = normalGradients(16, 1, 0, () => 0);
    const run = (gradients: readonly Gradient[]) =>
      aggregateOverTheAir({ ...link, design: own, weights: silent, gradients, seed: 1 }).estimate;
    const loud = [list[0]!, list[1]!.map((x) => 1e6 * x), list[2]!];
    run(loud).forEach((x, i) => {
      expect(x).toBeCloseTo(run(list)[i]!, 12);
    });
  });

  const list = normalGradients(6, 1, 0, () => 0);
  const withNaN = [list[0]!, list[1]!, Float64Array.of(0, 1, Number.NaN, 0, 0, 0)];
  test.each([
    [
      "too few gradients",
      { gradients: list.slice(1) },
      /^gradients: found an array of 2 entries, expected 3 gradients/,
    ],
    ["no list", { gradients: "g" }, /^gradients: found "g"/],
    [
      "lengths differ",
      { gradients: [list[0], list[1], [1]] },
      /^gradients\[2\]: found 1 entries, expected 6, as many as gradients\[0\]/,
    ],
    [
      "empty",
      { gradients: [[], [], []] },
      /^gradients\[0\]: found an array of 0 entries, expected at least one entry/,
    ],
    ["NaN", { gradients: withNaN }, /^gradients\[2\]\[2\]: found NaN, expected a finite number/],
    ["text", { gradients: [["a"], [1], [1]] }, /^gradients\[0\]\[0\]: found "a"/],
    [
      "integers",
      { gradients: list.map(() => new Int32Array(6)) },
      /^gradients\[0\]: found an array of 6 entries, expected a Float64Array/,
    ],
    ["noise variance", { noiseVariance: -1 }, /^noiseVariance: found -1/],
    ["seed", { seed: 0.5 }, /^seed: found 0.5/],
    ["no seed", { seed: undefined }, /^seed: found undefined/],
    ["weights", { weights: [1, 2] }, /^weights: found an array of 2 entries/],
    ["unknown", { noise: 1 }, /^aggregateOverTheAir.noise: found an unknown option/],
    ["channel", { channel: {} }, /^channel.kind: found undefined/],
    ["design", { design: undefined }, /^design: found undefined/],
    [
      "design of another channel",
      { channel: channelFrom(new ComplexStack([3, 1, 4, 2])) },
      /^design.receive: found shape \[2, 4, 2\], expected shape \[1, 4, 2\]/,
    ],
  ])("refuses %s", (_, change, message) => {
    const options = { ...link, gradients: list, seed: 1, ...change } as AggregationOptions;
    expect(() => aggregateOverTheAir(options)).toThrow(message);
  });
});
