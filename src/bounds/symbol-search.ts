/**
 * The search over the OFDM symbols n = 1..last of a round, each n with its own best ranks per layer. The gap depends on n
 * through omega(n), which needs a design, and through the residual and the rounds, which are cheap and known everywhere. So
 * few designs are solved, and a lower bound on omega between two of them decides where the next one is needed
 * (docs/layer-ranks.md, section 5).
 */
export interface SymbolObjective {
  /** Largest number of symbols that is considered; a candidate. */
  readonly last: number;
  /** The smallest candidate above n, if any. */
  candidateAbove(symbols: number): number | undefined;
  /** omega(n); a design is solved on the first call. */
  distortionAt(symbols: number): number;
  /** The gap at n; solves a design on the first call. */
  valueAt(symbols: number): number;
  /** A second criterion where values are both infinite (smaller is better). */
  tieAt(symbols: number): number;
  /** No gap at any n in from..to with a distortion of at least this is smaller; exact for from = to. No design. */
  leastGap(from: number, to: number, distortion: number): number;
  /** What is known of omega between two numbers of symbols: it lies above the chord, or only never falls. */
  shapeBetween(from: number, to: number): "concave" | "sublinear" | "increasing";
}

/** What was evaluated, in order of n, and the best of it. */
export interface SymbolSearchResult {
  readonly symbols: number;
  /** Accepted states; the gap never increases along them. */
  readonly accepted: readonly number[];
}

/**
 * Branch and bound on the intervals between solved designs. The interval with the smallest possible gap is split where that
 * gap would be reached, until no gap can be below the best one by more than the tolerance.
 *
 * @param tolerance relative; with 0 the best n is exact
 * @param start a first n to evaluate, besides both ends
 */
export function boundedSearch(
  objective: SymbolObjective,
  tolerance: number,
  start?: number,
): SymbolSearchResult {
  const track = tracker(objective);
  const first = objective.candidateAbove(0)!;
  const { last } = objective;
  const ends = [...new Set([...(start === undefined ? [] : [start]), first, last])];
  for (const symbols of ends) track.visit(symbols);
  ends.sort((a, b) => a - b);
  const open: Interval[] = [];
  const threshold = (): number => objective.valueAt(track.best()) * (1 - tolerance);
  const add = (from: number, to: number): void => {
    const found = promising(objective, from, to, threshold());
    if (found !== undefined) open.push({ from, to, ...found });
  };
  for (let i = 1; i < ends.length; i++) add(ends[i - 1]!, ends[i]!);
  for (;;) {
    let next = -1;
    open.forEach(({ gap }, i) => {
      if (gap < threshold() && (next < 0 || gap < open[next]!.gap)) next = i;
    });
    if (next < 0) return { symbols: track.best(), accepted: track.accepted };
    const { from, to, symbols } = open.splice(next, 1)[0]!;
    track.visit(symbols);
    add(from, symbols);
    add(symbols, to);
  }
}

/** Every candidate; the smallest number of symbols wins among equals. */
export function everySymbol(objective: SymbolObjective): SymbolSearchResult {
  const track = tracker(objective);
  let symbols = objective.candidateAbove(0);
  for (; symbols !== undefined; symbols = objective.candidateAbove(symbols)) track.visit(symbols);
  return { symbols: track.best(), accepted: track.accepted };
}

/** Whether there are more candidates than this. */
export function hasMoreCandidates(
  objective: Pick<SymbolObjective, "candidateAbove">,
  limit: number,
): boolean {
  let count = 0;
  for (let n = objective.candidateAbove(0); n !== undefined; n = objective.candidateAbove(n)) {
    if (++count > limit) return true;
  }
  return false;
}

/** Two solved designs, and the candidate strictly between them with the smallest possible gap. */
interface Interval {
  readonly from: number;
  readonly to: number;
  readonly symbols: number;
  readonly gap: number;
}

/** Pieces closer to the best one than this part of it are not told apart; the gap that is told allows for it. */
const SIMILAR = 1e-6;

/**
 * Where to evaluate next between two solved designs, and the smallest gap possible there; nothing if no gap can be below the
 * threshold.
 */
function promising(
  objective: SymbolObjective,
  from: number,
  to: number,
  threshold: number,
): { readonly symbols: number; readonly gap: number } | undefined {
  const distortion = leastDistortion(objective, from, to);
  const pieceOf = (before: number, after: number): Piece | undefined => {
    const low = objective.candidateAbove(before);
    if (low === undefined || low >= after) return undefined;
    const gap = objective.leastGap(low, after - 1, distortion(low));
    return gap < threshold ? { low, after, gap } : undefined;
  };
  const whole = pieceOf(from, to);
  if (whole === undefined) return undefined;
  if (objective.shapeBetween(from, to) === "increasing") {
    // the smallest possible gap is at an end, where a design would teach nothing
    const middle = objective.candidateAbove(Math.floor(Math.sqrt(from) * Math.sqrt(to)));
    return { symbols: middle !== undefined && middle < to ? middle : whole.low, gap: whole.gap };
  }
  let best: Piece | undefined;
  const pieces = [whole];
  for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
    const { low, after, gap } = piece;
    if (best !== undefined && gap >= best.gap * (1 - SIMILAR)) continue;
    if (low === after - 1) {
      best = piece;
      continue;
    }
    // both ends of a piece are exclusive; `middle` belongs to the left one
    const middle = Math.floor((low + after - 1) / 2);
    const halves = [pieceOf(low - 1, middle + 1), pieceOf(middle, after)].filter(
      (half) => half !== undefined,
    );
    // the more promising half comes first
    pieces.push(...halves.sort((a, b) => b.gap - a.gap));
  }
  return best === undefined ? undefined : { symbols: best.low, gap: best.gap * (1 - SIMILAR) };
}

/** Candidates from `low` to before `after`, and a lower bound on their gaps. */
interface Piece {
  readonly low: number;
  readonly after: number;
  readonly gap: number;
}

/** A lower bound on omega between two solved designs; never falls. */
function leastDistortion(objective: SymbolObjective, from: number, to: number): (symbols: number) => number {
  const low = objective.distortionAt(from);
  const high = objective.distortionAt(to);
  // designs that are no global minima may break the order
  if (!(high > low)) return () => high;
  switch (objective.shapeBetween(from, to)) {
    case "concave":
      return (n) => low + ((high - low) * (n - from)) / (to - from);
    case "sublinear":
      return (n) => Math.max(low, (high * n) / to);
    case "increasing":
      return () => low;
  }
}

/** Remembers the best of what was evaluated. */
function tracker(objective: SymbolObjective): {
  visit(symbols: number): void;
  best(): number;
  readonly accepted: number[];
} {
  const accepted: number[] = [];
  return {
    visit(symbols) {
      const best = accepted.at(-1);
      objective.valueAt(symbols);
      if (best === undefined || isBetter(objective, symbols, best)) accepted.push(symbols);
    },
    best: () => accepted.at(-1)!,
    accepted,
  };
}

/** Smaller gap; among infinite ones the smaller second criterion; then fewer symbols. */
export function isBetter(
  objective: Pick<SymbolObjective, "valueAt" | "tieAt">,
  next: number,
  best: number,
): boolean {
  const [a, b] = [objective.valueAt(next), objective.valueAt(best)];
  if (a !== b) return a < b;
  if (a === Number.POSITIVE_INFINITY) {
    const [s, t] = [objective.tieAt(next), objective.tieAt(best)];
    if (s !== t) return s < t;
  }
  return next < best;
}
