/**
 * The search over the rank r = 1..maxRank of a function that is known point by point. Both searches work on the
 * same memo, so they see the same values, and neither evaluates a rank twice.
 */
export interface RankMemo {
  readonly maxRank: number;
  /** The value at rank r; computed on the first call, remembered after. */
  valueAt(rank: number): number;
  /** A second criterion for ranks whose values are both infinite (smaller is better). */
  tieAt?(rank: number): number;
}

export interface RankSearchRow {
  readonly step: number;
  /** The rank that was accepted; the largest, with ranks per layer. */
  readonly rank: number;
  /** N_sym; with ranks per layer only. */
  readonly symbols?: number;
  readonly gap: number;
}

export interface RankSearchResult {
  readonly rank: number;
  /** Accepted states; the gap never increases along them. */
  readonly rows: readonly RankSearchRow[];
}

/** Creates the memo of a function of the rank. */
export function rankMemo(
  maxRank: number,
  value: (rank: number) => number,
  tie?: (rank: number) => number,
): RankMemo {
  const known = new Map<number, number>();
  return {
    maxRank,
    valueAt(rank) {
      let result = known.get(rank);
      if (result === undefined) {
        result = value(rank);
        known.set(rank, result);
      }
      return result;
    },
    ...(tie === undefined ? {} : { tieAt: tie }),
  };
}

/** Every rank; the smallest one wins among equals. */
export function exhaustiveSearch(memo: RankMemo): RankSearchResult {
  const rows: RankSearchRow[] = [];
  let best = 1;
  for (let rank = 1; rank <= memo.maxRank; rank++) {
    if (rank === 1 || isBetter(memo, rank, best)) {
      best = rank;
      rows.push({ step: rows.length, rank, gap: memo.valueAt(rank) });
    }
  }
  return { rank: best, rows };
}

/** The best of some ranks, at least one: smallest value, then second criterion, then rank. */
export function bestRank(memo: RankMemo, ranks: readonly number[]): number {
  return ranks.reduce((best, rank) => (isBetter(memo, rank, best) ? rank : best));
}

/** An accepted step must lower the gap by at least this fraction of itself; single steps need any decrease. */
const SUFFICIENT_DECREASE = 1e-4;

/**
 * Backtracking over the rank (model: docs/theory.md, section 3.6): propose r + s with a signed step that starts
 * large, accept it on sufficient decrease, otherwise halve |s| and turn around; at |s| = 1 any strict decrease
 * is accepted, and the search ends only where both neighbours are worse (plateaus are walked across). It finds
 * the optimum whenever the value is unimodal in the rank, and is never worse than its start.
 *
 * @param firstStep a whole number; default a quarter of the range
 */
export function backtrackingSearch(
  memo: RankMemo,
  start: number,
  firstStep: number = Math.ceil(memo.maxRank / 4),
): RankSearchResult {
  let rank = start;
  const rows: RankSearchRow[] = [{ step: 0, rank, gap: memo.valueAt(rank) }];
  const accept = (next: number): void => {
    rank = next;
    rows.push({ step: rows.length, rank, gap: memo.valueAt(rank) });
  };
  let step = Math.max(1, firstStep);
  let direction = start + step > memo.maxRank ? -1 : 1;
  while (step > 1) {
    const next = Math.min(memo.maxRank, Math.max(1, rank + direction * step));
    if (next !== rank && isSufficientlyBetter(memo, next, rank)) {
      accept(next);
    } else {
      step = Math.floor(step / 2);
      direction = -direction;
    }
  }
  for (;;) {
    const next = betterNeighbour(memo, rank, direction) ?? betterNeighbour(memo, rank, -direction);
    if (next === undefined) return { rank, rows };
    if (next < rank) direction = -1;
    else direction = 1;
    accept(next);
  }
}

/** The nearest rank in this direction that is better, if only ranks of exactly the same value lie between. */
function betterNeighbour(memo: RankMemo, rank: number, direction: number): number | undefined {
  for (let next = rank + direction; next >= 1 && next <= memo.maxRank; next += direction) {
    if (isBetter(memo, next, rank)) return next;
    if (memo.valueAt(next) !== memo.valueAt(rank)) return undefined;
  }
  return undefined;
}

/** Smaller value; among infinite ones the smaller second criterion; among equals the smaller rank. */
function isBetter(memo: RankMemo, next: number, rank: number): boolean {
  const a = memo.valueAt(next);
  const b = memo.valueAt(rank);
  if (a !== b) return a < b;
  if (a === Number.POSITIVE_INFINITY && tie(memo, next) !== tie(memo, rank)) {
    return tie(memo, next) < tie(memo, rank);
  }
  return next < rank;
}

function isSufficientlyBetter(memo: RankMemo, next: number, rank: number): boolean {
  const a = memo.valueAt(next);
  const b = memo.valueAt(rank);
  if (b === Number.POSITIVE_INFINITY) return isBetter(memo, next, rank);
  return a <= b - SUFFICIENT_DECREASE * Math.abs(b);
}

function tie(memo: RankMemo, rank: number): number {
  return memo.tieAt?.(rank) ?? 0;
}
