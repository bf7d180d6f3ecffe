import { checkInteger, checkNumber, checkOptions } from "../../core/index.ts";
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

export interface ArmijoOptions {
  /** Part of the linear decrease that is enough, in (0, 0.5). Default 1e-4. */
  readonly decrease?: number;
  /** Most trials. Default 60. */
  readonly maxTrials?: number;
}

const defaults: Required<ArmijoOptions> = { decrease: 1e-4, maxTrials: 60 };

/**
 * Backtracking until the cost is lower by a part of the linear decrease: f(R(t d)) <= f + decrease t slope (Absil,
 * Mahony & Sepulchre 2008, section 4.2). The next trial is the minimum of the parabola, kept within [0.1, 0.5] of
 * the last; where the cost is not finite, a quarter.
 *
 * @throws InputError on options that are unknown or out of range.
 */
export function armijo(options: ArmijoOptions = {}): LineSearch {
  checkOptions(options, "armijo", Object.keys(defaults));
  const settings = { ...defaults, ...options };
  checkNumber(settings.decrease, "armijo.decrease", Number.MIN_VALUE, 0.5);
  checkInteger(settings.maxTrials, "armijo.maxTrials", 1);
  return {
    name: "armijo",
    search: (evaluator, line, first) => search(evaluator, line, first, settings),
  };
}

function search(
  evaluator: Evaluator,
  line: Line,
  first: number,
  { decrease, maxTrials }: Required<ArmijoOptions>,
): Trial | undefined {
  const { trial } = line;
  let step = first;
  for (let k = 0; k < maxTrials; k++) {
    const cost = probe(evaluator, line, trial, step);
    let shrink = 0.25;
    if (cost < Number.POSITIVE_INFINITY) {
      const enough = decreases(line, trial, decrease);
      if (enough || isLevel(line, trial)) {
        if (!moves(line, trial)) return undefined;
        const slope = slopeAt(evaluator, line, trial);
        // a gradient that is not finite is refused like a cost that is not
        if (!Number.isNaN(slope) && (enough || decreasesBySlope(line, trial, decrease))) return trial;
      }
      const bend = cost - line.cost - step * line.slope;
      const best = (-0.5 * line.slope * step) / bend;
      if (best > 0) shrink = Math.min(0.5, Math.max(0.1, best));
    }
    step *= shrink;
  }
  return undefined;
}
