import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  allocateRanks,
  type LayerRankProblem,
  layerRankFrontier,
  ofdmSymbols,
  payloadEntries,
  pricedRanks,
  rankResidual,
} from "../../src/bounds/index.ts";
import { createKnapsack, widthClass } from "../../src/bounds/layer-knapsack.ts";
import { InputError, randomStream } from "../../src/core/index.ts";
import { relative } from "./support.ts";

type Trained = NonNullable<LayerRankProblem["trained"]>;

/** A problem as the tests write it: every layer with its own list of values. */
interface Small extends LayerRankProblem {
  readonly trained: Trained;
  readonly layers: readonly {
    readonly dOut: number;
    readonly dIn: number;
    readonly count: number;
    readonly spectrum: { readonly kind: "values"; readonly values: readonly number[] };
  }[];
}

function widths({ layers, trained }: Small): number[] {
  const of = { both: (a: number, b: number) => a + b, loraB: (a: number) => a, alternating: Math.max };
  return layers.map(({ dOut, dIn }) => of[trained](dOut, dIn));
}

/** Energies of every layer, descending, all min(dOut, dIn) of them. */
function energies({ layers }: Small): number[][] {
  return layers.map(({ dOut, dIn, spectrum }) => {
    const values = [...spectrum.values].sort((a, b) => b - a).map((s) => s * s);
    return Array.from({ length: Math.min(dOut, dIn) }, (_, i) => values[i] ?? 0);
  });
}

/** The sum of everything beyond the ranks, smallest first. */
function tailOf(problem: Small, ranks: readonly (readonly number[])[]): number {
  const all = energies(problem);
  const left = ranks.flatMap((copies, l) => copies.flatMap((rank) => all[l]!.slice(rank)));
  return left.sort((a, b) => a - b).reduce((sum, x) => sum + x, 0);
}

function costOf(problem: Small, ranks: readonly (readonly number[])[]): number {
  const width = widths(problem);
  return ranks.reduce((sum, copies, l) => sum + width[l]! * copies.reduce((a, b) => a + b, 0), 0);
}

/** Least tail and, among equal ones, least cost of every budget 0..budgets, from all choices of ranks. */
function enumerate(problem: Small, budgets: number): { tail: number; entries: number }[] {
  const width = widths(problem);
  const all = energies(problem);
  const items = problem.layers.flatMap(({ count }, l) => Array<number>(count).fill(l));
  const exactly = Array<number>(budgets + 1).fill(Number.POSITIVE_INFINITY);
  const ranks = problem.layers.map((): number[] => []);
  const visit = (item: number, cost: number): void => {
    if (cost > budgets) return;
    if (item === items.length) {
      exactly[cost] = Math.min(exactly[cost]!, tailOf(problem, ranks));
      return;
    }
    const l = items[item]!;
    const most = Math.min(problem.maxRank ?? Number.POSITIVE_INFINITY, all[l]!.length);
    for (let rank = 0; rank <= most; rank++) {
      // copies are alike
      if (rank > (ranks[l]!.at(-1) ?? most)) break;
      ranks[l]!.push(rank);
      visit(item + 1, cost + rank * width[l]!);
      ranks[l]!.pop();
    }
  };
  visit(0, 0);
  let best = { tail: Number.POSITIVE_INFINITY, entries: 0 };
  return exactly.map((tail, entries) => {
    if (tail < best.tail) best = { tail, entries };
    return best;
  });
}

/** Within the bounds, copies descending, at most 1 apart. */
function areLegal(problem: Small, ranks: readonly (readonly number[])[]): boolean {
  return ranks.every((copies, l) => {
    const { dOut, dIn, count } = problem.layers[l]!;
    const most = Math.min(dOut, dIn, problem.maxRank ?? Number.POSITIVE_INFINITY);
    const isSorted = copies.every((rank, c) => c === 0 || rank <= copies[c - 1]!);
    return copies.length === count && copies[0]! <= most && isSorted && copies[0]! - copies.at(-1)! <= 1;
  });
}

