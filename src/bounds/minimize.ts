import { type BeamformerDesign, certifyDesign } from "../aircomp/index.ts";
import { randomStream } from "../core/index.ts";
import { createDesignPath, type DesignPath, isContinued } from "./design-path.ts";
import type { GapTerms } from "./optimality-gap.ts";
import {
  backtrackingSearch,
  bestRank,
  exhaustiveSearch,
  type RankMemo,
  type RankSearchResult,
  type RankSearchRow,
  rankMemo,
} from "./rank-search.ts";
import { type RankProblem, rankProblem, type Scenario } from "./scenario.ts";
import { settleDesign } from "./settle.ts";

/** The bound and what it is made of, at one rank. */
export interface RankRow {
  readonly rank: number;
  readonly gap: number;
  readonly terms: GapTerms;
  /** omega of the beamformers at this rank, for the correlation of the link (the cap, if that is "cap"). */
  readonly distortion: number;
  /** rho */
  readonly contraction: number;
  /** Q, real numbers per device and round. */
  readonly entries: number;
  /** N_sym, OFDM symbols per round. */
  readonly symbols: number;
  /** Seconds per round. */
  readonly airTime: number;
  /** Why the gap is infinite. */
  readonly reason?: string;
}

/** Why the rank search ended. */
export type RankReason = "no-better-neighbour" | "all-ranks" | "fixed" | "random" | "aborted";

export interface GapMinimum {
  readonly rank: number;
  readonly gap: number;
  readonly terms: GapTerms;
  /** omega, as the bound uses it: for the correlation of the link, in the mean over an estimation error. */
  readonly distortion: number;
  /** Cap on omega for any correlation between the gradients of the devices. */
  readonly distortionCap: number;
  /** Both on the drawn channel, where the design saw an estimate of it. */
  readonly onTrueChannel?: { readonly distortion: number; readonly cap: number };
  readonly contraction: number;
  readonly design: BeamformerDesign;
  /**
   * Every rank that was evaluated, ascending; all by the same path of designs. With more effort than "fast" it comes
   * from a design of the full effort, that of the chosen rank (of an earlier choice where the rank has moved since).
   */
  readonly byRank: readonly RankRow[];
  /**
   * Accepted states of the rank search; the gap never increases along them. A row that repeats a rank has settled it.
   */
  readonly rows: readonly RankSearchRow[];
  /** Beamforming problems solved: on the path of designs, with few iterations, and with full effort to settle a rank. */
  readonly solves: { readonly path: number; readonly settling: number };
  readonly reason: RankReason;
  /** What the bound takes for granted. */
  readonly assumptions: readonly string[];
  /** Why the gap is infinite, if it is. */
  readonly gapReason?: string;
  /** False if the beamforming at the chosen rank stopped early. */
  readonly converged: boolean;
}

export interface MinimizeHooks {
  readonly signal?: AbortSignal;
  /** Called after every rank that is evaluated, or evaluated again. */
  readonly onProgress?: (progress: {
    readonly evaluated: number;
    readonly maxRank: number;
    readonly rank: number;
    /** Iterations of the scheme so far, over all designs. */
    readonly iterations: number;
  }) => void;
  /** Distortions that are known already, by rank (from {@link rankDistortion} of the same scenario). */
  readonly distortions?: ReadonlyMap<number, number>;
}

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
 * @throws InputError naming the field of the scenario that is missing, unknown, out of range or impossible.
 */
export function minimizeOptimalityGap(scenario: Scenario, hooks: MinimizeHooks = {}): GapMinimum {
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
      const row = rankRow(problem, rank, source.distortionAt(rank));
      table.set(rank, row);
      const iterations = paths.reduce((sum, path) => sum + path.iterations(), settling.iterations);
      hooks.onProgress?.({ evaluated: table.size, maxRank: problem.maxRank, rank, iterations });
      return row.gap;
    };
    // where the gap is infinite, a smaller b2 is the way out
    const slope = (rank: number): number => problem.slopeAt(rank, table.get(rank)!.distortion);
    return rankMemo(problem.maxRank, evaluate, slope);
  };

  let found: Found | undefined;
  try {
    found = search(problem, searched());
    for (let round = 0; round < ROUNDS && isSettled(problem); round++) {
      if (aborted()) throw new Aborted();
      const { rank, reason }: Found = found;
      const settled = settleDesign(problem, rank, designs.at(rank), round === 0, signal);
      settling.solves += settled.solves;
      settling.iterations += settled.iterations;
      if (!(settled.distortion < table.get(rank)!.distortion)) {
        if (aborted()) throw new Aborted();
        break;
      }
      const path = createDesignPath(problem, { rank, design: settled.design }, signal);
      paths.push(path);
      designs = lower(designs, path);
      table.set(rank, rankRow(problem, rank, settled.distortion));
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
  const design = certified(problem, found.rank, designs.at(found.rank), signal);
  const { cap, onTrueChannel } = problem.distortionOf(design);
  const solved = paths.map((path) => path.solvesFor(table.keys()));
  return {
    rank: found.rank,
    gap: row.gap,
    terms: row.terms,
    distortion: row.distortion,
    distortionCap: cap,
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

type Designs = Pick<DesignPath, "at" | "distortionAt">;

/** At every rank the better of two designs; both, and so this, are functions of the rank alone. */
function lower(old: Designs, path: Designs): Designs {
  return {
    at: (rank) => (path.distortionAt(rank) < old.distortionAt(rank) ? path : old).at(rank),
    distortionAt: (rank) => Math.min(path.distortionAt(rank), old.distortionAt(rank)),
  };
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

/** The chosen design with what no design of its rank's power can be below. */
function certified(
  problem: RankProblem,
  rank: number,
  design: BeamformerDesign,
  signal: AbortSignal | undefined,
): BeamformerDesign {
  const { channel, streams, noiseVariance, weights, correlation, solver } = problem;
  if (solver.effort === "fast" || signal?.aborted === true) return design;
  const { power } = problem.payloadAt(rank);
  const { effort } = solver;
  return certifyDesign(design, {
    channel,
    streams,
    noiseVariance,
    weights,
    correlation,
    power,
    effort,
    signal,
  });
}

function rankRow(problem: RankProblem, rank: number, distortion: number): RankRow {
  const { entries, symbols, airTime } = problem.payloadAt(rank);
  const result = problem.boundAt(rank, distortion);
  return {
    rank,
    gap: result.gap,
    terms: result.terms,
    distortion,
    contraction: result.contraction,
    entries,
    symbols,
    airTime,
    reason: result.reason,
  };
}
