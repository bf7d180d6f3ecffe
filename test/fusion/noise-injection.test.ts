import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { injectNoise, mseFromErrorCovariance, mseFromRate } from "../../src/fusion/index.ts";
import { fromDiagonal, logDet, multiplyConjugateRight, randomMatrix, scale } from "../../src/linalg/index.ts";
import {
  bits,
  fieldOf,
  fusionCases,
  lengths,
  RUNS,
  randomSet,
  sameBits,
  statistics,
} from "./task-support.ts";

describe("injectNoise", () => {
  const entries = 40_000;
  const stream = randomStream(2, "long");
  const long = [
    randomSet({ w: entries, head: 100 }, stream, 0.2),
    randomSet({ w: entries, head: 100 }, stream, 3),
  ];

  test.each(["relative", "absolute"] as const)("%s: mean 0 and the variance stated, per user", (scale) => {
    const mse = [0.3, 0.02];
    const noisy = injectNoise({ taskVectors: long, mse, scale, frozen: "head", seed: 5 });
    long.forEach((vector, t) => {
      const noise = noisy.taskVectors[t]!.w!.map((x, i) => x - vector.w![i]!);
      const meanSquare =
        scale === "absolute" ? 1 : Array.from(vector.w!).reduce((sum, x) => sum + x * x, 0) / entries;
      expect(noisy.variances[t]).toBeCloseTo(mse[t]! * meanSquare, 12);
      expect(statistics(noise).deviations(0)).toBeLessThan(4);
      const squares = statistics(noise.map((x) => x * x));
      expect(squares.deviations(noisy.variances[t]!)).toBeLessThan(4);
      // a factor of 2, as of a complex symbol taken for a real one, is seen
      expect(squares.deviations(2 * noisy.variances[t]!)).toBeGreaterThan(50);
      expect(squares.deviations(noisy.variances[t]! / 2)).toBeGreaterThan(50);
      const fourth = statistics(noise.map((x) => ((x * x) / noisy.variances[t]!) ** 2));
      expect(fourth.deviations(3)).toBeLessThan(4);
    });
  });

  test("users, tensors and seeds are independent; the same seed gives the same bits", () => {
    const same = [long[0]!, long[0]!];
    const options = { taskVectors: same, mse: 1, seed: 1 } as const;
    const { taskVectors } = injectNoise(options);
    const noiseOf = (t: number, seed: number) => {
      const noisy = injectNoise({ ...options, seed }).taskVectors[t]!.w!;
      return noisy.map((x, i) => x - long[0]!.w![i]!);
    };
    const first = noiseOf(0, 1);
    for (const other of [noiseOf(1, 1), noiseOf(0, 2)]) {
      expect(statistics(first.map((x, i) => x * other[i]!)).deviations(0)).toBeLessThan(4);
      expect(other[0]).not.toBe(first[0]);
    }
    const again = injectNoise(options).taskVectors;
    for (const t of [0, 1]) expect(sameBits(again[t]!.w!, taskVectors[t]!.w!)).toBe(true);
    // names, not positions: what else is there changes nothing
    const reversed = Object.fromEntries(Object.entries(long[0]!).reverse());
    const absolute = { mse: 1, scale: "absolute", seed: 1 } as const;
    const one = injectNoise({ ...absolute, taskVectors: [long[0]!] }).taskVectors[0]!;
    const two = injectNoise({ ...absolute, taskVectors: [reversed, long[1]!] }).taskVectors[0]!;
    expect(sameBits(two.w!, one.w!)).toBe(true);
  });

  test("masked tensors, MSE 0 and array types are kept", () => {
    fc.assert(
      fc.property(fusionCases(), fc.double({ min: 0, max: 2, noNaN: true }), ({ taskVectors }, mse) => {
        const before = structuredClone(taskVectors);
        const noisy = injectNoise({ taskVectors, mse, frozen: "head.*", seed: 3 });
        const none = injectNoise({ taskVectors, mse: 0, seed: 3 });
        taskVectors.forEach((vector, t) => {
          expect(bits(noisy.taskVectors[t]!["head.weight"]!)).toEqual(bits(vector["head.weight"]!));
          for (const [name, tensor] of Object.entries(vector)) {
            expect(bits(none.taskVectors[t]![name]!)).toEqual(bits(tensor));
            expect(noisy.taskVectors[t]![name]!.constructor).toBe(tensor.constructor);
          }
        });
        expect(taskVectors).toEqual(before);
      }),
      RUNS,
    );
  });

  test("refuses", async () => {
    const taskVectors = [randomSet(lengths, randomStream(1, "refusals"))];
    const own = { taskVectors, mse: 1, seed: 1 };
    expect(await fieldOf(() => injectNoise({ ...own, mse: -1 }))).toBe("mse");
    expect(await fieldOf(() => injectNoise({ ...own, mse: [1, 2] }))).toBe("mse");
    expect(await fieldOf(() => injectNoise({ ...own, mse: [Number.NaN] }))).toBe("mse[0]");
    expect(await fieldOf(() => injectNoise({ ...own, seed: -1 }))).toBe("seed");
    expect(await fieldOf(() => injectNoise({ ...own, taskVectors: [] }))).toBe("taskVectors");
    const bad = [{ w: Float32Array.of(1, Number.POSITIVE_INFINITY) }];
    expect(await fieldOf(() => injectNoise({ ...own, taskVectors: bad }))).toBe('taskVectors[0]["w"][1]');
    const large = [{ w: Float32Array.of(1e38, 1e38) }];
    expect(await fieldOf(() => injectNoise({ ...own, taskVectors: large, mse: 1e6 }))).toBe("mse");
  });
});

describe("MSE per symbol", () => {
  test("of an error covariance its mean diagonal, never below what its rate allows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 1e6 }), (n, seed) => {
        const a = randomMatrix(n, n, randomStream(seed, "covariance"));
        const gram = multiplyConjugateRight(a, a);
        const trace = mseFromErrorCovariance(gram) * n;
        const e = scale(gram, 0.99 / trace);
        const mse = mseFromErrorCovariance(e);
        expect(mse).toBeCloseTo(0.99 / n, 12);
        expect(mse).toBeGreaterThanOrEqual(mseFromRate(-logDet(e), n) * (1 - 1e-12));
        const biased = Array.from({ length: n }, (_, i) => e.data[2 * i * (n + 1)]!);
        const unbiased = biased.reduce((sum, x) => sum + x / (1 - x), 0) / n;
        expect(mseFromErrorCovariance(e, { unbiased: true })).toBeCloseTo(unbiased, 12);
      }),
      RUNS,
    );
    expect(mseFromErrorCovariance(fromDiagonal([0.25, 0.25]))).toBe(mseFromRate(2 * Math.log(4), 2));
    expect(mseFromErrorCovariance(0.2)).toBe(0.2);
  });

  test("refuses", async () => {
    expect(await fieldOf(() => mseFromErrorCovariance(fromDiagonal([0.2, -1])))).toBe("covariance[1, 1]");
    expect(await fieldOf(() => mseFromErrorCovariance(1, { unbiased: true }))).toBe("covariance");
    expect(await fieldOf(() => mseFromErrorCovariance([[1]] as never))).toBe("covariance");
    expect(await fieldOf(() => mseFromRate(-1, 2))).toBe("rate");
    expect(await fieldOf(() => mseFromRate(1, 0))).toBe("streams");
  });
});
