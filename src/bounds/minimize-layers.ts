import { InputError } from "../core/index.ts";
import { createDesignPath, type Designs, isContinued, lowerDesigns } from "./design-path.ts";
import type { GapMinimum, MinimizeHooks, RankReason, RankRow } from "./gap-minimum.ts";
import { type LayerProblem, layerProblem } from "./layer-problem.ts";
import type { RankSearchRow } from "./rank-search.ts";
import { roundCost } from "./round-cost.ts";
import type { Scenario } from "./scenario-schema.ts";
import { certifiedDesign, isHopeless, settleDesign } from "./settle.ts";
import {
  boundedSearch,
  everySymbol,
  hasMoreCandidates,
  isBetter,
  type SymbolObjective,
} from "./symbol-search.ts";

/** The best number of symbols is found to this part of its gap, where every design takes a search. */
const TOLERANCE = 1e-4;
/** Most numbers of symbols of an exhaustive search. */
const MOST_CANDIDATES = 4096;
/** Significant bits of the numbers of symbols that designs start from: powers in steps of at most a quarter. */
const BITS = 3;
/** Most numbers of symbols that are settled one after the other. */
const ROUNDS = 3;

/**
 * The ranks of all layers and the beamformers with the smallest bound on the optimality gap: a search over the OFDM
 * symbols n of a round, each with its own best ranks (docs/layer-ranks.md, section 5). `rankSearch` "backtracking" bounds
 * the gap between solved designs and stops where no n can be better by more than a part of 1e-4 (not at all, for schemes
 * that search nothing); "exhaustive" evaluates every n that changes the ranks. Designs lie on one path, and the chosen n
 * is settled, as for uniform ranks.
 *
 * @throws InputError naming the field of the scenario that is missing, unknown, out of range, impossible, or without a
 * meaning for ranks per layer.
 */
export function minimizeLayerGap(scenario: Scenario, hooks: MinimizeHooks = {}): GapMinimum {
  const problem = layerProblem(scenario);
  const { signal } = hooks;
  const { solver } = problem;
  const aborted = (): boolean => signal?.aborted === true;
  const isExhaustive = solver.rankSearch === "exhaustive";
  if (isExhaustive && hasMoreCandidates(problem, MOST_CANDIDATES)) {
    throw new InputError(
      "solver.rankSearch",
      `"exhaustive" over more than ${MOST_CANDIDATES} numbers of OFDM symbols`,
      `"backtracking", or a smaller problem`,
    );
  }
  const first = createDesignPath(problem, undefined, signal, BITS);
  const paths = [first];
  let designs: Designs = first;
  const table = new Map<number, RankRow>();
  const settling = { solves: 0, iterations: 0 };
  const rows: RankSearchRow[] = [];

  const evaluate = (symbols: number, source: Designs): RankRow => {
    if (aborted() && table.size > 0) throw new Aborted();
    const row = symbolRow(problem, symbols, source.distortionAt(symbols));
    table.set(symbols, row);
    const iterations = paths.reduce((sum, path) => sum + path.iterations(), settling.iterations);
    hooks.onProgress?.({
      evaluated: table.size,
      maxRank: problem.largestRank,
      rank: row.rank,
      symbols,
      iterations,
    });
    return row;
  };
  const accept = (accepted: readonly number[]): void => {
    for (const symbols of accepted) {
      const { rank, gap } = table.get(symbols)!;
      const last = rows.at(-1);
      if (last !== undefined && (gap > last.gap || (gap === last.gap && symbols === last.symbols))) continue;
      rows.push({ step: rows.length, rank, symbols, gap });
    }
  };
  const search = (start?: number): number => {
    const fresh = new Map<number, RankRow>();
    const source = designs;
    const rowAt = (symbols: number): RankRow => {
      const row = fresh.get(symbols) ?? evaluate(symbols, source);
      fresh.set(symbols, row);
      return row;
    };
    const objective: SymbolObjective = {
      ...problem,
      last: problem.maxRank,
      distortionAt: (symbols) => rowAt(symbols).distortion,
      valueAt: (symbols) => rowAt(symbols).gap,
      tieAt: (symbols) => problem.slopeAt(symbols, rowAt(symbols).distortion),
    };
    // what is in the table is kept comparable
    for (const symbols of [...table.keys()]) rowAt(symbols);
    const found = isExhaustive
      ? everySymbol(objective)
      : boundedSearch(objective, isCheap(problem) ? 0 : TOLERANCE, start);
    accept(found.accepted);
    return found.symbols;
  };

  let symbols: number;
  let reason: RankReason = isExhaustive ? "all-symbols" : "within-tolerance";
  try {
    symbols = search();
    for (let round = 0; round < ROUNDS && solver.effort !== "fast" && isContinued(problem); round++) {
      if (aborted()) throw new Aborted();
      if (isHopeless(problem, symbols, table.get(symbols)!)) break;
      const settled = settleDesign(problem, symbols, designs.at(symbols), round === 0, signal);
      settling.solves += settled.solves;
      settling.iterations += settled.iterations;
      if (!(settled.distortion < table.get(symbols)!.distortion)) {
        if (aborted()) throw new Aborted();
        break;
      }
      const path = createDesignPath(problem, { rank: symbols, design: settled.design }, signal, BITS);
      paths.push(path);
      designs = lowerDesigns(designs, path);
      table.set(symbols, symbolRow(problem, symbols, settled.distortion));
      accept([symbols]);
      const before = symbols;
      symbols = search(before);
      if (symbols === before) break;
    }
  } catch (error) {
    if (!(error instanceof Aborted)) throw error;
    const value = {
      valueAt: (n: number) => table.get(n)!.gap,
      tieAt: (n: number) => problem.slopeAt(n, table.get(n)!.distortion),
    };
    symbols = [...table.keys()].reduce((a, b) => (isBetter(value, b, a) ? b : a));
    accept([symbols]);
    reason = "aborted";
  }
  const row = table.get(symbols)!;
  const design = certifiedDesign(problem, symbols, designs.at(symbols), signal);
  const { cap, onTrueChannel } = problem.distortionOf(design);
  const solved = paths.map((path) => path.solvesFor(table.keys()));
  return {
    form: problem.form,
    rank: row.rank,
    layerRanks: problem.ranksAt(symbols),
    gap: row.gap,
    terms: row.terms,
    rounds: row.rounds,
    distortion: row.distortion,
    distortionCap: cap,
    ...roundCost(problem.payloadAt(symbols), design),
    ...(onTrueChannel === undefined ? {} : { onTrueChannel }),
    contraction: row.contraction,
    design,
    byRank: [...table.values()].sort((a, b) => a.symbols - b.symbols),
    rows,
    solves: { path: solved.reduce((sum, count) => sum + count), settling: settling.solves },
    reason,
    assumptions: problem.assumptions,
    gapReason: row.reason,
    converged: design.converged && reason !== "aborted",
  };
}

class Aborted extends Error {}

/** Whether the scheme searches nothing that would make a design expensive. */
function isCheap(problem: LayerProblem): boolean {
  return ["mrc", "centroid", "random", "ideal"].includes(problem.solver.scheme);
}

function symbolRow(problem: LayerProblem, symbols: number, distortion: number): RankRow {
  const { entries, airTime, rounds } = problem.payloadAt(symbols);
  const { gap, terms, contraction, reason } = problem.boundAt(symbols, distortion);
  const rank = Math.max(...problem.ranksAt(symbols).map(([largest]) => largest ?? 0));
  return { rank, gap, terms, distortion, contraction, entries, symbols, airTime, rounds, reason };
}
