/** Flat batches [rows, steps] with masks: how they are read, and how their entries are averaged. */
import { checkChoice, checkInteger, describe, InputError } from "../core/index.ts";

/**
 * Where a batch holds something. Entries of `mask` that are 0 or false are padding (or not of interest): they are never
 * read, may hold anything, and get 0 in every result.
 */
export interface PaddingOptions {
  /** [rows, steps] as the values; 0 or false is padding. Default: nothing is. */
  readonly mask?: ArrayLike<number | boolean>;
}

/** How many entries make a row; rows lie one after the other. */
export interface StepsOptions {
  /** T. Default: all entries are one row. */
  readonly steps?: number;
}

/**
 * What a mean is taken over: all unmasked entries alike ("entries", the default), or the rows alike, each with the mean of
 * its unmasked entries; rows without any do not count ("rows", needs `steps`).
 */
export interface AverageOptions extends PaddingOptions, StepsOptions {
  readonly average?: "entries" | "rows";
}

/** Names of {@link AverageOptions}, for checkOptions. */
export const averageNames: readonly string[] = ["mask", "steps", "average"];

/** Products of three such values stay within double precision. */
export const largestValue = 1e100;

/** Which entries count: 1, the others 0. */
export type Mask = Uint8Array;

/** The values as a list of known length; see {@link checkEntries} for what they are. */
export function readList(value: unknown, field: string, length?: number): ArrayLike<number> {
  const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  const expected =
    length === undefined ? "an array of numbers, at least one" : `an array of ${length} numbers`;
  if (!isList) throw new InputError(field, describe(value), expected);
  const list = value as unknown as ArrayLike<number>;
  if (length === undefined ? list.length === 0 : list.length !== length) {
    throw new InputError(field, describe(value), expected);
  }
  return list;
}

/** @throws InputError naming the entry, unless the unmasked ones are finite numbers of modulus 1e100 at most. */
export function checkEntries(list: ArrayLike<number>, field: string, mask: Mask, width = 1): void {
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 0) continue;
    for (let j = i * width; j < (i + 1) * width; j++) {
      const x = list[j];
      if (typeof x === "number" && Math.abs(x) <= largestValue) continue;
      throw new InputError(`${field}[${j}]`, describe(x), "a finite number from -1e100 to 1e100");
    }
  }
}

/** Values of the same length as the mask, checked where it is 1. */
export function readValues(value: unknown, field: string, mask: Mask): ArrayLike<number> {
  const list = readList(value, field, mask.length);
  checkEntries(list, field, mask);
  return list;
}

/** The mask as 0 and 1; all 1 where there is none. */
export function readMask(value: unknown, length: number, field = "mask"): Mask {
  const mask = new Uint8Array(length).fill(1);
  if (value === undefined) return mask;
  const list = readList(value, field, length) as ArrayLike<unknown>;
  for (let i = 0; i < length; i++) {
    const x = list[i];
    if (x === 0 || x === false) mask[i] = 0;
    else if (x !== 1 && x !== true)
      throw new InputError(`${field}[${i}]`, describe(x), "0 or 1, false or true");
  }
  return mask;
}

/** T, which divides the number of entries. */
export function readSteps(value: unknown, length: number): number {
  if (value === undefined) return length;
  const steps = checkInteger(value, "steps", 1);
  if (length % steps !== 0) {
    throw new InputError(
      "steps",
      `${steps} for ${length} entries`,
      "a number of steps that divides the entries",
    );
  }
  return steps;
}

/**
 * Weights of the entries in a mean, sum 1, 0 where masked.
 *
 * @throws InputError on a mask that leaves nothing: there is no mean of nothing.
 */
export function averageWeights(options: AverageOptions, length: number, mask: Mask): Float64Array {
  const average = checkChoice(options.average ?? "entries", "average", ["entries", "rows"]);
  if (average === "rows" && options.steps === undefined) {
    throw new InputError("steps", "nothing", 'the entries of a row, for an average over "rows"');
  }
  const given = readSteps(options.steps, length);
  const steps = average === "rows" ? given : length;
  const weights = new Float64Array(length);
  let rows = 0;
  for (let from = 0; from < length; from += steps) {
    let count = 0;
    for (let i = from; i < from + steps; i++) count += mask[i]!;
    if (count === 0) continue;
    rows++;
    for (let i = from; i < from + steps; i++) weights[i] = mask[i]! / count;
  }
  if (rows === 0) throw new InputError("mask", "padding alone", "at least one entry that is not");
  if (rows > 1) for (let i = 0; i < length; i++) weights[i]! /= rows;
  return weights;
}

/** sum_i weights_i values_i; values of weight 0 are not read. */
export function weightedSum(weights: Float64Array, values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) if (weights[i]! !== 0) sum += weights[i]! * values[i]!;
  return sum;
}
