import { type RandomStream, randomStream } from "../../core/index.ts";
import * as kernel from "../../linalg/kernels/index.ts";
import { relaxUniformForcing } from "../relaxation.ts";
import type { ForcingInstance } from "../relaxation-cost.ts";
import {
  type DesignRow,
  type Effort,
  efforts,
  type SchemeContext,
  type SchemeResult,
  type StopReason,
} from "../scheme.ts";
import { receiveSubspace } from "../subspaces.ts";
import type { TransceiverProblem } from "../updates.ts";
import { type Beams, createForcingGains, forcingProblem } from "./forcing.ts";

/** Random draws by effort, and how many of them make an iteration. */
const draws: Readonly<Record<Effort, number>> = { fast: 100, default: 1000, thorough: 5000 };
const BATCH = 20;

/**
 * `sdr`: zero forcing by semidefinite relaxation and Gaussian randomisation (Chen, Qin, Wei, IEEE Wireless
 * Commun. Lett. 7(6), 2018; Luo, Ma, So, Ye, Zhang, IEEE Signal Process. Mag. 27(3), 2010). The relaxed X_m = G_m G_m^H
 * have a rank above S; candidates are their S dominant eigenvectors, and draws G_m Z_m with Z_m complex normal, made
 * orthonormal and scaled to the energy of X_m. After the first candidate every draw changes one subcarrier, and stays
 * if max_k g_k falls (docs/baselines.md).
 *
 * More effort relaxes further and draws more, after what less effort does.
 */
export function sdrScheme(problem: TransceiverProblem, context: SchemeContext): SchemeResult {
  const { effort, seed, hooks } = context;
  const forcing = forcingProblem(problem);
  const { instance, served } = forcing;
  const rows: DesignRow[] = [];
  let best: Beams = forcing.silent();
  const record = (): void => {
    const row = { iteration: rows.length, mse: best.mse };
    rows.push(row);
    hooks.onProgress?.(row);
  };
  if (instance === undefined) {
    record();
    return { ...best, iterations: 0, reason: "infeasible", rows };
  }
  let known = false;
  /** Takes the beamformers if their design is better than all before. */
  const offer = (beams: Float64Array): void => {
    const found = forcing.design(beams);
    if (found === undefined || (known && !(found.mse < best.mse))) return;
    best = found;
    known = true;
  };
  let reason: StopReason = "all-draws";
  for (const level of efforts.slice(0, efforts.indexOf(effort) + 1)) {
    const relaxed = hooks.signal?.aborted
      ? undefined
      : relaxUniformForcing(served, {
          effort: level,
          ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
        });
    if (relaxed === undefined) {
      // aborted before it began, or at the edge of double precision
      for (const name of ["mrc", "centroid"] as const) offer(receiveSubspace(name, served, seed).data);
      if (rows.length === 0) record();
      reason = hooks.signal?.aborted ? "aborted" : "stalled";
      break;
    }
    const chain = createChain(instance, relaxed.factor, relaxed.rank, randomStream(seed, "sdr", level));
    offer(chain.beams);
    if (rows.length === 0) record();
    for (let drawn = 0; drawn < draws[level]; drawn += BATCH) {
      if (hooks.signal?.aborted === true) break;
      for (let i = 0; i < BATCH; i++) chain.draw();
      offer(chain.beams);
      record();
    }
    if (hooks.signal?.aborted === true) {
      reason = "aborted";
      break;
    }
  }
  if (forcing.infeasible && reason !== "aborted") reason = "infeasible";
  return { ...best, iterations: rows.length - 1, reason, rows };
}

/** The best candidate so far, from the dominant eigenvectors on. */
interface Chain {
  /** A, [M, Nr, S] */
  readonly beams: Float64Array;
  /** Draws every subcarrier anew, one after the other; a draw stays if it lowers max_k g_k. */
  draw(): void;
}

function createChain(
  instance: ForcingInstance,
  factor: Float64Array,
  rank: number,
  stream: RandomStream,
): Chain {
  const { subcarriers, receiveAntennas: nr, streams: s } = instance;
  const gains = createForcingGains(instance);
  const beams = dominantPart(factor, rank, instance);
  let lowest = gains.evaluate(beams);
  const normal = new Float64Array(2 * rank * s);
  const trial = new Float64Array(2 * nr * s);
  const triangle = new Float64Array(2 * s * s);
  const work = kernel.createQrWorkspace(nr, s);

  function draw(): void {
    for (let m = 0; m < subcarriers; m++) {
      stream.fillComplexNormal(normal);
      kernel.multiply(trial, 0, factor, 2 * m * nr * rank, normal, 0, nr, rank, s);
      kernel.qrFactor(trial, 0, trial, 0, triangle, 0, work);
      const energy = kernel.squaredNorm(factor, 2 * m * nr * rank, nr * rank);
      kernel.scale(trial, 0, trial, 0, nr * s, Math.sqrt(energy / s));
      // where the dominant part does not hear every device, anything that does is better
      const value = lowest < Number.POSITIVE_INFINITY ? gains.probe(trial, m) : 0;
      if (!(value < lowest)) continue;
      beams.set(trial, 2 * m * nr * s);
      lowest = gains.evaluate(beams);
    }
  }

  return { beams, draw };
}

/** The best approximation of X_m = G_m G_m^H by A_m A_m^H: the S dominant left singular vectors of G_m, times s_i. */
function dominantPart(factor: Float64Array, rank: number, instance: ForcingInstance): Float64Array {
  const { subcarriers, receiveAntennas: nr, streams: s } = instance;
  const beams = new Float64Array(2 * subcarriers * nr * s);
  const count = Math.min(nr, rank);
  const left = new Float64Array(2 * nr * count);
  const right = new Float64Array(2 * rank * count);
  const singular = new Float64Array(count);
  const work = kernel.createJacobiSvdWorkspace(nr, rank);
  for (let m = 0; m < subcarriers; m++) {
    kernel.jacobiSvd(factor, 2 * m * nr * rank, left, 0, singular, 0, right, 0, work);
    for (let i = 0; i < Math.min(s, count); i++) {
      for (let row = 0; row < nr; row++) {
        const to = 2 * ((m * nr + row) * s + i);
        beams[to] = singular[i]! * left[2 * (row * count + i)]!;
        beams[to + 1] = singular[i]! * left[2 * (row * count + i) + 1]!;
      }
    }
  }
  return beams;
}
