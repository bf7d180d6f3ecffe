import { describe, expect, it } from "vitest";
import { designBeamformers } from "../../src/aircomp/index.ts";
import { minimizeOptimalityGap, rankDistortion, rankProblem, type Scenario } from "../../src/bounds/index.ts";
import { type MutableScenario, smallScenario } from "./support.ts";

const search = (rankSearch: unknown, edit: Parameters<typeof smallScenario>[0] = () => undefined): Scenario =>
  smallScenario((s) => {
    edit(s);
    s.solver["rankSearch"] = rankSearch;
  });

describe("settling", () => {
  const settled = (
    rankSearch: unknown,
    edit: Parameters<typeof smallScenario>[0] = () => undefined,
  ): Scenario =>
    search(rankSearch, (s) => {
      s.solver["effort"] = "default";
      s.solver["scheme"] = "manifold";
      s.solver["maxRank"] = 12;
      s.learning["gradientFloor"] = 3;
      edit(s);
    });
  const fast = (scenario: Scenario): Scenario => ({
    ...scenario,
    solver: { ...scenario.solver, effort: "fast" },
  });

  it.each(["manifold", "alternating"])(
    "%s: both searches agree, and no row is worse than without",
    (scheme) => {
      for (const seed of [1, 2, 3]) {
        const edit = (s: MutableScenario): void => {
          s.channel["seed"] = seed;
          s.solver["scheme"] = scheme;
        };
        const every = minimizeOptimalityGap(settled("exhaustive", edit));
        const some = minimizeOptimalityGap(settled("backtracking", edit));
        const quick = minimizeOptimalityGap(fast(settled("exhaustive", edit)));
        const { maxRank, payloadAt } = rankProblem(settled("exhaustive", edit));
        const distinct = new Set(Array.from({ length: maxRank }, (_, i) => payloadAt(i + 1).power[0])).size;
        expect([some.rank, some.gap]).toEqual([every.rank, every.gap]);
        expect(some.design).toEqual(every.design);
        for (const row of some.byRank) expect(row).toEqual(every.byRank[row.rank - 1]);
        every.byRank.forEach((row, i) => {
          expect(row.distortion).toBeLessThanOrEqual(quick.byRank[i]!.distortion);
        });
        for (const found of [every, some]) {
          expect(found.gap).toBe(Math.min(...found.byRank.map((row) => row.gap)));
          expect(found.rows.at(-1)).toMatchObject({ rank: found.rank, gap: found.gap });
          for (const [i, row] of found.rows.slice(1).entries()) {
            expect(row.gap).toBeLessThanOrEqual(found.rows[i]!.gap);
            expect(row.step).toBe(i + 1);
          }
        }
        expect(some.solves.path).toBeLessThan(every.solves.path);
        expect(quick.solves).toEqual({ path: distinct, settling: 0 });
      }
    },
  );

  it("as low as the best of designs of default effort from scratch at every rank, within 0.1 %", () => {
    for (const seed of [1, 2, 3]) {
      for (const energy of [0.005, 0.5]) {
        const scenario = settled("backtracking", (s) => {
          s.channel["seed"] = seed;
          s.solver["maxRank"] = 8;
          s.link = { ...s.link, snrDb: 40, energyPerRound: energy };
          s.learning["gradientFloor"] = 0.05 / energy;
        });
        const problem = rankProblem(scenario);
        const gaps = Array.from({ length: problem.maxRank }, (_, i) => {
          const { distortion } = designBeamformers({
            channel: problem.channel,
            streams: 2,
            noiseVariance: 1,
            power: problem.payloadAt(i + 1).power,
            certificate: false,
          });
          return problem.boundAt(i + 1, distortion).gap;
        });
        const { rank, gap } = minimizeOptimalityGap(scenario);
        expect(gap).toBeLessThanOrEqual(Math.min(...gaps) * 1.001);
        expect(gaps[rank - 1]!).toBeLessThanOrEqual(Math.min(...gaps) * 1.001);
      }
    }
  });

  it("is the same whoever computed the distortions of the table", () => {
    const known = rankDistortion(settled("exhaustive"), [12, 1, 7, 3, 2, 11, 10, 9, 8, 6, 5, 4]);
    const found = minimizeOptimalityGap(settled("exhaustive"));
    expect(minimizeOptimalityGap(settled("exhaustive"), { distortions: known })).toEqual(found);
    const apart = minimizeOptimalityGap(settled("backtracking"), { distortions: known });
    expect(apart).toEqual(minimizeOptimalityGap(settled("backtracking")));
  });

  it("a fixed rank is settled and stays", () => {
    const quick = minimizeOptimalityGap(fast(settled({ fixed: 4 })));
    const found = minimizeOptimalityGap(settled({ fixed: 4 }));
    expect([found.rank, found.byRank.length, found.reason]).toEqual([4, 1, "fixed"]);
    expect(found.gap).toBeLessThanOrEqual(quick.gap);
    expect(found.solves.settling).toBeGreaterThan(1);
  });

  it("gaps that no settling makes finite are not settled", () => {
    const hopeless = settled("exhaustive", (s) => (s.learning["gradientSlope"] = 1e6));
    const found = minimizeOptimalityGap(hopeless);
    expect([found.gap, found.rank]).toEqual([Number.POSITIVE_INFINITY, 1]);
    expect(found.solves.settling).toBe(0);
    expect(found.distortion).toBe(minimizeOptimalityGap(fast(hopeless)).distortion);
    expect(
      minimizeOptimalityGap({ ...hopeless, solver: { ...hopeless.solver, rankSearch: "backtracking" } }),
    ).toMatchObject({
      rank: 1,
      distortion: found.distortion,
    });
  });

  it("ranks that share a power share what settling finds", () => {
    const found = minimizeOptimalityGap(settled("exhaustive", (s) => (s.link["energyPerRound"] = null)));
    expect(new Set(found.byRank.map((row) => row.distortion)).size).toBe(1);
    expect(found.distortion).toBe(found.design.distortion);
    expect(found.solves.path).toBe(1);
  });

  it("an abort after the search, and between its ranks, leaves the best so far", () => {
    const whole = minimizeOptimalityGap(settled("backtracking"));
    let calls = 0;
    minimizeOptimalityGap(fast(settled("backtracking")), { onProgress: () => calls++ });
    for (const after of [calls, calls + 1, calls + 3]) {
      const controller = new AbortController();
      let seen = 0;
      const found = minimizeOptimalityGap(settled("backtracking"), {
        signal: controller.signal,
        onProgress: () => {
          if (++seen === after) controller.abort();
        },
      });
      expect([found.reason, found.converged]).toEqual(["aborted", false]);
      expect(found.gap).toBe(Math.min(...found.byRank.map((row) => row.gap)));
      expect(found.gap).toBeGreaterThanOrEqual(whole.gap);
      expect(found.design.distortion).toBe(found.distortion);
      expect(found.rows.at(-1)).toMatchObject({ rank: found.rank, gap: found.gap });
    }
  });

  it("says what the bound assumes", () => {
    const { assumptions } = minimizeOptimalityGap(search({ fixed: 3 }));
    expect(assumptions).toEqual(rankProblem(search({ fixed: 3 })).assumptions);
  });
});
