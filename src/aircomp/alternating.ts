import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

/** Why an iterative design ended. */
export type StopReason =
  /** The last iteration lowered the MSE by less than the tolerance. */
  | "relative-decrease"
  /** The iteration limit was reached first. */
  | "max-iterations"
  /** The MSE left the range of double precision; the design is the last finite one. */
  | "not-finite"
  /** The caller's AbortSignal fired; the design is the best so far. */
  | "aborted"
  /** Closed form: nothing to iterate. */
  | "closed-form";

/** One iteration; every column belongs to the same pair of beamformers. */
export interface DesignRow {
  readonly iteration: number;
  /** sum_m MSE_m */
  readonly mse: number;
}

export interface StopRule {
  readonly maxIterations: number;
  /** Stop when an iteration lowers the MSE by at most this fraction. */
  readonly relativeDecrease: number;
}

/** What a caller may watch or stop. */
export interface Hooks {
  readonly signal?: AbortSignal;
  readonly onProgress?: (row: DesignRow) => void;
}

export interface AlternatingResult {
  /** [M, Nr, S] */
  readonly receive: Float64Array;
  /** [K, M, Nt, S] */
  readonly transmit: Float64Array;
  readonly mse: number;
  readonly iterations: number;
  readonly reason: StopReason;
  readonly rows: readonly DesignRow[];
}

/**
 * Alternating minimisation: the exact transmit update, then the exact receive update, until the MSE no longer
 * falls. Row 0 is the start with its best transmit beamformers. Each update is a minimiser of its block, so the
 * MSE never increases; an iteration that does not lower it any more (rounding) is discarded.
 *
 * @param start receive beamformers [M, Nr, S], not all zero; it is copied
 */
export function alternate(
  problem: TransceiverProblem,
  start: Float64Array,
  stop: StopRule,
  hooks: Hooks = {},
): AlternatingResult {
  const updates = createBlockUpdates(problem);
  let receive: Float64Array = start.slice();
  let nextReceive: Float64Array = new Float64Array(receive.length);
  const size = 2 * problem.devices * problem.subcarriers * problem.transmitAntennas * problem.streams;
  let transmit: Float64Array = new Float64Array(size);
  let nextTransmit: Float64Array = new Float64Array(size);

  updates.transmit(nextTransmit, receive);
  transmit.set(nextTransmit);
  let mse = updates.mse(receive, transmit);
  const rows: DesignRow[] = [{ iteration: 0, mse }];
  hooks.onProgress?.(rows[0]!);
  let reason: StopReason = "max-iterations";
  let iteration = 0;
  while (iteration < stop.maxIterations) {
    if (hooks.signal?.aborted === true) {
      reason = "aborted";
      break;
    }
    const next = updates.receive(nextReceive, nextTransmit);
    if (!(next < mse)) {
      reason = next >= mse ? "relative-decrease" : "not-finite";
      break;
    }
    const decrease = mse - next;
    iteration++;
    [receive, nextReceive] = [nextReceive, receive];
    [transmit, nextTransmit] = [nextTransmit, transmit];
    mse = next;
    const row = { iteration, mse };
    rows.push(row);
    hooks.onProgress?.(row);
    if (decrease <= stop.relativeDecrease * mse) {
      reason = "relative-decrease";
      break;
    }
    updates.transmit(nextTransmit, receive);
  }
  return { receive, transmit, mse, iterations: iteration, reason, rows };
}