/** A plain check: expect() is too slow for every budget of thousands of problems. */
function must(holds: boolean, what: string, budget: number): void {
  if (!holds) throw new Error(`${what} at budget ${budget}`);
}

/** Small problems, at most 5 matrices of rank at most 3; `value` draws the singular values. */
function problems(value: fc.Arbitrary<number>): fc.Arbitrary<Small> {
  const layer = fc
    .record({ dOut: fc.integer({ min: 1, max: 7 }), dIn: fc.integer({ min: 1, max: 3 }), swap: fc.boolean() })
    .chain(({ dOut, dIn, swap }) =>
      fc.record({
        dOut: fc.constant(swap ? dIn : dOut),
        dIn: fc.constant(swap ? dOut : dIn),
        count: fc.constantFrom(1, 1, 2),
        spectrum: fc.record({
          kind: fc.constant("values" as const),
          values: fc.array(value, { maxLength: Math.min(dOut, dIn) }),
        }),
      }),
    );
  return fc
    .record({
      layers: fc.array(layer, { minLength: 1, maxLength: 4 }),
      trained: fc.constantFrom<Trained>("both", "loraB", "alternating"),
      maxRank: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    })
    .filter(({ layers }) => layers.reduce((sum, { count }) => sum + count, 0) <= 5)
    .map(({ maxRank, ...rest }) => (maxRank === undefined ? rest : { ...rest, maxRank }));
}

/** Squares are whole numbers: sums and ties are exact. */
const exactValues = fc.integer({ min: 0, max: 6 });
const anyValues = fc.oneof(
  fc.double({ min: 0, max: 2, noNaN: true }),
  // tails that span more than the 53 bits of a number
  fc.double({ min: -12, max: 3, noNaN: true }).map((x) => 10 ** x),
);

const total = (problem: Small): number => enumerateCost(problem) + 3;
function enumerateCost(problem: Small): number {
  const width = widths(problem);
  return problem.layers.reduce(
    (sum, { dOut, dIn, count }, l) => sum + count * width[l]! * Math.min(dOut, dIn),
    0,
  );
}

