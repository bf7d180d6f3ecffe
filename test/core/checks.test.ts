import { describe, expect, it } from "vitest";
import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  checkSeed,
} from "../../src/core/index.ts";
import { inputError } from "./codecs/helpers.ts";

describe("checks return what they accept", () => {
  it("numbers", () => {
    expect(checkNumber(-0.5, "x")).toBe(-0.5);
    expect(checkNumber(0, "x", 0, 1)).toBe(0);
    expect(checkNumber(1, "x", 0, 1)).toBe(1);
    expect(checkPositive(5e-324, "x")).toBe(5e-324);
    expect(checkInteger(0, "x")).toBe(0);
    expect(checkInteger(-3, "x", -3)).toBe(-3);
    expect(checkInteger(Number.MAX_SAFE_INTEGER, "x")).toBe(Number.MAX_SAFE_INTEGER);
    expect(checkSeed(0)).toBe(0);
    expect(checkSeed(2 ** 53 - 1)).toBe(2 ** 53 - 1);
  });

  it("the very list, choice or options that were given", () => {
    const list = [1, 2];
    const typed = Float64Array.of(3);
    expect(checkNumbers(list, "x", 2)).toBe(list);
    expect(checkNumbers(typed, "x")).toBe(typed);
    expect(checkNumbers([], "x")).toEqual([]);
    expect(checkChoice("fast", "effort", ["fast", "thorough"])).toBe("fast");
    expect(checkOptions({}, "options", [])).toBeUndefined();
    expect(checkOptions({ stop: 1 }, "options", ["stop", "record"])).toBeUndefined();
  });
});

describe("checks refuse with a full message", () => {
  it.each<[() => unknown, string]>([
    [() => checkNumber("1", "x"), 'x: found "1", expected a finite number'],
    [() => checkNumber(Number.NaN, "x"), "x: found NaN, expected a finite number"],
    [() => checkNumber(Number.POSITIVE_INFINITY, "x", 0), "x: found Infinity, expected a finite number >= 0"],
    [() => checkNumber(2, "x", 0, 1), "x: found 2, expected a finite number from 0 to 1"],
    [() => checkNumber(2, "x", undefined, 1), "x: found 2, expected a finite number <= 1"],
    [() => checkPositive(0, "power"), "power: found 0, expected a finite number > 0"],
    [() => checkPositive(-0, "power"), "power: found 0, expected a finite number > 0"],
    [() => checkPositive(undefined, "power"), "power: found undefined, expected a finite number > 0"],
    [() => checkInteger(1.5, "rank"), "rank: found 1.5, expected a whole number >= 0"],
    [() => checkInteger(0, "rank", 1), "rank: found 0, expected a whole number >= 1"],
    [() => checkInteger(9, "rank", 1, 8), "rank: found 9, expected a whole number from 1 to 8"],
    [() => checkInteger(2 ** 53, "rank"), "rank: found 9007199254740992, expected a whole number >= 0"],
    [() => checkSeed(-1), "seed: found -1, expected a whole number >= 0"],
    [() => checkSeed("1", "solver.seed"), 'solver.seed: found "1", expected a whole number >= 0'],
    [() => checkNumbers(3, "w"), "w: found 3, expected an array of numbers"],
    [() => checkNumbers([1], "w", 2), "w: found an array of 1 entry, expected an array of 2 numbers"],
    [
      () => checkNumbers(new DataView(new ArrayBuffer(16)), "w", 2),
      "w: found an array of 16 entries, expected an array of 2 numbers",
    ],
    [() => checkNumbers({ length: 1, 0: 1 }, "w"), "w: found an object, expected an array of numbers"],
    [() => checkNumbers([1, "2"], "w"), 'w[1]: found "2", expected a finite number'],
    [() => checkNumbers(new Array(1), "w"), "w[0]: found undefined, expected a finite number"],
    [() => checkNumbers([0.5, -1], "w", 2, 0, 1), "w[1]: found -1, expected a finite number from 0 to 1"],
    [
      () => checkChoice("slow", "effort", ["fast", "thorough"]),
      'effort: found "slow", expected one of "fast", "thorough"',
    ],
    [() => checkChoice(1, "effort", ["fast"]), 'effort: found 1, expected one of "fast"'],
    [() => checkOptions(null, "options", []), "options: found null, expected an object"],
    [() => checkOptions([], "options", []), "options: found an array of 0 entries, expected an object"],
    [() => checkOptions(undefined, "options", []), "options: found undefined, expected an object"],
    [
      () => checkOptions({ stop: 1, tolernace: 2 }, "options", ["stop", "tolerance"]),
      "options.tolernace: found an unknown option, expected one of stop, tolerance",
    ],
  ])("%s", (act, message) => {
    expect(inputError(act)).toBe(message);
  });
});
