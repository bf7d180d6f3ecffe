import { describe, expect, test } from "vitest";
import { errorParts } from "../../src/aircomp/index.ts";
import {
  minimizeOptimalityGap,
  quadraticGap,
  rankProblem,
  rankResidual,
  type Scenario,
} from "../../src/bounds/index.ts";

const spectrum = { kind: "geometric", scale: 1, ratio: 0.6 } as const;
const scenario: Scenario = {
  channel: {
    model: "rayleigh",
    devices: 4,
    subcarriers: 2,
    receiveAntennas: 6,
    transmitAntennas: 2,
    taps: 2,
    seed: 1,
  },
  link: { streams: 2, snrDb: 20, symbolDuration: 1, energyPerRound: 20 },
  learning: {
    form: "quadratic",
    smoothness: 1,
    plConstant: 0.4,
    initialGap: 1,
    rounds: 60,
    gradientFloor: 0.5,
    gradientSlope: 1.5,
    dissimilarityFloor: 0.2,
    dissimilaritySlope: 0.05,
  },
  lora: {
    layers: [{ dOut: 16, dIn: 12 }],
    trained: "loraB",
    residual: { kind: "spectral", spectrum, smoothness: 1 },
  },
  solver: { effort: "fast", maxRank: 12 },
};

const withLearning = (learning: Partial<Scenario["learning"]>): Scenario => ({
  ...scenario,
  learning: { ...scenario.learning, ...learning },
});

describe("a scenario of the quadratic form", () => {
  test("every row is quadraticGap of the parts of its design; both searches agree", () => {
    const all = minimizeOptimalityGap({
      ...scenario,
      solver: { ...scenario.solver, rankSearch: "exhaustive" },
    });
    const some = minimizeOptimalityGap(scenario);
    expect(some.rank).toBe(all.rank);
    expect(some.gap).toBe(all.gap);
    expect(all.rank).toBeGreaterThan(1);
    expect(all.rank).toBeLessThan(12);
    const problem = rankProblem(scenario);
    const { learning } = scenario;
    const { form: _form, ...constants } = learning;
    const direct = quadraticGap({
      smoothness: 1,
      plConstant: 0.4,
      initialGap: 1,
      rounds: 60,
      gradientFloor: constants.gradientFloor as number,
      gradientSlope: 1.5,
      dissimilarityFloor: 0.2,
      dissimilaritySlope: 0.05,
      parts: errorParts(problem.channel, all.design, { noiseVariance: problem.noiseVariance }),
      residual: rankResidual({ smoothness: 1, layers: scenario.lora.layers, spectrum, rank: all.rank }),
    });
    expect(all.gap).toBe(direct.gap);
    expect(all.assumptions[0]).toMatch(/quadratic/i);
    for (let i = 1; i < all.rows.length; i++)
      expect(all.rows[i]!.gap).toBeLessThanOrEqual(all.rows[i - 1]!.gap);
  });

  test("more effort settles the chosen rank and never ends higher", () => {
    const fast = minimizeOptimalityGap(scenario);
    const settled = minimizeOptimalityGap({ ...scenario, solver: { maxRank: 12 } });
    for (let i = 1; i < settled.rows.length; i++) {
      expect(settled.rows[i]!.gap).toBeLessThanOrEqual(settled.rows[i - 1]!.gap);
    }
    expect(settled.gap).toBeLessThanOrEqual(fast.gap * (1 + 1e-12));
  });

  test("it does not ask for R, and dissimilarity defaults to a1 and a2, which is never smaller", () => {
    const known = minimizeOptimalityGap(scenario);
    const { dissimilarityFloor: _h1, dissimilaritySlope: _h2, ...rest } = scenario.learning;
    const unknown = minimizeOptimalityGap({ ...scenario, learning: rest });
    expect(unknown.gap).toBeGreaterThanOrEqual(known.gap);
    const perRank = (value: number): number[] => new Array<number>(12).fill(value);
    const listed = withLearning({ dissimilarityFloor: perRank(0.2), dissimilaritySlope: perRank(0.05) });
    expect(minimizeOptimalityGap(listed).gap).toBe(known.gap);
  });

  test("pairings that no theorem covers are refused by name", () => {
    const lora = scenario.lora;
    const refused: readonly [Scenario, RegExp][] = [
      [{ ...scenario, lora: { ...lora, trained: "both" } }, /learning\.form/],
      [{ ...scenario, lora: { ...lora, trained: "alternating" } }, /learning\.form/],
      [{ ...scenario, lora: { ...lora, residual: { kind: "projection" } } }, /lora\.residual\.kind/],
      [{ ...scenario, lora: { ...lora, residual: { kind: "sketch" } } }, /lora\.residual\.kind/],
      [withLearning({ region: "sublevel" }), /learning\.region/],
      [
        withLearning({ participation: { missingWeight: 0.1, heterogeneityFloor: 1 } }),
        /learning\.participation/,
      ],
      [withLearning({ form: "pl" }), /learning\.dissimilarityFloor/],
      [{ ...scenario, solver: { scheme: "digital" } }, /solver\.scheme/],
      [withLearning({ dissimilarityFloor: [0.1, 0.2] }), /learning\.dissimilarityFloor/],
      [withLearning({ plConstant: 2 }), /learning\.plConstant/],
    ];
    for (const [bad, field] of refused) expect(() => rankProblem(bad)).toThrow(field);
    expect(() => rankProblem(scenario).gapInput(1, 0.1)).toThrow(/learning\.form/);
    expect(() => rankProblem(scenario).boundAt(1, 0.1)).toThrow(/design/);
  });

  test("no power at all: infinite, with a reason", () => {
    const dead = { ...scenario, link: { ...scenario.link, snrDb: -300, energyPerRound: null } };
    const { gap, gapReason } = minimizeOptimalityGap(dead);
    expect(gap).toBe(Number.POSITIVE_INFINITY);
    expect(gapReason).toBeDefined();
  });
});
