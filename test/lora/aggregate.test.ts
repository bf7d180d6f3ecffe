import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError, randomStream } from "../../src/core/index.ts";
import {
  type AdapterAggregationOptions,
  aggregateAdapters,
  averagingResidual,
  type LoraAdapter,
  loraProduct,
  slotWeights,
  truncateAdapter,
} from "../../src/lora/index.ts";
import { add, cases, distance, exactSum, norm, product, RUNS, randomFactors } from "./support.ts";

const separate = fc.constantFrom("joint", "padded");

/** Adapters that share one factor with the first. */
function sharing(adapters: readonly LoraAdapter[], factor: "loraB" | "loraA"): LoraAdapter[] {
  return adapters.map(({ layers }) => ({
    layers: layers.map((own, i) => ({ ...own, [factor]: adapters[0]!.layers[i]![factor] })),
  }));
}

function refusal(options: AdapterAggregationOptions): InputError {
  try {
    aggregateAdapters(options);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error("nothing thrown");
}

const field = (options: AdapterAggregationOptions): string => refusal(options).field;

describe("separate means", () => {
  test("are weighted means of each factor; padding equal ranks changes nothing", () => {
    fc.assert(
      fc.property(cases(), separate, ({ layers, adapters, weights }, mode) => {
        const { adapter, transmissions } = aggregateAdapters({ mode, layers, adapters, weights });
        expect(transmissions).toEqual([]);
        layers.forEach((_, i) => {
          for (const factor of ["loraB", "loraA"] as const) {
            const mean = adapters.reduce<Float64Array>(
              (sum, own, k) => add(sum, own.layers[i]![factor], weights[k]!),
              new Float64Array(adapters[0]!.layers[i]![factor].length),
            );
            expect(distance(adapter.layers[i]![factor], mean)).toBeLessThan(1e-14);
          }
        });
        expect(adapter).toEqual(
          aggregateAdapters({ mode: "joint", layers, adapters, weights, perFactor: true }).adapter,
        );
      }),
      RUNS,
    );
  });

  test("do not depend on the order of the devices, return a single device, and stay in the convex hull", () => {
    fc.assert(
      fc.property(cases(), ({ layers, adapters, weights }) => {
        const mode = "joint";
        const { adapter } = aggregateAdapters({ mode, layers, adapters, weights });
        const reversed = aggregateAdapters({
          mode,
          layers,
          adapters: [...adapters].reverse(),
          weights: [...weights].reverse(),
        }).adapter;
        const alone = aggregateAdapters({ mode, layers, adapters: [adapters[0]!] }).adapter;
        layers.forEach((_, i) => {
          for (const factor of ["loraB", "loraA"] as const) {
            expect(distance(reversed.layers[i]![factor], adapter.layers[i]![factor])).toBeLessThan(1e-14);
            expect(alone.layers[i]![factor]).toEqual(adapters[0]!.layers[i]![factor]);
            adapter.layers[i]![factor].forEach((x, e) => {
              const values = adapters.map((own) => own.layers[i]![factor][e]!);
              expect(x).toBeLessThanOrEqual(Math.max(...values) + 1e-14);
              expect(x).toBeGreaterThanOrEqual(Math.min(...values) - 1e-14);
            });
          }
        });
      }),
      RUNS,
    );
  });

  test("leave sum w_k (B_k - Bbar)(A_k - Abar) of the sum of the products, to rounding; different ranks too", () => {
    fc.assert(
      fc.property(cases({ mixedRanks: true }), (problem) => {
        const { layers, adapters, weights } = problem;
        const { adapter } = aggregateAdapters({ mode: "padded", layers, adapters, weights });
        const residuals = averagingResidual({ layers, adapters, weights });
        layers.forEach((shape, i) => {
          const left = add(exactSum(problem, i), product(shape, adapter.layers[i]!), -1);
          expect(distance(loraProduct(shape, residuals[i]!), left)).toBeLessThan(1e-13);
          expect(residuals[i]!.rank).toBeLessThanOrEqual(Math.min(shape.dOut, shape.dIn));
        });
      }),
      RUNS,
    );
  });

  test("a factor that is sent larger comes back as it was", () => {
    const layers = [{ dOut: 3, dIn: 4, rank: 2 }];
    const stream = randomStream(3, "scaled");
    const adapters = [0, 1].map(() => ({ layers: [randomFactors(layers[0]!, 2, stream)] }));
    const sent: Float64Array[][] = [];
    const send = (vectors: readonly Float64Array[]): { estimate: Float64Array } => {
      sent.push([...vectors]);
      return { estimate: vectors[0]!.map((x, i) => (x + vectors[1]![i]!) / 2) };
    };
    const scaled = aggregateAdapters({ mode: "joint", layers, adapters, send, loraBScale: 8 });
    expect(scaled.adapter).toEqual(aggregateAdapters({ mode: "joint", layers, adapters }).adapter);
    expect(sent[0]![1]!.slice(0, 6)).toEqual(Float64Array.from(adapters[1]!.layers[0]!.loraB, (x) => 8 * x));
    expect(scaled.transmissions).toHaveLength(1);
    expect(scaled.entries).toBe(14);
  });
});

describe("one factor at a time", () => {
  test("the mean of the products is the product of the means", () => {
    const rounds = fc.constantFrom(undefined, 0, 1, 2, 5);
    fc.assert(
      fc.property(cases(), rounds, (problem, round) => {
        const { layers, weights } = problem;
        const frozen = round !== undefined && round % 2 === 1 ? "loraB" : "loraA";
        const adapters = sharing(problem.adapters, frozen);
        const mode = round === undefined ? "loraB" : "alternating";
        const { adapter, entries } = aggregateAdapters({
          mode,
          layers,
          adapters,
          weights,
          ...(round === undefined ? {} : { round }),
        });
        layers.forEach((shape, i) => {
          const sum = exactSum({ ...problem, adapters }, i);
          expect(distance(product(shape, adapter.layers[i]!), sum)).toBeLessThan(1e-13);
          expect(adapter.layers[i]![frozen]).toEqual(adapters[0]!.layers[i]![frozen]);
          expect(adapter.layers[i]![frozen]).not.toBe(adapters[0]!.layers[i]![frozen]);
        });
        const size = frozen === "loraA" ? "dOut" : "dIn";
        expect(entries).toBe(layers.reduce((sum, shape) => sum + shape.rank * shape[size], 0));
      }),
      RUNS,
    );
  });

  test("two alternating rounds of equal adapters give what a joint round gives", () => {
    fc.assert(
      fc.property(cases(), ({ layers, adapters, weights }) => {
        const joint = aggregateAdapters({ mode: "joint", layers, adapters, weights }).adapter;
        const first = aggregateAdapters({
          mode: "alternating",
          round: 0,
          layers,
          adapters: sharing(adapters, "loraA"),
          weights,
        }).adapter;
        const second = aggregateAdapters({
          mode: "alternating",
          round: 1,
          layers,
          adapters: adapters.map(({ layers: own }) => ({
            layers: own.map(({ loraA }, i) => ({ loraA, loraB: first.layers[i]!.loraB })),
          })),
          weights,
        }).adapter;
        expect(second).toEqual(joint);
      }),
      RUNS,
    );
  });

  test("refuses a frozen factor that differs, and names the entry", () => {
    const layers = [{ dOut: 2, dIn: 2, rank: 1 }];
    const adapters = [
      { layers: [{ loraB: [1, 2], loraA: [3, 4] }] },
      { layers: [{ loraB: [5, 6], loraA: [3, 4.5] }] },
    ];
    expect(field({ mode: "loraB", layers, adapters })).toBe("adapters[1].layers[0].loraA[1]");
    expect(field({ mode: "alternating", round: 1, layers, adapters })).toBe("adapters[1].layers[0].loraB[0]");
  });
});

describe("different ranks", () => {
  test("a slot is the mean over its holders, times their weight where slots are not renormalised", () => {
    fc.assert(
      fc.property(cases({ mixedRanks: true }), ({ layers, adapters, weights, ranks }) => {
        const plain = aggregateAdapters({ mode: "padded", layers, adapters, weights }).adapter;
        const renormalised = aggregateAdapters({
          mode: "padded",
          slots: "renormalised",
          layers,
          adapters,
          weights,
        }).adapter;
        const held = slotWeights(layers, ranks, weights);
        layers.forEach(({ dOut, rank }, i) => {
          for (let s = 0; s < rank; s++) {
            const holders = adapters.flatMap((own, k) => (ranks[k]![i]! > s ? [{ own, k }] : []));
            const weight = holders.reduce((sum, { k }) => sum + weights[k]!, 0);
            expect(held[i]![s]).toBeCloseTo(weight, 14);
            for (let row = 0; row < dOut; row++) {
              const sum = holders.reduce(
                (total, { own, k }) => total + weights[k]! * own.layers[i]!.loraB[row * ranks[k]![i]! + s]!,
                0,
              );
              expect(plain.layers[i]!.loraB[row * rank + s]).toBeCloseTo(sum, 13);
              expect(renormalised.layers[i]!.loraB[row * rank + s]).toBeCloseTo(
                weight > 0 ? sum / weight : 0,
                12,
              );
            }
          }
        });
      }),
      RUNS,
    );
  });

  test("renormalised slots return what all holders agree on; plain sums shrink it", () => {
    const layers = [{ dOut: 2, dIn: 3, rank: 2 }];
    const stream = randomStream(5, "slots");
    const full = { layers: [randomFactors(layers[0]!, 2, stream)] };
    const adapters = [full, truncateAdapter(layers, full, 1), full];
    const weights = [0.5, 0.25, 0.25];
    const options = { mode: "padded", layers, adapters, weights } as const;
    const renormalised = aggregateAdapters({ ...options, slots: "renormalised" }).adapter.layers[0]!;
    expect(distance(renormalised.loraB, full.layers[0]!.loraB)).toBeLessThan(1e-15);
    expect(distance(renormalised.loraA, full.layers[0]!.loraA)).toBeLessThan(1e-15);
    const plain = aggregateAdapters(options).adapter.layers[0]!;
    expect(plain.loraB[1]).toBeCloseTo(0.75 * full.layers[0]!.loraB[1]!, 14);
    expect(plain.loraA[3]).toBeCloseTo(0.75 * full.layers[0]!.loraA[3]!, 14);
  });

  test("a slot that no device with a weight holds comes back as 0, whatever the sender makes of it", () => {
    const layers = [{ dOut: 1, dIn: 1, rank: 2 }];
    const adapters = [{ layers: [{ loraB: [2], loraA: [3] }] }];
    const send = (): { estimate: number[] } => ({ estimate: [2.5, 0.5, 3.5, 0.25] });
    const { adapter } = aggregateAdapters({ mode: "padded", slots: "renormalised", layers, adapters, send });
    expect([...adapter.layers[0]!.loraB]).toEqual([2.5, 0]);
    expect([...adapter.layers[0]!.loraA]).toEqual([3.5, 0]);
  });

  test("truncation keeps the first slots: padding undoes it where the rest is 0", () => {
    fc.assert(
      fc.property(cases({ mixedRanks: true }), ({ layers, adapters, ranks }) => {
        adapters.forEach((adapter, k) => {
          const padded = aggregateAdapters({ mode: "padded", layers, adapters: [adapter] }).adapter;
          const back = truncateAdapter(layers, padded, ranks[k]!);
          back.layers.forEach(({ rank, loraB, loraA }, i) => {
            expect(rank).toBe(ranks[k]![i]);
            expect(loraB).toEqual(adapter.layers[i]!.loraB);
            expect(loraA).toEqual(adapter.layers[i]!.loraA);
            expect(norm(product(layers[i]!, padded.layers[i]!))).toBeCloseTo(
              norm(product(layers[i]!, adapter.layers[i]!)),
              12,
            );
          });
        });
      }),
      RUNS,
    );
  });
});

describe("every mode", () => {
  const modes = ["joint", "loraB", "alternating", "padded", "stacked", "product"] as const;

  test.each(modes)("%s changes no argument and returns no view of one", (mode) => {
    fc.assert(
      fc.property(cases(), ({ layers, adapters, weights }) => {
        const common = sharing(adapters, "loraA");
        const before = structuredClone({ layers, common, weights });
        const { adapter } = aggregateAdapters({
          mode,
          layers,
          adapters: common,
          weights,
          ...(mode === "alternating" ? { round: 0 } : {}),
        });
        for (const { loraB, loraA } of adapter.layers) {
          loraB.fill(Number.NaN);
          loraA.fill(Number.NaN);
        }
        expect({ layers, common, weights }).toEqual(before);
      }),
      { ...RUNS, numRuns: 50 },
    );
  });

  test("refuses wrong input by name", () => {
    const layers = [{ dOut: 2, dIn: 2, rank: 1 }];
    const good = { loraB: [1, 2], loraA: [3, 4] };
    const adapters = [{ layers: [good] }, { layers: [good] }];
    const base = { mode: "joint", layers, adapters } as const;
    const send = (): { estimate: number[] } => ({ estimate: [1, 2, 3] });
    expect(field({ ...base, mode: "mean" as never })).toBe("mode");
    expect(field({ ...base, adapters: [] })).toBe("adapters");
    expect(field({ ...base, weights: [1] })).toBe("weights");
    expect(field({ ...base, weights: [0, 0] })).toBe("weights");
    expect(field({ ...base, weights: [-1, 2] })).toBe("weights[0]");
    expect(field({ ...base, adapters: [adapters[0]!, { layers: [] }] })).toBe("adapters[1].layers");
    expect(field({ ...base, adapters: [adapters[0]!, { layers: [{ ...good, loraA: [1] }] }] })).toBe(
      "adapters[1].layers[0].loraA",
    );
    for (const mode of ["joint", "stacked", "product"] as const) {
      const loraB = [1, Number.NaN];
      expect(field({ ...base, mode, adapters: [{ layers: [{ ...good, loraB }] }] })).toBe(
        "adapters[0].layers[0].loraB[1]",
      );
      expect(field({ ...base, mode, adapters: [{ layers: [null as never] }] })).toBe("adapters[0].layers[0]");
      expect(field({ ...base, mode, adapters: [{ layers: [{ loraB: [1, 2] } as never] }] })).toBe(
        "adapters[0].layers[0].loraA",
      );
    }
    expect(
      field({ ...base, mode: "padded", adapters: [{ layers: [{ loraB: [1, 2, 3], loraA: [] }] }] }),
    ).toBe("adapters[0].layers[0].loraB");
    expect(
      field({
        ...base,
        mode: "padded",
        adapters: [{ layers: [{ loraB: [1, 2, 3, 4], loraA: [1, 2, 3, 4] }] }],
      }),
    ).toBe("adapters[0].layers[0].loraB");
    expect(field({ ...base, mode: "stacked", send })).toBe("send");
    expect(field({ ...base, send })).toBe("send: estimate");
    expect(field({ ...base, send: () => ({ estimate: [1, 2, 3, Number.NaN] }) })).toBe("send: estimate[3]");
    expect(field({ ...base, send: (() => undefined) as never })).toBe("send");
    expect(field({ ...base, send: 3 as never })).toBe("send");
    expect(field({ ...base, round: 1 })).toBe("round");
    expect(field({ ...base, slots: "plain" })).toBe("slots");
    expect(field({ ...base, keep: "mean" })).toBe("keep");
    expect(field({ ...base, mode: "loraB", perFactor: true })).toBe("perFactor");
    expect(field({ ...base, mode: "stacked", keep: "mean", split: "balanced" })).toBe("split");
    expect(field({ ...base, loraBScale: 0 })).toBe("loraBScale");
    expect(field({ ...base, perFactor: 1 as never })).toBe("perFactor");
    expect(field({ ...base, factor: 1 } as never)).toBe("aggregateAdapters.factor");
  });

  test("names the kind of an array that holds no factors, and takes those of another realm", () => {
    const layers = [{ dOut: 4, dIn: 4, rank: 4 }];
    const good = new Float32Array(16);
    const wrong: [unknown, string][] = [
      [new Int32Array(16), "an Int32Array of 16 entries"],
      [new Uint8Array(16), "a Uint8Array of 16 entries"],
      [new BigInt64Array(16), "a BigInt64Array of 16 entries"],
      [new DataView(new ArrayBuffer(16)), "a DataView of 16 entries"],
      ["1234", '"1234"'],
    ];
    for (const [loraA, found] of wrong) {
      const error = refusal({
        mode: "joint",
        layers,
        adapters: [{ layers: [{ loraB: good, loraA } as never] }],
      });
      expect(error.field).toBe("adapters[0].layers[0].loraA");
      expect(error.found).toBe(found);
      expect(error.expected).toBe(
        "16 numbers, 4 x 4 row-major, in a Float64Array, a Float32Array or an array of numbers",
      );
    }
    const short = refusal({
      mode: "padded",
      layers,
      adapters: [{ layers: [{ loraB: new Int16Array(3), loraA: good } as never] }],
    });
    expect(short.found).toBe("an Int16Array of 3 entries");
    const foreign = runInNewContext("new Float32Array(16).fill(2)") as Float32Array;
    expect(foreign instanceof Float32Array).toBe(false);
    const own = { loraB: foreign, loraA: good };
    const { adapter } = aggregateAdapters({ mode: "joint", layers, adapters: [{ layers: [own] }] });
    expect(adapter.layers[0]!.loraB).toEqual(new Float64Array(16).fill(2));
  });

  test("refuses a Promise and says what to do", () => {
    const layers = [{ dOut: 1, dIn: 1, rank: 1 }];
    const adapters = [{ layers: [{ loraB: [1], loraA: [2] }] }];
    const send = async (): Promise<{ estimate: number[] }> => ({ estimate: [1, 2] });
    const error = refusal({ mode: "joint", layers, adapters, send: send as never });
    expect(error.message).toBe(
      "send: found a Promise, expected an estimate; use loraLayout and your own loop for asynchronous links",
    );
  });

  test.each(["joint", "loraB", "padded", "product"] as const)(
    "%s: weights that a sender tells must be those that were asked for, up to a factor",
    (mode) => {
      const layers = [{ dOut: 1, dIn: 1, rank: 1 }];
      const adapters = [1, 3].map((b) => ({ layers: [{ loraB: [b], loraA: [2] }] }));
      const options = (used: unknown, weights?: readonly number[]): AdapterAggregationOptions => ({
        mode,
        layers,
        adapters,
        ...(mode === "padded" ? { slots: "renormalised" as const, perFactor: true } : {}),
        ...(weights === undefined ? {} : { weights }),
        send: (vectors) => ({ estimate: vectors[0]!, weights: used as ArrayLike<number> }),
      });
      const agreeing = [
        options([0.5, 0.5]),
        options([7, 7]),
        options(Float32Array.of(0.1, 0.2), [1, 2]),
        options(undefined, [1, 2]),
      ];
      for (const agreed of agreeing) expect(() => aggregateAdapters(agreed)).not.toThrow();
      const error = refusal(options([0.25, 0.75]));
      expect(error.field).toBe("send: weights[0]");
      expect(error.message).toContain("found 0.25 of the sum, expected 0.5: the weights of the link");
      expect(field(options([0.5, 0.5], [1, 2]))).toBe("send: weights[0]");
      expect(field(options([1, 1, 1]))).toBe("send: weights");
      expect(field(options([1, Number.NaN]))).toBe("send: weights[1]");
      expect(field(options(null))).toBe("send: weights");
    },
  );
});
