/**
 * uniform-forcing: the zero-forcing design, in which every device arrives with exactly its weight (zero misalignment)
 * and only noise is left. Derivation, algorithm and measurements: docs/uniform-forcing.md.
 */

import * as kernel from "../../linalg/kernels/index.ts";
import type { DesignRow, Effort } from "../scheme.ts";
import type { TransceiverProblem } from "../updates.ts";
import { createProducts } from "./products.ts";
import { type ScaledProblem, scaleProblem } from "./scaled.ts";
import { createSearch, type StartRecord } from "./search.ts";
import { createStarts, type StartKind } from "./starts.ts";

export type { StartRecord } from "./search.ts";

/**
 * Why the design ended. `converged`: at a local minimax point to rounding. `max-iterations`: the finish ended before.
 * `aborted`: the caller's signal. `infeasible`: some device of positive weight cannot be heard without misalignment,
 * having no power or a channel of rank below S; there is no design. `not-finite`: beyond double precision.
 */
export type UniformForcingReason = "converged" | "max-iterations" | "aborted" | "infeasible" | "not-finite";

export interface UniformForcingOptions {
  readonly effort: Effort;
  readonly seed: number;
  /** A further start, [M, Nr, S]. */
  readonly initial?: Float64Array;
  readonly signal?: AbortSignal;
  readonly onProgress?: (row: DesignRow) => void;
  /** Plain multi-start: this many random starts beside the informed ones, each run to its end. */
  readonly starts?: number;
}

export interface UniformForcingResult {
  /** A, [M, Nr, S], max_k g_k = 1: the budgets of the active devices are met with equality. Zero if infeasible. */
  readonly receive: Float64Array;
  /** B, [K, M, Nt, S]; zero for devices of weight 0. */
  readonly transmit: Float64Array;
  /** sigma2 ||A||^2 = sum_m MSE_m without channel estimation errors; +Infinity if infeasible. */
  readonly objective: number;
  /** y, K entries >= 0 of sum 1: the share of each device's budget in the objective. */
  readonly multipliers: Float64Array;
  /** Devices whose budget binds (y_k > 0). */
  readonly activeDevices: readonly number[];
  /** Devices that make the problem infeasible. */
  readonly unservedDevices: readonly number[];
  /** max(||sum_k y_k grad log(g_k ||A||^2)||, complementarity gap) for ||A|| = 1. */
  readonly kktResidual: number;
  readonly starts: readonly StartRecord[];
  /** Quasi-Newton iterations and Newton steps of all starts. */
  readonly iterations: number;
  readonly reason: UniformForcingReason;
  /** Best objective so far; row 0 is the best start. */
  readonly rows: readonly DesignRow[];
}

/** How much is tried. */
interface EffortPlan {
  readonly informed: readonly StartKind[];
  /** Starts that are annealed, for one stream and for more: with more, most of them end in good minima. */
  readonly screened: readonly [number, number];
  /** The best of them that are refined. */
  readonly refined: number;
  /** Different basins that are run to the end. */
  readonly finished: number;
  /** Relative decrease of the objective that ends the exact finish. */
  readonly decrease: number;
}

const plans: Readonly<Record<Effort, EffortPlan>> = {
  fast: { informed: ["principal"], screened: [4, 4], refined: 1, finished: 1, decrease: 1e-6 },
  default: {
    informed: ["principal", "weakest", "mrc"],
    screened: [24, 12],
    refined: 5,
    finished: 2,
    decrease: 1e-13,
  },
  thorough: {
    informed: ["principal", "weakest", "mrc", "centroid"],
    screened: [200, 100],
    refined: 40,
    finished: 8,
    decrease: 1e-13,
  },
};

/**
 * Receive beamformers of least noise under zero misalignment,
 *
 *   min sigma2 sum_m ||A_m||^2   s.t.   w_k^2 sum_m tr((A_m^H H_km H_km^H A_m)^{-1}) <= P_k,
 *
 * with B_km = w_k (A_m^H H_km)^+. The problem is not convex: starts drawn from its semidefinite relaxation are annealed
 * roughly, the best basins are run to a local minimax point (docs/uniform-forcing.md). Estimation errors and
 * correlations of the problem play no part. Deterministic; never throws for numerical reasons.
 *
 * @returns the best design found, feasible even if aborted
 */
