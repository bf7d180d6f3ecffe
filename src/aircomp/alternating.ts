import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

/** Why an iterative design ended. */
export type StopReason =
  /** The last iteration lowered the MSE by less than the tolerance, and little more is in sight. */
  | "relative-decrease"
  /** The last iteration did not lower the MSE any more (rounding), but the ones before were still far from the end. */
  | "stalled"
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
  /** Stop when an iteration lowers the MSE by at most this fraction, and at most `REMAINING` of it is in sight. */
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
 * Small steps alone do not show convergence: at high SNR the scheme crawls. The decreases d_t, taken as a geometric
 * series of ratio d_t / d_{t-1}, have d_t ratio / (1 - ratio) to come; that must be below this fraction of the MSE.
 */
const REMAINING = 0.01;

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
  let lastDecrease = 0;
  let remaining = Number.POSITIVE_INFINITY;
  while (iteration < stop.maxIterations) {
    if (hooks.signal?.aborted === true) {
      reason = "aborted";
      break;
    }
    const next = updates.receive(nextReceive, nextTransmit);
    if (!(next < mse)) {
      const settled = remaining <= REMAINING * mse ? "relative-decrease" : "stalled";
      reason = next >= mse ? settled : "not-finite";
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
    const ratio = decrease / lastDecrease;
    // what rounding of the MSE does to the ratio must not be mistaken for its distance from 1
    const clear = ratio < 0.5 && lastDecrease > 1e-10 * mse;
    const noise = clear ? 0 : (1000 * Number.EPSILON * mse) / decrease;
    const fall = 1 - ratio - noise;
    remaining = fall > 0 ? (decrease * ratio) / fall : Number.POSITIVE_INFINITY;
    lastDecrease = decrease;
    if (decrease <= stop.relativeDecrease * mse && remaining <= REMAINING * mse) {
      reason = "relative-decrease";
      break;
    }
    updates.transmit(nextTransmit, receive);
  }
  return { receive, transmit, mse, iterations: iteration, reason, rows };
}
