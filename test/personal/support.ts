import fc from "fast-check";
import { type RandomStream, randomStream } from "../../src/core/index.ts";
import type { GroupPatterns, ParameterArray, ParameterSet } from "../../src/personal/index.ts";

/** Fixed seed of the property tests of this folder. */
export const RUNS = { seed: 1, numRuns: 150 } as const;

/** Bit patterns, which tell apart what === does not. */
export function bits(tensor: ParameterArray): string {
  return Buffer.from(tensor.buffer, tensor.byteOffset, tensor.byteLength).toString("hex");
}

export function allBits(set: ParameterSet): Record<string, string> {
  return Object.fromEntries(Object.entries(set).map(([name, tensor]) => [name, bits(tensor)]));
}

/** Values that a copy through arithmetic would not keep: NaN with a payload, -0, infinities, the smallest number. */
export function oddValues(length: number, single: boolean, mark: number): ParameterArray {
  const tensor = single ? new Float32Array(length) : new Float64Array(length);
  const words = new Uint32Array(tensor.buffer);
  const high = tensor.BYTES_PER_ELEMENT / 4 - 1;
  const patterns = single
    ? [0x7fc00000 + mark, 0x80000000, 0xff800000, 1]
    : [0x7ff80000 + mark, 0x80000000, 0xfff00000, 0];
  for (let i = 0; i < length; i++) {
    words[i * (high + 1) + high] = patterns[i % 4]!;
    if (!single) words[2 * i] = i % 4 === 0 ? mark : i % 4 === 3 ? 1 : 0;
  }
  return tensor;
}

/** Names of a small model with both LoRA and adapters. */
export const plan: GroupPatterns = {
  frozen: "base.*",
  shared: ["*.adapter.*", "norm"],
  private: [/\.lora[AB]$/, "head"],
};

export interface ClientsCase {
  readonly clients: readonly ParameterSet[];
  readonly global: ParameterSet;
  readonly weights: readonly number[];
}

/** Clients of different private ranks; odd values in what is private or frozen. */
export function clientCases(range = 4): fc.Arbitrary<ClientsCase> {
  return fc
    .record({
      seed: fc.nat({ max: 1e6 }),
      single: fc.boolean(),
      weights: fc
        .array(fc.oneof(fc.constant(0), fc.nat({ max: 50 })), { minLength: 1, maxLength: 6 })
        .filter((list) => list.some((w) => w > 0)),
      decades: fc.integer({ min: -range, max: range }),
    })
    .map(({ seed, single, weights, ...size }) => {
      const decades = single ? Math.min(36, Math.max(-36, size.decades)) : size.decades;
      const stream = randomStream(seed, "clients");
      const shared = (): ParameterSet => ({
        "block.adapter.down": values(6, stream, single, 10 ** decades),
        "block.adapter.up": values(6, stream, single, 10 ** decades),
        norm: values(3, stream, single, 1),
      });
      const clients = weights.map((_, k) => ({
        "base.weight": oddValues(8, single, 7),
        ...shared(),
        "block.loraA": oddValues(4 * (1 + (k % 3)), single, k),
        "block.loraB": oddValues(2 * (1 + (k % 3)), single, k + 9),
        ...(k % 2 === 0 ? { head: oddValues(5, single, k) } : {}),
      }));
      return { clients, global: shared(), weights };
    });
}

export function values(length: number, stream: RandomStream, single: boolean, size: number): ParameterArray {
  const list = Float64Array.from({ length }, () => size * stream.normal());
  return single ? Float32Array.from(list) : list;
}

/** A permutation of 0..n-1. */
export function permutation(n: number, seed: number): number[] {
  const stream = randomStream(seed, "permutation");
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
