import { checkNumber, describe, InputError, randomStream } from "../core/index.ts";

/** A gradient as a training stack has it. */
export type Gradient = Float64Array | Float32Array | readonly number[];

/**
 * How the gradients of all devices are turned into symbols: two scalars that every device knows, the number of
 * OFDM symbols and the interleaving.
 */
export interface Packing {
  /** sum_k w_k mean(g_k) */
  readonly mean: number;
  /** Largest root mean square deviation of a device from that mean; 0 if all entries are equal. */
  readonly scale: number;
  /** q_k = mean(x_k^2) <= 1, the mean power of each device's symbols. */
  readonly meanSquares: Float64Array;
  /** Q */
  readonly entries: number;
  /** N_sym = ceil(Q / (2 S M)) */
  readonly symbols: number;
  /** Position p on the air carries signs[p] times entry order[p]; entries beyond Q are padding (zeros). */
  readonly order: Uint32Array;
  /** +1 or -1 per position, the same for all devices. */
  readonly signs: Int8Array;
}

/**
 * Shared normalisation x_k = (g_k - mean)/scale, a seeded interleaving and seeded signs. The scale is the largest
 * over the devices, and the signs make the streams of a device uncorrelated whatever the mean of its entries, so that
 * every device meets its power budget on average (docs/theory.md, section 1).
 *
 * @param perSymbol 2 S M, the real numbers that one OFDM symbol carries
 * @throws InputError on gradients of different lengths, empty ones, or entries that are NaN or infinite.
 */
export function planPacking(
  gradients: readonly Gradient[],
  weights: Float64Array,
  perSymbol: number,
  seed: number,
): Packing {
  const entries = gradients[0]?.length ?? 0;
  if (entries === 0) throw new InputError("gradients[0]", describe(gradients[0]), "at least one entry");
  let mean = 0;
  gradients.forEach((gradient, k) => {
    const field = `gradients[${k}]`;
    const isList =
      Array.isArray(gradient) || gradient instanceof Float64Array || gradient instanceof Float32Array;
    if (!isList)
      throw new InputError(field, describe(gradient), "a Float64Array, Float32Array or array of numbers");
    if (gradient.length !== entries) {
      throw new InputError(field, `${gradient.length} entries`, `${entries}, as many as gradients[0]`);
    }
    let sum = 0;
    for (let i = 0; i < entries; i++) {
      const value = gradient[i]!;
      if (!Number.isFinite(value)) checkNumber(value, `${field}[${i}]`);
      sum += value;
    }
    mean += weights[k]! * (sum / entries);
  });
  if (!Number.isFinite(mean))
    throw new InputError("gradients", "entries whose sum overflows", "smaller entries");
  // in units of the largest deviation, so that squares neither overflow nor vanish
  let unit = 0;
  gradients.forEach((gradient, k) => {
    if (weights[k] === 0) return;
    for (let i = 0; i < entries; i++) unit = Math.max(unit, Math.abs(gradient[i]! - mean));
  });
  const meanSquares = Float64Array.from(gradients, (gradient) => {
    let sum = 0;
    if (unit > 0) for (let i = 0; i < entries; i++) sum += ((gradient[i]! - mean) / unit) ** 2;
    return sum / entries;
  });
  // a device of weight 0 stays silent: it must not dictate the scale
  let largest = 0;
  meanSquares.forEach((square, k) => {
    if (weights[k]! > 0) largest = Math.max(largest, square);
  });
  const symbols = Math.ceil(entries / perSymbol);
  return {
    mean,
    scale: unit * Math.sqrt(largest),
    meanSquares: meanSquares.map((square) => (largest > 0 ? square / largest : 0)),
    entries,
    symbols,
    order: randomStream(seed, "interleaving").permutation(symbols * perSymbol),
    signs: randomSigns(symbols * perSymbol, seed),
  };
}

function randomSigns(count: number, seed: number): Int8Array {
  const stream = randomStream(seed, "signs");
  const signs = new Int8Array(count);
  for (let i = 0; i < count; i++) signs[i] = stream.uniform() < 0.5 ? -1 : 1;
  return signs;
}
