import type { ComplexMatrix } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { complexEuclidean, type Problem } from "../manifold/index.ts";
import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

/**
 * The design problem with one side eliminated in closed form. A state is what is left: flat, of the space's own size.
 * A raised noise variance, sigma2 + extraNoise, makes it easier; the designs are as good ones for the true noise.
 */
export interface ReducedSpace<P> {
  /** The state for given receive beamformers [M, Nr, S]. */
  enter(receive: Float64Array): Float64Array;
  /** The problem at the raised noise in coordinates around the state; undefined where the state is no start (zero). */
  open(extraNoise: number, state: Float64Array): Chart<P> | undefined;
  /** The MSE of `design(state)` at the true noise. */
  measure(state: Float64Array): number;
  /** The same, from the cost at the raised noise. */
  mseAt(state: Float64Array, cost: number, extraNoise: number): number;
  /** The state after one exact update of each side at the true noise, and its MSE. */
  update(state: Float64Array): { readonly state: Float64Array; readonly mse: number };
  /** The beamformers: receive [M, Nr, S], transmit [K, M, Nt, S]. */
  design(state: Float64Array): { readonly receive: Float64Array; readonly transmit: Float64Array };
}

/** A problem of the manifold layer for one descent. */
export interface Chart<P> {
  readonly problem: Problem<P>;
  readonly x0: P;
  /** The state that a point stands for; a new array. */
  state(point: P): Float64Array;
}

/** A difference below this part of its terms is computed anew. */
const CANCELLED = 1e-4;

/**
 * Phi(A) = min_B sum_m MSE_m (docs/theory.md, section 3; R diagonal): the exact transmit update gives B(A), and the
 * envelope theorem the gradient at fixed B,
 *
 *   grad_m Phi = 2 (C_m A_m - sum_k R_kk w_k H_km B_km).
 *
 * No preconditioner: the unit step of C_m^{-1} / 2 is the receive update, and the alternating algorithm steepest descent
 * with unit steps. But C_m measures how the MSE grows at fixed B; where B(A) follows, Phi grows far less, and at high
 * SNR L-BFGS without it needs half of the evaluations (docs/choosing-a-scheme.md).
 */
export function receiveSpace(problem: TransceiverProblem): ReducedSpace<ComplexMatrix> {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams } = problem;
  const updates = createBlockUpdates(problem);
  const size = 2 * subcarriers * nr * streams;
  const block = 2 * nr * streams;
  const square = 2 * nr * nr;
  const transmit = new Float64Array(2 * devices * subcarriers * nt * streams);
  const covariance = new Float64Array(subcarriers * square);
  const right = new Float64Array(size);
  const receive = new Float64Array(size);
  const gradient = new Float64Array(size);

  /** X = A / unit, the A_m below each other; Phi(A) + extraNoise ||A||^2, as B(A) does not depend on the noise. */
  function costAndGradient(x: ComplexMatrix, extraNoise: number, unit: number): number {
    for (let i = 0; i < size; i++) receive[i] = unit * x.data[i]!;
    updates.transmit(transmit, receive);
    const mse = updates.quadratic(covariance, right, receive, transmit);
    for (let m = 0; m < subcarriers; m++) {
      kernel.multiply(gradient, m * block, covariance, m * square, receive, m * block, nr, nr, streams);
    }
    for (let i = 0; i < size; i++) {
      gradient[i] = 2 * unit * (gradient[i]! - right[i]! + extraNoise * receive[i]!);
    }
    return mse + extraNoise * squaredNorm(receive);
  }

  function measure(state: Float64Array): number {
    updates.transmit(transmit, state);
    return updates.mse(state, transmit);
  }

  const matrix = (data: Float64Array): ComplexMatrix => ({ rows: subcarriers * nr, cols: streams, data });
  return {
    enter: (start) => start,
    open(extraNoise, state) {
      const norm = Math.sqrt(squaredNorm(state));
      if (!(norm > 0)) return undefined;
      // the first step of L-BFGS has length 1
      const unit = norm / 10;
      const result = { cost: 0, gradient: matrix(gradient) };
      const evaluate = (x: ComplexMatrix): typeof result => {
        result.cost = costAndGradient(x, extraNoise, unit);
        return result;
      };
      return {
        problem: {
          manifold: complexEuclidean(subcarriers * nr, streams),
          cost: (x) => evaluate(x).cost,
          gradient: (x) => evaluate(x).gradient,
          costAndGradient: evaluate,
        },
        x0: matrix(state.map((x) => x / unit)),
        state: (point) => point.data.map((x) => unit * x),
      };
    },
    measure,
    mseAt(state, cost, extraNoise) {
      const mse = cost - extraNoise * squaredNorm(state);
      // at very high SNR the difference has lost its digits
      return mse > CANCELLED * cost ? mse : measure(state);
    },
    update(state) {
      updates.transmit(transmit, state);
      updates.receive(receive, transmit);
      updates.transmit(transmit, receive);
      return { state: receive.slice(), mse: updates.mse(receive, transmit) };
    },
    design(state) {
      updates.transmit(transmit, state);
      return { receive: state.slice(), transmit: transmit.slice() };
    },
  };
}

function squaredNorm(a: Float64Array): number {
  return kernel.squaredNorm(a, 0, a.length / 2);
}
