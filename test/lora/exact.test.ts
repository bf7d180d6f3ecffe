import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { InputError, randomStream } from "../../src/core/index.ts";
import { fromParts, svd } from "../../src/linalg/index.ts";
import {
  aggregateAdapters,
  averagingResidual,
  type LoraFactors,
  type LoraShape,
  loraProduct,
} from "../../src/lora/index.ts";
import {
  add,
  type Case,
  cases,
  distance,
  exactSum,
  norm,
  normals,
  product,
  RUNS,
  randomFactors,
} from "./support.ts";

/** Singular values of a dense matrix by airfold's own decomposition, descending. */
function singularValues({ dOut, dIn }: LoraShape, dense: Float64Array): number[] {
  return [...svd(fromParts(dOut, dIn, dense, new Float64Array(dense.length))).s];
}

/** Gram matrices loraB^T loraB and loraA loraA^T, rank x rank. */
function grams({ dOut, dIn }: LoraShape, { loraB, loraA }: LoraFactors): [Float64Array, Float64Array] {
  const rank = loraB.length / dOut;
  const cell = (entry: (s: number, t: number) => number): Float64Array =>
    Float64Array.from({ length: rank * rank }, (_, e) => entry(Math.floor(e / rank), e % rank));
  const sum = (count: number, term: (i: number) => number): number =>
    Array.from({ length: count }, (_, i) => term(i)).reduce((total, x) => total + x, 0);
  return [
    cell((s, t) => sum(dOut, (i) => loraB[i * rank + s]! * loraB[i * rank + t]!)),
    cell((s, t) => sum(dIn, (j) => loraA[s * dIn + j]! * loraA[t * dIn + j]!)),
  ];
}

function checkExact(problem: Case, mode: "stacked" | "product", split: "balanced" | "orthonormal"): void {
  const { layers, adapters, weights } = problem;
  const { adapter, residuals } = aggregateAdapters({ mode, layers, adapters, weights, split });
  layers.forEach((shape, i) => {
    const sum = exactSum(problem, i);
    const scale = norm(sum) + 1e-300;
    const factors = adapter.layers[i]!;
    const kept = product(shape, factors);
    const left = loraProduct(shape, residuals![i]!);
    expect(norm(add(add(kept, left), sum, -1)) / scale).toBeLessThan(1e-12);
    // Eckart-Young: no approximation of this rank leaves less
    const s = singularValues(shape, sum);
    const tail = Math.sqrt(s.slice(shape.rank).reduce((total, x) => total + x * x, 0));
    expect(Math.abs(norm(add(sum, kept, -1)) - tail) / scale).toBeLessThan(1e-12);
    const [b, a] = grams(shape, factors);
    const stackedRank = adapters.reduce((total, own) => total + own.layers[i]!.loraB.length / shape.dOut, 0);
    const slots = Math.min(mode === "stacked" ? stackedRank : Infinity, shape.dOut, shape.dIn, shape.rank);
    for (let l = 0; l < shape.rank; l++) {
      const expected = s[l] ?? 0;
      for (let t = 0; t < shape.rank; t++) {
        const onB = t === l ? (split === "balanced" ? expected : expected ** 2) : 0;
        // rows of loraA are orthonormal also where the sum has no such singular value
        const onA = t !== l ? 0 : split === "balanced" ? expected : l < slots ? 1 : 0;
        const size = split === "balanced" ? scale : scale ** 2 + 1e-300;
        expect(Math.abs(b[l * shape.rank + t]! - onB) / size).toBeLessThan(1e-12);
        expect(Math.abs(a[l * shape.rank + t]! - onA) / (split === "balanced" ? scale : 1)).toBeLessThan(
          1e-12,
        );
      }
    }
  });
}

const splits = fc.constantFrom("balanced", "orthonormal");
const exactModes = fc.constantFrom("stacked", "product");

