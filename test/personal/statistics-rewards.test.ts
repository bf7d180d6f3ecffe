import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { combinedReward, deviationPenalty, maskedMean, whiten } from "../../src/personal/index.ts";
import { differences, mismatch, normals, RUNS, refusal } from "./tuning-support.ts";

const cases = fc
  .record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    length: fc.integer({ min: 2, max: 30 }),
    size: fc.constantFrom(1e-90, 1e-3, 1, 1e90),
    offset: fc.constantFrom(0, 1, -1e4),
  })
  .map(({ seed, length, size, offset }) => {
    const stream = randomStream(seed, "whiten");
    const mask = Uint8Array.from({ length }, (_, i) => Number(i < 2 || stream.uniform() < 0.6));
    return { mask, values: normals(length, stream).map((x) => size * (x + offset)) };
  });

describe("whiten", () => {
  test("mean 0 and variance 1 over the unmasked entries, at any scale; padding changes no bit", () => {
    fc.assert(
      fc.property(cases, ({ values, mask }) => {
        const kept = <T>(list: ArrayLike<T>): T[] => Array.from(list).filter((_, i) => mask[i] === 1);
        const white = whiten(values, { mask });
        const entries = kept(white);
        const mean = entries.reduce((sum, x) => sum + x, 0) / entries.length;
        const variance = entries.reduce((sum, x) => sum + x * x, 0) / entries.length;
        // the digits that the offset has taken from the differences
        expect(Math.abs(mean)).toBeLessThan(1e-13);
        expect(Math.abs(variance - 1)).toBeLessThan(1e-13);
        expect(
          kept(
            whiten(
              values.map((x, i) => (mask[i] === 1 ? x : Number.NaN)),
              { mask },
            ),
          ),
        ).toEqual(entries);
        expect([...whiten(kept(values))]).toEqual(entries);
        white.forEach((x, i) => {
          if (mask[i] === 0) expect(x).toBe(0);
        });
        const moved = kept(whiten(values, { mask, shiftMean: false }));
        const center = kept(values).reduce((sum, x) => sum + x, 0) / entries.length;
        moved.forEach((x, i) => {
          expect(Math.abs(x - entries[i]! - center)).toBeLessThan(1e-12 * Math.max(1, Math.abs(center)));
        });
      }),
      RUNS,
    );
  });

  test.each([0, 0.1, -1e100, 1e-300])("equal values %s become 0, or stay with their mean", (x) => {
    for (const length of [1, 3, 7, 1000]) {
      const values = new Float64Array(length).fill(x);
      expect(whiten(values).every((y) => y === 0)).toBe(true);
      const kept = whiten(values, { shiftMean: false });
      expect(kept.every((y) => Math.abs(y - x) <= 1e-15 * Math.abs(x))).toBe(true);
    }
    // equal up to rounding
    expect(whiten([0.3, 0.1 + 0.2]).every((y) => y === 0)).toBe(true);
  });

  test("refuses what is not finite, and nothing", () => {
    expect(refusal(() => whiten([1, Number.NaN])).field).toBe("values[1]");
    expect(refusal(() => whiten([1, 2], { mask: [0, 0] })).field).toBe("mask");
    expect(refusal(() => whiten([])).field).toBe("values");
    expect(refusal(() => whiten([1, 2], { mask: [1] })).field).toBe("mask");
  });
});

describe("maskedMean", () => {
  test("of entries or of rows; rows of padding do not count", () => {
    const values = [1, 2, 9, 4, Number.NaN, Number.NaN];
    const mask = [true, true, false, true, false, false];
    expect(maskedMean(values, { mask })).toBeCloseTo(7 / 3, 14);
    expect(maskedMean(values, { mask, steps: 2, average: "rows" })).toBe((1.5 + 4) / 2);
    expect(refusal(() => maskedMean(values, { mask: [0, 0, 0, 0, 0, 0] })).field).toBe("mask");
  });
});

