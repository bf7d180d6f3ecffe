import { describe, expect, it } from "vitest";
import {
  gradientNormBound,
  optimalityGap,
  payloadEntries,
  rankProblem,
  type Scenario,
} from "../../src/bounds/index.ts";
import { smallestSlope } from "../../src/bounds/optimality-gap.ts";
import { InputError } from "../../src/core/index.ts";
import { type MutableScenario, relative, smallScenario } from "./support.ts";

const toNonConvex = (s: MutableScenario): void => {
  s.learning["form"] = "non-convex";
  delete s.learning["plConstant"];
  delete (s.lora as Record<string, unknown>)["residual"];
  s.solver["rankSearch"] = { fixed: 4 };
};
const drawn = (kind: string) => (s: MutableScenario) => {
  s.lora["trained"] = "loraB";
  s.lora.residual = { kind };
};

type Case = [field: string, message: RegExp, edit: (s: MutableScenario) => unknown];
const refused: readonly Case[] = [
  ["learning.region", /"global".*"both".*both gradients vanish/, (s) => (s.learning["region"] = "global")],
  [
    "learning.region",
    /"alternating"/,
    (s) => {
      s.lora["trained"] = "alternating";
      s.learning["region"] = "global";
    },
  ],
  ["learning.region", /"local".*"global"/, (s) => (s.learning["region"] = "local")],
  ["learning.form", /"convex".*"pl"/, (s) => (s.learning["form"] = "convex")],
  [
    "lora.residual.kind",
    /"frozen" with.*"both".*loraA is frozen/,
    (s) => (s.lora.residual["kind"] = "frozen"),
  ],
  ["lora.residual.kind", /"projection" with.*drawn anew/, (s) => (s.lora.residual = { kind: "projection" })],
  [
    "lora.residual.kind",
    /"sketch" with.*"alternating"/,
    (s) => {
      s.lora["trained"] = "alternating";
      s.lora.residual = { kind: "sketch" };
    },
  ],
  [
    "lora.residual.spectrum",
    /nothing: with "sketch"/,
    (s) => {
      drawn("sketch")(s);
      s.lora.residual["spectrum"] = { kind: "geometric", scale: 1, ratio: 0.5 };
    },
  ],
  ["learning.plConstant", /nothing.*non-convex/, (s) => delete s.learning["plConstant"]],
  ["lora.residual", /nothing.*non-convex/, (s) => delete (s.lora as Record<string, unknown>)["residual"]],
  ["learning.plConstant", /found 0\.\d+, .*no PL constant/, (s) => (s.learning["form"] = "non-convex")],
  ["learning.computeTime", /0\.1 s without.*nothing, or/, (s) => (s.learning["computeTime"] = 0.1)],
  [
    "lora.layers",
    /2\^53/,
    (s) => {
      s.lora.layers = [{ dOut: 2 ** 20, dIn: 2 ** 20, count: 2 ** 20 }];
      s.solver["maxRank"] = 2 ** 14;
    },
  ],
  [
    "lora.residual.kind",
    /"spectral" with learning.form.*bounds gradients/,
    (s) => {
      const { residual } = s.lora;
      toNonConvex(s);
      s.lora.residual = residual;
    },
  ],
  [
    "solver.rankSearch",
    /nothing in the non-convex form rewards/,
    (s) => {
      toNonConvex(s);
      s.solver["rankSearch"] = "exhaustive";
    },
  ],
  ["learning.rounds", /nothing.*totalTime/, (s) => delete s.learning["rounds"]],
  [
    "learning.totalTime",
    /1e-?\d+ s.*at least .* one round of rank 1/,
    (s) => (s.learning["totalTime"] = 1e-9),
  ],
  ["learning.totalTime", /0.*> 0/, (s) => (s.learning["totalTime"] = 0)],
  ["learning.computeTime", /-1.*>= 0/, (s) => (s.learning["computeTime"] = -1)],
  [
    "lora.residual.spectrum.tail",
    /3.*at most 0/,
    (s) => (s.lora.residual["spectrum"] = { kind: "values", values: [1, 0], tail: 3 }),
  ],
];

describe("pairings that no theorem covers are refused, with the reason", () => {
  it.each(refused)("%s: %s", (field, message, edit) => {
    const scenario = smallScenario((s) => {
      edit(s);
    });
    try {
      rankProblem(scenario);
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      expect((error as InputError).field).toBe(field);
      expect((error as InputError).message).toMatch(message);
      return;
    }
    expect.unreachable(`${field} was not refused`);
  });
});

