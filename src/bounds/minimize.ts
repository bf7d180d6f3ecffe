import type { BeamformerDesign } from "../aircomp/index.ts";
import { checkOptions, describe, InputError, randomStream } from "../core/index.ts";
import { createDesignPath, type Designs, isContinued, lowerDesigns } from "./design-path.ts";
import { minimizeLayerGap } from "./minimize-layers.ts";
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
import type { BoundForm } from "./scenario-schema.ts";
import { certifiedDesign, isHopeless, settleDesign } from "./settle.ts";

/** The bound and what it is made of, at one rank. */
export interface RankRow {
  readonly rank: number;
  /** In the unit of `GapMinimum.gap`. */
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
  /** T(r), the rounds that the bound counts. */
  readonly rounds: number;
  /** Why the gap is infinite. */
  readonly reason?: string;
}

/** Why the rank search ended. */
export type RankReason =
  | "no-better-neighbour"
  | "all-ranks"
  | "fixed"
  | "random"
  | "aborted"
  /** Ranks per layer: every number of OFDM symbols that changes them was evaluated. */
  | "all-symbols"
  /** Ranks per layer: no number of OFDM symbols can be better by more than the tolerance. */
  | "within-tolerance";

export interface GapMinimum {
  /** Which form of the bound `gap` is. */
  readonly form: BoundForm;
  /** The LoRA rank; the largest one, with ranks per layer. */
  readonly rank: number;
  /** With `lora.ranks` "per-layer": for every entry of `lora.layers` the ranks of its copies, descending. */
  readonly layerRanks?: readonly (readonly number[])[];
  /**
   * The bound. Forms "pl" and "quadratic": on the expected loss after the last round less the least one, in the unit of the
   * loss. "non-convex": on the mean squared gradient norm over the rounds, in the unit of the gradient squared.
   */
  readonly gap: number;
  readonly terms: GapTerms;
  /** T(r) of the chosen rank. */
  readonly rounds: number;
  /** omega, as the bound uses it: for the correlation of the link, in the mean over an estimation error. */
  readonly distortion: number;
  /** Cap on omega for any correlation between the gradients of the devices. */
  readonly distortionCap: number;
  /** Both on the drawn channel, where the design saw an estimate of it. */
  readonly onTrueChannel?: { readonly distortion: number; readonly cap: number };
  readonly contraction: number;
  readonly design: BeamformerDesign;
  /**
   * Every rank that was evaluated, ascending (with ranks per layer every number of OFDM symbols, `rank` being the largest
   * one that is best there); all by the same path of designs. With more effort than "fast" it comes
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
  /** Called after every rank (or number of OFDM symbols) that is evaluated, or evaluated again. */
  readonly onProgress?: (progress: {
    readonly evaluated: number;
    readonly maxRank: number;
    readonly rank: number;
    /** N_sym; with ranks per layer, where `rank` is the largest one and `maxRank` that of the scenario. */
    readonly symbols?: number;
    /** Iterations of the scheme so far, over all designs. */
    readonly iterations: number;
  }) => void;
  /** Distortions that are known already, by rank (from {@link rankDistortion} of the same scenario); of uniform ranks. */
  readonly distortions?: ReadonlyMap<number, number>;
}

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
