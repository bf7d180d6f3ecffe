import type { DesignRow, SchemeContext, SchemeResult, StopReason } from "../scheme.ts";
import {
  type UniformForcingReason,
  type UniformForcingResult,
  uniformForcing,
} from "../uniform-forcing/index.ts";
import { createBlockUpdates, type TransceiverProblem } from "../updates.ts";

const reasons: Readonly<Record<UniformForcingReason, StopReason>> = {
  converged: "relative-decrease",
  "max-iterations": "max-iterations",
  aborted: "aborted",
  infeasible: "infeasible",
  "not-finite": "not-finite",
};

/**
 * `uniform-forcing`: zero misalignment with the least noise (docs/uniform-forcing.md). Devices that cannot be aligned,
 * without power or with a channel of rank below S, stay silent; what they miss counts, and the reason is `infeasible`.
 */
export function uniformForcingScheme(problem: TransceiverProblem, context: SchemeContext): SchemeResult {
  const { hooks } = context;
  const rows: DesignRow[] = [];
  const record = (mse: number): void => {
    const row = { iteration: rows.length, mse };
    rows.push(row);
    hooks.onProgress?.(row);
  };
  // with estimation errors the MSE is known at the end only
  const uncertain = problem.errorVariance !== undefined;
  const { found, silent } = forceAlignable(problem, context, uncertain ? undefined : record);
  const { receive, transmit } = found;
  const mse = createBlockUpdates(problem).mse(receive, transmit);
  if (rows.length === 0 || mse < rows.at(-1)!.mse * (1 - 1e-11)) record(mse);
  // next to rank deficiency rounding leaves more than was reported on the way
  rows.forEach((row, i) => {
    if (row.mse < mse * (1 - 1e-11)) rows[i] = { ...row, mse };
  });
  const ended = reasons[found.reason];
  return {
    receive,
    transmit,
    mse: rows.at(-1)!.mse,
    iterations: rows.length - 1,
    reason: silent.length > 0 && ended !== "aborted" ? "infeasible" : ended,
    rows,
  };
}

/** Uniform forcing of all devices but those that cannot be aligned. `record` gets the MSE of every row. */
export function forceAlignable(
  problem: TransceiverProblem,
  { effort, seed, hooks, initial }: SchemeContext,
  record?: (mse: number) => void,
): { readonly found: UniformForcingResult; readonly silent: readonly number[] } {
  let missed = 0;
  const solve = (served: TransceiverProblem): UniformForcingResult =>
    uniformForcing(served, {
      effort,
      seed,
      ...(initial === undefined ? {} : { initial }),
      ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
      ...(record === undefined ? {} : { onProgress: ({ mse }) => record(mse + missed) }),
    });
  const found = solve(problem);
  const silent = found.unservedDevices;
  const weights = problem.weights.map((w, k) => (silent.includes(k) ? 0 : w));
  if (silent.length === 0 || weights.every((w) => w === 0)) return { found, silent };
  missed = missedBy(problem, silent);
  return { found: solve({ ...problem, weights }), silent };
}

/** S M sum_kj R_kj w_k w_j over the silent devices: their E_km is -w_k I. */
function missedBy(problem: TransceiverProblem, silent: readonly number[]): number {
  const { devices, subcarriers, streams, weights, correlation } = problem;
  let sum = 0;
  for (const k of silent) {
    for (const j of silent) {
      const r = correlation === undefined ? (k === j ? 1 : 0) : correlation[k * devices + j]!;
      sum += r * weights[k]! * weights[j]!;
    }
  }
  return streams * subcarriers * Math.max(0, sum);
}
