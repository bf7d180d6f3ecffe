import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GapInput, optimalityGap } from "../../src/bounds/index.ts";
import {
  bruteForce,
  closedForm,
  decades,
  gapInputs,
  RUNS,
  recursion,
  relative,
  sourcesOf,
} from "./support.ts";

const base: GapInput = {
  smoothness: 2,
  plConstant: 0.1,
  initialGap: 3,
  rounds: 40,
  distortion: 0.05,
  gradientFloor: 0.7,
  gradientSlope: 0.4,
  residual: 0.01,
};

/** The gap as a function of theta for air and stochastic gradients: b1 = (1+theta) omega a1 + (1+1/theta) chi2. */
function gapOfTheta(input: GapInput, theta: number): number {
  const omega = input.distortion as number;
  const b1 = (1 + theta) * omega * input.gradientFloor + (1 + 1 / theta) * input.stochasticVariance!;
  const b2 = (1 + theta) * omega * input.gradientSlope!;
  if (b2 >= 1) return Number.POSITIVE_INFINITY;
  // 1 - rho^T through expm1: near b2 = 1 the difference would cancel
  const shrink = (input.plConstant / input.smoothness) * (1 - b2);
  const left = shrink < 1 ? -Math.expm1(input.rounds * Math.log1p(-shrink)) : 1;
  const floor = b1 / (2 * input.smoothness * shrink);
  return (1 - left) * input.initialGap + left * floor + input.residual!;
}

describe("one source of error", () => {
  it("equals a computation by hand", () => {
    // b1 = 0.05*0.7 = 0.035, b2 = 0.02, rho = 1 - 0.05*0.98 = 0.951
    const decay = 0.951 ** 40;
    const floor = 0.035 / (2 * 0.1 * 0.98);
    const { gap, terms, contraction } = optimalityGap(base);
    expect(relative(gap, decay * 3 + (1 - decay) * floor + 0.01)).toBeLessThan(1e-14);
    expect(relative(terms.initial, decay * 3)).toBeLessThan(1e-13);
    expect(relative(terms.air, (1 - decay) * floor)).toBeLessThan(1e-13);
    expect(terms.residual).toBe(0.01);
    expect(contraction).toBeCloseTo(0.951, 14);
  });

  it("equals the plain recursion and the closed form", () => {
    const one = gapInputs.map((input) => ({
      ...input,
      plConstant: Math.max(input.plConstant, 1e-6 * input.smoothness),
      rounds: Math.min(input.rounds, 5000),
      stochasticVariance: 0,
      participation: undefined,
    }));
    fc.assert(
      fc.property(one, (input) => {
        const { gap } = optimalityGap(input);
        const plain = recursion(input, [1, 1, 1]);
        if (plain === Number.POSITIVE_INFINITY) {
          expect(gap).toBe(plain);
          return;
        }
        expect(relative(gap, plain)).toBeLessThan(1e-11);
        // 1 - rho^T cancels in the plain closed form
        const { slopes } = sourcesOf(input);
        const shrink = (input.plConstant / input.smoothness) * (1 - slopes[0]!);
        if (input.rounds * shrink > 1e-6)
          expect(relative(gap, closedForm(input, [1, 1, 1]))).toBeLessThan(1e-8);
      }),
      RUNS,
    );
  });

  it("chi2 = 0: theta does not matter, b1 = omega a1", () => {
    const { gap } = optimalityGap({ ...base, stochasticVariance: 0 });
    expect(relative(gap, recursion(base, [1, 0, 0]))).toBeLessThan(1e-13);
  });

  it("omega = 0: b1 = chi2, b2 = 0", () => {
    const input = { ...base, distortion: 0, stochasticVariance: 0.3 };
    const decay = 0.95 ** 40;
    expect(relative(optimalityGap(input).gap, decay * 3 + (1 - decay) * (0.3 / 0.2) + 0.01)).toBeLessThan(
      1e-13,
    );
  });

  it("participation alone: factor 4 v^2 when weights are renormalised, v^2 when the missing count as zero", () => {
    const participation = { missingWeight: 0.2, heterogeneityFloor: 0.5, heterogeneitySlope: 0.3 };
    const input = { ...base, distortion: 0 };
    for (const [renormalised, factor] of [
      [true, 4],
      [false, 1],
    ] as const) {
      const b1 = factor * 0.04 * 0.5;
      const b2 = factor * 0.04 * 0.3;
      const rho = 1 - 0.05 * (1 - b2);
      const expected = rho ** 40 * 3 + ((1 - rho ** 40) * b1) / (0.2 * (1 - b2)) + 0.01;
      const { gap, terms } = optimalityGap({ ...input, participation: { ...participation, renormalised } });
      expect(relative(gap, expected)).toBeLessThan(1e-13);
      expect(terms.air + terms.stochastic).toBe(0);
    }
  });
});

