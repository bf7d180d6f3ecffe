import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect } from "vitest";
import { type ComplexArray, InputError } from "../../../src/core/index.ts";

/** Bytes of a file of test/fixtures/codecs; make.py there tells what is in it. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../fixtures/codecs/${name}`, import.meta.url)));
}

/** The array h that every fixture holds. */
export function fixtureArray(): ComplexArray {
  const data: number[] = [];
  for (let k = 0; k < 2; k++) {
    for (let m = 0; m < 3; m++) {
      for (let n = 0; n < 4; n++) data.push(100 * k + 10 * m + n + 0.5, 0 - (k + m + n));
    }
  }
  return { shape: [2, 3, 4], data: Float64Array.from(data) };
}

/** A row of signed zeros, a subnormal, and very large and small numbers, as the fixtures hold it. */
export const extremes: Float64Array = Float64Array.of(-0, 5e-324, 1e300, -1e-300, Math.PI, -0);

/** Same shape, and the same bits in every entry: -0 is not 0. */
export function expectSame(actual: ComplexArray, expected: ComplexArray): void {
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.data).toBeInstanceOf(Float64Array);
  expect(bits(actual.data)).toEqual(bits(expected.data));
}

function bits(data: Float64Array): BigUint64Array {
  return new BigUint64Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

/** The whole message of the InputError that `act` throws; any other outcome fails. */
export function inputError(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** True if `act` returns, false if it throws an InputError; anything else is thrown on. */
export function decodes(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

const entry = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 5e-324, -2.2250738585072009e-308, 1e300, -1e-300, Number.MAX_VALUE),
);

/** Complex arrays of one to five axes, extents of 0 included. */
export const complexArrays: fc.Arbitrary<ComplexArray> = fc
  .array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 })
  .chain((shape) => {
    const length = 2 * shape.reduce((product, extent) => product * extent, 1);
    return fc
      .array(entry, { minLength: length, maxLength: length })
      .map((numbers) => ({ shape, data: Float64Array.from(numbers) }));
  });
