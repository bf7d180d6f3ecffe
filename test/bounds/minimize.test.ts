import { describe, expect, it } from "vitest";
import { designBeamformers, evaluateDesign } from "../../src/aircomp/index.ts";
import {
  minimizeOptimalityGap,
  optimalityGap,
  rankDistortion,
  rankProblem,
  type Scenario,
} from "../../src/bounds/index.ts";
import { type MutableScenario, relative, smallScenario } from "./support.ts";

const search = (rankSearch: unknown, edit: Parameters<typeof smallScenario>[0] = () => undefined): Scenario =>
  smallScenario((s) => {
    edit(s);
    s.solver["rankSearch"] = rankSearch;
  });

/** Solved once, used by many tests. */
const exhaustive = minimizeOptimalityGap(search("exhaustive"));
const backtracking = minimizeOptimalityGap(search("backtracking"));

describe("minimizeOptimalityGap", () => {
  it("finds an interior rank by both searches, with the same bits at every rank that both evaluated", () => {
    expect(exhaustive.byRank.map((row) => row.rank)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(backtracking.rank).toBe(exhaustive.rank);
    expect(exhaustive.rank).toBeGreaterThan(1);
    expect(exhaustive.rank).toBeLessThan(20);
    for (const row of backtracking.byRank) expect(row).toEqual(exhaustive.byRank[row.rank - 1]);
    expect(backtracking.byRank.length).toBeLessThan(14);
    expect([exhaustive.reason, backtracking.reason]).toEqual(["all-ranks", "no-better-neighbour"]);
    expect(exhaustive.gap).toBe(Math.min(...exhaustive.byRank.map((row) => row.gap)));
  });

  it("rows of a rank are the bound, the payload and the distortion of that rank", () => {
    const problem = rankProblem(search("exhaustive"));
    for (const row of exhaustive.byRank) {
      const { gap, terms, contraction } = optimalityGap(problem.gapInput(row.rank, row.distortion));
      const { entries, symbols, airTime, rounds } = problem.payloadAt(row.rank);
      expect(row).toEqual({
        rank: row.rank,
        gap,
        terms,
        contraction,
        entries,
        symbols,
        airTime,
        rounds,
        distortion: row.distortion,
        reason: undefined,
      });
    }
  });

  it("its design is the one whose distortion it reports, and meets the power of that rank", () => {
    const { design, rank, distortion } = backtracking;
    if (design.kind !== "analog") return expect.unreachable();
    expect(design.distortion).toBe(distortion);
    const { power } = rankProblem(search("backtracking")).payloadAt(rank);
    const perDevice = design.transmit.data.length / power.length;
    power.forEach((budget, k) => {
      const sent = design.transmit.data.subarray(k * perDevice, (k + 1) * perDevice);
      expect(sent.reduce((sum, x) => sum + x * x, 0)).toBeLessThanOrEqual(budget * (1 + 1e-12));
    });
  });

  it("same input, same bits; another seed of the channel, another answer", () => {
    expect(minimizeOptimalityGap(search("backtracking"))).toEqual(backtracking);
    const other = minimizeOptimalityGap(search("backtracking", (s) => (s.channel["seed"] = 2)));
    expect(other.gap).not.toBe(backtracking.gap);
  });

  it("agrees with exhaustive search from every start", () => {
    for (const initialRank of [1, 5, 20]) {
      const found = minimizeOptimalityGap(
        search("backtracking", (s) => (s.solver["initialRank"] = initialRank)),
      );
      expect(found.rank).toBe(exhaustive.rank);
      expect(found.rows[0]!.rank).toBe(initialRank);
      for (const [i, row] of found.rows.slice(1).entries())
        expect(row.gap).toBeLessThanOrEqual(found.rows[i]!.gap);
    }
  });

  it("fixed and random ranks evaluate one rank", () => {
    const fixed = minimizeOptimalityGap(search({ fixed: 7 }));
    expect([fixed.rank, fixed.reason, fixed.byRank.length]).toEqual([7, "fixed", 1]);
    expect(fixed.gap).toBe(exhaustive.byRank[6]!.gap);
    const ranks = [1, 2, 3, 4, 5].map((seed) => {
      const random = minimizeOptimalityGap(search("random", (s) => (s.solver["seed"] = seed)));
      expect([random.reason, random.byRank.length]).toEqual(["random", 1]);
      return random.rank;
    });
    expect(new Set(ranks).size).toBeGreaterThan(1);
  });
});

describe("omega(r)", () => {
  it("the `distortions` hook and rankDistortion equal the own computation bit for bit, in any order", () => {
    const ranks = exhaustive.byRank.map((row) => row.rank);
    const known = rankDistortion(search("exhaustive"), [...ranks].reverse());
    for (const row of exhaustive.byRank) expect(known.get(row.rank)).toBe(row.distortion);
    expect(minimizeOptimalityGap(search("exhaustive"), { distortions: known })).toEqual(exhaustive);
    expect(minimizeOptimalityGap(search("exhaustive"), { distortions: new Map() })).toEqual(exhaustive);
  });

  it("does not depend on the ranks tried before, also where ranks of equal power have unlike parents", () => {
    // N_sym = 1, 2, 3, 3: ranks 3 and 4 share a power, floor(3/2) and floor(4/2) do not
    const scenario = smallScenario((s) => {
      s.channel["subcarriers"] = 5;
      s.link = { streams: 2, snrDb: 20, symbolDuration: 1, energyPerRound: 20 };
      s.lora.layers = [{ dOut: 14, dIn: 8 }];
      s.lora["trained"] = "loraB";
    });
    const problem = rankProblem(scenario);
    expect([1, 2, 3, 4].map((rank) => problem.payloadAt(rank).symbols)).toEqual([1, 2, 3, 3]);
    const up = rankDistortion(scenario, [1, 2, 3, 4]);
    const down = rankDistortion(scenario, [4, 3, 2, 1]);
    for (const rank of [1, 2, 3, 4]) expect(down.get(rank)).toBe(up.get(rank));
    expect(up.get(3)).toBe(up.get(4));
  });

  it("without an energy budget all ranks share one design; with one, less power means more distortion", () => {
    const free = minimizeOptimalityGap(search("exhaustive", (s) => (s.link["energyPerRound"] = null)));
    expect(new Set(free.byRank.map((row) => row.distortion)).size).toBe(1);
    expect(free.rank).toBe(20); // nothing speaks against a high rank
    // the path starts at the largest rank, where there is the least power
    const problem = rankProblem(search("exhaustive"));
    const last = designBeamformers({
      channel: problem.channel,
      streams: 2,
      noiseVariance: 1,
      power: problem.payloadAt(20).power,
      scheme: problem.solver.scheme,
      effort: "fast",
    });
    expect(exhaustive.byRank[19]!.distortion).toBe(last.distortion);
    const omegas = exhaustive.byRank.map((row) => row.distortion);
    for (let i = 1; i < omegas.length; i++) expect(omegas[i]).toBeGreaterThanOrEqual(omegas[i - 1]!);
  });

  it.each([0.5, 1, "cap"])(
    "correlation %j: what evaluation says of the design, in every row",
    (correlation) => {
      const scenario = search("exhaustive", (s) => {
        s.link["correlation"] = correlation;
        s.solver["maxRank"] = 5;
      });
      const problem = rankProblem(scenario);
      const found = minimizeOptimalityGap(scenario);
      const truth = problem.channel;
      if (truth.kind !== "true") return expect.unreachable();
      const numeric = correlation === "cap" ? 0 : (correlation as number);
      const evaluation = evaluateDesign(truth, found.design, { noiseVariance: 1, correlation: numeric });
      expect(relative(found.distortionCap, evaluation.cap / 4)).toBeLessThan(1e-12);
      const omega = correlation === "cap" ? evaluation.cap / 4 : evaluation.distortion;
      expect(relative(found.distortion, omega)).toBeLessThan(1e-11);
      expect(found.distortion).toBe(found.byRank[found.rank - 1]!.distortion);
      expect(found.onTrueChannel).toBeUndefined();
      const known = rankDistortion(scenario, [5, 4, 3, 2, 1]);
      for (const row of found.byRank) expect(known.get(row.rank)).toBe(row.distortion);
      expect(minimizeOptimalityGap(scenario, { distortions: known })).toEqual(found);
    },
  );

  it("the cap is above every correlation, for the design that it is made for", () => {
    const found = minimizeOptimalityGap(search({ fixed: 3 }, (s) => (s.link["correlation"] = "cap")));
    const { channel } = rankProblem(search("exhaustive"));
    if (channel.kind !== "true") return expect.unreachable();
    for (const correlation of [0, 0.3, 0.9, 1]) {
      const { distortion } = evaluateDesign(channel, found.design, { noiseVariance: 1, correlation });
      expect(distortion).toBeLessThanOrEqual(found.distortion);
    }
    // and the design has a smaller cap than the one for R = I
    const plain = minimizeOptimalityGap(search({ fixed: 3 }));
    expect(found.distortion).toBeLessThan(plain.distortionCap);
    expect(plain.distortion).toBeLessThan(found.distortion);
  });

  it("an estimated channel: the design sees the estimate, and the result says what it does on the true one", () => {
    const edit = (s: MutableScenario): void => {
      s.channel["estimation"] = { pilotSnrDb: 10 };
    };
    const scenario = search({ fixed: 3 }, edit);
    const { channel } = rankProblem(scenario);
    expect(channel.kind).toBe("estimated");
    const found = minimizeOptimalityGap(scenario);
    const truth = rankProblem(search({ fixed: 3 })).channel;
    if (truth.kind !== "true") return expect.unreachable();
    const evaluation = evaluateDesign(truth, found.design, { noiseVariance: 1 });
    expect(found.onTrueChannel).toEqual({ distortion: evaluation.distortion, cap: evaluation.cap / 4 });
    expect(found.distortion).toBe(found.design.distortion);
    expect(found.distortion).toBeGreaterThan(minimizeOptimalityGap(search({ fixed: 3 })).distortion);
  });

  it("a channel of zero has a finite answer", () => {
    const zeros = Array<number>(4 * 2 * 4 * 2).fill(0);
    for (const correlation of [0, 1, "cap"]) {
      const found = minimizeOptimalityGap(
        search("exhaustive", (s) => {
          s.channel = { model: "given", matrices: { shape: [4, 2, 4, 2], re: zeros, im: zeros } };
          s.link["correlation"] = correlation;
          s.solver["maxRank"] = 4;
        }),
      );
      expect(Number.isFinite(found.gap)).toBe(true);
      // sending nothing: w^T R w, or (sum_k w_k)^2
      expect(found.distortion).toBeCloseTo(correlation === 0 ? 0.25 : 1, 12);
    }
  });

  it("one energy per device", () => {
    const even = minimizeOptimalityGap(
      search({ fixed: 4 }, (s) => (s.link["energyPerRound"] = [0.02, 0.02, 0.02, 0.02])),
    );
    expect(even.gap).toBe(exhaustive.byRank[3]!.gap);
    const less = minimizeOptimalityGap(
      search({ fixed: 4 }, (s) => (s.link["energyPerRound"] = [0.02, 0.02, 0.02, 0.002])),
    );
    expect(less.gap).toBeGreaterThan(even.gap);
  });

  it("the ideal scheme leaves only the decay and the residual", () => {
    const ideal = minimizeOptimalityGap(search("exhaustive", (s) => (s.solver["scheme"] = "ideal")));
    expect([ideal.design.kind, ideal.distortion, ideal.rank]).toEqual(["ideal", 0, 20]);
    expect(relative(ideal.gap, 0.9 ** 100 * 2 + ideal.terms.residual)).toBeLessThan(1e-12);
  });
});

describe("constants per rank", () => {
  it("lists are read at rank r", () => {
    const lists = minimizeOptimalityGap(
      search("exhaustive", (s) => {
        s.solver["maxRank"] = 3;
        s.learning["gradientFloor"] = [0.5, 0.1, 0.5];
        s.learning["plConstant"] = [0.1, 0.1, 0.05];
        s.learning["smoothness"] = [1, 1, 2];
        s.lora.residual["smoothness"] = 2;
      }),
    );
    const [one, two, three] = lists.byRank;
    const plain = minimizeOptimalityGap(search("exhaustive", (s) => (s.solver["maxRank"] = 3))).byRank;
    expect(relative(one!.terms.air, plain[0]!.terms.air)).toBeLessThan(1e-12);
    expect(relative(two!.terms.air / plain[1]!.terms.air, 0.2)).toBeLessThan(1e-12);
    expect(relative(three!.terms.residual / plain[2]!.terms.residual, 2)).toBeLessThan(1e-12);
    expect(() => search("exhaustive", (s) => (s.learning["smoothness"] = Array(64).fill(1)))).not.toThrow();
    expect(() =>
      minimizeOptimalityGap(search("exhaustive", (s) => (s.learning["smoothness"] = Array(64).fill(1)))),
    ).toThrow(/^lora.residual.smoothness/);
    expect(three!.contraction).toBeCloseTo(1 - 0.025, 12);
  });

  it("infinite everywhere: the least distortion is returned, with the reason", () => {
    const hopeless = minimizeOptimalityGap(
      search("backtracking", (s) => (s.learning["gradientSlope"] = 1e6)),
    );
    expect([hopeless.gap, hopeless.rank]).toEqual([Number.POSITIVE_INFINITY, 1]);
    expect(hopeless.gapReason).toContain("b2 >= 1");
  });
});

describe("hooks", () => {
  it("onProgress is told every rank once", () => {
    const seen: number[] = [];
    minimizeOptimalityGap(search("backtracking"), {
      onProgress: ({ evaluated, maxRank, rank }) => {
        seen.push(rank);
        expect([evaluated, maxRank]).toEqual([seen.length, 20]);
      },
    });
    expect([...seen].sort((a, b) => a - b)).toEqual(backtracking.byRank.map((row) => row.rank));
  });

  it("abort: the best rank so far, not converged", () => {
    const controller = new AbortController();
    const result = minimizeOptimalityGap(search("exhaustive"), {
      signal: controller.signal,
      onProgress: ({ evaluated }) => {
        if (evaluated === 3) controller.abort();
      },
    });
    expect([result.reason, result.converged, result.byRank.length]).toEqual(["aborted", false, 3]);
    expect(result.gap).toBe(Math.min(...exhaustive.byRank.slice(0, 3).map((row) => row.gap)));
    controller.abort();
    const atOnce = minimizeOptimalityGap(search("exhaustive"), { signal: controller.signal });
    expect([atOnce.reason, atOnce.converged, atOnce.byRank.length]).toEqual(["aborted", false, 1]);
  });
});

describe("what a result says of itself", () => {
  const quick = (edit: (s: MutableScenario) => void): Scenario =>
    search({ fixed: 2 }, (s) => {
      s.solver["scheme"] = "mrc";
      edit(s);
    });

  it("the form of its bound and the rounds that it counts", () => {
    const found = minimizeOptimalityGap(
      quick((s) => {
        delete s.learning["rounds"];
        s.learning["totalTime"] = 0.1;
      }),
    );
    const { rounds } = rankProblem(quick((s) => (s.learning["totalTime"] = 0.1))).payloadAt(2);
    expect([found.form, found.rounds, found.byRank[0]!.rounds]).toEqual(["pl", rounds, rounds]);
    const nonConvex = minimizeOptimalityGap(
      quick((s) => {
        s.learning["form"] = "non-convex";
        delete s.learning["plConstant"];
        delete (s.lora as Record<string, unknown>)["residual"];
      }),
    );
    expect([nonConvex.form, nonConvex.rounds]).toEqual(["non-convex", 100]);
  });

  it.each<[string, object]>([
    ["hooks.onprogress", { onprogress: () => undefined }],
    ["hooks.onProgress", { onProgress: 3 }],
    ["hooks.distortions", { distortions: { 1: 0.2 } }],
    ["hooks.signal", { signal: true }],
    ["hooks", [] as object],
  ])("refuses %s", (field, hooks) => {
    const scenario = quick(() => undefined);
    expect(() => minimizeOptimalityGap(scenario, hooks)).toThrow(expect.objectContaining({ field }));
  });
});