describe("the split of several errors", () => {
  const twoSources = fc
    .record({
      smoothness: decades(-2, 2),
      ratio: decades(-3, 0),
      initialGap: decades(-3, 2),
      rounds: fc.constantFrom(1, 2, 7, 50, 1000),
      distortion: decades(-3, 0),
      gradientFloor: decades(-3, 2),
      gradientSlope: fc.oneof(fc.constant(0), decades(-3, 0)),
      stochasticVariance: decades(-3, 2),
      residual: fc.constant(0.25),
    })
    .map(({ ratio, ...input }) => ({ ...input, plConstant: ratio * input.smoothness }));

  it("air and sgd: the minimum over a fine grid of theta, and over its refinement", () => {
    fc.assert(
      fc.property(twoSources, (input) => {
        const { gap, contraction } = optimalityGap(input);
        let grid = Number.POSITIVE_INFINITY;
        let at = 1;
        for (let i = -1000; i <= 1000; i++) {
          const value = gapOfTheta(input, 10 ** (i / 200));
          if (value < grid) {
            grid = value;
            at = i / 200;
          }
        }
        if (grid === Number.POSITIVE_INFINITY) return; // feasible thetas may hide between 0 and the grid
        expect(gap).toBeLessThanOrEqual(grid * (1 + 1e-9));
        for (let step = 1 / 200; step > 1e-12; step /= 2) {
          for (const x of [at - step, at + step]) {
            const value = gapOfTheta(input, 10 ** x);
            if (value < grid) {
              grid = value;
              at = x;
            }
          }
        }
        expect(gap).toBeLessThanOrEqual(grid * (1 + 1e-6));
        // where b2 < 1 binds the step of the grid's refinement may stop short of the edge
        if (contraction < 1 - 1e-3 * (input.plConstant / input.smoothness)) {
          expect(relative(gap, grid)).toBeLessThan(1e-9);
        }
      }),
      RUNS,
    );
  });

  it("three sources: the minimum over the simplex, also where b2 < 1 binds", () => {
    let binding = 0;
    let finite = 0;
    fc.assert(
      fc.property(
        twoSources,
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        decades(-4, 1),
        fc.oneof(fc.constant(0), decades(-1, 1)),
        (two, missingWeight, heterogeneityFloor, heterogeneitySlope) => {
          const input = {
            ...two,
            rounds: Math.min(two.rounds, 50),
            participation: { missingWeight, heterogeneityFloor, heterogeneitySlope },
          };
          const { gap, contraction } = optimalityGap(input);
          const { grid, refined } = bruteForce((t) => recursion(input, t), [true, true, true], 30);
          if (grid === Number.POSITIVE_INFINITY) return;
          finite++;
          if (contraction > 1 - 1e-6 * (input.plConstant / input.smoothness)) binding++;
          expect(gap).toBeLessThanOrEqual(grid * (1 + 1e-6));
          // the pattern search may stop early along the edge b2 = 1, but it never gets lower
          expect(gap).toBeLessThanOrEqual(refined * (1 + 1e-6));
          if (contraction < 1 - 1e-3 * (input.plConstant / input.smoothness)) {
            expect(relative(gap, refined)).toBeLessThan(1e-6);
          }
        },
      ),
      { ...RUNS, numRuns: 150 },
    );
    expect(finite).toBeGreaterThan(75);
    expect(binding).toBeGreaterThan(0);
  });

  it("three sources where the search used to stop at the edge b2 = 1 (14 % too high)", () => {
    // one round, air (1e-5, 0.0515), stochastic 1.69, participation (0.2, 0.19)
    const input: GapInput = {
      smoothness: 1,
      plConstant: 0.5,
      initialGap: 0.01,
      rounds: 1,
      distortion: 0.05,
      gradientFloor: 4e-4,
      gradientSlope: 1,
      stochasticVariance: 1.7,
      participation: { missingWeight: 0.25, heterogeneityFloor: 0.8, heterogeneitySlope: 0.76 },
    };
    const { gap } = optimalityGap(input);
    const { refined } = bruteForce((t) => recursion(input, t), [true, true, true], 200);
    expect(gap).toBeLessThanOrEqual(refined * (1 + 1e-6));
  });

  it("stationary: the shares behind the terms satisfy t_i^2 proportional to the sensitivity", () => {
    // a2 = 0, no slopes: the gap is series/(2L) sum c_i/t_i, so t_i is proportional to sqrt(c_i)
    const input = { ...base, gradientSlope: 0, stochasticVariance: 0.02 };
    const { terms } = optimalityGap(input);
    const decay = 0.95 ** 40;
    const sum = (Math.sqrt(0.05 * 0.7) + Math.sqrt(0.02)) ** 2;
    expect(relative(terms.air + terms.stochastic, ((1 - decay) * sum) / 0.2)).toBeLessThan(1e-12);
    expect(relative(terms.air / terms.stochastic, Math.sqrt((0.05 * 0.7) / 0.02))).toBeLessThan(1e-8);
  });
});

