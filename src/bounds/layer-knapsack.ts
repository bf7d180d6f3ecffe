/**
 * The knapsack behind per-layer ranks (layer-ranks.ts). Items of one width cost the same, so the best k of them are
 * the k largest and what they leave, T(k), is convex in k. Across widths the tails combine by min-plus convolution; with a
 * convex T that is a search for row minima in a Monge matrix. Proofs: docs/layer-ranks.md.
 */
import { InputError } from "../core/index.ts";

/** Most numbers that are stored, tables and items together: 2^26, half a gigabyte. */
const largestTable: number = 2 ** 26;

/** All items that cost the same. */
export interface WidthClass {
  /** D: entries per item. */
  readonly width: number;
  /** Positive, descending; n of them. */
  readonly energies: Float64Array;
  /** T(0..n): the energy left when the k largest are kept. Convex, as exact real numbers; T(n) = 0. */
  readonly tails: Float64Array;
}

/** The smallest tail of some classes for every budget. */
interface BudgetTable {
  /** Entries per step; divides every width. */
  readonly unit: number;
  /** tails[u]: within u unit entries. Never increases. */
  readonly tails: Float64Array;
  /** The class that was merged last, and the table of those before it. */
  readonly top: WidthClass;
  readonly below: BudgetTable | null;
}

/** The best choice within a budget: how many items of each class (in the order of `classes`). */
export interface KnapsackChoice {
  readonly counts: readonly number[];
  readonly entries: number;
}

export interface Knapsack {
  /** Smallest tail within a budget. */
  tailWithin(budget: number): number;
  /** What reaches it with the fewest entries. */
  choiceWithin(budget: number): KnapsackChoice;
}

/** One class; `energies` (positive) are sorted in place. */
export function widthClass(width: number, energies: Float64Array): WidthClass {
  energies.sort().reverse();
  return { width, energies, tails: convexTails(energies) };
}

/**
 * Solves for every budget up to `limit` entries. The class that makes the tables largest is left to the queries.
 *
 * @param classes of different widths
 * @throws InputError where more than 2^26 numbers would be stored.
 */
export function createKnapsack(classes: readonly WidthClass[], limit: number): Knapsack {
  const { order, last } = planTables(classes, limit);
  let rest: BudgetTable | null = null;
  for (const top of order) {
    rest = rest === null ? { unit: top.width, tails: top.tails, top, below: null } : merge(rest, top, limit);
  }
  return {
    tailWithin: (budget) => bestSplit(rest, last, Math.min(budget, limit)).tail,
    choiceWithin: (budget) => {
      const counts = classes.map(() => 0);
      const best = bestSplit(rest, last, Math.min(budget, limit));
      counts[classes.indexOf(last)] = best.count;
      let left = best.entries - best.count * last.width;
      for (let table = rest; table !== null; table = table.below) {
        const { width } = table.top;
        const count = bestSplit(table.below, table.top, left).count;
        counts[classes.indexOf(table.top)] = count;
        left -= count * width;
      }
      return { counts, entries: best.entries };
    },
  };
}

/** Throws when items alone would need more than is stored. */
export function checkItems(items: number): void {
  if (items > largestTable) {
    throw new InputError(
      "layers",
      `${items} singular values, copies counted`,
      `at most 2^26 = ${largestTable}: a smaller maxRank, or fewer copies`,
    );
  }
}

/**
 * T(k) = sum of energies[k..], smallest first, each rounded such that T is convex *exactly*, which the monotone search
 * needs. A step is off by at most 4 units in the last place of T(k), so an energy by a part of at most n 2^-50; where
 * all sums are representable nothing is rounded.
 */
function convexTails(energies: Float64Array): Float64Array {
  const n = energies.length;
  const tails = new Float64Array(n + 1);
  for (let k = n - 1; k >= 0; k--) {
    const next = tails[k + 1]!;
    const afterNext = k + 2 <= n ? tails[k + 2]! : 0;
    let tail = next + energies[k]!;
    if (k + 2 <= n) {
      // exact sums (subnormal ones are) never get here, so the product always grows
      while (!isConvex(tail, next, afterNext)) tail *= 1 + Number.EPSILON;
    }
    tails[k] = tail;
  }
  return tails;
}

/** Whether a + c >= 2 b, exactly, for a >= c >= 0. */
function isConvex(a: number, b: number, c: number): boolean {
  const sum = a + c;
  if (sum !== 2 * b) return sum > 2 * b;
  return c - (sum - a) >= 0;
}

