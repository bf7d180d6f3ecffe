import { checkNumber, describe, InputError, randomStream } from "../core/index.ts";

/** Entries that are worked on at a time: small enough to stay in the nearest cache. */
export const BLOCK = 1024;

/** A smaller packScale counts as 0: so small numbers have few digits, and no reciprocal. */
export const SMALLEST_SCALE = 1e-300;
/** A larger one leaves no room for the error of the estimate. */
export const LARGEST_SCALE = 1e300;
/** Symbols are squared safely up to this size. */
export const LARGEST_SYMBOL = 1e100;

/** A gradient as a training stack has it. */
export type Gradient = Float64Array | Float32Array | readonly number[];

/**
 * How the gradients of all devices are turned into symbols: two scalars that every device knows, the number of
 * OFDM symbols and the interleaving.
 */
export interface Packing {
  /** sum_k w_k mean(g_k) */
  readonly mean: number;
  /** Largest root mean square deviation of a device from that mean; 0 if all entries are equal, to 1e-300. */
  readonly scale: number;
  /** q_k = mean(x_k^2), the mean power of each device's symbols: at most 1, but for devices of weight 0. */
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
 * @throws InputError on gradients of different lengths, empty ones, or entries that are NaN, infinite or more than
 * 1e300 from the mean.
 */
export function planPacking(
  gradients: readonly Gradient[],
  weights: Float64Array,
  perSymbol: number,
  seed: number,
): Packing {
  const entries = gradients[0]?.length ?? 0;
  if (entries === 0) throw new InputError("gradients[0]", describe(gradients[0]), "at least one entry");
  const block = new Float64Array(Math.min(BLOCK, entries));
  let mean = 0;
  gradients.forEach((gradient, k) => {
    const field = `gradients[${k}]`;
    checkGradient(gradient, entries, field);
    const sum = reduceBlocks(gradient, block, addUp, 0, 1);
    // an entry that is not finite leaves no finite sum
    if (!Number.isFinite(sum)) {
      for (let i = 0; i < entries; i++) checkNumber(gradient[i], `${field}[${i}]`);
    }
    mean += weights[k]! * (sum / entries);
  });
  if (!Number.isFinite(mean))
    throw new InputError("gradients", "entries whose sum overflows", "smaller entries");
  // in units of the largest deviation, so that squares neither overflow nor vanish
  let unit = 0;
  gradients.forEach((gradient, k) => {
    if (!(weights[k]! > 0)) return;
    const own = reduceBlocks(gradient, block, largestDeviation, mean, 1);
    checkDeviation(own, `gradients[${k}]`);
    unit = Math.max(unit, own);
  });
  const meanSquares = Float64Array.from(gradients, (gradient) =>
    unit > 0 ? reduceBlocks(gradient, block, addSquares, mean, unit) / entries : 0,
  );
  // a device of weight 0 stays silent: it must not dictate the scale
  let largest = 0;
  meanSquares.forEach((square, k) => {
    if (weights[k]! > 0) largest = Math.max(largest, square);
  });
  const symbols = Math.ceil(entries / perSymbol);
  const scale = usableScale(unit * Math.sqrt(largest));
  return {
    mean,
    scale,
    meanSquares: meanSquares.map((square) => (scale > 0 ? square / largest : 0)),
    entries,
    symbols,
    order: randomStream(seed, "interleaving").permutation(symbols * perSymbol),
    signs: randomSigns(symbols * perSymbol, seed),
  };
}

/** packScale, 0 where it is next to nothing. */
export function usableScale(scale: number): number {
  return scale < SMALLEST_SCALE ? 0 : scale;
}

/** @throws InputError if the deviation from the weighted mean leaves no finite results. */
export function checkDeviation(deviation: number, field: string): void {
  if (deviation <= LARGEST_SCALE) return;
  throw new InputError(field, "entries far from the weighted mean", `at most ${LARGEST_SCALE} from it`);
}

/** Whether the normalised entries of a gradient can be squared. */
export function isSquarable(gradient: Gradient, { mean, scale }: Pick<Packing, "mean" | "scale">): boolean {
  if (!(scale > 0)) return true;
  const block = new Float64Array(Math.min(BLOCK, gradient.length));
  return reduceBlocks(gradient, block, largestDeviation, mean, 1) / scale <= LARGEST_SYMBOL;
}

/** Whether beamformers are zeros: what they send is nothing, however large the symbols. */
export function isSilent(transmit: Float64Array): boolean {
  return transmit.every((x) => x === 0);
}

/** What a device of weight 0 may not do: it does not set the scale, so its symbols may be of any size. */
export function tooLoud(field: string): InputError {
  const found = `deviations of more than ${LARGEST_SYMBOL} packScale`;
  return new InputError(field, found, "smaller ones, or a design in which the device is silent");
}

/** Copies entries [from, from + count) to the start of `out`: the loops behind it then see one type of array. */
export function readBlock(
  out: Float64Array,
  outOffset: number,
  gradient: Gradient,
  from: number,
  count: number,
): void {
  if (gradient instanceof Float64Array || gradient instanceof Float32Array) {
    out.set(gradient.subarray(from, from + count), outOffset);
    return;
  }
  for (let i = 0; i < count; i++) out[outOffset + i] = gradient[from + i]!;
}

function checkGradient(gradient: Gradient, entries: number, field: string): void {
  const isTyped = gradient instanceof Float64Array || gradient instanceof Float32Array;
  if (!isTyped && !Array.isArray(gradient))
    throw new InputError(field, describe(gradient), "a Float64Array, Float32Array or array of numbers");
  if (gradient.length !== entries) {
    throw new InputError(field, `${gradient.length} entries`, `${entries}, as many as gradients[0]`);
  }
  // a typed array holds numbers; whether they are finite is seen by their sum
  if (!isTyped) for (let i = 0; i < entries; i++) checkNumber(gradient[i], `${field}[${i}]`);
}

type Reduction = (block: Float64Array, count: number, before: number, mean: number, unit: number) => number;

/** A reduction over all entries in their order, block by block. */
function reduceBlocks(
  gradient: Gradient,
  block: Float64Array,
  reduction: Reduction,
  mean: number,
  unit: number,
): number {
  let result = 0;
  for (let from = 0; from < gradient.length; from += block.length) {
    const count = Math.min(block.length, gradient.length - from);
    readBlock(block, 0, gradient, from, count);
    result = reduction(block, count, result, mean, unit);
  }
  return result;
}

function addUp(block: Float64Array, count: number, before: number): number {
  let sum = before;
  for (let i = 0; i < count; i++) sum += block[i]!;
  return sum;
}

function largestDeviation(block: Float64Array, count: number, before: number, mean: number): number {
  let largest = before;
  for (let i = 0; i < count; i++) {
    const deviation = Math.abs(block[i]! - mean);
    if (deviation > largest) largest = deviation;
  }
  return largest;
}

function addSquares(block: Float64Array, count: number, before: number, mean: number, unit: number): number {
  let sum = before;
  for (let i = 0; i < count; i++) {
    const x = (block[i]! - mean) / unit;
    sum += x * x;
  }
  return sum;
}

function randomSigns(count: number, seed: number): Int8Array {
  const stream = randomStream(seed, "signs");
  const signs = new Int8Array(count);
  for (let i = 0; i < count; i++) signs[i] = stream.uniform() < 0.5 ? -1 : 1;
  return signs;
}
