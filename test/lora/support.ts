import fc from "fast-check";
import { type RandomStream, randomStream } from "../../src/core/index.ts";
import type { LoraAdapter, LoraFactors, LoraShape } from "../../src/lora/index.ts";

/** Fixed seed of every property test in this folder. */
export const RUNS = { seed: 1, numRuns: 200 } as const;

/** Layers, adapters of the same ranks, and weights that sum to 1. */
export interface Case {
  readonly layers: readonly LoraShape[];
  readonly adapters: readonly LoraAdapter[];
  readonly weights: readonly number[];
  /** r_k of every device and layer. */
  readonly ranks: readonly (readonly number[])[];
}

/** Normal entries of the given size. */
export function normals(count: number, stream: RandomStream, size = 1): Float64Array {
  return Float64Array.from({ length: count }, () => size * stream.normal());
}

export function randomFactors(shape: LoraShape, rank: number, stream: RandomStream): LoraFactors {
  return { loraB: normals(shape.dOut * rank, stream), loraA: normals(rank * shape.dIn, stream) };
}

export function shapes(most = 6): fc.Arbitrary<LoraShape[]> {
  const size = fc.integer({ min: 1, max: most });
  const layer = fc
    .record({ dOut: size, dIn: size, rank: size })
    .map(({ dOut, dIn, rank }) => ({ dOut, dIn, rank: Math.min(rank, dOut, dIn) }));
  return fc.array(layer, { minLength: 1, maxLength: 3 });
}

/** Normal factors; some devices zero, some equal, and sometimes one of weight 0. */
export function cases(options: { readonly mixedRanks?: boolean } = {}): fc.Arbitrary<Case> {
  return fc
    .record({
      layers: shapes(),
      devices: fc.integer({ min: 1, max: 5 }),
      seed: fc.integer({ min: 0, max: 1e6 }),
      kind: fc.constantFrom("normal", "some zero", "equal", "rank one"),
    })
    .map(({ layers, devices, seed, kind }) => {
      const stream = randomStream(seed, "case");
      const ranks = Array.from({ length: devices }, () =>
        layers.map(({ rank }) => (options.mixedRanks === true ? 1 + stream.integer(rank) : rank)),
      );
      const adapters = ranks.map((own, k) => {
        const draw = kind === "equal" && options.mixedRanks !== true ? randomStream(seed, "equal") : stream;
        return {
          layers: layers.map((shape, i) => {
            const factors = randomFactors(shape, own[i]!, draw);
            if (kind === "some zero" && k % 2 === 0) {
              return { ...factors, loraB: new Float64Array(factors.loraB.length) };
            }
            if (kind === "rank one") {
              const row = factors.loraA.slice(0, shape.dIn);
              return { ...factors, loraA: Float64Array.from(factors.loraA, (_, j) => row[j % shape.dIn]!) };
            }
            return factors;
          }),
        };
      });
      const raw = ranks.map((_, k) => (devices > 2 && k === 1 ? 0 : 0.1 + stream.uniform()));
      const total = raw.reduce((sum, w) => sum + w, 0);
      return { layers, adapters, weights: raw.map((w) => w / total), ranks };
    });
}

/** loraB loraA by three loops, dOut x dIn row-major. */
export function product(shape: { dOut: number; dIn: number }, { loraB, loraA }: LoraFactors): Float64Array {
  const rank = loraB.length / shape.dOut;
  return Float64Array.from({ length: shape.dOut * shape.dIn }, (_, e) => {
    const [i, j] = [Math.floor(e / shape.dIn), e % shape.dIn];
    let sum = 0;
    for (let s = 0; s < rank; s++) sum += loraB[i * rank + s]! * loraA[s * shape.dIn + j]!;
    return sum;
  });
}

/** sum_k w_k loraB_k loraA_k of layer i. */
export function exactSum({ layers, adapters, weights }: Case, i: number): Float64Array {
  const sum = new Float64Array(layers[i]!.dOut * layers[i]!.dIn);
  adapters.forEach((adapter, k) => {
    product(layers[i]!, adapter.layers[i]!).forEach((x, e) => {
      sum[e]! += weights[k]! * x;
    });
  });
  return sum;
}

export function add(a: ArrayLike<number>, b: ArrayLike<number>, factor = 1): Float64Array {
  return Float64Array.from({ length: a.length }, (_, i) => a[i]! + factor * b[i]!);
}

export function norm(a: ArrayLike<number>): number {
  return Math.sqrt(Array.from(a).reduce((sum, x) => sum + x * x, 0));
}

/** ||a - b|| relative to 1 + ||b||. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return norm(add(a, b, -1)) / (1 + norm(b));
}

/** Mean of `draws` values, its standard error, and the distance of `expected` from it in standard errors. */
export function sample(
  draws: number,
  draw: (i: number) => number,
): { readonly mean: number; readonly standardError: number; deviations(expected: number): number } {
  const values = Array.from({ length: draws }, (_, i) => draw(i));
  const mean = values.reduce((sum, x) => sum + x, 0) / draws;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (draws - 1);
  const standardError = Math.sqrt(variance / draws);
  return { mean, standardError, deviations: (expected) => Math.abs(mean - expected) / standardError };
}
