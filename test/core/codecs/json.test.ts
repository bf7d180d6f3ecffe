import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, fromComplexJson, toComplexJson } from "../../../src/core/index.ts";
import { complexArrays, expectSame, inputError } from "./helpers.ts";

describe("JSON form", () => {
  it("returns every array bit for bit, through text as well", () => {
    fc.assert(
      fc.property(complexArrays, (array) => {
        const json = toComplexJson(array);
        expectSame(fromComplexJson(json, "h"), array);
        expectSame(fromComplexJson(JSON.parse(canonicalJson(json)), "h"), array);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it("splits the parts in row-major order into plain arrays", () => {
    const json = toComplexJson({ shape: [1, 2], data: Float64Array.of(1, 2, 3, 4) });
    expect(json).toEqual({ shape: [1, 2], re: [1, 3], im: [2, 4] });
    expect(Array.isArray(json.re)).toBe(true);
  });

  it("takes typed arrays and the empty shape, and shares nothing with its input", () => {
    const shape: number[] = [];
    const array = fromComplexJson({ shape, re: Float64Array.of(1), im: Int8Array.of(2) }, "h");
    shape.push(7);
    expect(array).toEqual({ shape: [], data: Float64Array.of(1, 2) });
  });

  it.each<[string, unknown, string]>([
    ["null", null, "h: found null, expected an object { shape, re, im }"],
    ["a list", [1], "h: found an array of 1 entry, expected an object { shape, re, im }"],
    ["a number", 3, "h: found 3, expected an object { shape, re, im }"],
    [
      "a typed array",
      new Float64Array(2),
      "h: found an array of 2 entries, expected an object { shape, re, im }",
    ],
    [
      "no im",
      { shape: [0], re: [] },
      "h.im: found nothing, expected an array: shape, re and im are all required",
    ],
    [
      "no shape",
      { re: [], im: [] },
      "h.shape: found nothing, expected an array: shape, re and im are all required",
    ],
    [
      "an extra key",
      { shape: [0], re: [], im: [], real: [] },
      "h.real: found an unknown key, expected only shape, re and im",
    ],
    [
      "a shape that is a number",
      { shape: 2, re: [1, 2], im: [1, 2] },
      "h.shape: found 2, expected an array of whole numbers >= 0",
    ],
    [
      "a negative extent",
      { shape: [-1], re: [], im: [] },
      "h.shape[0]: found -1, expected a whole number >= 0",
    ],
    [
      "a fractional extent",
      { shape: [1, 1.5], re: [], im: [] },
      "h.shape[1]: found 1.5, expected a whole number >= 0",
    ],
    [
      "a hole in the shape",
      { shape: new Array(1), re: [], im: [] },
      "h.shape[0]: found undefined, expected a whole number >= 0",
    ],
    [
      "a short part",
      { shape: [2], re: [1], im: [1, 2] },
      "h.re: found an array of 1 entry, expected an array of 2 numbers, the product of the shape",
    ],
    [
      "a long part",
      { shape: [2], re: [1, 2], im: [1, 2, 3] },
      "h.im: found an array of 3 entries, expected an array of 2 numbers, the product of the shape",
    ],
    [
      "a part that is text",
      { shape: [2], re: "12", im: [1, 2] },
      'h.re: found "12", expected an array of 2 numbers, the product of the shape',
    ],
    ["text entries", { shape: [1], re: ["1"], im: [1] }, 'h.re[0]: found "1", expected a finite number'],
    ["NaN", { shape: [1], re: [Number.NaN], im: [1] }, "h.re[0]: found NaN, expected a finite number"],
    ["null entries", { shape: [1], re: [1], im: [null] }, "h.im[0]: found null, expected a finite number"],
    [
      "infinity",
      { shape: [2], re: [1, 2], im: [1, Number.NEGATIVE_INFINITY] },
      "h.im[1]: found -Infinity, expected a finite number",
    ],
    [
      "an absurd shape",
      { shape: [2 ** 40, 2 ** 40], re: [], im: [] },
      "h.shape: found a shape of 1099511627776 x 1099511627776, expected at most 134217728 entries",
    ],
    [
      "too many axes",
      { shape: new Array(33).fill(1), re: [1], im: [1] },
      "h.shape: found 33 axes, expected at most 32 axes",
    ],
  ])("refuses %s", (_, value, message) => {
    expect(inputError(() => fromComplexJson(value, "h"))).toBe(message);
  });

  it("refuses to write what JSON cannot hold", () => {
    const data = Float64Array.of(1, Number.NaN);
    expect(inputError(() => toComplexJson({ shape: [1], data }))).toBe(
      "array.data[1]: found NaN, expected a finite number",
    );
    expect(inputError(() => toComplexJson({ shape: [2], data }))).toBe(
      "array.data: found length 2, expected length 4, two numbers per entry",
    );
  });
});
