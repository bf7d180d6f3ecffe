import { describe, expect, it } from "vitest";
import { geometricInterval, meanInterval, quantile, tQuantile } from "../../src/figures/statistics.ts";
import { geometricColumns, infiniteNote, ratioColumns } from "../../src/figures/summary.ts";

describe("tQuantile", () => {
  it.each([
    [0.975, 1, 12.7062],
    [0.975, 2, 4.30265],
    [0.975, 5, 2.57058],
    [0.975, 9, 2.26216],
    [0.975, 30, 2.04227],
    [0.975, 120, 1.97993],
    [0.95, 4, 2.13185],
    [0.995, 10, 3.16927],
    [0.9995, 3, 12.924],
    [0.75, 7, 0.71114],
  ])("at %f with %i degrees of freedom is %f, as tables have it", (p, degrees, expected) => {
    expect(Math.abs(tQuantile(p, degrees) / expected - 1)).toBeLessThan(4e-6);
  });

  it("has the closed forms of one and two degrees of freedom", () => {
    for (const p of [0.6, 0.9, 0.99, 0.9999]) {
      expect(tQuantile(p, 1) / Math.tan(Math.PI * (p - 0.5))).toBeCloseTo(1, 10);
      const x = 2 * p - 1;
      expect(tQuantile(p, 2) / (x * Math.sqrt(2 / (1 - x * x)))).toBeCloseTo(1, 10);
    }
  });

  it("is odd, and tends to the normal quantile", () => {
    expect(tQuantile(0.5, 3)).toBe(0);
    expect(tQuantile(0.025, 6)).toBe(-tQuantile(0.975, 6));
    expect(tQuantile(0.975, 1e7)).toBeCloseTo(1.959964, 5);
  });
});

describe("intervals", () => {
  it("meanInterval is mean +- t s / sqrt(n)", () => {
    const { mean, low, high, count } = meanInterval([1, 2, 3, 4, 5]);
    expect(mean).toBe(3);
    expect(count).toBe(5);
    // s = sqrt(2.5), t_4 = 2.776445
    expect(high - 3).toBeCloseTo((2.776445 * Math.sqrt(2.5)) / Math.sqrt(5), 5);
    expect(low + high).toBeCloseTo(6, 12);
  });

  it("of one value is that value", () => {
    expect(meanInterval([7])).toEqual({ mean: 7, low: 7, high: 7, count: 1 });
  });

  it("geometricInterval is the interval of the logarithms", () => {
    const { mean, low, high } = geometricInterval([1, 10, 100]);
    expect(mean).toBeCloseTo(10, 12);
    expect(low * high).toBeCloseTo(100, 9);
    expect(Math.log10(high)).toBeCloseTo(1 + 4.302653 / Math.sqrt(3), 5);
  });

  it("quantile interpolates between order statistics", () => {
    expect(quantile([3, 1, 2, 4], 0.5)).toBe(2.5);
    expect(quantile([3, 1, 2], 0)).toBe(1);
    expect(quantile([3, 1, 2], 1)).toBe(3);
    expect(quantile([0, 10], 0.9)).toBe(9);
  });
});

describe("columns", () => {
  it("count infinite values; one of them makes the mean infinite", () => {
    const columns = geometricColumns([1, 100, Number.POSITIVE_INFINITY]);
    expect(columns).toEqual({ value: "Infinity", low: null, high: null, channels: 2, infinite: 1 });
    expect(geometricColumns([1, 100]).value).toBeCloseTo(10, 12);
    expect(geometricColumns([Number.POSITIVE_INFINITY])).toEqual({
      value: "Infinity",
      low: null,
      high: null,
      channels: 0,
      infinite: 1,
    });
    expect(infiniteNote([columns])).toMatch(/1 means are infinite/);
    expect(infiniteNote([geometricColumns([1, 2])])).toBe("");
  });

  it("ratios are paired: a common factor per channel has no spread", () => {
    const { value, low, high } = ratioColumns([2, 20, 200], [1, 10, 100]);
    expect(value).toBeCloseTo(2, 12);
    expect(low).toBeCloseTo(2, 12);
    expect(high).toBeCloseTo(2, 12);
  });
});
