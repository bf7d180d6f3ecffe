import { describe, expect, test } from "vitest";
import { type DesignOptions, designBeamformers, rayleighChannel } from "../../src/aircomp/index.ts";
import { InputError } from "../../src/core/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";

const channel = rayleighChannel({
  devices: 3,
  subcarriers: 2,
  receiveAntennas: 4,
  transmitAntennas: 2,
  seed: 1,
});
const options = { channel, streams: 2, power: 10, noiseVariance: 1 } as const;
const filled = (shape: readonly number[], value: number) => {
  const stack = new ComplexStack(shape);
  stack.data.fill(value);
  return { receive: stack };
};

describe("designBeamformers refuses", () => {
  const table: [string, unknown, string, string, string?][] = [
    // what is wrong, the change, field, found, part of expected
    ["no channel", { channel: undefined }, "channel", "undefined", "a channel"],
    ["a stack for a channel", { channel: channel.matrices }, "channel.kind", "undefined"],
    [
      "an estimated channel without the variance of its error",
      { channel: { ...channel, kind: "estimated" } },
      "channel.errorVariance",
      "undefined",
    ],
    ["a channel without matrices", { channel: { kind: "true" } }, "channel.matrices", "undefined"],
    ["no streams", { streams: undefined }, "streams", "undefined", "a whole number >= 1"],
    ["0 streams", { streams: 0 }, "streams", "0", "a whole number >= 1"],
    ["negative streams", { streams: -1 }, "streams", "-1"],
    ["fractional streams", { streams: 1.5 }, "streams", "1.5"],
    ["NaN streams", { streams: Number.NaN }, "streams", "NaN"],
    ["text streams", { streams: "2" }, "streams", '"2"'],
    [
      "more streams than antennas",
      { streams: 3 },
      "streams",
      "3",
      "at most 2, the smaller of 4 receive and 2 transmit antennas",
    ],
    ["no power", { power: undefined }, "power", "undefined"],
    ["power 0", { power: 0 }, "power", "0", "a finite number > 0"],
    ["negative power", { power: -1 }, "power", "-1"],
    ["infinite power", { power: Number.POSITIVE_INFINITY }, "power", "Infinity"],
    ["powers of 2 devices", { power: [1, 1] }, "power", "an array of 2 entries", "an array of 3 numbers"],
    ["a negative power", { power: [1, 1, -1] }, "power[2]", "-1", "a finite number >= 0"],
    ["a NaN power", { power: [1, Number.NaN, 1] }, "power[1]", "NaN"],
    ["no noise variance", { noiseVariance: undefined }, "noiseVariance", "undefined", "a finite number > 0"],
    ["noise variance 0", { noiseVariance: 0 }, "noiseVariance", "0"],
    [
      "weights of 2 devices",
      { weights: [1, 1] },
      "weights",
      "an array of 2 entries",
      "an array of 3 numbers",
    ],
    ["a negative weight", { weights: [1, -1, 1] }, "weights[1]", "-1"],
    ["weights of sum 0", { weights: [0, 0, 0] }, "weights", "weights that sum to 0"],
    ["a number for weights", { weights: 1 }, "weights", "1"],
    ["an unknown scheme", { scheme: "magic" }, "scheme", '"magic"', '"alternating"'],
    ["an unknown effort", { effort: "more" }, "effort", '"more"', '"thorough"'],
    ["a fractional seed", { seed: 0.5 }, "seed", "0.5"],
    ["a negative seed", { seed: -1 }, "seed", "-1"],
    [
      "an unknown option",
      { snr: 3 },
      "designBeamformers.snr",
      "an unknown option",
      "one of channel, streams",
    ],
    ["a misspelt option", { Weights: [1] }, "designBeamformers.Weights", "an unknown option"],
    [
      "a start of another shape",
      { initial: filled([2, 4, 1], 1) },
      "initial.receive",
      "shape [2, 4, 1]",
      "shape [2, 4, 2]",
    ],
    [
      "a zero start",
      { initial: filled([2, 4, 2], 0) },
      "initial.receive",
      "NaN, infinite or all-zero entries",
    ],
    [
      "a NaN start",
      { initial: filled([2, 4, 2], Number.NaN) },
      "initial.receive",
      "NaN, infinite or all-zero entries",
    ],
    ["an empty start", { initial: {} }, "initial.receive", "undefined"],
    ["null for a start", { initial: null }, "initial.receive", "undefined"],
    ["a signal that is none", { signal: {} }, "signal", "an object", "an AbortSignal"],
    ["a callback that is none", { onProgress: 1 }, "onProgress", "1", "a function"],
  ];
  test.each(table)("%s", (_, change, field, found, expected = "") => {
    let caught: unknown;
    try {
      designBeamformers({ ...options, ...(change as object) } as DesignOptions);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(InputError);
    const error = caught as InputError;
    expect({ field: error.field, found: error.found }).toEqual({ field, found });
    expect(error.expected).toContain(expected);
    expect(error.message).toBe(`${error.field}: found ${error.found}, expected ${error.expected}`);
  });

  test.each([[undefined], [null], [3], [[]]])("%j for options", (value) => {
    expect(() => designBeamformers(value as never)).toThrow(
      /^designBeamformers: found .*, expected an object/,
    );
  });
});

test("options that are undefined take their defaults", () => {
  const explicit = designBeamformers({
    ...options,
    scheme: "manifold",
    effort: "default",
    weights: [1, 1, 1],
    seed: 1,
  });
  const undefinedOnes = { weights: undefined, effort: undefined, seed: undefined, signal: undefined };
  expect(designBeamformers({ ...options, ...undefinedOnes } as never)).toEqual(explicit);
  expect(designBeamformers(options)).toEqual(explicit);
});

test("powers and weights may be typed arrays; weights are scaled to sum 1", () => {
  const plain = designBeamformers({ ...options, power: [1, 2, 3], weights: [0.25, 0.25, 0.5] });
  const typed = { power: Float64Array.of(1, 2, 3), weights: Float32Array.of(2, 2, 4) };
  expect(designBeamformers({ ...options, ...typed })).toEqual(plain);
});
