import type { DesignRow, Hooks, SchemeResult, StopReason, StopRule } from "./scheme.ts";
import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

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
): SchemeResult {
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
    // correlated devices are updated one after the other, from where they are
    nextTransmit.set(transmit);
    updates.transmit(nextTransmit, receive);
  }
  return { receive, transmit, mse, iterations: iteration, reason, rows };
}
