import { checkChoice, checkInteger, checkNumber, checkOptions, InputError } from "../core/index.ts";
import { checkItems, createKnapsack, type Knapsack, type WidthClass, widthClass } from "./layer-knapsack.ts";
import { checkLayers, type LoraLayer, largestSize, type TrainedFactors } from "./payload.ts";
import { type Spectrum, singularValues } from "./spectrum.ts";

/** What ranks are given to. */
export interface LayerRankProblem {
  readonly layers: readonly LoraLayer[];
  /** Of every layer that has none of its own. */
  readonly spectrum?: Spectrum;
  /** Decides what a unit of rank costs. Default "both". */
  readonly trained?: TrainedFactors;
  /** Most of any layer; default none but min(dOut, dIn). */
  readonly maxRank?: number;
}

/** Ranks of every copy of every layer, and what they cost and leave. */
export interface RankAllocation {
  /** Per layer, in the order given: the ranks of its `count` copies, descending; they differ by at most 1. */
  readonly ranks: readonly (readonly number[])[];
  /** Q = sum of rank times width: entries that a device sends per round. */
  readonly entries: number;
  /** Sum of s_i^2 over i > rank, all copies and layers; the residual is L_W/2 times this. */
  readonly tailEnergy: number;
}

/** The smallest tail energy for every budget. Budgets are whole numbers of entries >= 0. */
export interface LayerRankFrontier {
  /** From this budget on nothing improves. */
  readonly maxEntries: number;
  /** Smallest tail energy within a budget. Never increases; all energy at 0. */
  tailWithin(entries: number): number;
  /** How many entries the best choice uses: the smallest budget with the same tail, where sums are exact. */
  entriesWithin(entries: number): number;
  /** The best ranks within a budget, as in {@link RankAllocation}. */
  ranksWithin(entries: number): readonly (readonly number[])[];
}

const known = ["layers", "spectrum", "trained", "maxRank"];

/**
 * The ranks 0 <= r <= min(maxRank, dOut, dIn) of every copy of every layer that leave the smallest tail energy within a
 * budget of entries, for all budgets at once: a knapsack whose items of equal width are sorted, solved exactly by
 * convolving the widths (docs/layer-ranks.md). Ties: fewer entries, then fewer ranks of one width (always the
 * same one); within a width the earlier layer, then the earlier copy.
 *
 * @param input.budgetLimit largest number of entries that is considered; larger budgets count as this. Default none
 * @throws InputError on layers, spectra or options that are missing or out of range, on an energy above 1e300, and
 * where more than 2^26 numbers would have to be stored; the three functions on budgets that are not whole numbers >= 0.
 */
export function layerRankFrontier(
  input: LayerRankProblem & { readonly budgetLimit?: number },
): LayerRankFrontier {
  checkOptions(input, "layerRankFrontier", [...known, "budgetLimit"]);
  const limit =
    input.budgetLimit === undefined
      ? Number.MAX_SAFE_INTEGER
      : checkInteger(input.budgetLimit, "budgetLimit", 0);
  const items = rankItems(input);
  const knapsack = createKnapsack(items.classes, limit);
  const budget = (entries: number): number => checkInteger(entries, "entries", 0);
  return {
    maxEntries: knapsack.choiceWithin(limit).entries,
    tailWithin: (entries) => knapsack.tailWithin(budget(entries)) + items.unreachable,
    entriesWithin: (entries) => knapsack.choiceWithin(budget(entries)).entries,
    ranksWithin: (entries) => ranksOf(items, knapsack.choiceWithin(budget(entries)).counts),
  };
}

/**
 * The best ranks for one budget, with tables no longer than it; see {@link layerRankFrontier}.
 *
 * @throws InputError as there.
 */
export function allocateRanks(input: LayerRankProblem & { readonly entries: number }): RankAllocation {
  checkOptions(input, "allocateRanks", [...known, "entries"]);
  const budget = checkInteger(input.entries, "entries", 0);
  const items = rankItems(input);
  const knapsack: Knapsack = createKnapsack(items.classes, budget);
  const { counts, entries } = knapsack.choiceWithin(budget);
  return {
    ranks: ranksOf(items, counts),
    entries,
    tailEnergy: knapsack.tailWithin(budget) + items.unreachable,
  };
}

/**
 * Marginal analysis: the ranks that minimise tail energy + price Q. Separable, so a singular value is kept if and
 * only if s^2 > price times its width. The result is optimal for the budget that it uses.
 *
 * @param input.price energy per entry, >= 0
 * @throws InputError on layers, spectra or options that are missing or out of range.
 */
