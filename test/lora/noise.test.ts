import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Aggregate } from "../../src/aircomp/index.ts";
import { InputError, randomStream } from "../../src/core/index.ts";
import {
  adapterError,
  aggregateAdapters,
  balancedScale,
  entryVariance,
  type FactorErrors,
  type LoraShape,
  productError,
  slotWeights,
} from "../../src/lora/index.ts";
import { add, cases, norm, normals, product, RUNS, randomFactors, sample } from "./support.ts";

const seeds = [11, 12, 13];
const draws = 1500;
/** In standard errors; a normal mean exceeds it once in 15000 comparisons. */
const deviations = 4;

/** Squared error of the product after noise of the given kind, over many draws. */
function simulate(
  shape: LoraShape,
  errors: FactorErrors,
  seed: number,
  noise: "normal" | "signs" = "normal",
  count: number = draws,
): { readonly sampled: ReturnType<typeof sample>; readonly predicted: ReturnType<typeof productError> } {
  const stream = randomStream(seed, "noise", shape.dOut, shape.dIn, shape.rank);
  const { loraB, loraA } = randomFactors(shape, shape.rank, stream);
  const exact = product(shape, { loraB, loraA });
  const { varianceB, varianceA, gainB = 1, gainA = 1 } = errors;
  const draw = (): number => (noise === "normal" ? stream.normal() : stream.uniform() < 0.5 ? -1 : 1);
  const received = (factor: ArrayLike<number>, gain: number, variance: number): Float64Array =>
    Float64Array.from(factor, (x) => gain * x + Math.sqrt(variance) * draw());
  const sampled = sample(count, () => {
    const noisy = { loraB: received(loraB, gainB, varianceB), loraA: received(loraA, gainA, varianceA) };
    return norm(add(product(shape, noisy), exact, -1)) ** 2;
  });
  const predicted = productError({
    ...errors,
    ...shape,
    energyB: norm(loraB) ** 2,
    energyA: norm(loraA) ** 2,
    energyProduct: norm(exact) ** 2,
  });
  return { sampled, predicted };
}

describe("the error of a product of noisy factors", () => {
  const shape = { dOut: 5, dIn: 3, rank: 2 };
  const kinds: [string, FactorErrors][] = [
    ["both factors", { varianceB: 0.3, varianceA: 0.7 }],
    ["loraB alone", { varianceB: 0.5, varianceA: 0 }],
    ["loraA alone", { varianceB: 0, varianceA: 0.5 }],
    ["both errors large", { varianceB: 4, varianceA: 9 }],
    ["shrunk factors", { varianceB: 0.2, varianceA: 0.1, gainB: 0.6, gainA: 0.8 }],
    ["shrunk loraB", { varianceB: 0.2, varianceA: 0, gainB: 0.5 }],
  ];

  test.each(kinds)("%s: closed form against draws", (_, errors) => {
    for (const seed of seeds) {
      for (const noise of ["normal", "signs"] as const) {
        const { sampled, predicted } = simulate(shape, errors, seed, noise);
        expect(sampled.deviations(predicted.total)).toBeLessThan(deviations);
        expect(sampled.standardError / sampled.mean).toBeLessThan(0.04);
      }
    }
  });

  test("a wrong factor anywhere would show", () => {
    const { sampled, predicted } = simulate(
      shape,
      { varianceB: 0.3, varianceA: 0.7, gainB: 0.7 },
      11,
      "normal",
      20000,
    );
    const { dOut, dIn, rank } = shape;
    const wrong = [
      predicted.loraB * (dIn / dOut - 1),
      predicted.loraA * (dOut / dIn - 1),
      predicted.both * (1 / rank - 1),
      -predicted.both,
      -predicted.shrinkage,
      predicted.loraA * (1 / 0.7 ** 2 - 1),
    ];
    for (const change of wrong) {
      expect(sampled.deviations(predicted.total + change)).toBeGreaterThan(deviations);
    }
  });

  test("the parts add up, scale counts squared, and no error means none", () => {
    const base = { ...shape, energyB: 2, energyA: 3, energyProduct: 1.5, varianceB: 0.1, varianceA: 0.2 };
    const one = productError(base);
    expect(one).toEqual({
      total: one.loraB + one.loraA + one.both,
      shrinkage: 0,
      loraB: 0.1 * 5 * 3,
      loraA: expect.closeTo(0.2 * 3 * 2, 14),
      both: expect.closeTo(0.1 * 0.2 * 5 * 3 * 2, 14),
    });
    expect(productError({ ...base, scale: 4 }).total).toBeCloseTo(16 * one.total, 12);
    expect(productError({ ...base, varianceB: 0, varianceA: 0 }).total).toBe(0);
    expect(productError({ ...base, varianceB: 0, varianceA: 0, gainB: 0 }).total).toBe(1.5);
  });

  test("of an adapter is the sum over its layers", () => {
    const errors = { varianceB: 0.3, varianceA: 0.2, gainB: 0.9, gainA: 0.8 };
    fc.assert(
      fc.property(cases(), ({ layers, adapters }) => {
        const alpha = 8;
        const total = layers.reduce((sum, layer, i) => {
          const { loraB, loraA } = adapters[0]!.layers[i]!;
          const part = productError({
            ...errors,
            dOut: layer.dOut,
            dIn: layer.dIn,
            rank: layer.rank,
            energyB: norm(loraB) ** 2,
            energyA: norm(loraA) ** 2,
            energyProduct: norm(product(layer, { loraB, loraA })) ** 2,
            scale: alpha / layer.rank,
          });
          return sum + part.total;
        }, 0);
        const got = adapterError({ ...errors, layers, adapter: adapters[0]!, alpha }).total;
        expect(Math.abs(got - total)).toBeLessThan(1e-12 * total);
        const ones = layers.map(({ rank }) => new Array<number>(rank).fill(1));
        expect(
          adapterError({ ...errors, layers, adapter: adapters[0]!, alpha, slotWeights: ones }).total,
        ).toBe(got);
      }),
      RUNS,
    );
  });

  test("refuses what it cannot say", () => {
    const base = { ...shape, energyB: 1, energyA: 1, varianceB: 1, varianceA: 1 };
    const field = (call: () => unknown): string => {
      try {
        call();
      } catch (error) {
        if (error instanceof InputError) return error.field;
        throw error;
      }
      return "nothing thrown";
    };
    expect(field(() => productError({ ...base, gainA: 0.5 }))).toBe("energyProduct");
    expect(field(() => productError({ ...base, varianceB: -1 }))).toBe("varianceB");
    expect(field(() => productError({ ...base, varianceA: Number.NaN }))).toBe("varianceA");
    expect(field(() => productError({ ...base, variance: 1 } as never))).toBe("productError.variance");
    const layers = [{ dOut: 1, dIn: 1, rank: 1 }];
    const adapter = { layers: [{ loraB: [0], loraA: [1] }] };
    const at = { layers, adapter, varianceB: 1, varianceA: 1 };
    expect(field(() => adapterError({ ...at, slotWeights: [] }))).toBe("slotWeights");
    expect(field(() => adapterError({ ...at, slotWeights: [[2]] }))).toBe("slotWeights[0][0]");
    expect(field(() => adapterError({ ...at, slotWeights: [[1e-300]] }))).toBe("slotWeights[0][0]");
    expect(field(() => balancedScale(layers, adapter))).toBe("adapter: loraB");
  });
});

