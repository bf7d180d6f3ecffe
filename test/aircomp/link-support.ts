import type { Gradient } from "../../src/aircomp/index.ts";
import { randomStream } from "../../src/core/index.ts";

/** K gradients of Q normal entries: means of their own, half of the energy in common. */
export function normalGradients(entries: number, devices: number, seed: number): Float64Array[] {
  const stream = randomStream(seed, "gradients");
  const shared = Float64Array.from({ length: entries }, () => stream.normal());
  return Array.from({ length: devices }, (_, k) =>
    shared.map((x) => 0.3 * k + (1 + 0.2 * k) * (x + stream.normal())),
  );
}

/** @param shares weights that sum to 1 */
export function weightedMean(list: readonly Gradient[], shares: readonly number[]): Float64Array {
  return Float64Array.from({ length: list[0]!.length }, (_, i) =>
    list.reduce((sum, g, k) => sum + shares[k]! * g[i]!, 0),
  );
}

/** ||a - b||^2, b = 0 by default. */
export function squaredError(a: ArrayLike<number>, b?: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - (b?.[i] ?? 0)) ** 2;
  return sum;
}
