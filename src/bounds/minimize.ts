import { type BeamformerDesign, certifyDesign, designBeamformers } from "../aircomp/index.ts";
import { randomStream } from "../core/index.ts";
import { type GapResult, type GapTerms, optimalityGap, smallestSlope } from "./optimality-gap.ts";
import {
  backtrackingSearch,
  exhaustiveSearch,
  type RankSearchResult,
  type RankSearchRow,
  rankMemo,
} from "./rank-search.ts";
import { type RankProblem, rankProblem, type Scenario } from "./scenario.ts";

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
  /** Every rank that was evaluated, ascending. */
  readonly byRank: readonly RankRow[];
  /** Accepted states of the rank search; the gap never increases along them. */
  readonly rows: readonly RankSearchRow[];
  readonly reason: RankReason;
  /** Why the gap is infinite, if it is. */
  readonly gapReason?: string;
  /** False if the beamforming at the chosen rank stopped early. */
  readonly converged: boolean;
}

export interface MinimizeHooks {
  readonly signal?: AbortSignal;
  /** Called after every rank that is evaluated. */
  readonly onProgress?: (progress: {
    readonly evaluated: number;
    readonly maxRank: number;
    readonly rank: number;
  }) => void;
  /** Distortions that are known already, by rank (from {@link rankDistortion} of the same scenario). */
  readonly distortions?: ReadonlyMap<number, number>;
}

/**
 * The LoRA rank and the beamformers with the smallest bound on the optimality gap.
 *
 * The distortion at rank r depends on r through the power P_k(r) alone; ranks of equal power share one design.
 * The design of the smallest rank r of its power starts from that of rank floor(r/2), so omega(r) is a function of
 * the scenario and r, whatever ranks were tried before, and both searches see the same values.
 *
 * @throws InputError naming the field of the scenario that is missing, unknown, out of range or impossible.
 */
export function minimizeOptimalityGap(scenario: Scenario, hooks: MinimizeHooks = {}): GapMinimum {
  const problem = rankProblem(scenario);
  const designs = createDesigns(problem, hooks.signal);
  const table = new Map<number, RankRow>();
  const evaluate = (rank: number): number => {
    if (hooks.signal?.aborted === true && table.size > 0) throw new Aborted();
    const distortion = hooks.distortions?.get(rank) ?? designs.distortionAt(rank);
    const row = rankRow(problem, rank, distortion);
    table.set(rank, row);
    hooks.onProgress?.({ evaluated: table.size, maxRank: problem.maxRank, rank });
    return row.gap;
  };
  // where the gap is infinite, a smaller b2 is the way out
  const memo = rankMemo(problem.maxRank, evaluate, (rank) =>
    smallestSlope(problem.gapInput(rank, table.get(rank)!.distortion)),
  );
  let found: RankSearchResult & { readonly reason: RankReason };
  try {
    found = search(problem, memo);
  } catch (error) {
    if (!(error instanceof Aborted)) throw error;
    const best = [...table.values()].reduce((a, b) => (b.gap < a.gap ? b : a));
    found = { rank: best.rank, rows: [{ step: 0, rank: best.rank, gap: best.gap }], reason: "aborted" };
  }
  const row = table.get(found.rank)!;
  const design = certified(problem, found.rank, designs.at(found.rank), hooks.signal);
  const { cap, onTrueChannel } = problem.distortionOf(design);
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
    reason: found.reason,
    gapReason: row.reason,
    converged: design.converged && found.reason !== "aborted",
  };
}

/** omega(r) of a scenario: what `minimizeOptimalityGap` uses at rank r, for callers that split the ranks. */
export function rankDistortion(scenario: Scenario, ranks: readonly number[]): Map<number, number> {
  const problem = rankProblem(scenario);
  const designs = createDesigns(problem);
  return new Map(ranks.map((rank) => [rank, designs.distortionAt(rank)]));
}

class Aborted extends Error {}

function search(
  problem: RankProblem,
  memo: ReturnType<typeof rankMemo>,
): RankSearchResult & { readonly reason: RankReason } {
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

interface Designs {
  at(rank: number): BeamformerDesign;
  /** omega of that design. */
  distortionAt(rank: number): number;
}

/**
 * One design per distinct power: that of the smallest rank r which has it. It starts from the design of rank
 * floor(r/2), at most 4.8 dB away.
 */
function createDesigns(problem: RankProblem, signal?: AbortSignal): Designs {
  const { channel, streams, noiseVariance, weights, correlation, solver } = problem;
  const { scheme, effort, seed } = solver;
  const known = new Map<string, BeamformerDesign>();
  const powerKey = (rank: number): string => problem.payloadAt(rank).power.join();
  const design = (rank: number): BeamformerDesign => {
    const key = powerKey(rank);
    let result = known.get(key);
    if (result === undefined) {
      // powers never grow with the rank, so equal ones are neighbours
      let first = rank;
      while (first > 1 && powerKey(first - 1) === key) first--;
      const parent = first === 1 ? undefined : design(Math.floor(first / 2));
      const { power } = problem.payloadAt(first);
      const common = {
        channel,
        streams,
        noiseVariance,
        power,
        weights,
        scheme,
        // all other designs start from this one: short of iterations it would be worse than designs of less power
        effort: parent === undefined && effort === "fast" ? "default" : effort,
        seed,
        signal,
        certificate: false,
      } as const;
      // receive beamformers of zero, the best for a channel of zero, are no start
      const usable = parent?.kind === "analog" && parent.receive.data.some((x) => x !== 0);
      result = designBeamformers({ ...common, correlation, initial: usable ? parent : undefined });
      known.set(key, result);
    }
    return result;
  };
  const distortions = new Map<BeamformerDesign, number>();
  const distortionAt = (rank: number): number => {
    const made = design(rank);
    let distortion = distortions.get(made);
    if (distortion === undefined) {
      distortion = problem.distortionOf(made).distortion;
      distortions.set(made, distortion);
    }
    return distortion;
  };
  return { at: design, distortionAt };
}

function rankRow(problem: RankProblem, rank: number, distortion: number): RankRow {
  const { entries, symbols, airTime } = problem.payloadAt(rank);
  const result: GapResult = optimalityGap(problem.gapInput(rank, distortion));
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
