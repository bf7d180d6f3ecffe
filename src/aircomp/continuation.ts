import * as kernel from "../linalg/kernels/index.ts";
import { type StopReason as DescentReason, iterate, lbfgs, type StopRule } from "../manifold/index.ts";
import { isDiagonal } from "./correlation.ts";
import { type ReducedSpace, receiveSpace } from "./reduced.ts";
import { transmitSpace } from "./reduced-transmit.ts";
import type { DesignRow, Hooks, SchemeResult, StopReason } from "./scheme.ts";
import type { TransceiverProblem } from "./updates.ts";

/** A state of the reduced space, and its cost at the noise level of the descent that found it. */
export interface Candidate {
  readonly state: Float64Array;
  readonly cost: number;
}

const WINDOW = 5;
const MEMORY = 30;
/** How often, and for how many tolerances of improvement, a descent is taken up again; then exact updates go on alone. */
const ATTEMPTS = 5;
const UPDATES = 100;
const CLEARLY = 10;

/** Descents that share one record of the best design at the true noise. */
export interface Continuation {
  /** The state for given receive beamformers [M, Nr, S]. */
  enter(receive: Float64Array): Float64Array;
  /** Row 0. */
  begin(start: Float64Array): void;
  /**
   * The minimum at the noise variance raised by `extraNoise` that lies downhill. After the signal has fired it returns
   * the start.
   */
  descend(start: Float64Array, extraNoise: number, tolerance: number, window?: number): Candidate;
  /**
   * Descends at the true noise until exact updates of both sides find next to nothing more.
   *
   * @param window how many iterations together must lower the cost by no more than the tolerance; default 5
   */
  settle(start: Float64Array, tolerance: number, window?: number): Candidate;
  /** The best design of all descents, settled. */
  finish(tolerance: number): SchemeResult;
}

/** The receive side is what is searched where the transmit side has a closed form (R diagonal), else the transmit side. */
export function createContinuation(
  problem: TransceiverProblem,
  hooks: Hooks,
  maxIterations: number,
): Continuation {
  const { correlation, devices } = problem;
  return correlation === undefined || isDiagonal(correlation, devices)
    ? continuationIn(receiveSpace(problem), hooks, maxIterations)
    : continuationIn(transmitSpace(problem), hooks, maxIterations);
}

function continuationIn<P>(space: ReducedSpace<P>, hooks: Hooks, maxIterations: number): Continuation {
  const rows: DesignRow[] = [];
  let best: Float64Array = new Float64Array(0);
  let bestMse = Number.POSITIVE_INFINITY;
  let settledMse = Number.POSITIVE_INFINITY;
  let settledReason: StopReason = "max-iterations";
  let reason: StopReason = "max-iterations";

  const note = (state: Float64Array, mse: number): void => {
    if (mse < bestMse) {
      bestMse = mse;
      best = state;
    }
    const row = { iteration: rows.length, mse: bestMse };
    rows.push(row);
    hooks.onProgress?.(row);
  };

  const aborted = (): boolean => hooks.signal?.aborted === true;

  const descend: Continuation["descend"] = (start, extraNoise, tolerance, window = WINDOW) => {
    const none = { state: start, cost: Number.POSITIVE_INFINITY };
    if (aborted()) {
      reason = "aborted";
      return none;
    }
    const chart = space.open(extraNoise, start);
    if (chart === undefined) return none;
    const run = iterate(chart.problem, chart.x0, {
      solver: lbfgs({ memory: MEMORY }),
      stop: slowDecrease(tolerance, maxIterations, window),
      record: false,
    });
    let state = start;
    let cost = Number.NaN;
    let iteration = 0;
    for (const { row, point, reason: ended } of run) {
      cost = row.cost;
      if (row.iteration > iteration) {
        iteration = row.iteration;
        state = chart.state(point);
        note(state, space.mseAt(state, cost, extraNoise));
      }
      if (ended !== undefined) reason = reasonOf(ended);
      if (aborted()) {
        reason = "aborted";
        break;
      }
    }
    return { state, cost };
  };

  const settle: Continuation["settle"] = (start, tolerance, window) => {
    let found = descend(start, 0, tolerance, window);
    // a descent that slows down at a saddle looks like one that has arrived
    for (let attempt = 1; reason === "relative-decrease" && !aborted(); attempt++) {
      const { state, mse } = space.update(found.state);
      if (!(mse < found.cost * (1 - CLEARLY * tolerance))) break;
      note(state, mse);
      const next = attempt <= ATTEMPTS ? descend(state, 0, tolerance, window) : undefined;
      found = next !== undefined && next.cost < mse ? next : { state, cost: mse };
      if (attempt === UPDATES) reason = "max-iterations";
    }
    if (found.cost <= settledMse) {
      settledMse = found.cost;
      settledReason = reason;
    }
    return found;
  };

  return {
    enter: (receive) => space.enter(receive),
    begin: (start) => note(start, space.measure(start)),
    descend,
    settle,
    finish(tolerance) {
      if (bestMse < settledMse && reason !== "aborted") settle(best, tolerance);
      const why = reason === "aborted" ? reason : settledReason;
      return { ...space.design(best), mse: bestMse, iterations: rows.length - 1, reason: why, rows };
    },
  };
}

/** Ends a descent when the last few iterations together have lowered the cost by at most this fraction. */
function slowDecrease(tolerance: number, maxIterations: number, window: number): StopRule {
  const costs: number[] = [];
  return ({ iteration, cost }) => {
    if (costs.length <= iteration) costs.push(cost);
    const before = costs[iteration - window];
    if (before !== undefined && before - cost <= tolerance * cost) return "relative-decrease";
    return iteration >= maxIterations ? "max-iterations" : undefined;
  };
}

function reasonOf(reason: DescentReason): StopReason {
  switch (reason) {
    case "aborted":
    case "max-iterations":
      return reason;
    case "bad-start":
      return "not-finite";
    // no lower cost in any direction that was tried: rounding level
    default:
      return "relative-decrease";
  }
}

/**
 * What is added to the noise variance, level by level, the last 0: from an SNR of 0 dB in equal steps of about 10 dB
 * to that of the problem.
 */
export function noiseLevels(problem: TransceiverProblem): number[] {
  const ratio = 1 + raisedNoise(problem, 0) / problem.noiseVariance;
  const steps = Math.ceil(Math.log10(ratio) - 0.5);
  if (steps <= 0) return [0];
  return Array.from({ length: steps + 1 }, (_, j) =>
    j === steps ? 0 : problem.noiseVariance * (ratio ** (1 - j / steps) - 1),
  );
}

/**
 * What has to be added to the noise variance for the given SNR in dB, 0 if it is not above that: the SNR of the
 * median device that can be heard, at the mean gain of an antenna pair.
 */
export function raisedNoise(problem: TransceiverProblem, snrDb: number): number {
  const { devices, subcarriers, channel, power, weights, noiseVariance } = problem;
  const entries = subcarriers * problem.receiveAntennas * problem.transmitAntennas;
  const strengths: number[] = [];
  for (let k = 0; k < devices; k++) {
    const gain = kernel.squaredNorm(channel, 2 * k * entries, entries) / entries;
    const strength = (gain * power[k]!) / subcarriers;
    if (strength > 0 && weights[k]! > 0) strengths.push(strength);
  }
  strengths.sort((a, b) => a - b);
  const strength = strengths[strengths.length >> 1] ?? 0;
  return Math.max(0, strength / 10 ** (snrDb / 10) - noiseVariance);
}
