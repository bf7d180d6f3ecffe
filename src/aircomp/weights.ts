import { checkNumber, checkNumbers, checkPositive, describe, InputError } from "../core/index.ts";

/** Aggregation weights scaled to sum 1; 1/K each by default. @throws InputError if negative or all zero. */
export function checkWeights(weights: ArrayLike<number> | undefined, devices: number): Float64Array {
  if (weights === undefined) return new Float64Array(devices).fill(1 / devices);
  const list = Float64Array.from(checkNumbers(weights, "weights", devices, 0));
  const largest = list.reduce((most, weight) => Math.max(most, weight), 0);
  if (!(largest > 0)) throw new InputError("weights", "weights that sum to 0", "at least one weight > 0");
  const total = list.reduce((sum, weight) => sum + weight, 0);
  // weights that sum to 1 already, up to rounding, are left as they are
  if (Math.abs(total - 1) < 1e-14) return list;
  const scaled = list.map((weight) => weight / largest);
  const scaledTotal = scaled.reduce((sum, weight) => sum + weight, 0);
  return scaled.map((weight) => weight / scaledTotal);
}

/** One power budget per device from a number or a list. */
export function checkPowers(power: number | ArrayLike<number>, devices: number): Float64Array {
  if (typeof power === "number") return new Float64Array(devices).fill(checkLevel(power, "power"));
  if (power === null || typeof power !== "object") {
    const expected = `a finite number > 0, or an array of ${devices}, one per device`;
    throw new InputError("power", describe(power), expected);
  }
  const powers = Float64Array.from(checkNumbers(power, "power", devices, 0));
  for (const [k, value] of powers.entries()) if (value !== 0) checkLevel(value, `power[${k}]`);
  return powers;
}

/** A power or noise variance > 0, within what double precision can square. */
export function checkLevel(value: unknown, field: string): number {
  checkPositive(value, field);
  return checkNumber(value, field, 1e-120, 1e120);
}
