import {
  checkInteger,
  checkOptions,
  checkSeed,
  describe,
  InputError,
  type RandomStream,
  randomStream,
} from "../../core/index.ts";
import { type MinimizeOptions, type MinimizeResult, minimize } from "../driver.ts";
import type { Problem } from "../problem.ts";
import type { StopReason } from "../solver.ts";

export interface MultiStartOptions<P> extends MinimizeOptions {
  /** Points to start from, or a number of random points. */
  readonly starts: number | readonly P[];
  /** Seed of random points; start i does not depend on how many there are. Needed where `starts` is a number. */
  readonly seed?: number;
  /** How to draw a start, where `starts` is a number. Default: the manifold's own random points. */
  readonly draw?: (stream: RandomStream, start: number) => P;
}

/** One row per start. */
export interface StartRow {
  readonly start: number;
  readonly cost: number;
  readonly gradientNorm: number;
  readonly infeasibility?: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly reason: StopReason;
}

export interface MultiStartResult<P> {
  /** The result of lowest cost; with constraints, of those that converged if any did. */
  readonly best: MinimizeResult<P>;
  /** Which start it came from. */
  readonly bestStart: number;
  readonly starts: readonly StartRow[];
}

const ownOptions = ["starts", "seed", "draw"] as const;
const minimizeOptions = ["solver", "stop", "record", "signal", "onProgress", "clock"] as const;

/**
 * Minimises from several starts, for costs with several local minima. Abortion ends the run that is going on and
 * skips the starts after it.
 *
 * @throws InputError if the problem, a start or the options make no sense.
 */
export function multiStart<P>(problem: Problem<P>, options: MultiStartOptions<P>): MultiStartResult<P> {
  checkOptions(options, "options", [...ownOptions, ...minimizeOptions]);
  const { starts, seed, draw, ...rest } = options;
  const startAt = chooseStarts(problem, { starts, seed, draw });
  const count = typeof starts === "number" ? starts : starts.length;
  const rows: StartRow[] = [];
  let best: MinimizeResult<P> | undefined;
  let bestStart = 0;
  for (let start = 0; start < count; start++) {
    if (best !== undefined && rest.signal?.aborted === true) break;
    const result = minimize(problem, startAt(start), rest);
    rows.push(rowOf(start, result));
    if (best === undefined || isBetter(result, best)) {
      best = result;
      bestStart = start;
    }
  }
  return { best: best!, bestStart, starts: rows };
}

/** Where there are constraints, a run that did not converge may have a low cost for no good reason. */
function isBetter<P>(a: MinimizeResult<P>, b: MinimizeResult<P>): boolean {
  const constrained = a.constraints !== undefined;
  if (constrained && a.converged !== b.converged) return a.converged;
  // a start without a finite cost is worse than any
  return Number.isFinite(a.cost) && (a.cost < b.cost || !Number.isFinite(b.cost));
}

function rowOf<P>(start: number, result: MinimizeResult<P>): StartRow {
  const { cost, gradientNorm, iterations, converged, reason, constraints } = result;
  const infeasibility = constraints === undefined ? {} : { infeasibility: constraints.infeasibility };
  return { start, cost, gradientNorm, ...infeasibility, iterations, converged, reason };
}

function chooseStarts<P>(
  problem: Problem<P>,
  options: Pick<MultiStartOptions<P>, "starts" | "seed" | "draw">,
): (start: number) => P {
  const { starts, seed, draw = (stream) => problem.manifold.randomPoint(stream) } = options;
  if (typeof starts === "number") {
    checkInteger(starts, "starts", 1);
    const stream = randomStream(checkSeed(seed), "multi-start");
    return (start) => draw(stream.split(start), start);
  }
  if (!Array.isArray(starts) || starts.length === 0) {
    throw new InputError("starts", describe(starts), "a number of starts, or a list of at least one point");
  }
  return (start) => (starts as readonly P[])[start]!;
}
