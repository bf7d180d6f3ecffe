import * as kernel from "../linalg/kernels/index.ts";
import type { DesignRow, Hooks, SchemeResult, StopReason, StopRule } from "./scheme.ts";
import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

/**
 * Small steps alone do not show convergence: at high SNR the scheme crawls. The decreases d_t, taken as a geometric
 * series of ratio d_t / d_{t-1}, have d_t ratio / (1 - ratio) to come; that must be below this fraction of the MSE.
 */
const REMAINING = 0.01;
/**
 * A relative change of the receive beamformers that is rounding. An iteration moves towards a fixed point by about the
 * noise over the received power of the way, so that this says something only up to some SNR.
 */
const FIXED = 1e-12;
const MILD = 1e6;

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
  const mild = strongestSnr(problem) <= MILD;
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
      const settled = remaining <= REMAINING * mse || (mild && sameBeams(nextReceive, receive));
      reason = next >= mse ? (settled ? "relative-decrease" : "stalled") : "not-finite";
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

/** Whether an update has changed the beamformers by no more than rounding: a fixed point. */
function sameBeams(next: Float64Array, last: Float64Array): boolean {
  let change = 0;
  let size = 0;
  for (let i = 0; i < last.length; i++) {
    change += (next[i]! - last[i]!) ** 2;
    size += last[i]! ** 2;
  }
  return change <= FIXED * FIXED * size;
}

/** max_k P_k ||H_k||^2 / sigma2. */
function strongestSnr({ devices, channel, power, noiseVariance }: TransceiverProblem): number {
  const size = channel.length / devices;
  let strongest = 0;
  for (let k = 0; k < devices; k++) {
    strongest = Math.max(
      strongest,
      (power[k]! / noiseVariance) * kernel.squaredNorm(channel, k * size, size / 2),
    );
  }
  return strongest;
}