describe("the exact sum of products", () => {
  test("is the factors and the residual; the factors are its best approximation; as split", () => {
    fc.assert(fc.property(cases({ mixedRanks: true }), exactModes, splits, checkExact), RUNS);
  });

  test("large layers, by QR of the factors", () => {
    const stream = randomStream(2, "large");
    const layers = [
      { dOut: 60, dIn: 25, rank: 4 },
      { dOut: 20, dIn: 70, rank: 3 },
    ];
    const ranks = [1, 4, 3, 2];
    const adapters = ranks.map((rank) => ({
      layers: layers.map((shape) => randomFactors(shape, rank, stream)),
    }));
    const problem = { layers, adapters, weights: [0.4, 0.3, 0.2, 0.1], ranks: [] };
    for (const split of ["balanced", "orthonormal"] as const) checkExact(problem, "stacked", split);
    const { residuals } = aggregateAdapters({ mode: "stacked", layers, adapters });
    expect(residuals!.map(({ rank }) => rank)).toEqual([10 - 4, 10 - 3]);
  });

  test("agrees with ml-matrix on the dense product", () => {
    const stream = randomStream(4, "dense");
    const shape = { dOut: 12, dIn: 9, rank: 2 };
    const adapters = [0, 1, 2].map(() => ({ layers: [randomFactors(shape, 2, stream)] }));
    const problem = { layers: [shape], adapters, weights: [0.5, 0.25, 0.25], ranks: [] };
    const dense = Matrix.from1DArray(12, 9, exactSum(problem, 0));
    const {
      leftSingularVectors: u,
      diagonal,
      rightSingularVectors: v,
    } = new SingularValueDecomposition(dense);
    const best = u
      .subMatrix(0, 11, 0, 1)
      .mmul(Matrix.diag(diagonal.slice(0, 2)))
      .mmul(v.subMatrix(0, 8, 0, 1).transpose());
    const { adapter } = aggregateAdapters({
      mode: "stacked",
      layers: problem.layers,
      adapters,
      weights: problem.weights,
      keep: "truncated",
    });
    expect(distance(product(shape, adapter.layers[0]!), best.to1DArray())).toBeLessThan(1e-12);
  });

  test("does not depend on the order of the devices; one device of enough rank is returned", () => {
    fc.assert(
      fc.property(cases({ mixedRanks: true }), (problem) => {
        const { layers, adapters, weights } = problem;
        const mode = "stacked";
        const { adapter, residuals } = aggregateAdapters({ mode, layers, adapters, weights });
        const reversed = aggregateAdapters({
          mode,
          layers,
          adapters: [...adapters].reverse(),
          weights: [...weights].reverse(),
        });
        const alone = aggregateAdapters({ mode, layers, adapters: [adapters[0]!] });
        layers.forEach((shape, i) => {
          const w = (result: typeof alone): Float64Array =>
            add(product(shape, result.adapter.layers[i]!), loraProduct(shape, result.residuals![i]!));
          expect(
            distance(w({ adapter, residuals, entries: 0, transmissions: [] }), w(reversed)),
          ).toBeLessThan(1e-13);
          expect(alone.residuals![i]!.rank).toBe(0);
          const own = product(shape, adapters[0]!.layers[i]!);
          expect(distance(product(shape, alone.adapter.layers[i]!), own)).toBeLessThan(1e-13);
        });
      }),
      RUNS,
    );
  });

  test("with the mean factors the residual is that of separate averaging", () => {
    fc.assert(
      fc.property(cases({ mixedRanks: true }), (problem) => {
        const { layers, adapters, weights } = problem;
        const { adapter, residuals } = aggregateAdapters({
          mode: "stacked",
          keep: "mean",
          layers,
          adapters,
          weights,
        });
        const padded = aggregateAdapters({ mode: "padded", layers, adapters, weights }).adapter;
        expect(residuals).toEqual(averagingResidual({ layers, adapters, weights }));
        layers.forEach((shape, i) => {
          expect(distance(adapter.layers[i]!.loraB, padded.layers[i]!.loraB)).toBeLessThan(1e-14);
          const w = add(product(shape, adapter.layers[i]!), loraProduct(shape, residuals![i]!));
          expect(distance(w, exactSum(problem, i))).toBeLessThan(1e-13);
        });
      }),
      RUNS,
    );
  });

  test("with alpha/r_k on every device the aggregate has alpha/rank", () => {
    const alpha = 16;
    const modes = fc.constantFrom(
      { mode: "stacked" } as const,
      { mode: "stacked", keep: "mean" } as const,
      { mode: "product" } as const,
    );
    fc.assert(
      fc.property(cases({ mixedRanks: true }), modes, ({ layers, adapters, weights, ranks }, mode) => {
        const { adapter, residuals } = aggregateAdapters({
          ...mode,
          layers,
          adapters,
          weights,
          scaling: "per-rank",
        });
        layers.forEach((shape, i) => {
          const update = adapters.reduce<Float64Array>(
            (sum, own, k) => add(sum, product(shape, own.layers[i]!), (weights[k]! * alpha) / ranks[k]![i]!),
            new Float64Array(shape.dOut * shape.dIn),
          );
          const scale = alpha / shape.rank;
          const w = add(
            loraProduct(shape, adapter.layers[i]!, scale),
            loraProduct(shape, residuals![i]!, scale),
          );
          expect(distance(w, update)).toBeLessThan(1e-13);
        });
      }),
      RUNS,
    );
  });

  test.each([
    ["zero", 0],
    ["tiny", 1e-200],
    ["subnormal", 4e-322],
    ["large", 1e69],
  ])("holds for %s factors, without NaN", (_, size) => {
    const stream = randomStream(6, "scale");
    for (const [dOut, dIn, rank] of [
      [5, 3, 2],
      [3, 5, 2],
      [9, 9, 1],
      [1, 1, 1],
    ] as const) {
      const layers = [{ dOut, dIn, rank }];
      const adapters = [0, 1].map(() => ({
        layers: [{ loraB: normals(dOut * rank, stream, size), loraA: normals(rank * dIn, stream, 1 / 8) }],
      }));
      for (const mode of ["stacked", "product"] as const) {
        const { adapter, residuals } = aggregateAdapters({ mode, layers, adapters });
        const sum = exactSum({ layers, adapters, weights: [0.5, 0.5], ranks: [] }, 0);
        const w = add(loraProduct(layers[0]!, adapter.layers[0]!), loraProduct(layers[0]!, residuals![0]!));
        w.forEach((x, e) => {
          expect(Math.abs(x - sum[e]!)).toBeLessThanOrEqual(1e-12 * size + 4 * Number.MIN_VALUE);
        });
        if (size === 0) expect(residuals![0]!.rank).toBe(0);
      }
    }
  });

  test("slots beyond the rank of the sum are zeros", () => {
    const layers = [{ dOut: 4, dIn: 4, rank: 3 }];
    const adapters = [{ layers: [{ loraB: [1, 2, 3, 4], loraA: [1, 0, -1, 0] }] }];
    const { adapter, residuals } = aggregateAdapters({ mode: "stacked", layers, adapters });
    const { rank, loraB, loraA } = adapter.layers[0]!;
    expect(rank).toBe(3);
    expect([loraB.length, loraA.length]).toEqual([12, 12]);
    expect([...loraA.slice(4)]).toEqual(new Array(8).fill(0));
    expect(residuals![0]!.rank).toBe(0);
  });

  test("what a sender makes of the products is kept whole", () => {
    const stream = randomStream(8, "noisy");
    const shape = { dOut: 4, dIn: 5, rank: 2 };
    const adapters = [0, 1].map(() => ({ layers: [randomFactors(shape, 2, stream)] }));
    const estimate = normals(20, stream);
    const result = aggregateAdapters({
      mode: "product",
      layers: [shape],
      adapters,
      send: (vectors, { content, index, weights }) => {
        expect(vectors.map(({ length }) => length)).toEqual([20, 20]);
        expect(distance(vectors[1]!, product(shape, adapters[1]!.layers[0]!))).toBeLessThan(1e-14);
        expect({ content, index, weights: [...weights] }).toEqual({
          content: "product",
          index: 0,
          weights: [0.5, 0.5],
        });
        return { estimate, seed: 5 };
      },
    });
    expect(result.transmissions[0]!.seed).toBe(5);
    const w = add(product(shape, result.adapter.layers[0]!), loraProduct(shape, result.residuals![0]!));
    expect(distance(w, estimate)).toBeLessThan(1e-13);
  });
});