describe("pairings that are covered", () => {
  it("PL with both factors on a sublevel set is the default", () => {
    const problem = rankProblem(smallScenario());
    expect(problem.form).toBe("pl");
    expect(problem.assumptions.join(" ")).toMatch(/PL form.*iterates do not leave.*Both factors/);
    const frozen = rankProblem(smallScenario((s) => (s.lora["trained"] = "loraB")));
    expect(frozen.assumptions.join(" ")).toMatch(/hold everywhere.*frozen/);
    const input = problem.gapInput(3, 0.2);
    expect(problem.boundAt(3, 0.2)).toEqual(optimalityGap(input));
    expect(problem.slopeAt(3, 0.2)).toBe(smallestSlope(input));
    expect(problem.boundAt(3, Array(100).fill(0.2)).gap).toBeGreaterThan(0);
  });

  it.each(["projection", "sketch"] as const)("%s: eps = 0, and the subspace of rank r", (kind) => {
    const problem = rankProblem(smallScenario(drawn(kind)));
    const input = problem.gapInput(6, 0.01);
    expect(input.residual).toBe(0);
    const expected =
      kind === "projection"
        ? { kind, captured: 0.25 }
        : { kind, layers: [{ rank: 6, columns: 24, count: 1 }] };
    expect(input.subspace).toEqual(expected);
    expect(problem.assumptions.join(" ")).toMatch(/drawn anew/);
  });

  it("frozen: (L_W/2)(1 - r/dIn)||Delta W*||^2", () => {
    const problem = rankProblem(
      smallScenario((s) => {
        s.lora["trained"] = "loraB";
        s.lora.residual = { kind: "frozen", spectrum: { kind: "values", values: [2, 1] }, smoothness: 3 };
      }),
    );
    expect(relative(problem.gapInput(6, 0).residual!, 1.5 * 0.75 * 5)).toBeLessThan(1e-15);
  });

  it("non-convex: the bound on the mean squared gradient norm, any training mode", () => {
    for (const trained of ["both", "loraB", "alternating"]) {
      const problem = rankProblem(
        smallScenario((s) => {
          toNonConvex(s);
          s.lora["trained"] = trained;
        }),
      );
      const { gap, terms, contraction } = problem.boundAt(4, 0.3);
      const { bound } = gradientNormBound({
        smoothness: 1,
        initialGap: 2,
        rounds: 100,
        distortion: 0.3,
        gradientFloor: 0.5,
      });
      expect([gap, terms.residual, contraction]).toEqual([bound, 0, 1]);
      expect(() => problem.gapInput(4, 0.3)).toThrow(/learning.form/);
    }
    const searched = rankProblem(
      smallScenario((s) => {
        toNonConvex(s);
        drawn("projection")(s);
        s.solver["rankSearch"] = "exhaustive";
      }),
    );
    expect(searched.boundAt(12, 0.3).gap).toBeLessThan(searched.boundAt(6, 0.3).gap);
    const perRank = smallScenario((s) => {
      toNonConvex(s);
      s.learning["smoothness"] = Array(20).fill(1);
      s.solver["rankSearch"] = "exhaustive";
    });
    expect(rankProblem(perRank).maxRank).toBe(20);
  });

  it("alternating: the larger of the two rounds is paid for", () => {
    const layers = [
      { dOut: 10, dIn: 4 },
      { dOut: 3, dIn: 8, count: 2 },
    ];
    expect(payloadEntries(layers, 2, "alternating")).toBe(Math.max(2 * 10 + 4 * 3, 2 * 4 + 4 * 8));
    expect(payloadEntries(layers, 2, "both")).toBe(2 * 14 + 4 * 11);
  });
});

describe("assumptions say", () => {
  const told = (edit: (s: MutableScenario) => void): string =>
    rankProblem(smallScenario(edit)).assumptions.join(" ");
  it("what is taken of the correlation between devices", () => {
    for (const form of [() => undefined, toNonConvex]) {
      expect(told(form)).toMatch(/taken as uncorrelated; link.correlation "cap"/);
      const withLink = (correlation: unknown) =>
        told((s) => {
          form(s);
          s.link["correlation"] = correlation;
        });
      expect(withLink(0)).toMatch(/taken as uncorrelated/);
      expect(withLink("cap")).toMatch(/any correlation/);
      expect(withLink(0.3)).toMatch(/have the correlation that link/);
    }
  });

  it("that L_W is the smoothness of the training, where it is not stated", () => {
    expect(told(() => undefined)).toMatch(/s_max\(loraA\) = 1/);
    expect(told((s) => (s.lora.residual["smoothness"] = 2))).not.toMatch(/s_max/);
    expect(told(toNonConvex)).not.toMatch(/s_max/);
    expect(told(drawn("sketch"))).not.toMatch(/s_max/);
  });
});

describe("rounds within a total time", () => {
  const timed = (learning: object): Scenario =>
    smallScenario((s) => {
      delete s.learning["rounds"];
      Object.assign(s.learning, learning);
      s.link["symbolDuration"] = 1e-3;
      s.lora.layers = [{ dOut: 14, dIn: 10 }];
    });
  // 2 S M = 8 reals per symbol, Q = 24 r: 3 r milliseconds per round
  it("T(r) = floor(totalTime / (computeTime + N_sym T_s)), at most rounds", () => {
    const problem = rankProblem(timed({ totalTime: 0.3, computeTime: 0.002 }));
    expect([1, 2, 6].map((rank) => problem.payloadAt(rank).rounds)).toEqual([60, 37, 15]);
    expect(problem.gapInput(2, 0).rounds).toBe(37);
    const capped = rankProblem(timed({ totalTime: 0.3, computeTime: 0.002, rounds: 20 }));
    expect([1, 6].map((rank) => capped.payloadAt(rank).rounds)).toEqual([20, 15]);
    expect(rankProblem(timed({ totalTime: null, rounds: 7 })).payloadAt(3).rounds).toBe(7);
  });

  it("what fits exactly is counted, whatever the rounding", () => {
    for (const count of [1, 3, 7, 10, 49, 1000]) {
      const problem = rankProblem(timed({ totalTime: count * 0.003 }));
      expect(problem.payloadAt(1).rounds).toBe(count);
    }
  });

  it("T(r) = 0 is legal for a rank that takes too long", () => {
    const problem = rankProblem(timed({ totalTime: 0.004 }));
    expect([1, 2].map((rank) => problem.payloadAt(rank).rounds)).toEqual([1, 0]);
    const { gap } = problem.boundAt(2, 0.1);
    expect(gap).toBe(2 + problem.gapInput(2, 0.1).residual!);
  });
});