describe("layerRankFrontier", () => {
  it("equals exhaustive search at every budget, bit for bit where sums are exact", () => {
    fc.assert(
      fc.property(problems(exactValues), (problem) => {
        const frontier = layerRankFrontier(problem);
        const all = enumerate(problem, total(problem));
        all.forEach((best, budget) => {
          must(frontier.tailWithin(budget) === best.tail, "tail", budget);
          must(frontier.entriesWithin(budget) === best.entries, "entries", budget);
          const ranks = frontier.ranksWithin(budget);
          must(tailOf(problem, ranks) === best.tail, "tail of the ranks", budget);
          must(costOf(problem, ranks) === best.entries, "entries of the ranks", budget);
          must(areLegal(problem, ranks), "legal ranks", budget);
        });
        expect(frontier.maxEntries).toBe(all.at(-1)!.entries);
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it("equals it to rounding for any values, also where the tail spans many orders of magnitude", () => {
    // at most 15 values: 15 * 2^-50 for the energies, a few units in the last place for the sums
    const rounding = 16 * 2 ** -50;
    fc.assert(
      fc.property(problems(anyValues), (problem) => {
        const frontier = layerRankFrontier(problem);
        enumerate(problem, total(problem)).forEach((best, budget) => {
          const tail = frontier.tailWithin(budget);
          must(relative(tail, best.tail) <= rounding, "tail", budget);
          const ranks = frontier.ranksWithin(budget);
          must(relative(tailOf(problem, ranks), best.tail) <= rounding, "tail of the ranks", budget);
          const entries = frontier.entriesWithin(budget);
          must(costOf(problem, ranks) === entries, "entries of the ranks", budget);
          must(entries <= budget, "entries", budget);
          must(frontier.tailWithin(entries) === tail, "tail at the entries", budget);
        });
      }),
      { seed: 2, numRuns: 2000 },
    );
  });

  it.each([
    ["whole energies", 1, (u: number) => Math.floor(8 * u)],
    ["flat", 2, () => 1],
    ["many magnitudes", 3, (u: number) => 10 ** (-20 * u)],
    ["generic", 4, (u: number) => u],
  ])("equals the item-by-item recursion over the budget: %s", (_, seed, value) => {
    for (let trial = 0; trial < 12; trial++) {
      const stream = randomStream(seed, "layers", trial);
      const layers = Array.from({ length: 6 }, () => {
        const dIn = 1 + stream.integer(20);
        const count = 1 + stream.integer(3);
        const dOut = 20 + stream.integer(12);
        const values = Array.from({ length: dIn }, () => value(stream.uniform()));
        return { dOut, dIn, count, spectrum: { kind: "values" as const, values } };
      });
      const problem: Small = { layers, trained: stream.uniform() < 0.5 ? "both" : "loraB" };
      const budget = enumerateCost(problem) + 5;
      const width = widths(problem);
      const all = energies(problem);
      // keeping an item or leaving it: no structure is used but that of a 0/1 knapsack
      let least = new Float64Array(budget + 1);
      let n = 0;
      layers.forEach(({ count }, l) => {
        for (const energy of [...all[l]!].reverse()) {
          for (let copy = 0; copy < count; copy++, n++) {
            least = least.map((left, q) =>
              q < width[l]! ? left + energy : Math.min(left + energy, least[q - width[l]!]!),
            );
          }
        }
      });
      const frontier = layerRankFrontier(problem);
      let before = Number.POSITIVE_INFINITY;
      let worst = 0;
      let rises = 0;
      for (let q = 0; q <= budget; q++) {
        const tail = frontier.tailWithin(q);
        worst = Math.max(worst, relative(tail, least[q]!));
        if (tail > before) rises++;
        before = tail;
      }
      expect(rises).toBe(0);
      expect(worst).toBeLessThanOrEqual(seed < 3 ? 0 : (n + 8) * 2 ** -50);
      for (let q = 0; q <= budget; q += 1 + stream.integer(40)) {
        const ranks = frontier.ranksWithin(q);
        expect(costOf(problem, ranks)).toBe(frontier.entriesWithin(q));
        expect(relative(tailOf(problem, ranks), least[q]!)).toBeLessThanOrEqual((n + 8) * 2 ** -50);
      }
    }
  });

  it("keeps 4.9 where greedy per parameter keeps 4.0", () => {
    const root = (energy: number[]) => ({ kind: "values" as const, values: energy.map(Math.sqrt) });
    const layers = [
      { dOut: 3, dIn: 1, spectrum: root([4]) },
      { dOut: 2, dIn: 2, spectrum: root([2.5, 2.4]) },
    ];
    const best = allocateRanks({ layers, trained: "loraB", entries: 4 });
    expect(best.ranks).toEqual([[0], [2]]);
    expect(best.entries).toBe(4);
    expect(best.tailEnergy).toBeCloseTo(4, 12);
    // 4/3 > 2.5/2 > 2.4/2: the first item leaves no room for the others
    const greedy = pricedRanks({ layers, trained: "loraB", price: 1.3 });
    expect(greedy).toMatchObject({ ranks: [[1], [0]], entries: 3 });
    expect(greedy.tailEnergy).toBeCloseTo(4.9, 12);
  });

  it("at the budget of a common rank leaves no more than that rank, and agrees where layers are alike", () => {
    const spectrum = { kind: "power-law", scale: 1, exponent: 0.7 } as const;
    const layers = [
      { dOut: 96, dIn: 32, count: 4 },
      { dOut: 32, dIn: 32, count: 4 },
      { dOut: 32, dIn: 128, count: 2, spectrum: { kind: "geometric", scale: 2, ratio: 0.8 } as const },
    ];
    const frontier = layerRankFrontier({ layers, spectrum });
    for (let rank = 1; rank <= 32; rank++) {
      const entries = payloadEntries(layers, rank, "both");
      const common = 2 * rankResidual({ smoothness: 1, layers, spectrum, rank });
      expect(frontier.tailWithin(entries)).toBeLessThanOrEqual(common * (1 + 1e-13));
      const alike = {
        layers: layers.slice(0, 1),
        spectrum,
        entries: payloadEntries(layers.slice(0, 1), rank, "both"),
      };
      expect(allocateRanks(alike).ranks).toEqual([[rank, rank, rank, rank]]);
    }
    expect(frontier.maxEntries).toBe(payloadEntries(layers, 32, "both"));
    expect(frontier.tailWithin(frontier.maxEntries)).toBe(0);
  });
});

describe("edges", () => {
  const values = (...list: number[]) => ({ kind: "values" as const, values: list });

  it("budgets 0 and beyond everything", () => {
    const problem = { layers: [{ dOut: 4, dIn: 3, count: 2, spectrum: values(3, 2, 1) }] };
    const frontier = layerRankFrontier(problem);
    expect(frontier.tailWithin(0)).toBe(28);
    expect(frontier.ranksWithin(0)).toEqual([[0, 0]]);
    expect(frontier.entriesWithin(0)).toBe(0);
    expect(frontier.maxEntries).toBe(42);
    for (const budget of [42, 43, Number.MAX_SAFE_INTEGER]) {
      expect(frontier.tailWithin(budget)).toBe(0);
      expect(frontier.ranksWithin(budget)).toEqual([[3, 3]]);
      expect(frontier.entriesWithin(budget)).toBe(42);
    }
    // 7 entries per unit of rank: one copy is ahead of the other
    expect(frontier.ranksWithin(27)).toEqual([[2, 1]]);
    expect(frontier.ranksWithin(28)).toEqual([[2, 2]]);
    expect(frontier.tailWithin(27)).toBe(6);
  });

  it("zero spectra cost nothing", () => {
    for (const layers of [
      [{ dOut: 4, dIn: 3, spectrum: values() }],
      [
        { dOut: 4, dIn: 3, spectrum: values(0, 0) },
        { dOut: 2, dIn: 2, spectrum: values(1e-200) },
      ],
    ]) {
      const frontier = layerRankFrontier({ layers });
      expect(frontier.maxEntries).toBe(0);
      expect(frontier.tailWithin(1000)).toBe(0);
      expect(frontier.ranksWithin(1000)).toEqual(layers.map(() => [0]));
      expect(pricedRanks({ layers, price: 0 }).entries).toBe(0);
    }
    const mixed = [
      { dOut: 4, dIn: 3, spectrum: values(0) },
      { dOut: 2, dIn: 2, spectrum: values(2, 1) },
    ];
    expect(allocateRanks({ layers: mixed, entries: 100 })).toEqual({
      ranks: [[0], [2]],
      entries: 8,
      tailEnergy: 0,
    });
  });

  it("energy beyond maxRank stays", () => {
    const layers = [{ dOut: 3, dIn: 3, count: 2, spectrum: values(3, 2, 1) }];
    const frontier = layerRankFrontier({ layers, maxRank: 1 });
    expect(frontier.tailWithin(0)).toBe(28);
    expect(frontier.tailWithin(1000)).toBe(10);
    expect(frontier.maxEntries).toBe(12);
    expect(frontier.ranksWithin(11)).toEqual([[1, 0]]);
    expect(pricedRanks({ layers, maxRank: 1, price: 0 })).toEqual({
      ranks: [[1, 1]],
      entries: 12,
      tailEnergy: 10,
    });
  });

  it("gives ties of one width to the earlier layer, over its copies", () => {
    const layers = [
      { dOut: 3, dIn: 2, count: 3, spectrum: values(1, 1) },
      { dOut: 2, dIn: 3, spectrum: values(1, 1) },
    ];
    const frontier = layerRankFrontier({ layers });
    expect(frontier.ranksWithin(5 * 4)).toEqual([[2, 1, 1], [0]]);
    expect(frontier.ranksWithin(5 * 7)).toEqual([[2, 2, 2], [1]]);
  });

  it("prefers fewer entries among equal tails", () => {
    const layers = [
      { dOut: 5, dIn: 1, spectrum: values(2) },
      { dOut: 2, dIn: 1, spectrum: values(2) },
    ];
    expect(allocateRanks({ layers, trained: "loraB", entries: 6 })).toMatchObject({
      ranks: [[0], [1]],
      entries: 2,
    });
  });

  it("a budgetLimit changes nothing below it", () => {
    fc.assert(
      fc.property(problems(exactValues), fc.nat({ max: 60 }), (problem, limit) => {
        const full = layerRankFrontier(problem);
        const limited = layerRankFrontier({ ...problem, budgetLimit: limit });
        for (let budget = 0; budget <= limit; budget++) {
          expect(limited.tailWithin(budget)).toBe(full.tailWithin(budget));
          expect(limited.entriesWithin(budget)).toBe(full.entriesWithin(budget));
        }
        expect(limited.maxEntries).toBe(full.entriesWithin(limit));
        expect(limited.ranksWithin(10_000)).toEqual(limited.ranksWithin(limit));
        const { ranks, ...rest } = allocateRanks({ ...problem, entries: limit });
        expect(rest).toEqual({ entries: full.entriesWithin(limit), tailEnergy: full.tailWithin(limit) });
        expect(costOf(problem, ranks)).toBe(rest.entries);
        expect(tailOf(problem, ranks)).toBe(rest.tailEnergy);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it("whole OFDM symbols: only multiples of 2 S M matter", () => {
    const layers = [
      { dOut: 7, dIn: 4, spectrum: values(4, 3, 2, 1) },
      { dOut: 5, dIn: 5, spectrum: values(5, 1, 1) },
    ];
    const frontier = layerRankFrontier({ layers });
    const perSymbol = 2 * 2 * 3;
    for (let budget = 0; budget <= frontier.maxEntries; budget++) {
      const symbols = ofdmSymbols(budget, 2, 3);
      const filled = frontier.entriesWithin(symbols * perSymbol);
      expect(ofdmSymbols(filled, 2, 3)).toBeLessThanOrEqual(symbols);
      expect(frontier.tailWithin(filled)).toBeLessThanOrEqual(frontier.tailWithin(budget));
    }
  });

  it("fits real models: GPT-2 with its head, all ranks, in steps of one entry", () => {
    const layers = [
      { dOut: 2304, dIn: 768, count: 12 },
      { dOut: 768, dIn: 768, count: 12 },
      { dOut: 3072, dIn: 768, count: 12 },
      { dOut: 768, dIn: 3072, count: 12 },
      { dOut: 50257, dIn: 768 },
    ];
    const frontier = layerRankFrontier({ layers, spectrum: { kind: "power-law", scale: 1, exponent: 0.8 } });
    expect(frontier.maxEntries).toBe(payloadEntries(layers, 768, "both"));
    const budget = 1_000_003;
    const ranks = frontier.ranksWithin(budget);
    const entries = ranks.reduce(
      (sum, copies, l) => sum + (layers[l]!.dOut + layers[l]!.dIn) * copies.reduce((a, b) => a + b, 0),
      0,
    );
    expect(entries).toBe(frontier.entriesWithin(budget));
    expect(frontier.maxEntries - entries).toBeGreaterThan(0);
    expect(budget - entries).toBeLessThan(1536);
  });
});

describe("pricedRanks", () => {
  it("minimises tail + price Q over all ranks, and lies on the frontier", () => {
    fc.assert(
      fc.property(problems(exactValues), fc.integer({ min: 0, max: 80 }), (problem, eighths) => {
        const price = eighths / 8;
        const result = pricedRanks({ ...problem, price });
        expect(result.entries).toBe(costOf(problem, result.ranks));
        expect(result.tailEnergy).toBe(tailOf(problem, result.ranks));
        const all = enumerate(problem, total(problem));
        const least = Math.min(...all.map(({ tail, entries }) => tail + price * entries));
        expect(result.tailEnergy + price * result.entries).toBe(least);
        // of its budget the optimum, with the fewest entries
        expect(all[result.entries]).toEqual({ tail: result.tailEnergy, entries: result.entries });
        expect(layerRankFrontier(problem).tailWithin(result.entries)).toBe(result.tailEnergy);
      }),
      { seed: 4, numRuns: 1000 },
    );
  });

  it("uses fewer entries at a higher price; price 0 keeps everything", () => {
    fc.assert(
      fc.property(problems(anyValues), (problem) => {
        let before = Number.POSITIVE_INFINITY;
        for (const price of [0, 1e-9, 1e-3, 0.1, 1, 1e300]) {
          const { entries, tailEnergy } = pricedRanks({ ...problem, price });
          expect(entries).toBeLessThanOrEqual(before);
          expect(relative(tailEnergy, layerRankFrontier(problem).tailWithin(entries))).toBeLessThan(1e-13);
          before = entries;
        }
        expect(pricedRanks({ ...problem, price: 0 }).entries).toBe(layerRankFrontier(problem).maxEntries);
      }),
      { seed: 5, numRuns: 300 },
    );
  });
});

describe("createKnapsack", () => {
  it.each([
    ["near-ties", (u: number) => 0.1 * Math.ceil(4 * u)],
    ["many magnitudes", (u: number) => 10 ** (-30 * u)],
  ])("is the least of the rounded sums, bit for bit: %s", (_, value) => {
    for (let trial = 0; trial < 20; trial++) {
      const stream = randomStream(trial, "classes");
      // the tables take 2 and 3, which leaves 5 to the queries
      const classes = [2, 3, 5].map((width) =>
        widthClass(
          width,
          Float64Array.from({ length: 30 + 10 * width }, () => value(stream.uniform()) * width),
        ),
      );
      const [two, three, five] = classes.map(({ tails }) => tails) as [
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      const knapsack = createKnapsack(classes, Number.MAX_SAFE_INTEGER);
      const merged: number[] = [];
      for (let q = 0; q < 700; q++) {
        let least = Number.POSITIVE_INFINITY;
        for (let k = 0; k < three.length && 3 * k <= q; k++) {
          least = Math.min(least, two[Math.min(two.length - 1, Math.floor((q - 3 * k) / 2))]! + three[k]!);
        }
        merged.push(least);
        let best = Number.POSITIVE_INFINITY;
        for (let k = 0; k < five.length && 5 * k <= q; k++)
          best = Math.min(best, merged[q - 5 * k]! + five[k]!);
        must(knapsack.tailWithin(q) === best, "tail", q);
      }
    }
  });
});

describe("tails of one width", () => {
  it.each([
    ["generic", 3000, (u: number) => u],
    ["flat", 3000, () => 0.1],
    ["many magnitudes", 2000, (u: number) => 10 ** (-300 * u)],
    ["subnormal", 500, (u: number) => u * 1e-320],
  ])("are convex exactly, and accurate: %s", (_, n, value) => {
    const stream = randomStream(1, "energies");
    const { energies: sorted, tails } = widthClass(
      1,
      Float64Array.from({ length: n }, () => value(stream.uniform())).filter((x) => x > 0),
    );
    // whole multiples of the smallest subnormal number
    const whole = (x: number): bigint => {
      const [mantissa, shift] = parts(x);
      return BigInt(mantissa) << BigInt(shift);
    };
    const exact = Array.from(tails, whole);
    let sum = 0n;
    for (let k = sorted.length; k >= 0; k--) {
      if (k < sorted.length) sum += whole(sorted[k]!);
      if (k + 2 < exact.length) {
        expect(exact[k]! - exact[k + 1]! >= exact[k + 1]! - exact[k + 2]!).toBe(true);
      }
      const error = exact[k]! > sum ? exact[k]! - sum : sum - exact[k]!;
      expect(error << 50n <= sum * BigInt(sorted.length)).toBe(true);
    }
    expect(tails.at(-1)).toBe(0);
  });
});

/** x = mantissa 2^(shift - 1074), x >= 0. */
function parts(x: number): [number, number] {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const exponent = (bits.getUint16(0) >> 4) & 0x7ff;
  const low = (bits.getUint32(0) & 0xfffff) * 2 ** 32 + bits.getUint32(4);
  return exponent === 0 ? [low, 0] : [low + 2 ** 52, exponent - 1];
}

describe("input", () => {
  const layers = [{ dOut: 4, dIn: 3 }];
  const spectrum = { kind: "geometric", scale: 1, ratio: 0.5 } as const;
  const bad = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof InputError) return error.field;
      throw error;
    }
    return "accepted";
  };

  it.each([
    ["layers", () => layerRankFrontier({ layers: [], spectrum })],
    ["layers[0].dIn", () => layerRankFrontier({ layers: [{ dOut: 4, dIn: 0 }], spectrum })],
    ["spectrum", () => layerRankFrontier({ layers })],
    ["spectrum.ratio", () => layerRankFrontier({ layers, spectrum: { ...spectrum, ratio: 2 } })],
    ["spectrum", () => layerRankFrontier({ layers, spectrum: { ...spectrum, scale: 1e200 } })],
    ["trained", () => layerRankFrontier({ layers, spectrum, trained: "loraA" as "loraB" })],
    ["maxRank", () => layerRankFrontier({ layers, spectrum, maxRank: 0 })],
    ["budgetLimit", () => layerRankFrontier({ layers, spectrum, budgetLimit: -1 })],
    ["layerRankFrontier.entries", () => layerRankFrontier({ layers, spectrum, ...{ entries: 3 } })],
    ["entries", () => layerRankFrontier({ layers, spectrum }).tailWithin(-1)],
    ["entries", () => layerRankFrontier({ layers, spectrum }).ranksWithin(1.5)],
    ["entries", () => layerRankFrontier({ layers, spectrum }).entriesWithin(Number.NaN)],
    ["entries", () => allocateRanks({ layers, spectrum, entries: Number.POSITIVE_INFINITY })],
    ["allocateRanks.price", () => allocateRanks({ layers, spectrum, entries: 3, ...{ price: 1 } })],
    ["price", () => pricedRanks({ layers, spectrum, price: -1 })],
    ["pricedRanks.budget", () => pricedRanks({ layers, spectrum, price: 1, ...{ budget: 1 } })],
    [
      "layers",
      () =>
        layerRankFrontier({
          layers: [{ dOut: 512, dIn: 512, count: 2 ** 18 }],
          spectrum: { kind: "power-law", scale: 1, exponent: 1 },
        }),
    ],
  ])("names %s", (field, run) => {
    expect(bad(run)).toBe(field);
  });

  it("refuses tables that are too large and says what to change", () => {
    const odd = [50257, 32001, 28996].map((dOut) => ({ dOut, dIn: 4096 }));
    const flat = { kind: "power-law", scale: 1, exponent: 0.5 } as const;
    expect(() => layerRankFrontier({ layers: odd, spectrum: flat })).toThrow(
      /in steps of 1 entries.*maxRank/,
    );
    const { tailWithin } = layerRankFrontier({ layers: odd, spectrum: flat, maxRank: 8 });
    expect(tailWithin(110_000)).toBeLessThan(tailWithin(90_000));
    expect(allocateRanks({ layers: odd, spectrum: flat, entries: 400_000 }).entries).toBeGreaterThan(340_000);
  });
});
