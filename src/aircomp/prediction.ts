import * as kernel from "../linalg/kernels/index.ts";
import type { TrueChannel } from "./channel.ts";
import type { AnalogDesign, IdealDesign } from "./design.ts";
import { evaluateDesign, misalignments } from "./evaluate.ts";
import { BLOCK, type Gradient, type Packing, readBlock } from "./packing.ts";

/** What the error over the air depends on of the gradients: sums over their normalised entries x_k. */
export interface Moments {
  /** R = X X^T / Q */
  readonly correlation: number[][];
  /** Q */
  readonly entries: number;
  /** P = 2 S M N_sym >= Q, positions on the air; those beyond Q are zeros */
  readonly positions: number;
}

/**
 * R of all pairs at once, block by block of entries: every sum runs over the entries in their order, and no gradient is
 * copied as a whole.
 */
export function secondMoments(gradients: readonly Gradient[], packing: Packing): Moments {
  const { mean, scale, entries, order } = packing;
  const factor = scale > 0 ? 1 / scale : 0;
  const devices = gradients.length;
  // rows of x_k in pairs; an odd number of devices gets a row of zeros
  const rows = devices + (devices & 1);
  const width = Math.min(BLOCK, entries);
  const block = new Float64Array(rows * width);
  const sums = new Float64Array(rows * rows);
  for (let from = 0; from < entries; from += width) {
    const count = Math.min(width, entries - from);
    for (let k = 0; k < devices; k++) readBlock(block, k * width, gradients[k]!, from, count);
    normalise(block, devices * width, mean, factor);
    for (let k = 0; k < rows; k += 2) {
      for (let j = 0; j <= k; j += 2) addInnerProducts(sums, rows, block, width, count, k, j);
    }
  }
  const correlation = gradients.map(() => new Array<number>(devices).fill(0));
  for (let k = 0; k < devices; k++) {
    for (let j = 0; j <= k; j++) correlation[k]![j] = correlation[j]![k] = sums[k * rows + j]! / entries;
  }
  return { correlation, entries, positions: order.length };
}

function normalise(block: Float64Array, count: number, mean: number, factor: number): void {
  for (let i = 0; i < count; i++) block[i] = factor * (block[i]! - mean);
}

/** Adds the inner products of rows k and k + 1 with rows j and j + 1: four sums that do not wait for each other. */
function addInnerProducts(
  sums: Float64Array,
  rows: number,
  block: Float64Array,
  width: number,
  count: number,
  k: number,
  j: number,
): void {
  const at = k * rows + j;
  let s00 = sums[at]!;
  let s01 = sums[at + 1]!;
  let s10 = sums[at + rows]!;
  let s11 = sums[at + rows + 1]!;
  for (let p = k * width, q = j * width, end = p + count; p < end; p++, q++) {
    const x0 = block[p]!;
    const x1 = block[p + width]!;
    const y0 = block[q]!;
    const y1 = block[q + width]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s10 += x1 * y0;
    s11 += x1 * y1;
  }
  sums[at] = s00;
  sums[at + 1] = s01;
  sums[at + rows] = s10;
  sums[at + rows + 1] = s11;
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