describe("with renormalised slots", () => {
  test("closed form against draws: errors grow by the weight that holds a slot", () => {
    const layers = [{ dOut: 4, dIn: 3, rank: 3 }];
    const ranks = [3, 1, 2];
    const weights = [0.2, 0.5, 0.3];
    for (const seed of seeds) {
      const stream = randomStream(seed, "slots");
      const adapters = ranks.map((rank) => ({ layers: [randomFactors(layers[0]!, rank, stream)] }));
      const options = { mode: "padded", slots: "renormalised", layers, adapters, weights } as const;
      const { adapter } = aggregateAdapters(options);
      const exact = product(layers[0]!, adapter.layers[0]!);
      const variance = 0.05;
      const sampled = sample(draws, () => {
        const noisy = aggregateAdapters({
          ...options,
          send: (vectors) => ({
            estimate: Float64Array.from(
              vectors[0]!,
              (_, i) =>
                vectors.reduce((sum, vector, k) => sum + weights[k]! * vector[i]!, 0) +
                Math.sqrt(variance) * stream.normal(),
            ),
          }),
        });
        return norm(add(product(layers[0]!, noisy.adapter.layers[0]!), exact, -1)) ** 2;
      });
      const predicted = adapterError({
        layers,
        adapter,
        varianceB: variance,
        varianceA: variance,
        slotWeights: slotWeights(layers, ranks, weights),
      });
      expect(sampled.deviations(predicted.total)).toBeLessThan(deviations);
    }
  });
});

