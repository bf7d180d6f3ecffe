import { expect, describe as group, it } from "vitest";
import { describe, InputError } from "../../src/core/index.ts";

group("InputError", () => {
  it("names the field, what was found and what was expected", () => {
    const error = new InputError("link.streams", "0", "a whole number >= 1");
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("InputError");
    expect(error.message).toBe("link.streams: found 0, expected a whole number >= 1");
    expect([error.field, error.found, error.expected]).toEqual(["link.streams", "0", "a whole number >= 1"]);
    expect(String(error)).toBe("InputError: link.streams: found 0, expected a whole number >= 1");
  });
});

group("describe", () => {
  it.each<[unknown, string]>([
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [3n, "3n"],
    ["text", '"text"'],
    ["x".repeat(60), `"${"x".repeat(60)}"`],
    ["x".repeat(61), `"${"x".repeat(57)}..."`],
    [[1, 2], "an array of 2 entries"],
    [new Float64Array(3), "an array of 3 entries"],
    [new DataView(new ArrayBuffer(4)), "an array of 4 entries"],
    [() => 1, "a function"],
    [{}, "an object"],
    [new Map(), "an object"],
    [Symbol("s"), "Symbol(s)"],
  ])("describes %o", (value, words) => {
    expect(describe(value)).toBe(words);
  });
});
