import fc from "fast-check";
import { InputError, type RandomStream, randomStream } from "../../src/core/index.ts";
import type { Model, ParameterArray, ParameterSet } from "../../src/fusion/index.ts";

/** Fixed seed of every property test of the task vectors. */
export const RUNS = { seed: 1, numRuns: 150 } as const;

/** A base, task vectors of the same names, and coefficients. */
export interface FusionCase {
  readonly base: ParameterSet;
  readonly taskVectors: readonly ParameterSet[];
  readonly coefficients: readonly number[];
}

/** Normal tensors of the given lengths. */
export function randomSet(
  lengths: Readonly<Record<string, number>>,
  stream: RandomStream,
  size = 1,
  single = false,
): ParameterSet {
  return Object.fromEntries(
    Object.entries(lengths).map(([name, length]) => {
      const values = Float64Array.from({ length }, () => size * stream.normal());
      return [name, single ? Float32Array.from(values) : values];
    }),
  );
}

export const lengths = { "encoder.0.weight": 6, "encoder.0.bias": 2, "head.weight": 4 } as const;

export function fusionCases(options: { readonly single?: boolean } = {}): fc.Arbitrary<FusionCase> {
  const coefficient = fc.oneof(fc.constantFrom(0, 1, -1), fc.double({ min: -2, max: 2, noNaN: true }));
  return fc
    .record({
      seed: fc.integer({ min: 0, max: 1e6 }),
      single: options.single === undefined ? fc.boolean() : fc.constant(options.single),
      coefficients: fc.array(coefficient, { minLength: 1, maxLength: 5 }),
    })
    .map(({ seed, single, coefficients }) => {
      const stream = randomStream(seed, "fusion-case");
      return {
        base: randomSet(lengths, stream, 1, single),
        taskVectors: coefficients.map(() => randomSet(lengths, stream, 0.3, single)),
        coefficients,
      };
    });
}

/** Bit patterns, which tell apart what === does not. */
export function bits(tensor: ParameterArray): Uint8Array {
  return new Uint8Array(tensor.buffer.slice(tensor.byteOffset, tensor.byteOffset + tensor.byteLength));
}

/** For long tensors, which toEqual takes seconds for. */
export function sameBits(a: ParameterArray, b: ParameterArray): boolean {
  const other = bits(b);
  return a.byteLength === b.byteLength && bits(a).every((x, i) => x === other[i]);
}

/** Largest difference of any entry. */
export function farthest(a: ParameterSet, b: ParameterSet): number {
  return Math.max(...Object.keys(a).flatMap((n) => Array.from(a[n]!, (x, i) => Math.abs(x - b[n]![i]!))));
}

export function add(a: ParameterSet, b: ParameterSet, factor = 1): ParameterSet {
  return Object.fromEntries(
    Object.entries(a).map(([name, x]) => [name, x.map((v, i) => v + factor * b[name]![i]!)]),
  );
}

/** Runs `call` and returns the field of its InputError. */
export async function fieldOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof InputError) return error.field;
    throw error;
  }
  return "nothing thrown";
}

/** Mean of the values, its standard error, and the distance of a number from it in standard errors. */
export function statistics(values: ArrayLike<number>): {
  readonly mean: number;
  readonly standardError: number;
  deviations(expected: number): number;
} {
  const list = Array.from(values);
  const mean = list.reduce((sum, x) => sum + x, 0) / list.length;
  const variance = list.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (list.length - 1);
  const standardError = Math.sqrt(variance / list.length);
  return { mean, standardError, deviations: (expected) => Math.abs(mean - expected) / standardError };
}

/** Two-layer network, tanh inside, and its samples: small, smooth and not linear. */
export const netLengths = { "hidden.weight": 12, "hidden.bias": 4, "head.weight": 12 } as const;

export const net: Model<readonly Float64Array[]> = (parameters, samples) => {
  const [w, b, v] = Object.keys(netLengths).map((name) => parameters[name]!) as [
    ParameterArray,
    ParameterArray,
    ParameterArray,
  ];
  return samples.map((x) => {
    const hidden = Array.from(b, (bias, i) =>
      Math.tanh(bias + x.reduce((sum, value, j) => sum + w[i * 3 + j]! * value, 0)),
    );
    return [0, 1, 2].map((o) => hidden.reduce((sum, value, i) => sum + v[o * 4 + i]! * value, 0));
  });
};

export function netSamples(count: number, stream: RandomStream): Float64Array[] {
  return Array.from({ length: count }, () => Float64Array.from({ length: 3 }, () => stream.normal()));
}
