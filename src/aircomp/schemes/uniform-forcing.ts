import type { DesignRow, SchemeContext, SchemeResult, StopReason } from "../scheme.ts";
import { type UniformForcingReason, uniformForcing } from "../uniform-forcing/index.ts";
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
  const { effort, seed, hooks, initial } = context;
  const updates = createBlockUpdates(problem);
  const uncertain = problem.errorVariance !== undefined;
  let served = problem;
  let missed = 0;
  const rows: DesignRow[] = [];
  const record = (mse: number): void => {
    const row = { iteration: rows.length, mse };
    rows.push(row);
    hooks.onProgress?.(row);
  };
  const solve = (): ReturnType<typeof uniformForcing> =>
    uniformForcing(served, {
      effort,
      seed,
      ...(initial === undefined ? {} : { initial }),
      ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
      // with estimation errors the MSE is known at the end only
      ...(uncertain ? {} : { onProgress: (row: DesignRow) => record(row.mse + missed) }),
    });
  let found = solve();
  const silent = found.unservedDevices;
  if (silent.length > 0) {
    served = { ...problem, weights: problem.weights.map((w, k) => (silent.includes(k) ? 0 : w)) };
    missed = missedBy(problem, silent);
    if (served.weights.some((w) => w > 0)) found = solve();
  }
  const { receive, transmit } = found;
  const mse = updates.mse(receive, transmit);
  if (rows.length === 0 || mse < rows.at(-1)!.mse * (1 - 1e-11)) record(mse);
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
