export type Activation = "relu" | "gelu" | "tanh";

/** A function of one number and its derivative. */
export interface ActivationFunction {
  readonly value: (x: number) => number;
  readonly slope: (x: number) => number;
}

const sqrtTwoPi: number = Math.sqrt(2 * Math.PI);

/** relu has slope 0 at 0, as training stacks have it; gelu is x Phi(x) itself, not its approximation by tanh. */
export const activations: Readonly<Record<Activation, ActivationFunction>> = {
  relu: { value: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0) },
  gelu: {
    value: (x) => (x < -40 ? 0 : x * normalCdf(x)),
    slope: (x) => (Math.abs(x) > 40 ? Number(x > 0) : normalCdf(x) + x * density(x)),
  },
  tanh: { value: Math.tanh, slope: (x) => 1 / Math.cosh(x) ** 2 },
};

/** Phi(x) to about 1e-15 relative to the smaller tail (Abramowitz & Stegun 26.2.11 and, for the tails, 26.2.14). */
export function normalCdf(x: number): number {
  if (x > 3) return 1 - normalCdf(-x);
  if (x < -3) {
    let fraction = -x;
    for (let k = 120; k >= 1; k--) fraction = -x + k / fraction;
    return density(x) / fraction;
  }
  // x + x^3/3 + x^5/(3 5) + ...
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + density(x) * sum;
}

function density(x: number): number {
  return Math.exp(-0.5 * x * x) / sqrtTwoPi;
}