export function pricedRanks(input: LayerRankProblem & { readonly price: number }): RankAllocation {
  checkOptions(input, "pricedRanks", [...known, "price"]);
  const price = checkNumber(input.price, "price", 0);
  const items = rankItems(input);
  const counts = items.classes.map(({ width, energies }) => firstBelow(energies, price * width, false));
  const sum = (term: (one: WidthClass, count: number) => number): number =>
    items.classes.reduce((total, one, i) => total + term(one, counts[i]!), 0);
  return {
    ranks: ranksOf(items, counts),
    entries: sum(({ width }, count) => count * width),
    tailEnergy: sum(({ tails }, count) => tails[count]!) + items.unreachable,
  };
}

/** Entries per unit of rank. Factors trained in turn are charged the larger one: no round sends more. */
function rankWidth({ dOut, dIn }: LoraLayer, trained: TrainedFactors): number {
  switch (trained) {
    case "both":
      return dOut + dIn;
    case "loraB":
      return dOut;
    case "alternating":
      return Math.max(dOut, dIn);
  }
}

interface LayerItems {
  readonly count: number;
  readonly width: number;
  /** s_i^2 > 0, descending, up to the largest rank. */
  readonly energies: Float64Array;
}

interface RankItems {
  readonly layers: readonly LayerItems[];
  /** One per width, ascending; at least one. */
  readonly classes: readonly WidthClass[];
  /** Energy that no rank allowed here reaches. */
  readonly unreachable: number;
}

/** Checks the problem and sorts its singular values by width. */
function rankItems(input: LayerRankProblem): RankItems {
  const trained = checkChoice(input.trained ?? "both", "trained", ["both", "loraB", "alternating"]);
  const maxRank =
    input.maxRank === undefined ? largestSize : checkInteger(input.maxRank, "maxRank", 1, largestSize);
  let unreachable = 0;
  const layers = checkLayers(input.layers).map((layer, index): LayerItems => {
    const spectrum = layer.spectrum ?? input.spectrum;
    if (spectrum === undefined) {
      throw new InputError("spectrum", "nothing", `a spectrum, or one in layers[${index}]`);
    }
    const field = layer.spectrum === undefined ? "spectrum" : `layers[${index}].spectrum`;
    const all = singularValues(spectrum, Math.min(layer.dOut, layer.dIn), field);
    for (let i = 0; i < all.length; i++) all[i]! *= all[i]!;
    unreachable += layer.count * total(all.subarray(maxRank));
    const energies = all.slice(0, Math.min(maxRank, firstBelow(all, 0, false)));
    return { count: layer.count, width: rankWidth(layer, trained), energies };
  });
  checkItems(layers.reduce((sum, { count, energies }) => sum + count * energies.length, 0));
  const energy = layers.reduce((sum, { count, energies }) => sum + count * total(energies), unreachable);
  if (!(energy <= 1e300)) throw new InputError("spectrum", `a total energy of ${energy}`, "at most 1e300");
  const widths = [...new Set(layers.map(({ width }) => width))].sort((a, b) => a - b);
  const classes = widths.map((width) => {
    const members = layers.filter((layer) => layer.width === width);
    const energies = new Float64Array(
      members.reduce((sum, layer) => sum + layer.count * layer.energies.length, 0),
    );
    let at = 0;
    for (const layer of members) {
      for (let copy = 0; copy < layer.count; copy++, at += layer.energies.length) {
        energies.set(layer.energies, at);
      }
    }
    return widthClass(width, energies);
  });
  const used = classes.filter(({ energies }) => energies.length > 0);
  return { layers, classes: used.length > 0 ? used : classes.slice(0, 1), unreachable };
}

/** Ranks per layer and copy where the `counts[c]` largest energies of every class are kept. */
function ranksOf({ layers, classes }: RankItems, counts: readonly number[]): number[][] {
  const thresholds = classes.map(({ energies }, c) =>
    counts[c]! > 0 ? energies[counts[c]! - 1]! : Number.POSITIVE_INFINITY,
  );
  // how many of the energies equal to the threshold are still to be given out
  const tied = classes.map(({ energies }, c) =>
    counts[c]! > 0 ? counts[c]! - firstBelow(energies, thresholds[c]!, false) : 0,
  );
  return layers.map(({ count, width, energies }) => {
    const c = classes.findIndex((one) => one.width === width);
    if (c < 0) return Array<number>(count).fill(0);
    const above = firstBelow(energies, thresholds[c]!, false);
    const share = Math.min(tied[c]!, count * (firstBelow(energies, thresholds[c]!, true) - above));
    tied[c]! -= share;
    const [each, extra] = [Math.floor(share / count), share % count];
    return Array.from({ length: count }, (_, copy) => above + each + (copy < extra ? 1 : 0));
  });
}

/** The sum of descending values, the smallest first. */
function total(values: Float64Array): number {
  return values.reduceRight((sum, value) => sum + value, 0);
}

/** How many of the descending values are above the bound, or with `equal` at least it. */
function firstBelow(values: Float64Array, bound: number, equal: boolean): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const value = values[middle]!;
    if (value > bound || (equal && value === bound)) low = middle + 1;
    else high = middle;
  }
  return low;
}