describe("combinedReward", () => {
  const scores = { help: [1, 0, 0.5], safe: [0, 1, 0.5] };

  test("weighted sum less penalty; in the range of the scores", () => {
    const out = combinedReward({ scores, weights: { help: 0.7, safe: 0.3 }, penalty: 0.1 });
    [0.6, 0.2, 0.4].forEach((x, i) => {
      expect(out[i]).toBeCloseTo(x, 14);
    });
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (help) => {
        const mixed = combinedReward({ scores, weights: { help, safe: 1 - help } });
        expect(mixed.every((x) => x >= 0 && x <= 1)).toBe(true);
      }),
      RUNS,
    );
  });

  test.each([
    ["weights", { weights: { help: 0.7, safe: 0.2 } }],
    ["weights.safe", { weights: { help: 1.2, safe: -0.2 } }],
    ["weights.safe", { weights: { help: 1 } }],
    ["weights.tone", { weights: { help: 0.5, safe: 0.5, tone: 0 } }],
    ["scores", { scores: {} }],
    ["scores.safe", { scores: { help: [1], safe: [1, 2] } }],
    ["scores.safe[0]", { scores: { help: [1], safe: [Number.NaN] } }],
    ["penalty", { penalty: Number.POSITIVE_INFINITY }],
  ])("refuses %s", (field, change) => {
    const given = { scores, weights: { help: 0.5, safe: 0.5 }, ...change };
    expect(refusal(() => combinedReward(given as Parameters<typeof combinedReward>[0])).field).toBe(field);
  });
});

describe("deviationPenalty", () => {
  const stream = randomStream(1, "penalty");
  const global = {
    "head.weight": normals(4, stream),
    "head.bias": Float32Array.of(1, 2),
    body: normals(3, stream),
  };
  const parameters = { ...global, "head.weight": normals(4, stream), "head.bias": Float32Array.of(0, 2) };

  test("value and gradient of the shared tensors alone, against finite differences", () => {
    const { value, gradient } = deviationPenalty({ parameters, global, beta: 0.3, shared: "head.*" });
    const squares = parameters["head.weight"].reduce(
      (s, x, i) => s + (x - global["head.weight"][i]!) ** 2,
      1,
    );
    expect(value).toBeCloseTo(0.3 * squares, 14);
    expect(Object.keys(gradient)).toEqual(["head.weight", "head.bias"]);
    const expected = differences(
      (x) => deviationPenalty({ parameters: { ...parameters, "head.weight": x }, global, beta: 0.3 }).value,
      parameters["head.weight"],
    );
    expect(mismatch(gradient["head.weight"]!, expected)).toBeLessThan(1e-10);
    expect(
      mismatch(
        gradient["head.weight"]!.map((x) => x / 2),
        expected,
      ),
    ).toBeGreaterThan(0.4);
    expect([...gradient["head.bias"]!]).toEqual([-0.6, 0]);
    // private tensors may be missing, of other lengths, and anything
    const own = { ...parameters, body: Float64Array.of(Number.NaN) };
    expect(deviationPenalty({ parameters: own, global, beta: 0.3, shared: "head.*" }).value).toBe(value);
    expect(deviationPenalty({ parameters: global, global, beta: 1 }).value).toBe(0);
  });

  test("refuses what does not fit", () => {
    const penalty = (change: object) =>
      refusal(() => deviationPenalty({ parameters, global, beta: 1, ...change })).field;
    expect(penalty({ beta: -1 })).toBe("beta");
    // 2 beta would overflow, and NaN times a difference of 0
    expect(penalty({ beta: 1e308 })).toBe("beta");
    expect(penalty({ shared: "tail.*" })).toBe("shared");
    expect(penalty({ parameters: { ...parameters, body: Float64Array.of(1) } })).toBe('parameters["body"]');
    const huge = { ...parameters, body: Float64Array.of(1e200, 0, 0) };
    expect(penalty({ parameters: huge })).toBe("parameters");
  });
});
