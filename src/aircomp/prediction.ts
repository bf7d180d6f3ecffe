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

/**
 * omega of an aggregation: for independent symbols (`design`), the exact mean over interleavings and noise for
 * gradients with these moments (`measured`), and the cap whatever the correlation between the devices.
 *
 * Random signs make different positions uncorrelated. An entry shares its subcarrier use with entries and padding
 * drawn without replacement from the other P - 1 positions, whose power is R (Q - 1)/(P - 1) (docs/theory.md, section 1).
 */
export function predictDistortion(
  channel: TrueChannel,
  design: AnalogDesign | IdealDesign,
  weights: Float64Array,
  noiseVariance: number,
  moments: Moments,
): { design: number; measured: number; cap: number } {
  if (design.kind === "ideal") return { design: 0, measured: 0, cap: 0 };
  const { devices, subcarriers } = channel;
  const streams = design.streams;
  const independent = evaluateDesign(channel, design, { noiseVariance, weights });
  let measured = independent.noise;
  let cap = independent.noise;
  for (let m = 0; m < subcarriers; m++) {
    const errors = misalignments(channel, design, weights, m);
    let amplitude = 0;
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < devices; j++) {
        const shared = pairError(errors, streams, k, j, moments);
        measured += shared;
        // what device k errs alone; the triangle inequality adds the roots, whatever the other devices send
        if (j === k) amplitude += Math.sqrt(Math.max(0, shared));
      }
    }
    cap += amplitude ** 2;
  }
  const perUse = streams * subcarriers;
  return {
    design: independent.distortion,
    measured: Math.max(0, measured) / perUse,
    cap: cap / perUse,
  };
}

/** What the pair of devices (k, j) adds to MSE_m of an entry. */
function pairError(
  errors: readonly Float64Array[],
  streams: number,
  k: number,
  j: number,
  { correlation, entries, positions }: Moments,
): number {
  const here = correlation[k]![j]!;
  const there = (here * (entries - 1)) / Math.max(1, positions - 1);
  const own = kernel.realInner(errors[k]!, 0, errors[j]!, 0, streams * streams);
  // the entry itself comes back through the real part of the diagonal
  let diagonal = 0;
  for (let i = 0; i < streams; i++) {
    diagonal += errors[k]![2 * i * (streams + 1)]! * errors[j]![2 * i * (streams + 1)]!;
  }
  return diagonal * here + (own - diagonal) * there;
}
