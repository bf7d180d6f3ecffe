import type { BeamformerDesign } from "../aircomp/index.ts";
import { checkOptions, describe, InputError, randomStream } from "../core/index.ts";
import { createDesignPath, type Designs, isContinued, lowerDesigns } from "./design-path.ts";
import type { GapMinimum, MinimizeHooks, RankReason, RankRow } from "./gap-minimum.ts";
import { minimizeLayerGap } from "./minimize-layers.ts";
import {
  backtrackingSearch,
  bestRank,
  exhaustiveSearch,
  type RankMemo,
  type RankSearchResult,
  type RankSearchRow,
  rankMemo,
} from "./rank-search.ts";
import { roundCost } from "./round-cost.ts";
import { type RankProblem, rankProblem, type Scenario } from "./scenario.ts";
import { certifiedDesign, isHopeless, settleDesign } from "./settle.ts";

const hookNames = ["signal", "onProgress", "distortions"];
/** Most ranks that are settled one after the other. */
const ROUNDS = 3;

/**
 * The LoRA rank and the beamformers with the smallest bound on the optimality gap (docs/theory.md, section 3.6).
 *
 * The distortion at rank r depends on r through the power P_k(r) alone. The designs of all ranks lie on one path, each
 * made from a neighbour's (`createDesignPath`), so omega(r) is a function of the scenario and r, whatever ranks were
 * tried before, and both searches see the same values. With more effort than "fast" the chosen rank is then settled:
 * its design is searched with the full effort, and where that finds a better one, all ranks of the table are solved
 * again on a path from it, and the search goes on until the rank stays.
 *
 * @throws InputError naming the field of the scenario that is missing, unknown, out of range or impossible, or the hook.
 */
export function minimizeOptimalityGap(scenario: Scenario, hooks: MinimizeHooks = {}): GapMinimum {
  checkHooks(hooks);
  if (scenario?.lora?.ranks === "per-layer") return minimizeLayerGap(scenario, hooks);
  const problem = rankProblem(scenario);
  const { signal } = hooks;
  const aborted = (): boolean => signal?.aborted === true;
  const first = createDesignPath(problem, undefined, signal);
  const paths = [first];
  let designs: Designs = {
    at: first.at,
    distortionAt: (rank) => hooks.distortions?.get(rank) ?? first.distortionAt(rank),
  };
  const table = new Map<number, RankRow>();
  const settling = { solves: 0, iterations: 0 };
  const searched = (): RankMemo => {
    const source = designs;
    const evaluate = (rank: number): number => {
      if (aborted() && table.size > 0) throw new Aborted();
      const row = rankRow(problem, rank, source.distortionAt(rank), () => source.at(rank));
      table.set(rank, row);
      const iterations = paths.reduce((sum, path) => sum + path.iterations(), settling.iterations);
      hooks.onProgress?.({ evaluated: table.size, maxRank: problem.maxRank, rank, iterations });
      return row.gap;
    };
    // where the gap is infinite, a smaller b2 is the way out
    const slope = (rank: number): number =>
      problem.slopeAt(rank, table.get(rank)!.distortion, () => source.at(rank));
    return rankMemo(problem.maxRank, evaluate, slope);
  };

  let found: Found | undefined;
  try {
    found = search(problem, searched());
    for (let round = 0; round < ROUNDS && isSettled(problem); round++) {
      if (aborted()) throw new Aborted();
      const { rank, reason }: Found = found;
      if (isHopeless(problem, rank, table.get(rank)!, () => designs.at(rank))) break;
      const settled = settleDesign(problem, rank, designs.at(rank), round === 0, signal);
      settling.solves += settled.solves;
      settling.iterations += settled.iterations;
      if (!(settled.distortion < table.get(rank)!.distortion)) {
        if (aborted()) throw new Aborted();
        break;
      }
      if (problem.form === "quadratic") {
        // there the gap depends on more than omega: only the chosen rank is settled, and only for the better
        const row = rankRow(problem, rank, settled.distortion, () => settled.design);
        if (!(row.gap < table.get(rank)!.gap)) break;
        const { at } = designs;
        designs = { ...designs, at: (asked) => (asked === rank ? settled.design : at(asked)) };
        table.set(rank, row);
        found = { ...follow(found.rows, [row]), reason };
        break;
      }
      const path = createDesignPath(problem, { rank, design: settled.design }, signal);
      paths.push(path);
      designs = lowerDesigns(designs, path);
      table.set(
        rank,
        rankRow(problem, rank, settled.distortion, () => settled.design),
      );
      found = { ...follow(found.rows, [table.get(rank)!]), reason };
      found = { ...again(problem, searched(), [...table.keys()], found.rows), reason };
      if (found.rank === rank) break;
    }
  } catch (error) {
    if (!(error instanceof Aborted)) throw error;
    const best = [...table.values()].reduce((a, b) => (b.gap < a.gap ? b : a));
    found = { ...follow(found?.rows ?? [], [best]), reason: "aborted" };
  }
  const row = table.get(found.rank)!;
  const design = certifiedDesign(problem, found.rank, designs.at(found.rank), signal);
  const { cap, onTrueChannel } = problem.distortionOf(design);
  const solved = paths.map((path) => path.solvesFor(table.keys()));
  return {
    form: problem.form,
    rank: found.rank,
    gap: row.gap,
    terms: row.terms,
    rounds: row.rounds,
    distortion: row.distortion,
    distortionCap: cap,
    ...roundCost(problem.payloadAt(found.rank), design),
    ...(onTrueChannel === undefined ? {} : { onTrueChannel }),
    contraction: row.contraction,
    design,
    byRank: [...table.values()].sort((a, b) => a.rank - b.rank),
    rows: found.rows,
    solves: { path: solved.reduce((sum, count) => sum + count), settling: settling.solves },
    reason: found.reason,
    assumptions: problem.assumptions,
    gapReason: row.reason,
    converged: design.converged && found.reason !== "aborted",
  };
}

