import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GapInput, optimalityGap } from "../../src/bounds/index.ts";
import { gapSensitivity } from "../../src/bounds/optimality-gap.ts";
import { decades, gapInputs, RUNS, relative } from "./support.ts";

describe("gapSensitivity", () => {
  const inputs = fc
    .record({
      smoothness: decades(-1, 1),
      ratio: decades(-3, 0),
      initialGap: decades(-2, 2),
      distortion: fc.array(decades(-3, 0), { minLength: 1, maxLength: 12 }),
      gradientFloor: decades(-2, 1),
      gradientSlope: fc.oneof(fc.constant(0), decades(-3, -1)),
      stochasticVariance: fc.oneof(fc.constant(0), decades(-3, 1)),
    })
    .map(({ ratio, ...input }) => ({
      ...input,
      rounds: input.distortion.length,
      plConstant: ratio * input.smoothness,
    }));

  /** Central difference with Richardson's correction. */
  function slope(f: (x: number) => number, x: number): number {
    const at = (h: number): number => (f(x * (1 + h)) - f(x * (1 - h))) / (2 * h * x);
    return (4 * at(5e-4) - at(1e-3)) / 3;
  }

  it("equals finite differences, one distortion per round", () => {
    fc.assert(
      fc.property(inputs, fc.nat(), (input, pick) => {
        const t = pick % input.rounds;
        const { gap, sensitivity } = gapSensitivity(input);
        const at = (x: number): GapInput => ({ ...input, distortion: input.distortion.with(t, x) });
        expect(gap).toBe(optimalityGap(input).gap);
        const numeric = slope((x) => optimalityGap(at(x)).gap, input.distortion[t]!);
        // what a difference of two gaps can resolve
        const resolution = (1e-11 * gap) / input.distortion[t]!;
        expect(Math.abs(sensitivity[t]! - numeric)).toBeLessThan(1e-6 * Math.abs(numeric) + resolution);
      }),
      RUNS,
    );
  });

  it("equals finite differences for a common distortion, and the sum over the rounds", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const omega = input.distortion[0]!;
        const { gap, sensitivity } = gapSensitivity({ ...input, distortion: omega });
        const numeric = slope((x) => optimalityGap({ ...input, distortion: x }).gap, omega);
        expect(Math.abs(sensitivity[0]! - numeric)).toBeLessThan(
          1e-6 * Math.abs(numeric) + (1e-11 * gap) / omega,
        );
        const each = gapSensitivity({ ...input, distortion: Array<number>(input.rounds).fill(omega) });
        const sum = each.sensitivity.reduce((a, b) => a + b, 0);
        expect(relative(sensitivity[0]!, sum)).toBeLessThan(1e-6);
      }),
      RUNS,
    );
  });

  it("never NaN; infinite where the gap is, or where the air would be a new error; later rounds matter more", () => {
    fc.assert(
      fc.property(gapInputs, (input) => {
        const { sensitivity } = gapSensitivity({ ...input, rounds: Math.min(input.rounds, 5000) });
        expect(sensitivity[0]).toBeGreaterThanOrEqual(0);
      }),
      RUNS,
    );
    const input = { smoothness: 1, plConstant: 0.1, initialGap: 1, rounds: 3, gradientFloor: 1 };
    const even = gapSensitivity({ ...input, distortion: [0.1, 0.1, 0.1] }).sensitivity;
    expect(even[2]).toBeGreaterThan(even[1]!);
    expect(gapSensitivity({ ...input, distortion: 0, stochasticVariance: 1 }).sensitivity[0]).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(gapSensitivity({ ...input, distortion: [0, 0, 0] }).sensitivity[2]).toBe(0.5);
    expect(gapSensitivity({ ...input, distortion: 2, gradientSlope: 1 }).sensitivity[0]).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});
