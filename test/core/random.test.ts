import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RandomStream, randomStream } from "../../src/core/index.ts";
import { inputError } from "./codecs/helpers.ts";

/** Samples per statistic. With the seeds fixed a failure is no accident: a bound of 5 sigma errs once in 10^6. */
const samples = 100_000;
const sigmas = 5;
/** Chi-square quantiles at 1 - 10^-6, by degrees of freedom. */
const chiSquareLimit = { 9: 44.82, 23: 70.55, 99: 180.8 } as const;

function draw(next: () => number, count: number = samples): Float64Array {
  return Float64Array.from({ length: count }, next);
}

/** Distance of the sample mean of f from its exact mean, in standard deviations of the sample mean. */
function deviation(
  values: ArrayLike<number>,
  f: (x: number) => number,
  mean: number,
  variance: number,
): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += f(values[i]!);
  return Math.abs(sum / values.length - mean) / Math.sqrt(variance / values.length);
}

/** Correlation of two samples of uniforms, in units of its standard deviation 1 / sqrt(n). */
function correlation(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - 0.5) * (b[i]! - 0.5);
  return Math.abs((12 * sum) / a.length) * Math.sqrt(a.length);
}

function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

function first(stream: RandomStream, count = 4): number[] {
  return [...draw(stream.uniform, count)];
}

describe("reproducibility", () => {
  it("keeps the numbers of version 0.1: changing them changes every seeded result", () => {
    expect(first(randomStream(1), 3)).toEqual([0.8710897515296528, 0.19147796846251897, 0.9840875361651203]);
    const stream = randomStream(1, "channel", 3);
    expect(stream.uniform()).toBe(0.634134355854296);
    expect(stream.normal()).toBeCloseTo(-0.010698996543530683, 14);
    expect(stream.normal()).toBeCloseTo(0.32283639823237453, 14);
    expect(stream.integer(1000)).toBe(187);
    expect([...stream.permutation(8)]).toEqual([5, 0, 7, 4, 3, 2, 1, 6]);
    const noise = new Float64Array(4);
    randomStream(2 ** 53 - 1, "noise").fillComplexNormal(noise, 2);
    [1.3383624884313565, -1.898974152329806, 0.13110065703368812, -1.225768560145098].forEach((value, i) => {
      expect(noise[i]).toBeCloseTo(value, 14);
    });
  });

  it("gives a split the stream of its whole path, whatever was drawn or split before", () => {
    const part = fc.oneof(fc.nat(), fc.string({ maxLength: 6 }));
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(part, { maxLength: 4 }),
        fc.nat(4),
        fc.nat(5),
        (seed, path, at, drawn) => {
          const expected = first(randomStream(seed, ...path));
          const parent = randomStream(seed, ...path.slice(0, at));
          for (let i = 0; i < drawn; i++) parent.normal();
          parent.split("another").uniform();
          expect(first(parent.split(...path.slice(at)))).toEqual(expected);
          let stream = randomStream(seed);
          for (const name of path) stream = stream.split(name);
          expect(first(stream)).toEqual(expected);
        },
      ),
      { seed: 21, numRuns: 200 },
    );
  });

  it("leaves a parent as it was when it is split", () => {
    const parent = randomStream(5);
    parent.split("child").uniform();
    expect(first(parent)).toEqual(first(randomStream(5)));
  });

  it("tells paths apart that look alike", () => {
    const paths: (string | number)[][] = [
      [],
      [""],
      ["", ""],
      [0],
      [0, 0],
      ["0"],
      ["ab"],
      ["a", "b"],
      ["b", "a"],
      [1, 2],
      [12],
      [2 ** 32],
      [2 ** 32 + 1],
      [1, "1"],
      ["1", 1],
      ["\u0001\u0001"],
    ];
    const seen = new Set(
      paths.flatMap((path) => [0, 1, 2 ** 32].map((seed) => randomStream(seed, ...path).uniform())),
    );
    expect(seen.size).toBe(3 * paths.length);
  });
});

describe("independence", () => {
  const parent = randomStream(7, "parent");
  const pairs: [string, RandomStream, RandomStream][] = [
    ["neighbouring seeds", randomStream(0), randomStream(1)],
    ["seeds that differ in the high word", randomStream(1), randomStream(1 + 2 ** 32)],
    ["two names", parent.split("a"), parent.split("b")],
    ["neighbouring indices", parent.split(10), parent.split(11)],
    ["a stream and its child", randomStream(7, "parent"), parent.split("child")],
    ["a child and its child", parent.split("a"), parent.split("a", "a")],
    ["the same name under two parents", parent.split("x", "a"), parent.split("y", "a")],
    ["a path and its reverse", parent.split(1, 2), parent.split(2, 1)],
  ];
  it.each(pairs)("%s are uncorrelated, at lags -1, 0 and 1", (_, one, other) => {
    const a = draw(one.uniform, samples + 1);
    const b = draw(other.uniform, samples + 1);
    expect(correlation(a, b)).toBeLessThan(sigmas);
    expect(correlation(a.subarray(1), b.subarray(0, samples))).toBeLessThan(sigmas);
    expect(correlation(a.subarray(0, samples), b.subarray(1))).toBeLessThan(sigmas);
  });

  it("the first numbers of numbered streams are themselves uniform and uncorrelated, as trials need them", () => {
    for (const family of [(i: number) => randomStream(i), (i: number) => parent.split("trial", i)]) {
      let index = 0;
      const firsts = draw(() => family(index++).uniform());
      expect(deviation(firsts, (x) => x, 1 / 2, 1 / 12)).toBeLessThan(sigmas);
      expect(correlation(firsts.subarray(0, -1), firsts.subarray(1))).toBeLessThan(sigmas);
      const cells = new Array<number>(100).fill(0);
      for (const value of firsts) cells[Math.floor(100 * value)]! += 1;
      expect(chiSquare(cells)).toBeLessThan(chiSquareLimit[99]);
    }
  });
});

