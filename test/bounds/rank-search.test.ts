import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backtrackingSearch, exhaustiveSearch, type RankMemo, rankMemo } from "../../src/bounds/index.ts";
import { bestRank } from "../../src/bounds/rank-search.ts";
import { decades, RUNS } from "./support.ts";

/** A memo over given values (entry 0 is rank 1) that counts how often each rank is evaluated. */
function counted(values: readonly number[], ties?: readonly number[]): { memo: RankMemo; counts: number[] } {
  const counts = values.map(() => 0);
  const value = (rank: number): number => {
    counts[rank - 1]!++;
    return values[rank - 1]!;
  };
  return { memo: rankMemo(values.length, value, ties && ((rank) => ties[rank - 1]!)), counts };
}

function bruteForce(values: readonly number[]): number {
  return values.indexOf(Math.min(...values)) + 1;
}

/** Non-increasing, then non-decreasing; steps of 0 make plateaus, and either end may be infinite. */
const unimodal = fc
  .record({
    down: fc.array(fc.oneof(fc.constant(0), decades(-8, 2)), { maxLength: 40 }),
    up: fc.array(fc.oneof(fc.constant(0), decades(-8, 2)), { maxLength: 40 }),
    bottom: decades(-3, 3),
    infiniteLeft: fc.integer({ min: 0, max: 10 }),
    infiniteRight: fc.integer({ min: 0, max: 10 }),
  })
  .map(({ down, up, bottom, infiniteLeft, infiniteRight }) => {
    const values = [bottom];
    for (const step of down) values.unshift(values[0]! + step);
    for (const step of up) values.push(values.at(-1)! + step);
    const infinite = (count: number): number[] => Array<number>(count).fill(Number.POSITIVE_INFINITY);
    return [...infinite(infiniteLeft), ...values, ...infinite(infiniteRight)];
  });
const startOf = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("exhaustiveSearch", () => {
  it("equals brute force; the smallest rank wins among equals; every rank once", () => {
    const lists = fc.array(fc.constantFrom(0, 1, 2, 3, Number.POSITIVE_INFINITY), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(lists, (values) => {
        const { memo, counts } = counted(values);
        const { rank, rows } = exhaustiveSearch(memo);
        expect(rank).toBe(bruteForce(values));
        expect(counts.every((count) => count === 1)).toBe(true);
        expect(rows.at(-1)!.rank).toBe(rank);
      }),
      RUNS,
    );
  });

  it("all infinite: the second criterion decides", () => {
    const infinite = Array<number>(5).fill(Number.POSITIVE_INFINITY);
    expect(exhaustiveSearch(counted(infinite, [3, 2, 1, 2, 3]).memo).rank).toBe(3);
    expect(exhaustiveSearch(counted(infinite).memo).rank).toBe(1);
  });
});

