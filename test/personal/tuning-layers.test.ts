import { Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { activations } from "../../src/personal/activations.ts";
import { adapterBackward, adapterForward, loraBackward, loraForward } from "../../src/personal/index.ts";
import { differences, mismatch, mutations, normals, refusal, relative } from "./tuning-support.ts";

const stream = randomStream(3, "layers");
const matrix = (rows: number, columns: number): Matrix =>
  Matrix.from1DArray(rows, columns, normals(rows * columns, stream));
const flat = (m: Matrix | Float64Array): Float64Array =>
  Float64Array.from(m instanceof Matrix ? m.to1DArray() : m);
/** The loss sum(y * outputGradient), whose derivative by y is outputGradient. */
const loss = (y: Matrix, outputGradient: Matrix): number => Matrix.mul(y, outputGradient).sum();

describe("LoRA", () => {
  const given = {
    input: matrix(5, 3),
    weight: matrix(4, 5),
    loraB: matrix(4, 2),
    loraA: matrix(2, 5),
    alpha: 6,
  };
  const outputGradient = matrix(4, 3);

  test("is the merged weight W + (alpha/r) B A on the input", () => {
    const merged = Matrix.add(given.weight, given.loraB.mmul(given.loraA).mul(3));
    expect(mismatch(flat(loraForward(given)), flat(merged.mmul(given.input)))).toBeLessThan(1e-14);
    // rows of numbers will do, alpha = r by default, B = 0 changes nothing
    const { alpha: _, ...rest } = given;
    const plain = loraForward({ ...rest, loraB: Matrix.zeros(4, 2).to2DArray() });
    expect(flat(plain)).toEqual(flat(given.weight.mmul(given.input)));
    expect(mismatch(flat(loraForward(rest)), flat(loraForward({ ...rest, alpha: 2 })))).toBe(0);
  });

  test.each(["input", "loraB", "loraA"] as const)("gradient by %s", (name) => {
    const own = given[name];
    const gradient = flat(loraBackward({ ...given, outputGradient })[name]);
    const at = (x: Float64Array): number =>
      loss(loraForward({ ...given, [name]: Matrix.from1DArray(own.rows, own.columns, x) }), outputGradient);
    const expected = differences(at, flat(own));
    expect(mismatch(gradient, expected)).toBeLessThan(1e-10);
    for (const [, mutate] of mutations) expect(mismatch(mutate(gradient), expected)).toBeGreaterThan(1e-4);
    // without the scale
    expect(
      mismatch(flat(loraBackward({ ...given, alpha: 2, outputGradient })[name]), expected),
    ).toBeGreaterThan(0.1);
  });

  test("refuses shapes that do not fit", () => {
    const field = (change: object) => refusal(() => loraForward({ ...given, ...change })).field;
    expect(field({ input: matrix(4, 3) })).toBe("input");
    expect(field({ loraB: matrix(4, 3) })).toBe("loraB");
    expect(field({ loraA: matrix(2, 4) })).toBe("loraA");
    expect(field({ loraA: [[1, 2, 3, 4, Number.NaN]] })).toBe("loraA[0][4]");
    expect(field({ loraA: [[1, 2, 3, 4, 1e76]] })).toBe("loraA[0][4]");
    expect(field({ weight: null })).toBe("weight");
    expect(field({ rank: 2 })).toBe("loraForward.rank");
    expect(refusal(() => loraBackward({ ...given, outputGradient: matrix(3, 3) })).field).toBe(
      "outputGradient",
    );
  });
});

describe.each(["relu", "gelu", "tanh"] as const)("adapter with %s", (activation) => {
  const given = {
    input: matrix(4, 3),
    down: matrix(2, 4),
    up: matrix(4, 2),
    downBias: normals(2, stream),
    upBias: normals(4, stream),
    activation,
  };
  const outputGradient = matrix(4, 3);

  test("with W_up = 0 passes the input on; single entries as the formula has them", () => {
    const { upBias: _, ...rest } = given;
    expect(flat(adapterForward({ ...rest, up: Matrix.zeros(4, 2) }))).toEqual(flat(given.input));
    const z = given.down.mmul(given.input).get(1, 2) + given.downBias[1]!;
    const up = Matrix.zeros(4, 2).set(3, 1, 2);
    const y = adapterForward({ ...given, up });
    const expected = given.input.get(3, 2) + 2 * activations[activation].value(z) + given.upBias[3]!;
    expect(y.get(3, 2)).toBeCloseTo(expected, 14);
  });

  test.each(["input", "down", "up", "downBias", "upBias"] as const)("gradient by %s", (name) => {
    const own = given[name];
    const gradient = flat(adapterBackward({ ...given, outputGradient })[name]);
    const at = (x: Float64Array): number => {
      const changed = own instanceof Matrix ? Matrix.from1DArray(own.rows, own.columns, x) : x;
      return loss(adapterForward({ ...given, [name]: changed }), outputGradient);
    };
    const expected = differences(at, flat(own), 1e-4);
    expect(mismatch(gradient, expected)).toBeLessThan(1e-9);
    for (const [, mutate] of mutations) expect(mismatch(mutate(gradient), expected)).toBeGreaterThan(1e-4);
  });

  test("refuses shapes that do not fit", () => {
    const field = (change: object) => refusal(() => adapterForward({ ...given, ...change })).field;
    expect(field({ up: matrix(2, 4) })).toBe("up");
    expect(field({ downBias: [1] })).toBe("downBias");
    expect(field({ activation: "swish" })).toBe("activation");
  });
});

describe("activations", () => {
  // x Phi(x) and its derivative in 30 digits (mpmath)
  test.each([
    [-10, -7.619853024160526e-23, -7.618400096464814e-22],
    [-3.5, -0.0008142017766243376, -0.002821760353624635],
    [-2.9, -0.00541085857111371, -0.015396530716965938],
    [-1, -0.15865525393145705, -0.08331547058768629],
    [-1e-8, -4.999999960105772e-9, 0.4999999920211544],
    [0.7, 0.5306254434438489, 0.9766141011336599],
    [3.2, 3.1978011585986694, 1.0069419443067715],
    [9, 9, 1],
  ])("gelu at %s", (x, value, slope) => {
    expect(relative(activations.gelu.value(x), value)).toBeLessThan(1e-12);
    expect(relative(activations.gelu.slope(x), slope)).toBeLessThan(1e-12);
  });

  test("finite far out", () => {
    for (const { value, slope } of Object.values(activations)) {
      for (const x of [-1e308, -1000, -50, 50, 1000, 1e308]) {
        expect(Number.isFinite(value(x)) && Number.isFinite(slope(x))).toBe(true);
      }
    }
  });
});