describe("one distortion per round", () => {
  it("equals the constant case when all rounds are equal", () => {
    fc.assert(
      fc.property(gapInputs, (input) => {
        const rounds = Math.min(input.rounds, 400);
        const constant = optimalityGap({ ...input, rounds });
        const varying = optimalityGap({ ...input, rounds, distortion: Array(rounds).fill(input.distortion) });
        if (!Number.isFinite(constant.gap)) {
          expect(varying.gap).toBe(Number.POSITIVE_INFINITY);
          return;
        }
        expect(relative(constant.gap, varying.gap)).toBeLessThan(1e-12);
      }),
      RUNS,
    );
  });

  it("equals the recursion with one share for all rounds, minimised over it", () => {
    const perRound = Array.from({ length: 30 }, (_, t) => 0.3 * Math.abs(Math.sin(t + 1)));
    const input: GapInput = { ...base, rounds: 30, distortion: perRound, stochasticVariance: 0.05 };
    const { refined } = bruteForce((t) => recursion(input, t, perRound), [true, true, false], 400);
    const result = optimalityGap(input);
    expect(relative(result.gap, refined)).toBeLessThan(1e-9);
    expect(
      relative(optimalityGap({ ...input, distortion: Float64Array.from(perRound) }).gap, result.gap),
    ).toBe(0);
  });

  it("later rounds matter more, and the worst round decides whether the bound applies", () => {
    const rounds = 10;
    const at = (round: number): number =>
      optimalityGap({
        ...base,
        rounds,
        distortion: Array.from({ length: rounds }, (_, t) => (t === round ? 1 : 0.01)),
      }).gap;
    for (let t = 1; t < rounds; t++) expect(at(t)).toBeGreaterThan(at(t - 1));
    const bad = optimalityGap({ ...base, rounds: 2, distortion: [0, 3] });
    expect(bad.gap).toBe(Number.POSITIVE_INFINITY);
    expect(bad.reason).toContain("b2 >= 1");
  });
});

describe("results", () => {
  it("terms sum to the gap, are never negative and never NaN", () => {
    fc.assert(
      fc.property(gapInputs, (input) => {
        const { gap, terms, contraction, reason } = optimalityGap(input);
        const list = Object.values(terms) as number[];
        for (const term of list) expect(term).toBeGreaterThanOrEqual(0);
        expect(list.reduce((a, b) => a + b, 0)).toBe(gap);
        expect(contraction).toBeGreaterThanOrEqual(0);
        expect(contraction).toBeLessThanOrEqual(1);
        expect(reason === undefined).toBe(Number.isFinite(gap));
      }),
      { ...RUNS, numRuns: 1500 },
    );
  });

  it("is infinite, with a reason, exactly where b2 >= 1 for every split: (sum sqrt(slope))^2 >= 1", () => {
    fc.assert(
      fc.property(gapInputs, (input) => {
        if (input.rounds === 0) return;
        const smallest = sourcesOf(input).slopes.reduce((sum, s) => sum + Math.sqrt(s), 0) ** 2;
        if (Math.abs(smallest - 1) < 1e-9) return;
        const { gap, reason } = optimalityGap(input);
        expect(Number.isFinite(gap)).toBe(smallest < 1);
        if (smallest >= 1) expect(reason).toMatch(/b2 >= 1, from (air|participation|air and participation)/);
      }),
      { ...RUNS, numRuns: 1500 },
    );
  });

  it("rounds = 0 is legal: nothing has happened yet", () => {
    const none = optimalityGap({ ...base, rounds: 0, gradientSlope: 1e9 });
    expect(none.gap).toBe(3.01);
    expect(optimalityGap({ ...base, rounds: 0, distortion: [] }).gap).toBe(3.01);
  });
});

describe("extremes", () => {
  it("products that vanish are no source", () => {
    const participation = { missingWeight: 0.1, heterogeneityFloor: 1, heterogeneitySlope: 1 };
    const air = { ...base, participation, distortion: 1e-200, gradientFloor: 1e-200 };
    const none = { ...base, participation, distortion: 0 };
    expect(Math.abs(optimalityGap(air).gap / optimalityGap(none).gap - 1)).toBeLessThan(1e-9);
  });

  it("b2 far below rounding still counts where it is all there is", () => {
    const tiny = { ...base, plConstant: base.smoothness, rounds: 1, distortion: 1e-17, gradientSlope: 1 };
    const { terms } = optimalityGap({ ...tiny, initialGap: 1e6, gradientFloor: 0 });
    expect(Math.abs(terms.initial / 1e-11 - 1)).toBeLessThan(1e-9);
    expect(
      optimalityGap({ ...tiny, initialGap: 1e6, gradientFloor: 0, distortion: [1e-17] }).terms.initial,
    ).toBe(terms.initial);
  });
});