export function uniformForcing(
  problem: TransceiverProblem,
  options: UniformForcingOptions,
): UniformForcingResult {
  const { effort, seed, initial, signal, onProgress, starts } = options;
  const scaled = scaleProblem(problem);
  if (scaled.devices === 0 || scaled.unserved.length > 0) return withoutDesign(problem, scaled);
  const every = Number.POSITIVE_INFINITY;
  const { informed, ...plan }: EffortPlan =
    starts === undefined
      ? plans[effort]
      : {
          informed: plans.thorough.informed,
          screened: [starts + 4, starts + 4],
          decrease: 1e-13,
          refined: every,
          finished: every,
        };
  const source = createStarts(problem, scaled, seed, informed, starts === undefined, initial);
  const rows: DesignRow[] = [];
  const search = createSearch(scaled, signal, (iteration, peak) => {
    const row = { iteration, mse: problem.noiseVariance * Math.exp(peak) };
    rows.push(row);
    onProgress?.(row);
  });
  const count = plan.screened[problem.streams === 1 ? 0 : 1]!;
  search.screen(source, count + (initial === undefined ? 0 : 1));
  search.finish(plan);
  const { point, peak, multipliers, residual, converged } = search.best();
  const { receive, transmit } = beamformers(problem, scaled, point, peak);
  const objective = problem.noiseVariance * Math.exp(peak);
  const y = new Float64Array(problem.devices);
  for (let k = 0; k < scaled.devices; k++) y[scaled.index[k]!] = multipliers[k]!;
  const finite =
    Number.isFinite(objective) && receive.every(Number.isFinite) && transmit.every(Number.isFinite);
  return {
    receive,
    transmit,
    objective,
    multipliers: y,
    activeDevices: Array.from(scaled.index).filter((k) => y[k]! > 0),
    unservedDevices: [],
    kktResidual: residual,
    starts: search.records,
    iterations: search.iterations(),
    reason: !finite
      ? "not-finite"
      : signal?.aborted === true
        ? "aborted"
        : converged
          ? "converged"
          : "max-iterations",
    rows,
  };
}

/** A and B of the caller's problem from A of norm 1. */
function beamformers(
  problem: TransceiverProblem,
  scaled: ScaledProblem,
  point: Float64Array,
  peak: number,
): { receive: Float64Array; transmit: Float64Array } {
  const { subcarriers, transmitAntennas: nt, streams: s } = problem;
  const { devices, offset, index } = scaled;
  // a search that was stopped leaves a point of another length
  const unit = 1 / Math.sqrt(kernel.squaredNorm(point, 0, point.length / 2));
  const direction = point.map((x) => unit * x);
  const amplitude = Math.exp(0.5 * peak);
  const receive = direction.map((x) => amplitude * x);
  const block = 2 * nt * s;
  const transmit = new Float64Array(problem.devices * subcarriers * block);
  const g = new Float64Array(devices * subcarriers * block);
  createProducts(scaled).forward(g, direction);
  // G = U diag(s) V^H, B = w U diag(1/s) V^H: misalignment at rounding level whatever the condition number
  const left = new Float64Array(block);
  const right = new Float64Array(2 * s * s);
  const values = new Float64Array(s);
  const work = kernel.createJacobiSvdWorkspace(nt, s);
  let most = 1;
  for (let k = 0; k < devices; k++) {
    const scale = Math.exp(0.5 * (offset[k]! - peak));
    const root = Math.sqrt(problem.power[index[k]!]!);
    let used = 0;
    for (let m = 0; m < subcarriers; m++) {
      kernel.jacobiSvd(g, (m * devices + k) * block, left, 0, values, 0, right, 0, work);
      for (let row = 0; row < nt; row++) {
        for (let col = 0; col < s; col++) {
          left[2 * (row * s + col)]! /= values[col]!;
          left[2 * (row * s + col) + 1]! /= values[col]!;
        }
      }
      const to = (index[k]! * subcarriers + m) * block;
      kernel.multiplyConjugateRight(transmit, to, left, 0, right, 0, nt, s, s, scale);
      used += kernel.squaredNorm(transmit, to, nt * s);
      for (let i = to; i < to + block; i++) transmit[i]! *= root;
    }
    most = Math.max(most, used);
  }
  // what the peak missed by rounding must not break a budget
  if (most > 1 && Number.isFinite(most)) {
    const root = Math.sqrt(most);
    for (let i = 0; i < receive.length; i++) receive[i]! *= root;
    for (let i = 0; i < transmit.length; i++) transmit[i]! /= root;
  }
  return { receive, transmit };
}

/** No device counts, or one of those that do cannot be served. */
function withoutDesign(problem: TransceiverProblem, scaled: ScaledProblem): UniformForcingResult {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams } = problem;
  const infeasible = scaled.unserved.length > 0;
  const objective = infeasible ? Number.POSITIVE_INFINITY : 0;
  return {
    receive: new Float64Array(2 * subcarriers * nr * streams),
    transmit: new Float64Array(2 * devices * subcarriers * nt * streams),
    objective,
    multipliers: new Float64Array(devices),
    activeDevices: [],
    unservedDevices: scaled.unserved,
    kktResidual: 0,
    starts: [],
    iterations: 0,
    reason: infeasible ? "infeasible" : "converged",
    rows: [],
  };
}
