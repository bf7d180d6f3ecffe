import { createDescent } from "./descent.ts";
import { createFinish } from "./finish.ts";
import { createObjective } from "./objective.ts";
import type { ScaledProblem } from "./scaled.ts";
import { STAGE_ITERATIONS, type StartKind, type Starts, stages } from "./starts.ts";

/** One start; values are log(||A||^2 max_k g_k), the logarithm of the objective for sigma2 = 1. */
export interface StartRecord {
  readonly kind: StartKind;
  /** As drawn. */
  readonly initial: number;
  /** After annealing. */
  readonly screened: number;
  /** Run to the end, if it was. */
  readonly final?: number;
}

/** The best point so far. */
export interface Best {
  /** A of norm 1 */
  readonly point: Float64Array;
  /** log(||A||^2 max_k g_k) */
  readonly peak: number;
  /** One per device of the scaled problem. */
  readonly multipliers: Float64Array;
  readonly residual: number;
  readonly converged: boolean;
}

export interface FinishPlan {
  /** Candidates that are refined. */
  readonly refined: number;
  /** Basins that are run to the end. */
  readonly finished: number;
  /** The relative decrease of the objective that is too small for another Newton step. */
  readonly decrease: number;
}

export interface Search {
  readonly records: StartRecord[];
  /** Anneals `count` starts. */
  screen(starts: Starts, count: number): void;
  /** Refines the best `refined` of them, and runs the best `finished` basins to their local minimax points. */
  finish(plan: FinishPlan): void;
  best(): Best;
  iterations(): number;
}

/** A start after annealing, or refined. */
interface Candidate {
  readonly index: number;
  readonly point: Float64Array;
  /** Smoothed objective of the last descent. */
  readonly value: number;
  readonly share: Float64Array;
}