test("loraProduct names wrong arguments, also swapped ones", () => {
  const shape = { dOut: 2, dIn: 2 };
  const factors = { loraB: [1, 2], loraA: [3, 4] };
  const refusalOf = (...args: unknown[]): string => {
    try {
      (loraProduct as (...list: unknown[]) => unknown)(...args);
    } catch (error) {
      if (error instanceof InputError) return error.message;
      throw error;
    }
    return "nothing thrown";
  };
  expect([...loraProduct({ ...shape, rank: 1, name: "query" } as typeof shape, factors, 0.5)]).toEqual([
    1.5, 2, 3, 4,
  ]);
  expect(refusalOf(factors, shape)).toMatch(/^shape: found factors, expected .* the factors come second$/);
  expect(refusalOf(null, factors)).toMatch(/^shape: found null/);
  expect(refusalOf(undefined, factors)).toMatch(/^shape: found undefined/);
  expect(refusalOf({ dOut: 2 }, factors)).toMatch(/^shape\.dIn: found undefined/);
  expect(refusalOf({ ...shape, dOut: Number.NaN }, { loraB: [], loraA: [] })).toMatch(
    /^shape\.dOut: found NaN/,
  );
  expect(refusalOf(shape, null)).toMatch(/^factors: found null/);
  expect(refusalOf(shape)).toMatch(/^factors: found undefined/);
  expect(refusalOf(shape, {})).toMatch(/^factors\.loraB: found undefined/);
  expect(refusalOf(shape, { loraB: [1, 2], loraA: null })).toMatch(/^factors\.loraA: found null/);
  expect(refusalOf(shape, { loraB: [], loraA: null })).toMatch(/^factors\.loraB: found an array of 0/);
  expect(refusalOf(shape, factors, Number.NaN)).toMatch(/^scale: found NaN/);
});
