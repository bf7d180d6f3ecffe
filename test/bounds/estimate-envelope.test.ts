import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { estimateEnvelope, upperEnvelope } from "../../src/bounds/estimate/envelope.ts";
import { endpointLimit, sortedQuantile, studentHalfWidth } from "../../src/bounds/estimate/statistics.ts";
import { randomStream } from "../../src/core/index.ts";
import { tQuantile } from "../../src/figures/statistics.ts";
import { decades, RUNS, relative, zeroOr } from "./support.ts";

const points = fc.array(fc.tuple(zeroOr(-4, 4), zeroOr(-4, 4)), { minLength: 1, maxLength: 12 });

/** Mean excess of the best line by brute force: vertices of the feasible set are crossings of two constraints. */
function bruteForce(x: readonly number[], y: readonly number[]): number {
  const candidates: [number, number][] = [[Math.max(...y), 0]];
  for (let i = 0; i < x.length; i++) {
    if (x[i]! > 0) candidates.push([0, y[i]! / x[i]!]);
    for (let j = 0; j < i; j++) {
      const slope = (y[i]! - y[j]!) / (x[i]! - x[j]!);
      if (Number.isFinite(slope)) candidates.push([y[i]! - slope * x[i]!, slope]);
    }
  }
  const mean = x.reduce((sum, value) => sum + value / x.length, 0);
  let best = Number.POSITIVE_INFINITY;
  for (const [floor, slope] of candidates) {
    const slack = 1e-12 * Math.max(...y);
    const isFeasible =
      floor >= -slack && slope >= 0 && x.every((value, i) => floor + slope * value >= y[i]! - slack);
    if (isFeasible) best = Math.min(best, floor + slope * mean);
  }
  return best;
}

describe("upperEnvelope", () => {
  it("lies above all points, exactly, and is as low as the best line by brute force", () => {
    fc.assert(
      fc.property(points, (list) => {
        const x = list.map(([first]) => first);
        const y = list.map(([, second]) => second);
        const { floor, slope } = upperEnvelope(x, y);
        expect(floor).toBeGreaterThanOrEqual(0);
        expect(slope).toBeGreaterThanOrEqual(0);
        for (let i = 0; i < x.length; i++) expect(floor + slope * x[i]!).toBeGreaterThanOrEqual(y[i]!);
        const mean = x.reduce((sum, value) => sum + value / x.length, 0);
        expect(relative(floor + slope * mean, bruteForce(x, y))).toBeLessThan(1e-9);
      }),
      RUNS,
    );
  });

  it("finds a line exactly, whatever the scale", () => {
    fc.assert(
      fc.property(decades(-3, 3), decades(-3, 3), decades(-6, 6), (floor, slope, unit) => {
        const x = [0, 1, 2, 5, 9].map((value) => value * unit);
        const y = x.map((value, i) => (floor * unit + slope * value) * (i === 2 ? 0.5 : 1));
        const found = upperEnvelope(x, y);
        expect(relative(found.floor, floor * unit)).toBeLessThan(1e-9);
        expect(relative(found.slope, slope)).toBeLessThan(1e-9);
      }),
      RUNS,
    );
  });

  it.each<[string, number[], number[], number, number]>([
    ["one point", [2], [3], 3, 0],
    ["equal x", [2, 2, 2], [3, 5, 4], 5, 0],
    ["falling points", [1, 2, 3], [5, 4, 1], 5, 0],
    ["through the origin", [1, 2, 4], [2, 3, 8], 0, 2],
    ["zeros", [0, 0], [0, 0], 0, 0],
    ["x all zero", [0, 0], [1, 2], 2, 0],
  ])("%s", (_, x, y, floor, slope) => {
    expect(upperEnvelope(x, y)).toEqual({ floor, slope });
  });

  it("has intervals around its values; both upper ends are a line above all points too", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(zeroOr(-2, 2), zeroOr(-2, 2)), { minLength: 3, maxLength: 30 }),
        (list) => {
          const x = list.map(([first]) => first);
          const y = list.map(([, second]) => second);
          const { floor, slope, floorInterval, slopeInterval } = estimateEnvelope(x, y, 0.9, 1);
          expect(floorInterval[0]).toBeLessThanOrEqual(floor);
          expect(floorInterval[1]).toBeGreaterThanOrEqual(floor);
          expect(slopeInterval[0]).toBeLessThanOrEqual(slope);
          expect(slopeInterval[1]).toBeGreaterThanOrEqual(slope);
        },
      ),
      { ...RUNS, numRuns: 50 },
    );
  });
});

describe("statistics", () => {
  it("the end-point limit has its nominal coverage where its assumption holds", () => {
    const stream = randomStream(1, "endpoint");
    const trials = 4000;
    let covered = 0;
    for (let trial = 0; trial < trials; trial++) {
      const sample = Array.from({ length: 30 }, () => stream.uniform());
      if (endpointLimit(sample, 0.9)!.upper >= 1) covered++;
    }
    // four standard errors, and 0.5 % for 30 values in place of many
    expect(Math.abs(covered / trials - 0.9)).toBeLessThan(0.025);
  });

  it("the end-point limit of fewer than two values is not known", () => {
    expect(endpointLimit([], 0.9)).toBeUndefined();
    expect(endpointLimit([1], 0.9)).toBeUndefined();
    expect(endpointLimit([2, 2], 0.9)).toEqual({ observed: 2, upper: 2 });
    expect(endpointLimit([1, 3, 2], 0.75)!.upper).toBeCloseTo(6, 12);
  });

  it("Student's t agrees with the incomplete beta function, and with its closed forms", () => {
    expect(relative(studentHalfWidth(0.95, 1), Math.tan(0.475 * Math.PI))).toBeLessThan(1e-12);
    expect(relative(studentHalfWidth(0.5, 2), Math.sqrt(2 / 3))).toBeLessThan(1e-12);
    for (const confidence of [0.5, 0.9, 0.95, 0.999]) {
      for (const degrees of [1, 2, 3, 4, 5, 10, 29, 30, 1000]) {
        const expected = tQuantile((1 + confidence) / 2, degrees);
        expect(relative(studentHalfWidth(confidence, degrees), expected)).toBeLessThan(1e-9);
      }
    }
  });

  it("quantiles interpolate", () => {
    expect(sortedQuantile(Float64Array.of(4, 1, 3, 2), 0.5)).toBe(2.5);
    expect(sortedQuantile(Float64Array.of(4, 1, 3, 2), 1)).toBe(4);
  });
});