describe("balancedScale", () => {
  /** First-order error of the products for a packScale^2 that is the mean square of what is sent. */
  function firstOrder(
    layers: readonly LoraShape[],
    own: Parameters<typeof balancedScale>[1],
    c: number,
  ): number {
    let sentSquares = 0;
    let entries = 0;
    layers.forEach(({ dOut, dIn, rank }, i) => {
      sentSquares += c ** 2 * norm(own.layers[i]!.loraB) ** 2 + norm(own.layers[i]!.loraA) ** 2;
      entries += rank * (dOut + dIn);
    });
    const variance = sentSquares / entries;
    const { loraB, loraA } = adapterError({
      layers,
      adapter: own,
      varianceB: variance / c ** 2,
      varianceA: variance,
      alpha: 1,
    });
    return loraB + loraA;
  }

  test("no other factor has a smaller first-order error", () => {
    fc.assert(
      fc.property(cases(), fc.double({ min: 0.2, max: 5, noNaN: true }), ({ layers, adapters }, factor) => {
        const own = adapters[0]!;
        fc.pre(own.layers.some(({ loraB }) => norm(loraB) > 0));
        const best = balancedScale(layers, own);
        expect(firstOrder(layers, own, best)).toBeLessThanOrEqual(
          firstOrder(layers, own, best * factor) * (1 + 1e-12),
        );
      }),
      RUNS,
    );
  });

  test("one layer: ||A||^2 ||B||^2 (sqrt dOut + sqrt dIn)^2 / (r (dOut + dIn)) at the best factor", () => {
    const shape = { dOut: 9, dIn: 4, rank: 2 };
    const stream = randomStream(1, "balanced");
    const own = { layers: [{ loraB: normals(18, stream, 3), loraA: normals(8, stream, 0.1) }] };
    const c = balancedScale([shape], own);
    const energies = norm(own.layers[0]!.loraB) ** 2 * norm(own.layers[0]!.loraA) ** 2;
    const expected = (energies * (3 + 2) ** 2) / (2 * 13) / shape.rank ** 2;
    expect(firstOrder([shape], own, c)).toBeCloseTo(expected, 10);
  });
});

describe("adapterError with a scale", () => {
  const layers = [
    { dOut: 4, dIn: 3, rank: 2 },
    { dOut: 2, dIn: 5, rank: 1 },
  ];
  const stream = randomStream(9, "scales");
  const adapter = { layers: layers.map((shape) => randomFactors(shape, shape.rank, stream)) };
  const errors = { varianceB: 0.2, varianceA: 0.3, gainB: 0.9 };

  test("per layer it is alpha/rank where it is that, and counts squared in every layer", () => {
    const base = { ...errors, layers, adapter };
    const perLayer = adapterError({ ...base, scale: layers.map(({ rank }) => 16 / rank) });
    expect(perLayer).toEqual(adapterError({ ...base, alpha: 16 }));
    const single = layers.map((shape, i) =>
      adapterError({ ...errors, layers: [shape], adapter: { layers: [adapter.layers[i]!] } }),
    );
    // rank-stabilised: alpha/sqrt(rank)
    const stabilised = adapterError({ ...base, scale: layers.map(({ rank }) => 16 / Math.sqrt(rank)) });
    for (const part of ["total", "shrinkage", "loraB", "loraA", "both"] as const) {
      expect(stabilised[part]).toBeCloseTo((256 / 2) * single[0]![part] + 256 * single[1]![part], 9);
    }
    const common = adapterError({ ...base, scale: 3 });
    expect(common.total).toBeCloseTo(9 * adapterError(base).total, 10);
  });

  test("refuses both, another number of layers, and what is no number", () => {
    const refused = (more: object): string => {
      try {
        adapterError({ ...errors, layers, adapter, ...more });
      } catch (error) {
        if (error instanceof InputError) return error.field;
        throw error;
      }
      return "nothing thrown";
    };
    expect(refused({ alpha: 1, scale: 1 })).toBe("scale");
    expect(refused({ scale: [1] })).toBe("scale");
    expect(refused({ scale: [1, Number.NaN] })).toBe("scale[1]");
    expect(refused({ scale: "16" })).toBe("scale");
    expect(refused({ scale: null })).toBe("scale");
  });
});

describe("entryVariance", () => {
  const correlation = [
    [1, 0.5],
    [0.5, 0.25],
  ];
  const aggregate = { packScale: 2, correlation, distortion: { measured: 3 } } as never as Aggregate;

  test("takes off what the gain explains, for the weights of the options, of the aggregate, or 1/K", () => {
    const explained = (w: readonly number[]): number => (w[0]! + w[1]! / 2) ** 2;
    const at = (more: object, options: object = {}): number =>
      entryVariance({ ...aggregate, ...more }, { gain: 0.5, ...options });
    const expected = (w: readonly number[]): number => 4 * (3 - 0.25 * explained(w));
    expect(at({})).toBeCloseTo(expected([0.5, 0.5]), 14);
    expect(at({ weights: [0.2, 0.8] })).toBeCloseTo(expected([0.2, 0.8]), 14);
    expect(at({ weights: [0.2, 0.8] }, { weights: [3, 1] })).toBeCloseTo(expected([0.75, 0.25]), 14);
  });

  test("names what is missing of an aggregate", () => {
    const refused = (value: unknown): string => {
      try {
        entryVariance(value as Aggregate, { gain: 0.5 });
      } catch (error) {
        if (error instanceof InputError) return error.field;
        throw error;
      }
      return "nothing thrown";
    };
    expect(refused({})).toBe("aggregate.packScale");
    expect(refused(null)).toBe("aggregate");
    expect(refused({ packScale: 1 })).toBe("aggregate.distortion.measured");
    expect(refused({ ...aggregate, correlation: undefined })).toBe("aggregate.correlation");
    expect(refused({ ...aggregate, correlation: [[1], [1]] })).toBe("aggregate.correlation[0]");
    expect(refused({ ...aggregate, correlation: [null, null] })).toBe("aggregate.correlation[0]");
  });
});
