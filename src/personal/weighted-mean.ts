import { checkNumbers, InputError } from "../core/index.ts";
import type { ParameterArray, Tensors } from "../core/parameters.ts";

/**
 * w_k from n_k >= 0, scaled to sum 1; 1/K each by default. Multiplying all n_k by a factor changes no bit where the
 * products are exact, and their order changes none: the smallest are summed first.
 *
 * @throws InputError if negative, not finite or all zero.
 */
export function shares(weights: ArrayLike<number> | undefined, clients: number): Float64Array {
  if (weights === undefined) return new Float64Array(clients).fill(1 / clients);
  const list = Float64Array.from(checkNumbers(weights, "weights", clients, 0));
  const largest = list.reduce((most, weight) => Math.max(most, weight), 0);
  if (largest === 0) throw new InputError("weights", "weights that sum to 0", "at least one weight > 0");
  const scaled = list.map((weight) => weight / largest);
  const total = scaled
    .slice()
    .sort()
    .reduce((sum, weight) => sum + weight, 0);
  return scaled.map((weight) => weight / total);
}

/**
 * Clients of weight > 0 in an order that does not depend on how they were given: by weight, then by the first entry that
 * differs. Clients that stay equal may change places without changing a sum.
 */
export function meanOrder(
  clients: readonly Tensors[],
  names: readonly string[],
  weights: Float64Array,
): number[] {
  const compare = (a: number, b: number): number => {
    if (weights[a] !== weights[b]) return weights[a]! - weights[b]!;
    for (const name of names) {
      const [left, right] = [clients[a]!.get(name)!, clients[b]!.get(name)!];
      for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return left[i]! < right[i]! ? -1 : 1;
    }
    return 0;
  };
  const heard = clients.map((_, k) => k).filter((k) => weights[k]! > 0);
  return heard.sort(compare);
}

/**
 * out = sum_k w_k x_k in double precision, no lower than the smallest and no higher than the largest x_k: a sum of rounded
 * products may lie outside by an ulp, and identical x_k would not stay what they are.
 *
 * @param weights > 0, sum 1 up to rounding
 */
export function clampedMean(
  tensors: readonly ParameterArray[],
  weights: Float64Array,
  out: ParameterArray,
): void {
  for (let i = 0; i < out.length; i++) {
    let [sum, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let k = 0; k < tensors.length; k++) {
      const x = tensors[k]![i]!;
      sum += weights[k]! * x;
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
    // equal values first: -0 and 0 are equal, but no sum of products keeps the sign
    out[i] = low === high ? low : Math.min(Math.max(sum, low), high);
  }
}
