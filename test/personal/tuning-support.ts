import { InputError, type RandomStream } from "../../src/core/index.ts";

/** Fixed seed of every property test of the tuning functions. */
export const RUNS = { seed: 8, numRuns: 150 } as const;

export function normals(length: number, stream: RandomStream, size = 1): Float64Array {
  return Float64Array.from({ length }, () => size * stream.normal());
}

/** Field and message of the InputError that `call` throws. */
export function refusal(call: () => unknown): { readonly field: string; readonly message: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof InputError) return { field: error.field, message: error.message };
    throw error;
  }
  return { field: "nothing thrown", message: "" };
}

/** Fourth-order central differences of `value` by every entry of `at`. */
export function differences(
  value: (at: Float64Array) => number,
  at: ArrayLike<number>,
  step = 1e-3,
): Float64Array {
  const point = Float64Array.from(at);
  return point.map((x, i) => {
    const moved = (by: number): number => {
      point[i] = x + by * step;
      const result = value(point);
      point[i] = x;
      return result;
    };
    return (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step);
  });
}

/** Largest difference, relative to the largest entry of either. */
export function mismatch(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    size = Math.max(size, Math.abs(a[i]!), Math.abs(b[i]!));
  }
  return size === 0 ? 0 : difference / size;
}

/** |a/b - 1| */
export function relative(a: number, b: number): number {
  return a === b ? 0 : Math.abs(a / b - 1);
}

/** Ways a gradient can be wrong that a look at its values does not show. */
export const mutations: readonly [name: string, mutate: (gradient: Float64Array) => Float64Array][] = [
  ["doubled", (g) => g.map((x) => 2 * x)],
  ["negated", (g) => g.map((x) => -x)],
  ["without its mean", (g) => g.map((x) => x - g.reduce((sum, y) => sum + y, 0) / g.length - 1e-3)],
  [
    "one entry left out",
    (g) =>
      g.with(
        g.findIndex((x) => x !== 0),
        0,
      ),
  ],
  ["shifted by one", (g) => g.map((_, i) => g[(i + 1) % g.length]!)],
];

/** int_from^to f by composite Gauss-Legendre with 5 nodes on each of `panels`. */
export function integrate(f: (x: number) => number, from: number, to: number, panels = 2000): number {
  const nodes = [0, 1, -1, 2, -2].map(
    (i) => (Math.sign(i) * Math.sqrt(5 + (Math.abs(i) === 1 ? -2 : 2) * Math.sqrt(10 / 7))) / 3,
  );
  const root = 13 * Math.sqrt(70);
  const weights = [128 / 225, (322 + root) / 900, (322 + root) / 900, (322 - root) / 900, (322 - root) / 900];
  const half = (to - from) / panels / 2;
  let sum = 0;
  for (let p = 0; p < panels; p++) {
    const middle = from + (2 * p + 1) * half;
    for (let i = 0; i < 5; i++) sum += weights[i]! * f(middle + half * nodes[i]!);
  }
  return sum * half;
}