/** Which class is left to the queries, and in which order the others are merged: the smallest tables first. */
function planTables(
  classes: readonly WidthClass[],
  limit: number,
): { readonly order: readonly WidthClass[]; readonly last: WidthClass } {
  const cells = (unit: number, entries: number): number => Math.floor(Math.min(entries, limit) / unit) + 1;
  const others = (out: WidthClass): WidthClass[] => classes.filter((one) => one !== out);
  let last = classes[0]!;
  let fewest = Number.POSITIVE_INFINITY;
  for (const out of classes) {
    const kept = others(out);
    const unit = kept.reduce((divisor, one) => gcd(divisor, one.width), 0);
    const size =
      kept.length === 0
        ? 0
        : cells(
            unit,
            kept.reduce((sum, one) => sum + cost(one), 0),
          );
    if (size < fewest) [fewest, last] = [size, out];
  }
  const left = others(last);
  const order: WidthClass[] = [];
  let [unit, entries, stored] = [0, 0, 0];
  while (left.length > 0) {
    const sizes = left.map((one) => cells(gcd(unit, one.width), entries + cost(one)));
    const next = sizes.indexOf(Math.min(...sizes));
    if (order.length > 0) stored += sizes[next]!;
    const [one] = left.splice(next, 1) as [WidthClass];
    order.push(one);
    unit = gcd(unit, one.width);
    entries += cost(one);
  }
  const items = classes.reduce((sum, one) => sum + one.energies.length, 0);
  if (items + stored > largestTable) {
    throw new InputError(
      "layers",
      `${stored} cells in tables over the budget, in steps of ${unit} entries`,
      `at most 2^26 = ${largestTable}: a smaller maxRank or budget of entries, or layer sizes with a larger common divisor`,
    );
  }
  return { order, last };
}

/** Entries of all items of a class. */
function cost(one: WidthClass): number {
  return one.width * one.energies.length;
}

/**
 * The table with one more class: out[u] = min over k of below(u - k D) + T(k), one residue of u modulo D at a time.
 * Rows j and columns i = j - k then have the entries a_i + T(j - i), a Monge matrix: the last best column of a row
 * never moves back, and divide and conquer finds all of them.
 */
function merge(below: BudgetTable, top: WidthClass, limit: number): BudgetTable {
  const unit = gcd(below.unit, top.width);
  const stride = top.width / unit;
  const ratio = below.unit / unit;
  const tails = top.tails;
  const most = tails.length - 1;
  const full = (below.tails.length - 1) * below.unit + cost(top);
  const length = Math.floor(Math.min(full, limit) / unit) + 1;
  const out = new Float64Array(length);
  const source = new Float64Array(Math.floor((length - 1) / stride) + 1);
  let residue = 0;

  const fill = (first: number, end: number, left: number, right: number): void => {
    while (first <= end) {
      const row = (first + end) >>> 1;
      let best = Math.max(left, row - most);
      let tail = source[best]! + tails[row - best]!;
      for (let i = best + 1; i <= right && i <= row; i++) {
        const a = source[i]!;
        const b = tails[row - i]!;
        const sum = a + b;
        if (
          sum < tail ||
          (sum === tail && lost(a, b, sum) <= lost(source[best]!, tails[row - best]!, tail))
        ) {
          best = i;
          tail = sum;
        }
      }
      out[residue + row * stride] = tail;
      fill(first, row - 1, left, best);
      first = row + 1;
      left = best;
    }
  };

  for (; residue < Math.min(stride, length); residue++) {
    const rows = Math.floor((length - 1 - residue) / stride) + 1;
    for (let i = 0; i < rows; i++) {
      const index = Math.floor((residue + i * stride) / ratio);
      source[i] = below.tails[Math.min(index, below.tails.length - 1)]!;
    }
    fill(0, rows - 1, 0, rows - 1);
  }
  return { unit, tails: out, top, below };
}

/** a + b - fl(a + b), exactly (Knuth's two-sum): makes comparisons of equal rounded sums exact. */
function lost(a: number, b: number, sum: number): number {
  const part = sum - a;
  return a - (sum - part) + (b - part);
}

/**
 * Minimises tail(rest, budget - k D) + T(k) over k by branch and bound: on low..high the first term is least at low and the
 * second at high. Ties: fewer entries, then fewer items of the class. About sqrt(n) evaluations unless many choices tie.
 */
function bestSplit(
  rest: BudgetTable | null,
  { width, energies, tails }: WidthClass,
  budget: number,
): { readonly count: number; readonly tail: number; readonly entries: number } {
  let [count, tail, entries] = [0, Number.POSITIVE_INFINITY, 0];
  const restTail = (k: number): number =>
    rest === null ? 0 : rest.tails[stepWithin(rest, budget - k * width)]!;
  const visit = (low: number, high: number): void => {
    if (restTail(low) + tails[high]! > tail) return;
    if (low === high) {
      const value = restTail(low) + tails[low]!;
      const used = low * width + (rest === null ? 0 : usedWithin(rest, budget - low * width));
      if (value < tail || used < entries || (used === entries && low < count)) {
        [count, tail, entries] = [low, value, used];
      }
      return;
    }
    const middle = (low + high) >>> 1;
    // the more promising half first
    if (restTail(middle + 1) + tails[middle + 1]! < restTail(middle) + tails[middle]!) {
      visit(middle + 1, high);
      visit(low, middle);
    } else {
      visit(low, middle);
      visit(middle + 1, high);
    }
  };
  visit(0, Math.min(energies.length, Math.floor(budget / width)));
  return { count, tail, entries };
}

function stepWithin(table: BudgetTable, budget: number): number {
  return Math.min(Math.floor(budget / table.unit), table.tails.length - 1);
}

/** The smallest budget with the same tail. */
function usedWithin(table: BudgetTable, budget: number): number {
  let high = stepWithin(table, budget);
  const tail = table.tails[high]!;
  let low = 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (table.tails[middle]! <= tail) high = middle;
    else low = middle + 1;
  }
  return low * table.unit;
}

function gcd(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}
