import { randomStream } from "../../core/index.ts";
import * as kernel from "../../linalg/kernels/index.ts";
import type { ForcingInstance } from "../relaxation-cost.ts";
import {
  type DesignRow,
  type SchemeContext,
  type SchemeResult,
  type StopReason,
  stopRules,
} from "../scheme.ts";
import { receiveSubspace } from "../subspaces.ts";
import type { TransceiverProblem } from "../updates.ts";
import { type Beams, createForcingGains, forcingProblem } from "./forcing.ts";
import { shortestVector } from "./quadratic-program.ts";

/** Starts besides the better of the two informed subspaces: the other one, then random ones. */
const furtherStarts = { fast: 0, default: 1, thorough: 9 } as const;
/** Fraction of the predicted decrease that a step has to bring. */
const ARMIJO = 1e-4;
const SMALLEST_STEP = 1e-9;

/**
 * `sca`: zero forcing by successive convex approximation (Chen, Qin, Wei, IEEE Wireless Commun. Lett. 7(6), 2018; as
 * multicast beamforming: Tran, Hanif, Juntti, IEEE Signal Process. Lett. 21(1), 2014). The problem min ||A||^2
 * s.t. h_k(A) >= 1, with h_k = 1/g_k, is replaced at A by the convex quadratic program
 *
 *   min ||X||^2  s.t.  h_k(A) + <grad h_k(A), X - A> >= 1 for all k,
 *
 * which for one stream and one subcarrier is the classical inner approximation, and a step towards its solution that
 * lowers ||A||^2 max_k g_k. docs/baselines.md derives it.
 */
export function scaScheme(problem: TransceiverProblem, context: SchemeContext): SchemeResult {
  const forcing = forcingProblem(problem);
  const { instance } = forcing;
  if (instance === undefined) {
    const silent = forcing.silent();
    const row = { iteration: 0, mse: silent.mse };
    context.hooks.onProgress?.(row);
    return { ...silent, iterations: 0, reason: "infeasible", rows: [row] };
  }
  const starts = rankedStarts(forcing.served, instance, context);
  let best: Beams = forcing.design(starts[0]!) ?? forcing.silent();
  let reason: StopReason = "stalled";
  const rows: DesignRow[] = [];
  const record = (): void => {
    const row = { iteration: rows.length, mse: best.mse };
    rows.push(row);
    context.hooks.onProgress?.(row);
  };
  record();
  const solver = createApproximation(instance);
  const { maxIterations, relativeDecrease } = stopRules[context.effort];
  for (const start of starts) {
    const first = best;
    let ended: StopReason = "max-iterations";
    let value = solver.start(start);
    for (let iteration = 0; iteration < maxIterations; iteration++) {
      if (context.hooks.signal?.aborted === true) {
        ended = "aborted";
        break;
      }
      const next = solver.step(relativeDecrease);
      if (!(next < value)) {
        ended = solver.predicted <= relativeDecrease ? "relative-decrease" : "stalled";
        break;
      }
      value = next;
      const found = forcing.design(solver.beams);
      if (found !== undefined && found.mse < best.mse) best = found;
      record();
    }
    if (best !== first || start === starts[0] || ended === "aborted") reason = ended;
    if (ended === "aborted") break;
  }
  if (forcing.infeasible && reason !== "aborted") reason = "infeasible";
  return { ...best, iterations: rows.length - 1, reason, rows };
}

/** The given start, or the informed subspaces (better one first) and random ones. */
function rankedStarts(
  served: TransceiverProblem,
  instance: ForcingInstance,
  { initial, effort, seed }: SchemeContext,
): Float64Array[] {
  const gains = createForcingGains(instance);
  const value = (beams: Float64Array): number => gains.evaluate(unit(beams));
  if (initial !== undefined && value(initial) < Number.POSITIVE_INFINITY) return [unit(initial)];
  const informed = (["mrc", "centroid"] as const)
    .map((name) => unit(receiveSubspace(name, served, seed).data))
    .sort((a, b) => value(a) - value(b));
  const random = Array.from({ length: Math.max(1, furtherStarts[effort] - 1) }, (_, i) => {
    const beams = new Float64Array(informed[0]!.length);
    randomStream(seed, "sca-start", i).fillComplexNormal(beams);
    return unit(beams);
  });
  const usable = [...informed, ...random].filter((beams) => value(beams) < Number.POSITIVE_INFINITY);
  return usable.length === 0 ? [informed[0]!] : usable.slice(0, 1 + furtherStarts[effort]);
}

function unit(beams: Float64Array): Float64Array {
  const norm = Math.sqrt(kernel.squaredNorm(beams, 0, beams.length / 2));
  return beams.map((x) => x / norm);
}

/** The iteration on receive beamformers of norm 1 and the objective max_k g_k. */
interface Approximation {
  readonly beams: Float64Array;
  /** Relative decrease of ||A||^2 that the last quadratic program promised: 0 at a Karush-Kuhn-Tucker point alone. */
  readonly predicted: number;
  start(beams: Float64Array): number;
  /** One quadratic program and one line search; returns the objective, unchanged where no more than `least` is promised. */
  step(least: number): number;
}

export function createApproximation(instance: ForcingInstance): Approximation {
  const gains = createForcingGains(instance);
  const devices = instance.active.length;
  const size = 2 * instance.subcarriers * instance.receiveAntennas * instance.streams;
  const beams = new Float64Array(size);
  const trial = new Float64Array(size);
  const rows = Array.from({ length: devices }, () => new Float64Array(size));
  const ones = new Array<number>(devices).fill(1);
  let value = Number.POSITIVE_INFINITY;
  let predicted = 0;
  let isCurrent = false;

  function start(from: Float64Array): number {
    beams.set(from);
    value = gains.evaluate(beams);
    isCurrent = true;
    return value;
  }

  function step(least: number): number {
    predicted = Number.POSITIVE_INFINITY;
    // an accepted trial leaves the gains at the new point
    if (!isCurrent) gains.evaluate(beams);
    isCurrent = true;
    if (!(value < Number.POSITIVE_INFINITY)) return value;
    // In units in which the weakest device has h = 1 at beamformers of norm 1, h_k = value / g_k; the constraint
    // <grad h, X> >= 1 + h, with grad h = -grad g value / g^2 and <grad h, A> = 2 h, is divided by 1 + h.
    rows.forEach((row, k) => {
      const g = gains.values[k]!;
      gains.gradient(row, 0, k, -value / g / (g + value));
    });
    const solution = shortestVector(rows, ones);
    if (solution === undefined) return value;
    predicted = 1 - kernel.squaredNorm(solution, 0, size / 2);
    if (!(predicted > least)) return value;
    for (let t = 1; t >= SMALLEST_STEP; t /= 2) {
      for (let l = 0; l < size; l++) trial[l] = beams[l]! + t * (solution[l]! - beams[l]!);
      const norm = Math.sqrt(kernel.squaredNorm(trial, 0, size / 2));
      for (let l = 0; l < size; l++) trial[l]! /= norm;
      const next = gains.evaluate(trial);
      if (next <= value * (1 - ARMIJO * t * predicted)) {
        beams.set(trial);
        value = next;
        isCurrent = true;
        break;
      }
      isCurrent = false;
    }
    return value;
  }

  return {
    beams,
    get predicted() {
      return predicted;
    },
    start,
    step,
  };
}
