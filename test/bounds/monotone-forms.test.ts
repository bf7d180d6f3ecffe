import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type GapInput,
  gradientNormBound,
  optimalityGap,
  rankResidual,
  type Subspace,
} from "../../src/bounds/index.ts";
import { smallestSlope } from "../../src/bounds/optimality-gap.ts";
import { decades, gapInputs, RUNS } from "./support.ts";

const factor = fc.oneof(decades(-9, 0), decades(0, 6)).map((x) => 1 + x);
const SLACK = 1e-10;

const projection = fc
  .double({ min: 0.001, max: 1, noNaN: true })
  .map((captured): Subspace => ({ kind: "projection", captured }));
const sketch = fc
  .array(
    fc.record({
      rank: fc.integer({ min: 1, max: 64 }),
      columns: fc.integer({ min: 1, max: 4096 }),
      count: fc.integer({ min: 1, max: 48 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((layers): Subspace => ({ kind: "sketch", layers }));

/** A form of the bound as a function of the input, and its name in the table of tests. */
type Form = readonly [name: string, bound: (input: GapInput) => { gap: number; reason?: string }];
const pl: Form = ["PL", (input) => optimalityGap(input)];
const nonConvex: Form = [
  "non-convex",
  ({ plConstant: _, residual: __, ...input }) => {
    const { bound, reason } = gradientNormBound(input);
    return reason === undefined ? { gap: bound } : { gap: bound, reason };
  },
];
const subspaces: readonly (readonly [string, fc.Arbitrary<Subspace | undefined>])[] = [
  ["one loraA", fc.constant(undefined)],
  ["projection", projection],
  ["sketch", sketch],
];
const table = [pl, nonConvex].flatMap(([form, bound]) =>
  subspaces.map(([subspace, arbitrary]) => ({ form, subspace, bound, arbitrary })),
);

describe.each(table)("$form, $subspace", ({ form, subspace, bound, arbitrary }) => {
  const inputs = fc
    .tuple(gapInputs, arbitrary)
    .map(([input, drawn]): GapInput => (drawn === undefined ? input : { ...input, subspace: drawn }));
  // the search over the reserve solves for the split dozens of times
  const runs = { ...RUNS, numRuns: subspace === "sketch" ? 60 : 200 };

  function notBelow(larger: GapInput, smaller: GapInput): void {
    // within 1e-4 of the edge b2 = 1 rounding of the slopes alone moves the bound by more than the slack
    for (const input of [larger, smaller]) if (Math.abs(smallestSlope(input) - 1) < 1e-4) return;
    const low = bound(smaller).gap;
    const high = bound(larger).gap;
    expect(Number.isNaN(low) || Number.isNaN(high)).toBe(false);
    expect(high).toBeGreaterThanOrEqual(low * (1 - SLACK));
  }

  it.each(["distortion", "stochasticVariance", "gradientFloor", "gradientSlope", "initialGap"] as const)(
    "never decreases in %s",
    (name) => {
      fc.assert(
        fc.property(inputs, factor, decades(-9, 0), fc.boolean(), (input, times, plus, additive) => {
          const value = input[name] as number;
          notBelow({ ...input, [name]: additive ? value + plus : value * times }, input);
        }),
        runs,
      );
    },
  );

  it.each(["missingWeight", "heterogeneityFloor", "heterogeneitySlope"] as const)(
    "never decreases in %s of the participation",
    (name) => {
      fc.assert(
        fc.property(inputs, factor, (input, times) => {
          if (input.participation === undefined) return;
          const value = input.participation[name] ?? 0;
          const raised = name === "missingWeight" ? value + (0.999 - value) * (1 - 1 / times) : value * times;
          notBelow({ ...input, participation: { ...input.participation, [name]: raised } }, input);
        }),
        runs,
      );
    },
  );

  it("never increases in mu, and in the non-convex form does not know it", () => {
    fc.assert(
      fc.property(inputs, factor, (input, times) => {
        const raised = Math.min(input.smoothness, input.plConstant * times);
        notBelow(input, { ...input, plConstant: raised });
      }),
      runs,
    );
  });

  it("is infinite with a reason where b2 leaves no contraction, and only there", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const { gap, reason } = bound(input);
        expect(reason === undefined).toBe(Number.isFinite(gap));
        const slope = smallestSlope(input);
        if (input.rounds === 0 || Math.abs(slope - 1) < 1e-9) return;
        expect(Number.isFinite(gap)).toBe(slope < 1);
      }),
      { ...runs, numRuns: 4 * runs.numRuns },
    );
  });

  it("no NaN from 1e-300 to 1e300", () => {
    const extreme = fc.oneof(decades(-300, 300), fc.constantFrom(1e-300, 1e300, 0));
    const positive = fc.oneof(decades(-300, 300), fc.constantFrom(1e-300, 1e300));
    fc.assert(
      fc.property(
        fc.record({
          smoothness: positive,
          plConstant: positive,
          initialGap: extreme,
          rounds: fc.constantFrom(0, 1, 1000, Number.MAX_SAFE_INTEGER),
          distortion: extreme,
          gradientFloor: extreme,
          gradientSlope: extreme,
          stochasticVariance: extreme,
          residual: extreme,
          participation: fc.record({
            missingWeight: fc.constantFrom(0, 1e-300, 0.5),
            heterogeneityFloor: extreme,
            heterogeneitySlope: extreme,
          }),
        }),
        arbitrary,
        fc.boolean(),
        (input, drawn, varies) => {
          const plConstant = Math.min(input.plConstant, input.smoothness);
          const rounds = varies ? Math.min(input.rounds, 20) : input.rounds;
          const distortion = varies
            ? Array.from({ length: rounds }, (_, t) => (t % 2) * input.distortion)
            : input.distortion;
          const whole = { ...input, plConstant, rounds, distortion };
          const { gap, reason } = bound(drawn === undefined ? whole : { ...whole, subspace: drawn });
          expect(gap).toBeGreaterThanOrEqual(0);
          expect(reason === undefined).toBe(Number.isFinite(gap));
          if (form === "PL" && rounds === 0) expect(gap).toBe(input.initialGap + input.residual);
        },
      ),
      { ...RUNS, numRuns: subspace === "sketch" ? 300 : 3000 },
    );
  });
});

describe("the subspace", () => {
  it("a projection that captures more is never worse, and with kappa = 1 is none", () => {
    fc.assert(
      fc.property(
        gapInputs,
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        factor,
        (input, captured, times) => {
          if (Math.abs(smallestSlope(input) - 1) < 1e-4) return;
          const at = (kappa: number): number =>
            optimalityGap({ ...input, subspace: { kind: "projection", captured: kappa } }).gap;
          expect(at(captured)).toBeGreaterThanOrEqual(at(Math.min(1, captured * times)) * (1 - SLACK));
          expect(at(1)).toBe(optimalityGap(input).gap);
        },
      ),
      RUNS,
    );
  });
});

describe("every residual", () => {
  it.each(["spectral", "frozen", "projection", "sketch"] as const)(
    "%s: never increases in r, is never negative, and never below the spectral one unless loraA is drawn anew",
    (kind) => {
      const layers = fc.array(
        fc.record({
          dOut: fc.integer({ min: 4, max: 30 }),
          dIn: fc.integer({ min: 4, max: 30 }),
          count: fc.integer({ min: 1, max: 3 }),
        }),
        { minLength: 1, maxLength: 3 },
      );
      const values = fc.array(decades(-6, 6), { minLength: 1, maxLength: 4 });
      fc.assert(
        fc.property(
          layers,
          values,
          fc.double({ min: 0, max: 1 }),
          decades(-6, 6),
          (list, given, part, smoothness) => {
            const tail = list.every(({ dOut, dIn }) => Math.min(dOut, dIn) > given.length)
              ? part * Math.min(...given) ** 2
              : 0;
            const spectrum = { kind: "values" as const, values: given, tail };
            const at = (rank: number): number =>
              rankResidual({ kind, smoothness, layers: list, spectrum, rank });
            for (let rank = 1; rank <= 30; rank++) {
              expect(at(rank)).toBeLessThanOrEqual(at(rank - 1));
              expect(at(rank)).toBeGreaterThanOrEqual(0);
            }
            const least = rankResidual({ smoothness, layers: list, spectrum, rank: 2 });
            if (kind === "projection" || kind === "sketch") expect(at(0)).toBe(0);
            else expect(at(2)).toBeGreaterThanOrEqual(least * (1 - 1e-12));
          },
        ),
        { ...RUNS, numRuns: 100 },
      );
    },
  );
});
