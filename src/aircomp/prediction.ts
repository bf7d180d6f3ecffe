import * as kernel from "../linalg/kernels/index.ts";
import type { TrueChannel } from "./channel.ts";
import type { BeamformerDesign } from "./design.ts";
import { evaluateDesign, misalignments } from "./evaluate.ts";
import type { Gradient, Packing } from "./packing.ts";

/** What the error over the air depends on of the gradients: sums over their normalised entries x_k. */
export interface Moments {
  /** R = X X^T / Q */
  readonly correlation: number[][];
  /** m_k, mean of x_k */
  readonly means: Float64Array;
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
  const means = Float64Array.from(normalised, (x) => x.reduce((sum, value) => sum + value, 0) / entries);
  normalised.forEach((x, k) => {
    for (let j = 0; j <= k; j++) {
      const other = normalised[j]!;
      let sum = 0;
      for (let i = 0; i < entries; i++) sum += x[i]! * other[i]!;
      correlation[k]![j] = correlation[j]![k] = sum / entries;
    }
  });
  return { correlation, means, entries, positions: order.length };
}

/**
 * omega of an aggregation: for independent symbols (`design`), the exact mean over interleavings and noise for
 * gradients with these moments (`measured`), and the cap whatever the correlation between the devices.
 *
 * An entry shares its symbol and its subcarrier use with entries and padding drawn without replacement from the
 * other P - 1 positions, so the second moments that its error sees are those of docs/theory.md, section 1.
 */
export function predictDistortion(
  channel: TrueChannel,
  design: BeamformerDesign,
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
    const rowSums = errors.map((error) => rowSum(error, streams));
    let amplitude = 0;
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < devices; j++) {
        const shared = pairError(errors, rowSums, streams, k, j, moments);
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
  rowSums: readonly Float64Array[],
  streams: number,
  k: number,
  j: number,
  { correlation, means, entries, positions }: Moments,
): number {
  // sums of x_k x_j over the entries, and over pairs of different entries
  const same = correlation[k]![j]! * entries;
  const different = means[k]! * means[j]! * entries * entries - same;
  // second moments of: the entry itself; another position; the entry with another; two others
  const others = Math.max(1, positions - 1);
  const here = same / entries;
  const there = (here * (entries - 1)) / others;
  const hereThere = different / (entries * others);
  const thereThere = (hereThere * (entries - 2)) / Math.max(1, positions - 2);
  const own = kernel.realInner(errors[k]!, 0, errors[j]!, 0, streams * streams);
  const sums = kernel.realInner(rowSums[k]!, 0, rowSums[j]!, 0, streams);
  let diagonal = 0;
  let mixed = 0;
  for (let i = 0; i < streams; i++) {
    const ek = errors[k]![2 * i * (streams + 1)]!;
    const ej = errors[j]![2 * i * (streams + 1)]!;
    diagonal += ek * ej;
    mixed += rowSums[k]![2 * i]! * ej + ek * rowSums[j]![2 * i]!;
  }
  return (
    diagonal * here +
    (own - diagonal) * there +
    (mixed - 2 * diagonal) * hereThere +
    (sums - mixed + 2 * diagonal - own) * thereThere
  );
}

/** E 1: the sum of every row of a complex S x S matrix. */
function rowSum(matrix: Float64Array, n: number): Float64Array {
  const sum = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      sum[2 * i]! += matrix[2 * (i * n + j)]!;
      sum[2 * i + 1]! += matrix[2 * (i * n + j) + 1]!;
    }
  }
  return sum;
}