describe("backtrackingSearch", () => {
  it("agrees with exhaustive search on every weakly unimodal sequence, from every start", () => {
    fc.assert(
      fc.property(unimodal, startOf, (values, position) => {
        const { memo, counts } = counted(values);
        const { rank, rows } = backtrackingSearch(memo, 1 + Math.floor(position * values.length));
        expect(values[rank - 1]).toBe(Math.min(...values));
        expect(rank).toBe(bruteForce(values));
        expect(Math.max(...counts)).toBe(1);
        expect(rows.at(-1)).toEqual({ step: rows.length - 1, rank, gap: values[rank - 1] });
      }),
      { ...RUNS, numRuns: 3000 },
    );
  });

  it("with a first step of 1 it walks to the optimum of every weakly unimodal sequence, and looks no further", () => {
    fc.assert(
      fc.property(unimodal, startOf, (values, position) => {
        const { memo, counts } = counted(values);
        const start = 1 + Math.floor(position * values.length);
        const { rank, rows } = backtrackingSearch(memo, start, 1);
        expect(rank).toBe(bruteForce(values));
        for (const [i, row] of rows.slice(1).entries()) expect(row.gap).toBeLessThanOrEqual(rows[i]!.gap);
        const plateau = values.filter((value) => value === values[rank - 1]).length;
        const seen = counts.reduce((a, b) => a + b, 0);
        if (Number.isFinite(values[start - 1]!) && plateau === 1 && new Set(values).size === values.length) {
          expect(seen).toBeLessThanOrEqual(Math.abs(rank - start) + 3);
        }
      }),
      RUNS,
    );
  });

  it("on any sequence: never worse than its start, monotone along its rows, no rank twice, a local optimum", () => {
    const value = fc.oneof(decades(-3, 3), fc.constantFrom(0, 1, 2, Number.POSITIVE_INFINITY));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 70 }), startOf, (values, position) => {
        const { memo, counts } = counted(values);
        const start = 1 + Math.floor(position * values.length);
        const { rank, rows } = backtrackingSearch(memo, start);
        expect(rows[0]).toEqual({ step: 0, rank: start, gap: values[start - 1] });
        for (let i = 1; i < rows.length; i++) expect(rows[i]!.gap).toBeLessThanOrEqual(rows[i - 1]!.gap);
        expect(Math.max(...counts)).toBe(1);
        for (const next of [rank - 1, rank + 1]) {
          if (next >= 1 && next <= values.length)
            expect(values[next - 1]).toBeGreaterThanOrEqual(values[rank - 1]!);
        }
      }),
      { ...RUNS, numRuns: 3000 },
    );
  });

  it("all infinite with a unimodal second criterion: it is followed", () => {
    for (let maxRank = 1; maxRank <= 30; maxRank++) {
      for (let best = 1; best <= maxRank; best++) {
        const values = Array<number>(maxRank).fill(Number.POSITIVE_INFINITY);
        const ties = values.map((_, i) => Math.abs(i + 1 - best));
        expect(backtrackingSearch(counted(values, ties).memo, Math.ceil(maxRank / 2)).rank).toBe(best);
      }
    }
  });

  it("ends for every start and every maxRank from 1 to 70, with few evaluations", () => {
    let most = 0;
    let total = 0;
    let cases = 0;
    const wrong: string[] = [];
    for (let maxRank = 1; maxRank <= 70; maxRank++) {
      for (let best = 1; best <= maxRank; best++) {
        const values = Array.from({ length: maxRank }, (_, i) => (i + 1 - best) ** 2 + 1);
        for (let start = 1; start <= maxRank; start++) {
          const { memo, counts } = counted(values);
          const { rank } = backtrackingSearch(memo, start);
          const evaluations = counts.reduce((a, b) => a + b, 0);
          const allowed = Math.min(maxRank, 8 + 2 * Math.ceil(Math.log2(maxRank)));
          if (rank !== best || evaluations > allowed) wrong.push(`${maxRank}, ${best} from ${start}`);
          if (maxRank === 70) {
            most = Math.max(most, evaluations);
            total += evaluations;
            cases++;
          }
        }
      }
    }
    expect(wrong).toEqual([]);
    // of 70 ranks
    expect(most).toBeLessThanOrEqual(13);
    expect(total / cases).toBeLessThan(10);
  });
});

it("bestRank: smallest value, then second criterion, then rank; the order of the ranks does not matter", () => {
  const infinite = Number.POSITIVE_INFINITY;
  const memo = rankMemo(
    5,
    (rank) => [infinite, 2, 1, 1, infinite][rank - 1]!,
    (rank) => 10 - rank,
  );
  expect(bestRank(memo, [5, 4, 3, 2, 1])).toBe(3);
  expect(bestRank(memo, [1, 2, 4])).toBe(4);
  expect(bestRank(memo, [1, 5])).toBe(5);
  expect(bestRank(memo, [5, 1])).toBe(5);
  expect(bestRank(memo, [1])).toBe(1);
});

it("finds the one finite value behind an infinite plateau, whatever the ties say", () => {
  for (const ties of [(r: number) => 16 - r, (r: number) => r, () => 0]) {
    const memo = rankMemo(16, (rank) => (rank === 1 ? 1 : Number.POSITIVE_INFINITY), ties);
    for (const start of [1, 2, 8, 16]) expect(backtrackingSearch(memo, start).rank).toBe(1);
  }
});