/** Two refined points of values and shares this close lie in one basin. */
const SAME_VALUE = 1e-3;
const SAME_SHARES = 0.3;
/** Refinement ends when the best basin was met this many times, times the basins that are wanted. */
const ENOUGH_MEETINGS = 3;
/** Sharpness of the method of multipliers. */
const SHARPNESS = 64;
/** Decrease that ends its first descent; each further one a tenth. */
const FIRST_DECREASE = 1e-4;
/** Most rounds of multipliers and exact finish. */
const MAX_ROUNDS = 8;
/** A refined basin whose value is above the best by this is given up. */
const HOPELESS = 2e-3;
export function createSearch(
  problem: ScaledProblem,
  signal: AbortSignal | undefined,
  onBest: (iteration: number, peak: number) => void,
): Search {
  const { devices } = problem;
  const objective = createObjective(problem);
  const descent = createDescent(objective);
  const exact = createFinish(problem, objective);
  const records: StartRecord[] = [];
  const candidates: Candidate[] = [];
  const bestPoint = new Float64Array(objective.size);
  const bestMultipliers = new Float64Array(devices);
  let bestPeak = Number.POSITIVE_INFINITY;
  let bestResidual = Number.NaN;
  let bestConverged = false;
  let steps = 0;

  const iterations = (): number => descent.iterations + steps;
  const aborted = (): boolean => signal?.aborted === true;

  /** Keeps the point if it is the best; multipliers of the finish if `settled`, else the shares. */
  function keep(peak: number, settled: boolean): boolean {
    // what was reported last is the design of a search that was stopped
    if (aborted() && bestPeak < Number.POSITIVE_INFINITY) return false;
    if (!(peak < bestPeak) && !(settled && peak === bestPeak && exact.converged && !bestConverged))
      return false;
    bestPeak = peak;
    bestPoint.set(objective.point);
    bestMultipliers.set(settled ? exact.multipliers : objective.share);
    bestResidual = settled ? exact.residual : Number.NaN;
    bestConverged = settled && exact.converged;
    return true;
  }

  function screen(starts: Starts, count: number): void {
    const point = new Float64Array(objective.size);
    let firstPeak = Number.POSITIVE_INFINITY;
    const firstPoint = new Float64Array(objective.size);
    for (let index = 0; index < count && (index === 0 || !aborted()); index++) {
      const kind = starts.next(point);
      objective.shift.fill(0);
      objective.sharpness = stages[0]!.sharpness;
      objective.start(point);
      const initial = objective.peak;
      if (initial < firstPeak || index === 0) {
        firstPeak = initial;
        firstPoint.set(objective.point);
      }
      let value = Number.POSITIVE_INFINITY;
      for (const { sharpness, decrease } of stages) {
        objective.sharpness = sharpness;
        value = descent.run({ maxIterations: STAGE_ITERATIONS, gradient: 1e-3, decrease });
      }
      objective.evaluate(0);
      candidates.push({ index, point: objective.point.slice(), value, share: objective.share.slice() });
      records.push({ kind, initial, screened: objective.peak });
    }
    // row 0 is the best start as drawn
    if (firstPeak < Number.POSITIVE_INFINITY) {
      objective.start(firstPoint);
      keep(objective.peak, false);
      onBest(0, bestPeak);
    }
    let improved = false;
    for (const candidate of candidates) {
      objective.start(candidate.point);
      if (keep(objective.peak, false)) improved = true;
    }
    if (improved) onBest(iterations(), bestPeak);
  }

  function finish({ refined, finished, decrease }: FinishPlan): void {
    candidates.sort((a, b) => a.value - b.value || a.index - b.index);
    const all = finished === Number.POSITIVE_INFINITY;
    let leader: Candidate | undefined;
    let met = 0;
    const basins: Candidate[] = [];
    for (const candidate of candidates.slice(0, refined)) {
      if (aborted()) return;
      const next = refine(candidate);
      if (all) {
        polish(next, decrease);
        continue;
      }
      basins.push(next);
      if (leader !== undefined && sameBasin(leader, next)) met++;
      else if (leader === undefined || next.value < leader.value) {
        leader = next;
        met = 1;
      }
      if (met >= ENOUGH_MEETINGS * finished) break;
    }
    basins.sort((a, b) => a.value - b.value || a.index - b.index);
    const done: Candidate[] = [];
    for (const basin of basins) {
      if (done.length >= finished || aborted() || basin.value > bestPeak + HOPELESS) break;
      if (done.some((other) => sameBasin(other, basin))) continue;
      done.push(basin);
      polish(basin, decrease);
    }
    settle(decrease);
  }

  /** The best point may be one on the way to another: it deserves the exact finish as well. */
  function settle(decrease: number): void {
    if (bestConverged || aborted()) return;
    objective.start(bestPoint);
    objective.share.set(bestMultipliers);
    steps += exact.run({ maxSteps: 60, decrease });
    // the same point up to the rounding of its norm, or a better one
    if (!(exact.peak <= bestPeak + 1e-12)) return;
    const lower = exact.peak < bestPeak;
    bestPeak = Number.POSITIVE_INFINITY;
    keep(exact.peak, true);
    if (lower) onBest(iterations(), bestPeak);
  }

  /** One round of the method of multipliers: its value is the minimax value of the basin to first order. */
  function refine(candidate: Candidate): Candidate {
    objective.sharpness = SHARPNESS;
    setShift(candidate.share);
    objective.start(candidate.point);
    const value = descent.run({ maxIterations: STAGE_ITERATIONS, gradient: 1e-6, decrease: FIRST_DECREASE });
    objective.evaluate(0);
    if (keep(objective.peak, false)) onBest(iterations(), bestPeak);
    return { ...candidate, value, point: objective.point.slice(), share: objective.share.slice() };
  }

  /** The method of multipliers and the exact finish in turn, until the latter converges. */
  function polish(candidate: Candidate, smallest: number): void {
    let lowest = Number.POSITIVE_INFINITY;
    let decrease = 0.1 * FIRST_DECREASE;
    let multipliers = candidate.share;
    objective.start(candidate.point);
    for (let round = 0; round < MAX_ROUNDS && !aborted(); round++) {
      objective.sharpness = SHARPNESS;
      setShift(multipliers);
      if (round > 0) {
        descent.run({ maxIterations: STAGE_ITERATIONS, gradient: 1e-6, decrease }, round > 1);
      }
      objective.evaluate(0);
      keep(objective.peak, false);
      decrease = Math.max(0.1 * decrease, 1e-9);
      steps += exact.run({ maxSteps: 15, decrease: smallest });
      lowest = Math.min(lowest, exact.peak);
      keep(exact.peak, true);
      if (exact.converged) break;
      multipliers = exact.multipliers.map((y) => Math.max(y, 1e-4));
    }
    records[candidate.index] = { ...records[candidate.index]!, final: lowest };
    if (lowest === bestPeak) onBest(iterations(), lowest);
  }

  function setShift(multipliers: Float64Array): void {
    for (let k = 0; k < devices; k++) objective.shift[k] = Math.log(Math.max(multipliers[k]!, 1e-12));
  }

  function best(): Best {
    return {
      point: bestPoint,
      peak: bestPeak,
      multipliers: bestMultipliers,
      residual: bestResidual,
      converged: bestConverged,
    };
  }

  return { records, screen, finish, best, iterations };
}

function sameBasin(a: Candidate, b: Candidate): boolean {
  if (!(Math.abs(a.value - b.value) <= SAME_VALUE)) return false;
  let distance = 0;
  for (let k = 0; k < a.share.length; k++) distance += Math.abs(a.share[k]! - b.share[k]!);
  return distance <= SAME_SHARES;
}
