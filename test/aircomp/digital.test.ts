import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { quantisationDistortion } from "../../src/aircomp/digital.ts";
import {
  aggregateOverTheAir,
  designBeamformers,
  designFrom,
  evaluateDesign,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import {
  errorVariance,
  gaussianQuantiser,
  hermiteCoefficients,
  MOST_BITS,
  meanError,
  quantise,
} from "../../src/aircomp/quantiser.ts";
import { digitalShares } from "../../src/aircomp/schemes/digital.ts";
import { randomStream } from "../../src/core/index.ts";
import { svd } from "../../src/linalg/index.ts";
import { randomCorrelation, runs, smoothProblem } from "./support.ts";

/** Mean of f over a standard normal variable, by the trapezoidal rule. */
function gaussianMean(f: (x: number) => number): number {
  const count = 40000;
  const h = 24 / count;
  let sum = 0;
  for (let i = 0; i <= count; i++) {
    const x = -12 + i * h;
    sum += f(x) * Math.exp(-0.5 * x * x);
  }
  return (sum * h) / Math.sqrt(2 * Math.PI);
}

describe("the quantiser", () => {
  test("is a clipped line plus noise that does not depend on the input", () => {
    for (const bits of [1, 2, 3, 5]) {
      const q = gaussianQuantiser(bits);
      for (const x of [0, 0.1, -0.7, 0.99 * q.range, q.range, 1.01 * q.range, 4, -10]) {
        const count = 20000;
        let mean = 0;
        let square = 0;
        for (let i = 0; i < count; i++) {
          const error = quantise(q, x, (i + 0.5) / count) - x;
          mean += error / count;
          square += error ** 2 / count;
        }
        expect(Math.abs(mean - meanError(q, x))).toBeLessThanOrEqual(1e-4);
        expect(Math.abs(square - mean ** 2 - errorVariance(q))).toBeLessThanOrEqual(1e-4);
      }
    }
    expect(quantise(gaussianQuantiser(0), 3, 0.2)).toBe(0);
  });

  test("sends one of 2^b levels", () => {
    for (const bits of [1, 2, 4]) {
      const q = gaussianQuantiser(bits);
      const stream = randomStream(bits, "x");
      const levels = new Set<number>();
      for (let i = 0; i < 5000; i++) {
        const u = stream.uniform();
        levels.add(Math.round((quantise(q, 2 * stream.normal(), u) + (u - 0.5) * q.step + q.range) / q.step));
      }
      expect([...levels].sort((a, b) => a - b)).toEqual(Array.from({ length: 2 ** bits }, (_, i) => i));
    }
  });

  test("its distortion is the mean squared error, the smallest over the ranges, convex, above the rate-distortion bound", () => {
    for (const bits of [1, 2, 3, 4, 6, 8]) {
      const q = gaussianQuantiser(bits);
      const distortionAt = (range: number): number => {
        const step = (2 * range) / (2 ** bits - 1);
        return gaussianMean((x) => meanError({ ...q, range }, x) ** 2) + step ** 2 / 12;
      };
      expect(Math.abs(distortionAt(q.range) / q.distortion - 1)).toBeLessThanOrEqual(1e-6);
      for (const factor of [0.2, 0.5, 0.9, 0.99, 1.01, 1.1, 2, 5]) {
        expect(distortionAt(factor * q.range)).toBeGreaterThan(q.distortion);
      }
    }
    let drop = Number.POSITIVE_INFINITY;
    for (let bits = 1; bits <= MOST_BITS; bits++) {
      const { distortion } = gaussianQuantiser(bits);
      const next = gaussianQuantiser(bits - 1).distortion - distortion;
      expect(next).toBeGreaterThan(0);
      expect(next).toBeLessThan(drop);
      expect(distortion).toBeGreaterThan(4 ** -bits);
      drop = next;
    }
    expect(quantisationDistortion(0)).toBe(1);
    expect(quantisationDistortion(32)).toBeLessThan(1e-17);
    expect(quantisationDistortion(0.5)).toBeCloseTo((1 + gaussianQuantiser(1).distortion) / 2, 15);
  });

  test("Hermite coefficients of the mean error", () => {
    for (const bits of [0, 1, 2, 4]) {
      const q = gaussianQuantiser(bits);
      const a = hermiteCoefficients(q, 4);
      const hermite = [
        (x: number) => x,
        (x: number) => (x ** 3 - 3 * x) / Math.sqrt(6),
        (x: number) => (x ** 5 - 10 * x ** 3 + 15 * x) / Math.sqrt(120),
        (x: number) => (x ** 7 - 21 * x ** 5 + 105 * x ** 3 - 105 * x) / Math.sqrt(5040),
      ];
      hermite.forEach((h, i) => {
        expect(Math.abs(gaussianMean((x) => meanError(q, x) * h(x)) - a[i]!)).toBeLessThanOrEqual(1e-6);
      });
      // the best range makes the lost correlation the distortion
      expect(Math.abs(a[0]! + q.distortion)).toBeLessThanOrEqual(1e-6);
    }
  });
});

/** Capacity per real number at the power P / f in the share f, by bisection on the water level. */
function bitsAt(gains: readonly number[], share: number, reals: number): number {
  if (share === 0) return 0;
  let low = 0;
  let high = 1 / share + 1 / Math.max(...gains);
  for (let i = 0; i < 200; i++) {
    const level = (low + high) / 2;
    if (gains.reduce((sum, a) => sum + Math.max(0, level - 1 / a), 0) > 1 / share) high = level;
    else low = level;
  }
  return (share * gains.reduce((sum, a) => sum + Math.max(0, Math.log2(low * a)), 0)) / reals;
}

describe("shares of the air time", () => {
  test("sum to 1, carry what water-filling says, and no other shares are better", () => {
    fc.assert(
      fc.property(smoothProblem, fc.nat(), (options, seed) => {
        const problem = transceiverProblem(options);
        const { devices, subcarriers, streams, weights, power, noiseVariance } = problem;
        const gains = Array.from({ length: devices }, (_, k) =>
          Array.from({ length: subcarriers }, (_, m) => {
            const { s } = svd(options.channel.matrices.at(k, m));
            return Array.from(s, (x) => (power[k]! * x * x) / noiseVariance);
          }).flat(),
        );
        const reals = 2 * streams * subcarriers;
        const { shares, bits } = digitalShares(problem);
        const costOf = (f: readonly number[]): number =>
          f.reduce((sum, x, k) => {
            const beta = Math.min(MOST_BITS, bitsAt(gains[k]!, x, reals));
            return sum + weights[k]! ** 2 * quantisationDistortion(beta);
          }, 0);
        expect(Math.abs(shares.reduce((sum, f) => sum + f, 0) - 1)).toBeLessThanOrEqual(1e-9);
        shares.forEach((f, k) => {
          const expected = Math.min(MOST_BITS, bitsAt(gains[k]!, f, reals));
          expect(Math.abs(bits[k]! - expected)).toBeLessThanOrEqual(1e-9 * (1 + expected));
        });
        const best = costOf(shares);
        expect(best).toBeLessThanOrEqual(costOf(shares.map(() => 1 / devices)) * (1 + 1e-9));
        const stream = randomStream(seed, "shares");
        for (let i = 0; i < 50; i++) {
          const size = 10 ** (-4 * stream.uniform());
          const moved = shares.map((f) => f * Math.exp(size * stream.normal()) + (i % 2) * 1e-3 * size);
          const total = moved.reduce((sum, f) => sum + f, 0);
          expect(best).toBeLessThanOrEqual(costOf(moved.map((f) => f / total)) * (1 + 1e-9));
        }
      }),
      runs(40),
    );
  });

  test("one device, one antenna: half of log2(1 + snr) per number, and the distortion vanishes with the noise", () => {
    const channel = rayleighChannel({
      devices: 1,
      subcarriers: 1,
      receiveAntennas: 1,
      transmitAntennas: 1,
      taps: 1,
      seed: 2,
    });
    const [re, im] = channel.matrices.data;
    let last = 1;
    for (const snrDb of [-10, 0, 10, 20, 40, 60]) {
      const power = 10 ** (snrDb / 10);
      const design = designBeamformers({ channel, streams: 1, power, noiseVariance: 1, scheme: "digital" });
      const expected = 0.5 * Math.log2(1 + power * (re! ** 2 + im! ** 2));
      expect(Math.abs(design.bits[0]! - expected)).toBeLessThanOrEqual(1e-12 * expected);
      expect(design.shares).toEqual([1]);
      expect(design.distortion).toBeLessThan(last);
      last = design.distortion;
    }
    expect(last).toBeLessThan(1e-4);
  });

  test("a faint, a silent and a worthless device do not take the air time of the others", () => {
    const channel = rayleighChannel({
      devices: 4,
      subcarriers: 2,
      receiveAntennas: 4,
      transmitAntennas: 2,
      taps: 2,
      gains: [1, 1e-9, 1, 1],
      seed: 4,
    });
    const { shares, bits } = designBeamformers({
      channel,
      streams: 2,
      power: [10, 10, 0, 10],
      weights: [1, 1, 1, 0],
      noiseVariance: 1,
      scheme: "digital",
    });
    expect(shares[0]).toBeGreaterThan(0.9);
    expect(bits.slice(2)).toEqual([0, 0]);
  });
});

describe("digital aggregation", () => {
  const size = { devices: 3, subcarriers: 2, receiveAntennas: 4, transmitAntennas: 2, taps: 2, seed: 6 };
  const channel = rayleighChannel(size);
  const options = { channel, streams: 2, power: [300, 20, 2], weights: [3, 2, 1], noiseVariance: 1 };

  /** Gradients with normal entries and the given second moments. */
  function gradientsWith(
    correlation: readonly (readonly number[])[],
    entries: number,
    seed: number,
  ): Float64Array[] {
    const stream = randomStream(seed, "gradients");
    const k = correlation.length;
    const factor = correlation.map(() => new Array<number>(k).fill(0));
    for (let i = 0; i < k; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = correlation[i]![j]!;
        for (let l = 0; l < j; l++) sum -= factor[i]![l]! * factor[j]![l]!;
        factor[i]![j] = i === j ? Math.sqrt(Math.max(0, sum)) : factor[j]![j]! > 0 ? sum / factor[j]![j]! : 0;
      }
    }
    const out = correlation.map(() => new Float64Array(entries));
    for (let i = 0; i < entries; i++) {
      const z = correlation.map(() => stream.normal());
      for (let a = 0; a < k; a++) out[a]![i] = factor[a]!.reduce((sum, x, l) => sum + x * z[l]!, 0);
    }
    return out;
  }

  test.each([
    ["normal", (i: number, k: number) => Math.sin(12.9 * i * (k + 1)) + Math.sin(7.7 * i + k)],
    ["heavy tails", (i: number, k: number) => Math.tan(1.5 * Math.sin(i * (1 + 0.1 * k)))],
    ["identical", (i: number) => Math.sin(i ** 1.5)],
    ["constant", () => 4],
    ["one device constant, offsets", (i: number, k: number) => (k === 1 ? 3 : 10 * k + Math.sin(i * k))],
  ])("the measured distortion is the mean over seeds: %s", (_, entry) => {
    const design = designBeamformers({ ...options, scheme: "digital" });
    const entries = 301;
    const gradients = [0, 1, 2].map((k) => Float64Array.from({ length: entries }, (_, i) => entry(i, k)));
    const exact = gradients[0]!.map((g, i) => (3 * g + 2 * gradients[1]![i]! + gradients[2]![i]!) / 6);
    const count = 300;
    // of the sums that the errors are differences of
    const rounding = 1e-30 * entries * Math.max(...exact.map((x) => x * x), 1);
    const errors: number[] = [];
    let expected = 0;
    for (let seed = 0; seed < count; seed++) {
      const found = aggregateOverTheAir({ gradients, channel, design, noiseVariance: 1, seed });
      expected = found.expectedSquaredError;
      expect(found.distortion.measured).toBeLessThanOrEqual(found.distortion.cap * (1 + 1e-12));
      errors.push(found.estimate.reduce((sum, x, i) => sum + (x - exact[i]!) ** 2, 0));
    }
    const mean = errors.reduce((sum, e) => sum + e, 0) / count;
    const deviation = Math.sqrt(errors.reduce((sum, e) => sum + (e - mean) ** 2, 0) / count / count);
    expect(Math.abs(mean - expected)).toBeLessThanOrEqual(4.5 * deviation + 1e-12 * mean + rounding);
  });

  test("for normal gradients with second moments R, the evaluation is what is measured", () => {
    for (const correlation of [
      [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      [
        [1, 0.9, -0.5],
        [0.9, 1, -0.3],
        [-0.5, -0.3, 1],
      ],
      [
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 1],
      ],
      [
        [1, 0.2, 0.1],
        [0.2, 0.25, 0.05],
        [0.1, 0.05, 0.04],
      ],
    ]) {
      const design = designBeamformers({ ...options, correlation, scheme: "digital" });
      const { distortion, cap, misalignment, noise, mse, perSubcarrier } = evaluateDesign(channel, design, {
        noiseVariance: 1,
        correlation,
      });
      expect(design.distortion).toBe(distortion);
      expect([misalignment, noise]).toEqual([mse, 0]);
      expect(Math.abs(perSubcarrier.reduce((a, b) => a + b, 0) - mse)).toBeLessThanOrEqual(1e-14 * mse);
      expect(distortion * 4).toBeLessThanOrEqual(cap * (1 + 1e-12));
      const entries = 200000;
      const gradients = gradientsWith(correlation, entries, 3);
      const found = aggregateOverTheAir({ gradients, channel, design, noiseVariance: 1, seed: 1 });
      const omega = found.expectedSquaredError / entries;
      expect(Math.abs(omega / distortion - 1)).toBeLessThanOrEqual(0.02);
    }
  });

  test("any second moments: never negative, never above the cap", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.nat(), (rank, seed) => {
        const design = designBeamformers({ ...options, scheme: "digital" });
        const correlation = randomCorrelation(3, rank, seed);
        const { mse, cap } = evaluateDesign(channel, design, { noiseVariance: 1, correlation });
        expect(mse).toBeGreaterThanOrEqual(0);
        expect(mse).toBeLessThanOrEqual(cap * (1 + 1e-12));
      }),
      runs(50),
    );
  });

  test("survives JSON; designs for other numbers of devices are refused", () => {
    const design = designBeamformers({ ...options, scheme: "digital" });
    const copy = designFrom(JSON.parse(JSON.stringify(design)));
    expect(copy).toEqual(design);
    const other = rayleighChannel({ ...size, devices: 2 });
    expect(() => evaluateDesign(other, design, { noiseVariance: 1, weights: [1, 1] })).toThrow(/design.bits/);
    expect(() => designFrom({ ...design, bits: [1, 2] })).toThrow(/design.bits/);
    expect(() => designFrom({ ...design, bits: [1, 2, 33] })).toThrow(/design.bits/);
  });
});