describe("distributions", () => {
  it("uniform: within [0, 1), moments 1/2 and 1/3, even over 100 cells", () => {
    const values = draw(randomStream(1, "uniform").uniform);
    expect(values.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(deviation(values, (x) => x, 1 / 2, 1 / 12)).toBeLessThan(sigmas);
    expect(deviation(values, (x) => x * x, 1 / 3, 4 / 45)).toBeLessThan(sigmas);
    const cells = new Array<number>(100).fill(0);
    for (const value of values) cells[Math.floor(100 * value)]! += 1;
    expect(chiSquare(cells)).toBeLessThan(chiSquareLimit[99]);
    expect(correlation(values.subarray(0, -1), values.subarray(1))).toBeLessThan(sigmas);
  });

  it("normal: moments 0, 1, 0, 3 and P(|x| < 1)", () => {
    const values = draw(randomStream(1, "normal").normal);
    expect(deviation(values, (x) => x, 0, 1)).toBeLessThan(sigmas);
    expect(deviation(values, (x) => x ** 2, 1, 2)).toBeLessThan(sigmas);
    expect(deviation(values, (x) => x ** 3, 0, 15)).toBeLessThan(sigmas);
    expect(deviation(values, (x) => x ** 4, 3, 96)).toBeLessThan(sigmas);
    const p = 0.6826894921370859;
    expect(deviation(values, (x) => (Math.abs(x) < 1 ? 1 : 0), p, p * (1 - p))).toBeLessThan(sigmas);
    const products = values.subarray(1).map((x, i) => x * values[i]!);
    expect(deviation(products, (x) => x, 0, 1)).toBeLessThan(sigmas);
  });

  it.each([1, 2.5])(
    "complex normal of variance %d: E z = 0, E|z|^2 and E|z|^4, circular (E z^2 = 0)",
    (variance) => {
      const z = new Float64Array(2 * samples);
      randomStream(1, "complex").fillComplexNormal(z, variance);
      const index = Float64Array.from({ length: samples }, (_, i) => i);
      const re = (i: number): number => z[2 * i]!;
      const im = (i: number): number => z[2 * i + 1]!;
      const power = (i: number): number => re(i) ** 2 + im(i) ** 2;
      expect(deviation(index, re, 0, variance / 2)).toBeLessThan(sigmas);
      expect(deviation(index, im, 0, variance / 2)).toBeLessThan(sigmas);
      expect(deviation(index, power, variance, variance ** 2)).toBeLessThan(sigmas);
      expect(deviation(index, (i) => power(i) ** 2, 2 * variance ** 2, 20 * variance ** 4)).toBeLessThan(
        sigmas,
      );
      expect(deviation(index, (i) => re(i) ** 2 - im(i) ** 2, 0, variance ** 2)).toBeLessThan(sigmas);
      expect(deviation(index, (i) => re(i) * im(i), 0, variance ** 2 / 4)).toBeLessThan(sigmas);
    },
  );

  it("complex normal defaults to variance 1 and scales with its square root", () => {
    const one = new Float64Array(10);
    const four = new Float64Array(10);
    randomStream(3).fillComplexNormal(one);
    randomStream(3).fillComplexNormal(four, 4);
    for (let i = 0; i < 10; i++) expect(four[i]).toBeCloseTo(2 * one[i]!, 14);
  });

  it("integer: even over the bound, and 0 for the bound 1", () => {
    const stream = randomStream(1, "integer");
    const cells = new Array<number>(10).fill(0);
    for (let i = 0; i < samples; i++) cells[stream.integer(10)]! += 1;
    expect(chiSquare(cells)).toBeLessThan(chiSquareLimit[9]);
    expect(stream.integer(1)).toBe(0);
    const large = draw(() => stream.integer(2 ** 53 - 1) / (2 ** 53 - 1));
    expect(deviation(large, (x) => x, 1 / 2, 1 / 12)).toBeLessThan(sigmas);
  });

  it("permutation: holds each number once", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(200), (seed, count) => {
        const order = randomStream(seed).permutation(count);
        expect(order).toBeInstanceOf(Uint32Array);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
      { seed: 22, numRuns: 100 },
    );
  });

  it("permutation: all 24 orders of four are equally likely", () => {
    const stream = randomStream(1, "permutation");
    const counts = new Map<string, number>();
    for (let i = 0; i < samples; i++) {
      const key = stream.permutation(4).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(chiSquare([...counts.values()])).toBeLessThan(chiSquareLimit[23]);
  });

  it("refuses seeds, paths and sizes that are no whole numbers", () => {
    expect(inputError(() => randomStream(0.5))).toBe("seed: found 0.5, expected a whole number >= 0");
    expect(inputError(() => randomStream(1, -1))).toBe("path: found -1, expected a whole number >= 0");
    expect(inputError(() => randomStream(1).split(1.5))).toBe(
      "path: found 1.5, expected a whole number >= 0",
    );
    expect(inputError(() => randomStream(1).integer(0))).toBe("bound: found 0, expected a whole number >= 1");
    expect(inputError(() => randomStream(1).permutation(-1))).toContain(
      "count: found -1, expected a whole number",
    );
  });
});
