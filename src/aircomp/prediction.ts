import * as kernel from "../linalg/kernels/index.ts";
import type { TrueChannel } from "./channel.ts";
import type { AnalogDesign, IdealDesign } from "./design.ts";
import { evaluateDesign, misalignments } from "./evaluate.ts";
import type { Gradient, Packing } from "./packing.ts";

/** What the error over the air depends on of the gradients: sums over their normalised entries x_k. */
export interface Moments {
  /** R = X X^T / Q */
  readonly correlation: number[][];
  /** Q */
  readonly entries: number;
  /** P = 2 S M N_sym >= Q, positions on the air; those beyond Q are zeros */
  readonly positions: number;
}

export function secondMoments(gradients: readonly Gradient[], packing: Packing): Moments {
  const { mean, scale, entries, order } = packing;
  const factor = scale > 0 ? 1 / scale : 0;
  const correlation = gradients.map(() => new Array<number>(gradients.length).fill(0));
  const normalised = gradients.map((gradient) => {
    const x = new Float64Array(entries);
    for (let i = 0; i < entries; i++) x[i] = factor * (gradient[i]! - mean);
    return x;
  });
  normalised.forEach((x, k) => {
    for (let j = 0; j <= k; j++) {
      const other = normalised[j]!;
      let sum = 0;
      for (let i = 0; i < entries; i++) sum += x[i]! * other[i]!;
      correlation[k]![j] = correlation[j]![k] = sum / entries;
    }
  });
  return { correlation, entries, positions: order.length };
}

/** What the errors of a design make of any gradients: computed once per link, used in every round. */
export interface ErrorProfile {
  /** omega for R = I. */
  readonly design: number;
  /** sigma2 sum_m ||A_m||^2 */
  readonly noise: number;
  /** S M */
  readonly perUse: number;
  /** sum_m <E_jm, E_km>, K x K. */
  readonly pairs: Float64Array;
  /** sum_m sum_i Re(E_km)_ii Re(E_jm)_ii, K x K: the part that an entry sends to itself. */
  readonly diagonals: Float64Array;
  /** ||E_km||^2 and its diagonal part, M x K each. */
  readonly own: Float64Array;
  readonly ownDiagonals: Float64Array;
}

/** The errors of a design on a channel, device by device; those of `ideal` are zero. */
export function errorProfile(
  channel: TrueChannel,
  design: AnalogDesign | IdealDesign,
  weights: Float64Array,
  noiseVariance: number,
): ErrorProfile {
  const { devices, subcarriers } = channel;
  const { streams } = design;
  const { distortion, noise } = evaluateDesign(channel, design, { noiseVariance, weights });
  const pairs = new Float64Array(devices * devices);
  const diagonals = new Float64Array(devices * devices);
  const own = new Float64Array(subcarriers * devices);
  const ownDiagonals = new Float64Array(subcarriers * devices);
  const profile = { design: distortion, noise, perUse: streams * subcarriers };
  if (design.kind === "ideal") return { ...profile, pairs, diagonals, own, ownDiagonals };
  for (let m = 0; m < subcarriers; m++) {
    const errors = misalignments(channel, design, weights, m);
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < devices; j++) {
        const inner = kernel.realInner(errors[k]!, 0, errors[j]!, 0, streams * streams);
        // the entry itself comes back through the real part of the diagonal
        let diagonal = 0;
        for (let i = 0; i < streams; i++) {
          diagonal += errors[k]![2 * i * (streams + 1)]! * errors[j]![2 * i * (streams + 1)]!;
        }
        pairs[k * devices + j]! += inner;
        diagonals[k * devices + j]! += diagonal;
        if (j === k) {
          own[m * devices + k] = inner;
          ownDiagonals[m * devices + k] = diagonal;
        }
      }
    }
  }
  return { ...profile, pairs, diagonals, own, ownDiagonals };
}

/**
 * omega of an aggregation: for independent symbols (`design`), the exact mean over interleavings and noise for
 * gradients with these moments (`measured`), and the cap whatever the correlation between the devices.
 *
 * Random signs make different positions uncorrelated. An entry shares its subcarrier use with entries and padding
 * drawn without replacement from the other P - 1 positions, whose power is R (Q - 1)/(P - 1) (docs/theory.md, section 1).
 */
export function predictDistortion(
  profile: ErrorProfile,
  { correlation, entries, positions }: Moments,
): { design: number; measured: number; cap: number } {
  const { design, noise, perUse, pairs, diagonals, own, ownDiagonals } = profile;
  const devices = correlation.length;
  const share = (entries - 1) / Math.max(1, positions - 1);
  const blend = (inner: number, diagonal: number): number => diagonal + (inner - diagonal) * share;
  let measured = noise;
  for (let k = 0; k < devices; k++) {
    for (let j = 0; j < devices; j++) {
      measured += correlation[k]![j]! * blend(pairs[k * devices + j]!, diagonals[k * devices + j]!);
    }
  }
  let cap = noise;
  for (let first = 0; first < own.length; first += devices) {
    let amplitude = 0;
    for (let k = 0; k < devices; k++) {
      // what device k errs alone; the triangle inequality adds the roots, whatever the other devices send
      const alone = correlation[k]![k]! * blend(own[first + k]!, ownDiagonals[first + k]!);
      amplitude += Math.sqrt(Math.max(0, alone));
    }
    cap += amplitude ** 2;
  }
  return { design, measured: Math.max(0, measured) / perUse, cap: cap / perUse };
}