/**
 * omega(r) of a scenario: what `minimizeOptimalityGap` uses at rank r before it settles the chosen one, for callers
 * that split the ranks.
 */
export function rankDistortion(scenario: Scenario, ranks: readonly number[]): Map<number, number> {
  const path = createDesignPath(rankProblem(scenario));
  return new Map(ranks.map((rank) => [rank, path.distortionAt(rank)]));
}

class Aborted extends Error {}

interface Found extends RankSearchResult {
  readonly reason: RankReason;
}

function checkHooks(hooks: MinimizeHooks): void {
  checkOptions(hooks, "hooks", hookNames);
  const { signal, onProgress, distortions } = hooks;
  if (signal !== undefined && typeof signal?.aborted !== "boolean") {
    throw new InputError("hooks.signal", describe(signal), "an AbortSignal");
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InputError("hooks.onProgress", describe(onProgress), "a function");
  }
  if (distortions !== undefined && typeof distortions?.get !== "function") {
    throw new InputError("hooks.distortions", describe(distortions), "a Map from rank to distortion");
  }
}

/** Whether more effort than a path gives can find better designs. */
function isSettled(problem: RankProblem): boolean {
  return problem.solver.effort !== "fast" && isContinued(problem);
}

/** The ranks of the table with new values, and from the best of them on with single steps. */
function again(
  problem: RankProblem,
  memo: RankMemo,
  ranks: readonly number[],
  rows: readonly RankSearchRow[],
): RankSearchResult {
  for (const rank of ranks) memo.valueAt(rank);
  const start = bestRank(memo, ranks);
  if (problem.solver.rankSearch !== "backtracking") {
    return follow(rows, [{ rank: start, gap: memo.valueAt(start) }]);
  }
  return follow(rows, backtrackingSearch(memo, start, 1).rows);
}

/** The rows with more accepted states; one that repeats the last is left out. */
function follow(
  rows: readonly RankSearchRow[],
  more: readonly Pick<RankSearchRow, "rank" | "gap">[],
): RankSearchResult {
  const all = [...rows];
  for (const { rank, gap } of more) {
    const last = all.at(-1);
    if (last?.rank !== rank || last.gap !== gap) all.push({ step: all.length, rank, gap });
  }
  return { rank: all.at(-1)!.rank, rows: all };
}

function search(problem: RankProblem, memo: RankMemo): Found {
  const { rankSearch, initialRank, seed } = problem.solver;
  const single = (rank: number, reason: RankReason) => {
    return { rank, rows: [{ step: 0, rank, gap: memo.valueAt(rank) }], reason };
  };
  if (typeof rankSearch === "object") return single(rankSearch.fixed, "fixed");
  switch (rankSearch) {
    case "exhaustive":
      return { ...exhaustiveSearch(memo), reason: "all-ranks" };
    case "random":
      return single(1 + randomStream(seed, "random-rank").integer(problem.maxRank), "random");
    case "backtracking": {
      const start = initialRank ?? Math.ceil(problem.maxRank / 2);
      return { ...backtrackingSearch(memo, start), reason: "no-better-neighbour" };
    }
  }
}

function rankRow(
  problem: RankProblem,
  rank: number,
  distortion: number,
  design: () => BeamformerDesign,
): RankRow {
  const { entries, symbols, airTime, rounds } = problem.payloadAt(rank);
  const result = problem.boundAt(rank, distortion, design);
  return {
    rank,
    gap: result.gap,
    terms: result.terms,
    distortion,
    contraction: result.contraction,
    entries,
    symbols,
    airTime,
    rounds,
    reason: result.reason,
  };
}
