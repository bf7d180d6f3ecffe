import { type RandomStream, randomStream } from "../../core/index.ts";
import * as kernel from "../../linalg/kernels/index.ts";
import { receiveSubspace } from "../subspaces.ts";
import type { TransceiverProblem } from "../updates.ts";
import { createDescent } from "./descent.ts";
import { createObjective } from "./objective.ts";
import type { ScaledProblem } from "./scaled.ts";

/**
 * Where a start comes from. `initial`: the caller. `relaxation`: drawn from the solution V of the semidefinite
 * relaxation, A = V Xi with Xi complex normal. `principal`: the dominant directions of V. `weakest`: the optimum of
 * the device that alone needs the most. `mrc`, `centroid`: the subspaces of those schemes. `random`: complex normal.
 */
export type StartKind = "initial" | "relaxation" | "principal" | "weakest" | "mrc" | "centroid" | "random";

/** The stages of annealing: sharpness p, and the decrease of f that ends the stage. */
export const stages: readonly { readonly sharpness: number; readonly decrease: number }[] = [
  { sharpness: 2, decrease: 1e-2 },
  { sharpness: 8, decrease: 1e-2 },
  { sharpness: 32, decrease: 1e-3 },
];
/** Most iterations of a stage. */
export const STAGE_ITERATIONS = 200;

/** Draws starts in turn; `next` writes A, [M, Nr, S], into `out`. */
export interface Starts {
  next(out: Float64Array): StartKind;
  /** V of the relaxation, [M, Nr, rank], and its multipliers, for the lower bound. */
  readonly relaxation: Relaxation;
}

/** The low-rank factor of the relaxation's solution. */
export interface Relaxation {
  /** V, [M, Nr, rank], norm 1 */
  readonly factor: Float64Array;
  readonly rank: number;
  /** Share of each device in the smoothed maximum at V; sums to 1. */
  readonly share: Float64Array;
  /** of the descent that found it */
  readonly iterations: number;
}

/**
 * The relaxation of the problem in V of more columns than S: with X_m = V_m V_m^H,
 *
 *   min over V, ||V|| = 1, of max_k sum_m 1 / tr(Hhat_km^H X_m Hhat_km)
 *
 * (for one stream and M = 1 the semidefinite relaxation of min ||a||^2, ||H_k^H a||^2 >= 1, with X restricted to the
 * rank of V, which costs nothing once the rank is about the square root of K: Burer & Monteiro 2003), smoothed and
 * annealed like the problem itself. For more streams tr((G^H G)^{-1}) >= S^2 / ||G||^2 makes it a relaxation too.
 */
export function solveRelaxation(problem: ScaledProblem, seed: number): Relaxation {
  const rank = Math.min(problem.receiveAntennas, Math.max(4, problem.streams));
  const objective = createObjective({ ...problem, streams: rank }, true);
  const descent = createDescent(objective);
  const start = new Float64Array(objective.size);
  randomStream(seed, "uniform-forcing-relaxation").fillComplexNormal(start);
  objective.start(start);
  for (const { sharpness, decrease } of stages) {
    objective.sharpness = sharpness;
    descent.run({ maxIterations: STAGE_ITERATIONS, gradient: 1e-3, decrease });
  }
  return { factor: objective.point, rank, share: objective.share, iterations: descent.iterations };
}

/** Informed starts first, then two draws from the relaxation for every random one (`relaxed` false: only random). */
export function createStarts(
  problem: TransceiverProblem,
  scaled: ScaledProblem,
  seed: number,
  informed: readonly StartKind[],
  relaxed: boolean,
  initial?: Float64Array,
): Starts {
  const relaxation = solveRelaxation(scaled, seed);
  const stream = randomStream(seed, "uniform-forcing-starts");
  const mixing = new Float64Array(2 * relaxation.rank * scaled.streams);
  let count = 0;

  function next(out: Float64Array): StartKind {
    let index = count++;
    if (initial !== undefined) {
      if (index === 0) {
        out.set(initial);
        return "initial";
      }
      index--;
    }
    const kind =
      index < informed.length
        ? informed[index]!
        : relaxed && (index - informed.length) % 3 < 2
          ? "relaxation"
          : "random";
    if (kind === "random") stream.fillComplexNormal(out);
    else if (kind === "relaxation") drawFrom(out, relaxation, scaled, stream, mixing);
    else if (kind === "principal") principal(out, relaxation, scaled);
    else if (kind === "weakest") weakest(out, scaled);
    else if (kind === "mrc" || kind === "centroid") out.set(receiveSubspace(kind, problem, seed).data);
    return kind;
  }
  return { next, relaxation };
}

function drawFrom(
  out: Float64Array,
  { factor, rank }: Relaxation,
  { subcarriers, receiveAntennas: nr, streams }: ScaledProblem,
  stream: RandomStream,
  mixing: Float64Array,
): void {
  for (let m = 0; m < subcarriers; m++) {
    stream.fillComplexNormal(mixing);
    kernel.multiply(out, 2 * m * nr * streams, factor, 2 * m * nr * rank, mixing, 0, nr, rank, streams);
  }
}

/** The S dominant left singular vectors of V_m, each as long as its singular value. */
function principal(
  out: Float64Array,
  { factor, rank }: Relaxation,
  { subcarriers, receiveAntennas: nr, streams }: ScaledProblem,
): void {
  const work = kernel.createJacobiSvdWorkspace(nr, rank);
  const left = new Float64Array(2 * nr * rank);
  const right = new Float64Array(2 * rank * rank);
  const values = new Float64Array(rank);
  for (let m = 0; m < subcarriers; m++) {
    kernel.jacobiSvd(factor, 2 * m * nr * rank, left, 0, values, 0, right, 0, work);
    for (let i = 0; i < streams; i++) {
      // a direction that V lacks still needs some length
      const length = Math.max(values[i]!, 1e-3 * values[0]!, Number.MIN_VALUE);
      for (let row = 0; row < nr; row++) {
        const to = 2 * ((m * nr + row) * streams + i);
        out[to] = length * left[2 * (row * rank + i)]!;
        out[to + 1] = length * left[2 * (row * rank + i) + 1]!;
      }
    }
  }
}

/** The optimum of the device with the largest bound: its dominant modes of lengths s^{-1/2}. */
function weakest(out: Float64Array, scaled: ScaledProblem): void {
  const { subcarriers, receiveAntennas: nr, streams, bound, singular, modes } = scaled;
  let k = 0;
  for (let j = 1; j < bound.length; j++) if (bound[j]! > bound[k]!) k = j;
  for (let m = 0; m < subcarriers; m++) {
    const at = (k * subcarriers + m) * streams;
    for (let row = 0; row < nr; row++) {
      for (let i = 0; i < streams; i++) {
        const length = 1 / Math.sqrt(singular[at + i]!);
        const from = 2 * (at * nr + row * streams + i);
        const to = 2 * ((m * nr + row) * streams + i);
        out[to] = length * modes[from]!;
        out[to + 1] = length * modes[from + 1]!;
      }
    }
  }
}
