import { checkInteger, checkNumber, checkOptions, InputError } from "../../core/index.ts";
import type { Evaluator } from "../problem.ts";
import {
  decreases,
  decreasesBySlope,
  isLevel,
  type Line,
  type LineSearch,
  moves,
  probe,
  slopeAt,
  type Trial,
} from "./line-search.ts";

export interface StrongWolfeOptions {
  /** Part of the linear decrease that is enough, in (0, 0.5). Default 1e-4. */
  readonly decrease?: number;
  /** The slope has to fall to this part, in absolute value; between `decrease` and 1. Default 0.9. */
  readonly curvature?: number;
  /** Most trials. Default 40. */
  readonly maxTrials?: number;
}

/** So many trials in a row that are no better than the best end the search. */
const maxRefusals = 6;

const defaults: Required<StrongWolfeOptions> = { decrease: 1e-4, curvature: 0.9, maxTrials: 40 };

/**
 * Strong Wolfe conditions: f(R(t d)) <= f + decrease t slope and |slope(t)| <= curvature |slope| (Nocedal & Wright,
 * algorithms 3.5 and 3.6; slopes along the retraction use the vector transport of d: Ring & Wirth 2012). Below
 * rounding of the cost, slopes decide (Hager & Zhang 2005). Where no trial meets the second condition, the lowest
 * that met the first is taken.
 *
 * @throws InputError on options that are unknown or out of range.
 */
export function strongWolfe(options: StrongWolfeOptions = {}): LineSearch {
  checkOptions(options, "strongWolfe", Object.keys(defaults));
  const settings = { ...defaults, ...options };
  checkNumber(settings.decrease, "strongWolfe.decrease", Number.MIN_VALUE, 0.5);
  checkNumber(settings.curvature, "strongWolfe.curvature", 0, 1);
  checkInteger(settings.maxTrials, "strongWolfe.maxTrials", 1);
  if (settings.curvature <= settings.decrease) {
    throw new InputError("strongWolfe.curvature", `${settings.curvature}`, "more than strongWolfe.decrease");
  }
  return {
    name: "strong Wolfe",
    search: (evaluator, line, first) => search(evaluator, line, first, settings),
  };
}

/**
 * One loop for bracketing and zoom: `low` is the best point so far that decreases enough (x itself at first),
 * `high` the other end of the bracket once there is one.
 */
function search(
  evaluator: Evaluator,
  line: Line,
  first: number,
  { decrease, curvature, maxTrials }: Required<StrongWolfeOptions>,
): Trial | undefined {
  let { trial, other: low } = line;
  low.step = 0;
  low.cost = line.cost;
  low.slope = line.slope;
  let high = Number.POSITIVE_INFINITY;
  let highCost = Number.POSITIVE_INFINITY;
  let highSlope = Number.NaN;
  let step = first;
  let refusals = 0;
  for (let k = 0; k < maxTrials; k++) {
    const cost = probe(evaluator, line, trial, step);
    const finite = cost < Number.POSITIVE_INFINITY;
    const slope = finite ? slopeAt(evaluator, line, trial) : Number.NaN;
    const refused = Number.isNaN(slope);
    const level = !refused && decreasesBySlope(line, trial, decrease);
    const enough = !refused && decreases(line, trial, decrease);
    if ((enough || level) && Math.abs(slope) <= -curvature * line.slope) return trial;
    if ((enough && cost < low.cost) || (level && slope < 0 && isLevel(low, trial))) {
      if (slope * (high - low.step) >= 0) {
        high = low.step;
        highCost = low.cost;
        highSlope = low.slope;
      }
      [low, trial] = [trial, low];
      refusals = 0;
    } else {
      high = step;
      highCost = refused ? Number.POSITIVE_INFINITY : cost;
      highSlope = slope;
      refusals++;
      // slopes that contradict the costs: far from x, transport is not the derivative of the retraction
      if (refusals >= maxRefusals && low.step > 0) break;
    }
    const width = high - low.step;
    if (Number.isFinite(high)) {
      if (Math.abs(width) <= 1e-12 * Math.max(high, low.step)) break;
      step = low.step + width * within(minimumOf(low, width, highCost, highSlope), highCost, refusals);
      if (low.step === 0 && !moves(line, trial)) break;
    } else {
      step = extend(line, low);
      if (!Number.isFinite(step)) break;
    }
  }
  return low.step > 0 ? low : undefined;
}

/**
 * Away from the ends of the bracket, and nearer to the best point the longer it stays the best; a quarter where the
 * far end is not finite.
 */
function within(part: number, highCost: number, refusals: number): number {
  if (highCost === Number.POSITIVE_INFINITY) return 0.25;
  const most = refusals < 2 ? 0.98 : refusals < 4 ? 0.5 : 0.1;
  return part >= 0 ? Math.min(most, Math.max(0.02, part)) : 0.5 * most;
}

/**
 * Where the cubic through both ends of the bracket is lowest, as a part of its width; the parabola through the slopes
 * where the costs differ by rounding; NaN if nowhere.
 */
function minimumOf(low: Trial, width: number, highCost: number, highSlope: number): number {
  const a = low.slope * width;
  const b = highSlope * width;
  const rise = highCost - low.cost;
  if (!(b > 0) && rise > 0) return -a / (2 * (rise - a));
  if (Math.abs(rise) <= 1e-12 * Math.abs(low.cost)) return -a / (b - a);
  const cubic = a + b - 2 * rise;
  const square = 3 * rise - 2 * a - b;
  return -a / (square + Math.sqrt(square * square - 3 * a * cubic));
}

/** A longer step: where the slope would vanish, at most ten times as far. */
function extend(line: Line, low: Trial): number {
  const secant = (low.step * line.slope) / (line.slope - low.slope);
  const longest = 10 * low.step;
  return secant > 0 ? Math.min(longest, Math.max(1.1 * low.step, secant)) : longest;
}
