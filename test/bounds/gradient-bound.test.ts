import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GapInput, gradientNormBound } from "../../src/bounds/index.ts";
import { InputError, randomStream } from "../../src/core/index.ts";
import { bruteForce, gapInputs, RUNS, relative, sourcesOf } from "./support.ts";

const base = {
  smoothness: 2,
  initialGap: 3,
  rounds: 40,
  distortion: 0.05,
  gradientFloor: 0.7,
  gradientSlope: 0.4,
};

/** The same constants without those of the PL form. */
const nonConvex = gapInputs.map(({ plConstant: _, residual: __, ...input }) => input);

/** [2 L Delta0/T + b1]/(1 - b2) for given shares. */
function atShares(input: Omit<GapInput, "plConstant">, shares: readonly number[]): number {
  const { floors, slopes } = sourcesOf({ ...input, plConstant: 1 });
  const over = (list: readonly number[]): number =>
    list.reduce((sum, value, i) => (value > 0 ? sum + value / shares[i]! : sum), 0);
  const left = 1 - over(slopes);
  if (!(left > 0)) return Number.POSITIVE_INFINITY;
  return ((2 * input.smoothness * input.initialGap) / input.rounds + over(floors)) / left;
}

describe("gradientNormBound", () => {
  it("equals a computation by hand", () => {
    // 2 L Delta0/T = 0.3, b1 = 0.035, b2 = 0.02
    const { bound, terms } = gradientNormBound(base);
    expect(relative(bound, 0.335 / 0.98)).toBeLessThan(1e-15);
    expect(relative(terms.initial, 0.3 / 0.98)).toBeLessThan(1e-15);
    expect(relative(terms.air, 0.035 / 0.98)).toBeLessThan(1e-15);
  });

  it("the split: t proportional to sqrt(b1) where nothing grows with the gradient", () => {
    const input = { ...base, gradientSlope: 0, stochasticVariance: 0.02 };
    const expected = 0.3 + (Math.sqrt(0.035) + Math.sqrt(0.02)) ** 2;
    expect(relative(gradientNormBound(input).bound, expected)).toBeLessThan(1e-13);
  });

  it("the split: the minimum over the simplex by brute force, three sources", () => {
    let finite = 0;
    fc.assert(
      fc.property(nonConvex, (input) => {
        if (input.rounds === 0) return;
        const { floors, slopes } = sourcesOf({ ...input, plConstant: 1 });
        const active = floors.map((floor, i) => floor > 0 || slopes[i]! > 0);
        const { bound, terms, reason } = gradientNormBound(input);
        const { refined } = bruteForce((t) => atShares(input, t), active, 20);
        expect(Object.values(terms).reduce((a, b) => a + b, 0)).toBe(bound);
        expect(reason === undefined).toBe(Number.isFinite(bound));
        if (refined === Number.POSITIVE_INFINITY) return;
        finite++;
        expect(bound).toBeLessThanOrEqual(refined * (1 + 1e-9));
        // a split of the grid cannot be better than the best one
        const least = slopes.reduce((sum, s) => sum + Math.sqrt(s), 0) ** 2;
        const shares = floors.filter((_, i) => active[i]).length;
        if (shares < 3 && least < 0.9) expect(relative(bound, refined)).toBeLessThan(1e-6);
      }),
      RUNS,
    );
    expect(finite).toBeGreaterThan(60);
  });

  it("one distortion per round: the mean of the floors and the worst of the slopes", () => {
    const input = { ...base, rounds: 4, distortion: [0.1, 0.2, 0.3, 1] };
    const expected = ((2 * 2 * 3) / 4 + 0.4 * 0.7) / (1 - 0.4);
    expect(relative(gradientNormBound(input).bound, expected)).toBeLessThan(1e-14);
  });

  it("is infinite with a reason: no round, b2 >= 1, beyond the range of doubles", () => {
    const none = gradientNormBound({ ...base, rounds: 0 });
    expect([none.bound, none.reason]).toEqual([
      Number.POSITIVE_INFINITY,
      expect.stringContaining("no round"),
    ]);
    expect(gradientNormBound({ ...base, distortion: 3 }).reason).toMatch(/b2 >= 1, from air/);
    expect(gradientNormBound({ ...base, smoothness: 1e300, initialGap: 1e300 }).reason).toMatch(
      /larger than any/,
    );
  });

  it("refuses the constants of the PL form, and what is out of range", () => {
    for (const edit of [{ plConstant: 1 }, { residual: 0 }, { smoothness: 0 }, { rounds: 1.5 }]) {
      expect(() => gradientNormBound({ ...base, ...edit })).toThrow(InputError);
    }
  });
});

describe("the theorem", () => {
  it("adversarial errors on a non-convex loss never exceed it, and it is attained", () => {
    // f = sum_i h_i (1 - cos x_i): smooth with L = max h, gradient h_i sin x_i
    const stream = randomStream(1, "cosine");
    let closest = 0;
    for (let trial = 0; trial < 400; trial++) {
      const size = 1 + stream.integer(4);
      const h = Array.from({ length: size }, () => 0.2 + stream.uniform());
      const smoothness = Math.max(...h);
      const start = h.map(() => 3 * stream.normal());
      const [b1, b2] = [0.3 * stream.uniform() ** 3, 0.9 * stream.uniform()];
      const rounds = 1 + stream.integer(30);
      const initialGap = h.reduce((sum, hi, i) => sum + hi * (1 - Math.cos(start[i]!)), 0);
      const { bound } = gradientNormBound({
        smoothness,
        initialGap,
        rounds,
        distortion: 1,
        gradientFloor: b1,
        gradientSlope: b2,
      });
      for (const sign of [-1, 1]) {
        let x = start;
        let sum = 0;
        for (let t = 0; t < rounds; t++) {
          const g = h.map((hi, i) => hi * Math.sin(x[i]!));
          const squared = g.reduce((s, gi) => s + gi * gi, 0);
          sum += squared;
          const factor = sign * Math.sqrt((b1 + b2 * squared) / (squared || 1));
          x = x.map((xi, i) => xi - (g[i]! * (1 + factor)) / smoothness);
        }
        expect(sum / rounds).toBeLessThanOrEqual(bound * (1 + 1e-12));
        closest = Math.max(closest, sum / rounds / bound);
      }
    }
    expect(closest).toBeGreaterThan(0.5);
    // one round of f = L x^2/2 without errors: ||grad||^2 = L^2 x^2 = 2 L Delta0
    const quadratic = gradientNormBound({
      smoothness: 3,
      initialGap: 1.5 * 4,
      rounds: 1,
      distortion: 0,
      gradientFloor: 0,
    });
    expect(quadratic.bound).toBe(36);
  });
});
