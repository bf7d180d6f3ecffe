import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tdl } from "../../src/aircomp/delay-profiles.ts";
import { type PathLoss, pathGains, tapPowers } from "../../src/aircomp/index.ts";
import { randomStream } from "../../src/core/index.ts";
import { runs } from "./support.ts";

describe("delay profiles", () => {
  test.each(["tdl-a", "tdl-b", "tdl-c"] as const)("%s: rms delay spread 1 within 1e-3", (name) => {
    const powers = tdl[name].map(([, decibels]) => 10 ** (decibels / 10));
    const total = powers.reduce((sum, p) => sum + p, 0);
    const moment = (n: number) => tdl[name].reduce((sum, [d], i) => sum + (powers[i]! / total) * d ** n, 0);
    expect(Math.abs(Math.sqrt(moment(2) - moment(1) ** 2) - 1)).toBeLessThan(1e-3);
    expect(tdl[name].length).toBe({ "tdl-a": 23, "tdl-b": 23, "tdl-c": 24 }[name]);
    expect(tdl[name][0]![0]).toBe(0);
  });

  test.each(["tdl-a", "tdl-b", "tdl-c"] as const)("%s on a fine grid keeps its delay spread", (name) => {
    const powers = tapPowers(name, 2048, 100);
    const moment = (n: number) => powers.reduce((sum, p, l) => sum + p * (l / 100) ** n, 0);
    expect(Math.abs(Math.sqrt(moment(2) - moment(1) ** 2) - 1)).toBeLessThan(3e-3);
  });

  test("powers are >= 0 and sum to 1", () => {
    const profiles = fc.oneof(fc.constantFrom("exponential", "uniform", "tdl-a", "tdl-b", "tdl-c" as const));
    fc.assert(
      fc.property(
        profiles,
        fc.integer({ min: 1, max: 64 }),
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        (profile, taps, spread) => {
          const powers = tapPowers(profile as "uniform", taps, spread);
          expect(powers.length).toBe(taps);
          expect(Math.min(...powers)).toBeGreaterThanOrEqual(0);
          expect(powers.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 13);
        },
      ),
      runs(300),
    );
  });

  test("exponential, uniform, given", () => {
    const p = tapPowers("exponential", 5, 2);
    for (let l = 1; l < 5; l++) expect(p[l]! / p[l - 1]!).toBeCloseTo(Math.exp(-0.5), 14);
    expect(Array.from(tapPowers("uniform", 4, 1))).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(Array.from(tapPowers([1, 0, 3], 3, 1))).toEqual([0.25, 0, 0.75]);
  });

  test.each([
    [() => tapPowers([1, 2], 3, 1), /^delayProfile: found an array of 2 entries, expected 3 powers/],
    [() => tapPowers([1, -2], 2, 1), /^delayProfile\[1\]: found -2/],
    [() => tapPowers([0, 0], 2, 1), /^delayProfile: found powers that sum to 0/],
    [() => tapPowers("tdl-z" as "tdl-a", 2, 1), /^delayProfile: found "tdl-z"/],
    [() => tapPowers("toString" as "tdl-a", 2, 1), /^delayProfile: found "toString"/],
    [() => tapPowers("exponential", 2, 0), /^delaySpread: found 0/],
    [() => tapPowers("uniform", 0, 1), /^taps: found 0/],
    [() => tapPowers(undefined as never, 2, 1), /^delayProfile: found undefined/],
  ])("refuses %#", (call, message) => {
    expect(call).toThrow(message);
  });
});

describe("path loss", () => {
  const stream = () => randomStream(1, "test");
  const gains = (pathLoss: PathLoss, devices: number) => Array.from(pathGains(pathLoss, devices, stream()));

  test("values", () => {
    const positions = [
      [100, 0],
      [30, 40],
      [0, 0.5],
      [2, 3, 6],
    ];
    const found = gains({ positions }, 4);
    expect(found[0]).toBeCloseTo(1e-6, 18);
    expect(found[1]).toBeCloseTo(50 ** -3, 17);
    expect(found[2]).toBe(1);
    expect(found[3]).toBeCloseTo(7 ** -3, 15);
    const other = gains({ positions, exponent: 2, referenceDistance: 10, referenceLossDb: 30 }, 4);
    expect(other[0]).toBeCloseTo(1e-5, 17);
    expect(other[1]).toBeCloseTo(4e-5, 17);
    expect(other[2]).toBeCloseTo(1e-3, 15);
    const unit = gains({ positions, normalise: true }, 4);
    expect(unit.reduce((sum, g) => sum + g, 0)).toBeCloseTo(4, 12);
    expect(unit[0]! / unit[1]!).toBeCloseTo(found[0]! / found[1]!, 14);
  });

  test("devices dropped in a ring: within it, uniform in area; the first do not depend on the number", () => {
    const drop = { positions: { radius: 100, minimum: 20 }, exponent: 1 };
    const distances = gains(drop, 20000).map((g) => 1 / g);
    expect(Math.min(...distances)).toBeGreaterThanOrEqual(20 * (1 - 1e-12));
    expect(Math.max(...distances)).toBeLessThanOrEqual(100 * (1 + 1e-12));
    // (d^2 - 20^2)/(100^2 - 20^2) is uniform: mean 1/2, variance 1/12
    const mean = distances.reduce((sum, d) => sum + (d * d - 400) / 9600, 0) / 20000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / 20000));
    expect(gains(drop, 3)).toEqual(gains(drop, 9).slice(0, 3));
  });

  test("shadowing is normal in dB", () => {
    const positions = Array.from({ length: 20000 }, () => [1, 0]);
    const decibels = gains({ positions, shadowingDb: 6 }, 20000).map((g) => 10 * Math.log10(g));
    const mean = decibels.reduce((sum, x) => sum + x, 0) / 20000;
    const variance = decibels.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 20000;
    expect(Math.abs(mean)).toBeLessThan((5 * 6) / Math.sqrt(20000));
    expect(Math.abs(variance / 36 - 1)).toBeLessThan(5 * Math.sqrt(2 / 20000));
  });

  test.each([
    [{ positions: [[1, 0]] }, /^pathLoss.positions: found an array of 1 entry, expected 2 positions/],
    [{ positions: [[1, 0], [1]] }, /^pathLoss.positions\[1\]: found an array of 1 entry/],
    [
      {
        positions: [
          [1, 0],
          [1, Number.NaN],
        ],
      },
      /^pathLoss.positions\[1\]\[1\]: found NaN/,
    ],
    [{ positions: { radius: 0 } }, /^pathLoss.positions.radius: found 0/],
    [{ positions: { radius: 5, minimum: 6 } }, /^pathLoss.positions.minimum: found 6/],
    [{ positions: { radius: 5 }, exponent: 0 }, /^pathLoss.exponent: found 0/],
    [{ positions: { radius: 5 }, loss: 0 }, /^pathLoss.loss: found an unknown option/],
    [{ positions: { radius: 5 }, shadowingDb: -1 }, /^pathLoss.shadowingDb: found -1/],
    [{}, /^pathLoss.positions: found undefined/],
  ])("refuses %#", (pathLoss, message) => {
    expect(() => gains(pathLoss as PathLoss, 2)).toThrow(message);
  });
});
