import { checkOptions, checkPositive, describe, InputError, renameField } from "../core/index.ts";
import { eigHermitian } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { type Channel, checkChannel } from "./channel.ts";
import { checkDeviceCount } from "./correlation.ts";
import type { BeamformerDesign } from "./design.ts";
import { checkDesignShapes, misalignments } from "./evaluate.ts";
import { checkWeights } from "./weights.ts";

/**
 * What a design makes of gradients g_k = g + h_k, g = sum_k w_k g_k, in the mean over interleavings and signs: the server
 * receives, up to packMean, which arrives without error,
 *
 *   gain g + sum_k d_k h_k + noise of mean zero,   d_k = (1/(S M)) sum_m Re tr E_km,
 *
 * and with d^2 = sum_k w_k ||h_k||^2 the second term has at most the energy bias d^2, the noise at most
 * (sqrt(common) ||g|| + sqrt(deviation) d)^2 + noise Q packScale^2, whatever the gradients are.
 */
export interface ErrorParts {
  /** 1 + sum_k d_k: what is left of the common gradient. */
  readonly gain: number;
  /**
   * Largest (sum_k d_k h_k)^2 over h with sum_k w_k h_k = 0 and sum_k w_k h_k^2 = 1; like `deviation` +Infinity if a
   * device of weight 0 is heard, whose gradient nothing bounds.
   */
  readonly bias: number;
  /** (1/(S M)) sum_m ||sum_k E_km||^2 - (sum_k d_k)^2 */
  readonly common: number;
  /** Largest (1/(S M)) sum_m ||sum_k h_k E_km||^2 - (sum_k d_k h_k)^2 over the same h. */
  readonly deviation: number;
  /** (sigma2/(S M)) sum_m ||A_m||^2, and what a channel estimate adds if its error is new in every round. */
  readonly noise: number;
}

export interface ErrorPartsOptions {
  /** sigma2 > 0 per receive antenna and subcarrier. */
  readonly noiseVariance: number;
  /** w_k >= 0, scaled to sum 1. Default: those of the design. */
  readonly weights?: ArrayLike<number>;
}

/**
 * Splits the error of an analog (or ideal) design into what is the same in every round and what is noise. What all
 * gradients have in common is shrunk alike, which only shortens the step; and most of what devices lose differently is,
 * after interleaving, noise of mean zero. Derivation: docs/theory.md, section 1, parts of the error.
 *
 * @throws InputError on digital designs, designs of another shape, or values out of range.
 */
export function errorParts(
  channel: Channel,
  design: BeamformerDesign,
  options: ErrorPartsOptions,
): ErrorParts {
  checkOptions(options, "errorParts", ["noiseVariance", "weights"]);
  checkChannel(channel);
  checkDeviceCount(channel.devices);
  const noiseVariance = checkPositive(options.noiseVariance, "noiseVariance");
  if (design === null || typeof design !== "object" || design.kind === "digital") {
    const found =
      design?.kind === "digital" ? "a digital design, whose error is no matrix" : describe(design);
    throw new InputError("design", found, "an analog design");
  }
  const { devices, subcarriers } = channel;
  // the shapes first: a design for other devices is to be named itself, not the weights it brings
  const { streams } = design.kind === "ideal" ? { streams: 0 } : checkDesignShapes(channel, design);
  const weights = renameField(
    (field) => (options.weights === undefined ? `design.${field}` : field),
    () => checkWeights(options.weights ?? design.weights, devices),
  );
  if (design.kind === "ideal") return { gain: 1, bias: 0, common: 0, deviation: 0, noise: 0 };
  const active = Array.from({ length: devices }, (_, k) => k).filter((k) => weights[k]! > 0);
  const count = active.length;
  // sum_m <E_k, E_j> / sqrt(w_k w_j): in z_k = sqrt(w_k) h_k the constraints are ||z|| = 1 and z orthogonal to sqrt(w)
  const pairs = new Float64Array(count * count);
  const total = new Float64Array(2 * streams * streams);
  const shift = new Float64Array(devices);
  const perUse = streams * subcarriers;
  let common = 0;
  let noise = 0;
  let isHeard = false;
  for (let m = 0; m < subcarriers; m++) {
    const errors = misalignments(channel, design, weights, m);
    const gain = kernel.squaredNorm(design.receive.at(m).data, 0, design.receive.rows * streams);
    noise += noiseVariance * gain;
    total.fill(0);
    errors.forEach((error, k) => {
      kernel.axpy(total, 0, error, 0, streams * streams, 1);
      for (let i = 0; i < streams; i++) shift[k]! += error[2 * i * (streams + 1)]! / perUse;
      isHeard ||= weights[k] === 0 && kernel.squaredNorm(error, 0, streams * streams) > 0;
    });
    common += kernel.squaredNorm(total, 0, streams * streams);
    active.forEach((k, a) => {
      active.forEach((j, b) => {
        const inner = kernel.realInner(errors[k]!, 0, errors[j]!, 0, streams * streams);
        pairs[a * count + b]! += inner / Math.sqrt(weights[k]! * weights[j]!);
      });
      if (channel.kind === "estimated") {
        const sent = kernel.squaredNorm(design.transmit.at(k, m).data, 0, design.transmit.rows * streams);
        noise += channel.errorVariance[k]! * gain * sent;
      }
    });
  }
  const together = shift.reduce((a, b) => a + b, 0);
  let bias = 0;
  for (const k of active) bias += (shift[k]! - weights[k]! * together) ** 2 / weights[k]!;
  active.forEach((k, a) => {
    active.forEach((j, b) => {
      const same = (shift[k]! * shift[j]!) / Math.sqrt(weights[k]! * weights[j]!);
      pairs[a * count + b] = pairs[a * count + b]! / perUse - same;
    });
  });
  const direction = active.map((k) => Math.sqrt(weights[k]!));
  return {
    gain: 1 + together,
    bias: isHeard ? Number.POSITIVE_INFINITY : bias,
    common: Math.max(0, common / perUse - together ** 2),
    deviation: isHeard ? Number.POSITIVE_INFINITY : largestOrthogonal(pairs, direction),
    noise: noise / perUse,
  };
}

/** Largest eigenvalue of P D P, P = I - u u^T, for a symmetric positive semidefinite D; 0 for a single device. */
function largestOrthogonal(matrix: Float64Array, direction: readonly number[]): number {
  const n = direction.length;
  if (n < 2) return 0;
  const projected = matrix.slice();
  const along = new Float64Array(n);
  // P D, then (P D) P
  for (const transposed of [false, true]) {
    const at = (i: number, j: number): number => (transposed ? j * n + i : i * n + j);
    for (let j = 0; j < n; j++) {
      along[j] = 0;
      for (let i = 0; i < n; i++) along[j]! += direction[i]! * projected[at(i, j)]!;
    }
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) projected[at(i, j)]! -= direction[i]! * along[j]!;
    }
  }
  const hermitian = new Float64Array(2 * n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      hermitian[2 * (i * n + j)] = (projected[i * n + j]! + projected[j * n + i]!) / 2;
    }
  }
  const { values } = eigHermitian({ rows: n, cols: n, data: hermitian });
  return Math.max(0, values.at(-1)!);
}
