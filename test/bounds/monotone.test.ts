import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GapInput, optimalityGap, rankResidual, type Spectrum } from "../../src/bounds/index.ts";
import { decades, gapInputs, RUNS, sourcesOf } from "./support.ts";

const MANY = { ...RUNS, numRuns: 600 } as const;
const factor = fc.oneof(decades(-9, 0), decades(0, 6)).map((x) => 1 + x);

/** Rounding of two nearly equal gaps. */
const SLACK = 1e-11;

function notBelow(larger: GapInput, smaller: GapInput): void {
  // within 1e-4 of the edge b2 = 1 rounding of the slopes alone moves the gap by more than the slack
  for (const input of [larger, smaller]) {
    const least = sourcesOf(input).slopes.reduce((sum, s) => sum + Math.sqrt(s), 0) ** 2;
    if (Math.abs(least - 1) < 1e-4) return;
  }
  const low = optimalityGap(smaller).gap;
  const high = optimalityGap(larger).gap;
  expect(Number.isNaN(low) || Number.isNaN(high)).toBe(false);
  expect(high).toBeGreaterThanOrEqual(low * (1 - SLACK));
}

describe("the gap never decreases in", () => {
  it.each([
    "distortion",
    "stochasticVariance",
    "gradientFloor",
    "gradientSlope",
    "initialGap",
    "residual",
  ] as const)("%s", (name) => {
    fc.assert(
      fc.property(gapInputs, factor, decades(-9, 0), fc.boolean(), (input, times, plus, additive) => {
        const value = input[name] as number;
        notBelow({ ...input, [name]: additive ? value + plus : value * times }, input);
      }),
      MANY,
    );
  });

  it.each(["missingWeight", "heterogeneityFloor", "heterogeneitySlope"] as const)(
    "participation: %s",
    (name) => {
      fc.assert(
        fc.property(gapInputs, factor, (input, times) => {
          if (input.participation === undefined) return;
          const value = input.participation[name] ?? 0;
          const raised = name === "missingWeight" ? value + (0.999 - value) * (1 - 1 / times) : value * times;
          notBelow({ ...input, participation: { ...input.participation, [name]: raised } }, input);
        }),
        MANY,
      );
    },
  );

  it("participation: renormalised weights against missing devices that count as zero", () => {
    fc.assert(
      fc.property(gapInputs, (input) => {
        if (input.participation === undefined) return;
        const with_ = (renormalised: boolean): GapInput => ({
          ...input,
          participation: { ...input.participation!, renormalised },
        });
        notBelow(with_(true), with_(false));
      }),
      MANY,
    );
  });
});

describe("the gap never increases", () => {
  it("in the PL constant mu", () => {
    fc.assert(
      fc.property(gapInputs, factor, (input, times) => {
        const raised = Math.min(input.smoothness, input.plConstant * times);
        notBelow(input, { ...input, plConstant: raised });
      }),
      MANY,
    );
  });

  it("in T when there is no error", () => {
    fc.assert(
      fc.property(gapInputs, fc.integer({ min: 1, max: 1_000_000 }), (input, more) => {
        const clean = { ...input, distortion: 0, stochasticVariance: 0, participation: undefined };
        notBelow(clean, { ...clean, rounds: clean.rounds + more });
      }),
      MANY,
    );
  });
});

describe("extremes", () => {
  const base: GapInput = {
    smoothness: 1,
    plConstant: 1,
    initialGap: 1,
    rounds: 1_000_000,
    distortion: 0.1,
    gradientFloor: 1,
    gradientSlope: 0.5,
    stochasticVariance: 0.1,
  };
  it("rho^T underflows: only the floor is left", () => {
    const { gap, terms } = optimalityGap(base);
    expect(terms.initial).toBe(0);
    expect(gap).toBe(optimalityGap({ ...base, initialGap: 1e300 }).gap);
  });
  it("mu = L and no error: one round reaches the optimum", () => {
    const clean = { ...base, distortion: 0, stochasticVariance: 0 };
    expect(optimalityGap({ ...clean, rounds: 1 }).gap).toBe(0);
  });
  it("mu/L = 1e-12: the error grows like T b1/(2L), without cancellation", () => {
    const slow = { ...base, plConstant: 1e-12, gradientSlope: 0, stochasticVariance: 0, rounds: 1000 };
    expect(Math.abs(optimalityGap(slow).terms.air / (1000 * 0.05) - 1)).toBeLessThan(1e-9);
  });
  it("a huge distortion with a2 = 0 is finite, with a2 > 0 infinite with a reason", () => {
    expect(optimalityGap({ ...base, distortion: 1e12, gradientSlope: 0 }).gap).toBeGreaterThan(1e11);
    const { gap, reason } = optimalityGap({ ...base, distortion: 1e12 });
    expect([gap, reason?.includes("air")]).toEqual([Number.POSITIVE_INFINITY, true]);
  });
  it("b2 just below 1 is finite, at 1 infinite", () => {
    const edge = { ...base, stochasticVariance: 0, gradientSlope: 1 };
    expect(optimalityGap({ ...edge, distortion: 1 - 1e-9 }).gap).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(optimalityGap({ ...edge, distortion: 1 }).gap).toBe(Number.POSITIVE_INFINITY);
    expect(optimalityGap({ ...edge, distortion: 1 - 1e-9, stochasticVariance: 1 }).gap).toBeLessThan(
      Number.POSITIVE_INFINITY,
    );
  });
});

describe("the residual", () => {
  const spectra: fc.Arbitrary<Spectrum> = fc.oneof(
    fc.record({
      kind: fc.constant("power-law" as const),
      scale: decades(-6, 6),
      exponent: fc.double({ min: 0, max: 9, noNaN: true }),
    }),
    fc.record({
      kind: fc.constant("geometric" as const),
      scale: decades(-6, 6),
      ratio: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    fc.record({ kind: fc.constant("values" as const), values: fc.array(decades(-6, 6), { maxLength: 5 }) }),
  );
  const layers = fc.array(
    fc.record({
      dOut: fc.integer({ min: 5, max: 30 }),
      dIn: fc.integer({ min: 5, max: 30 }),
      count: fc.integer({ min: 1, max: 5 }),
    }),
    { minLength: 1, maxLength: 4 },
  );
  it("never increases in r, is 0 from the smaller dimension on, and never NaN", () => {
    fc.assert(
      fc.property(spectra, layers, decades(-6, 6), (spectrum, list, smoothness) => {
        const at = (rank: number): number => rankResidual({ smoothness, layers: list, spectrum, rank });
        for (const rank of [1, 2, 5, 9, 17, 30]) expect(at(rank)).toBeLessThanOrEqual(at(rank - 1));
        expect(at(30)).toBe(0);
      }),
      RUNS,
    );
  });
});
