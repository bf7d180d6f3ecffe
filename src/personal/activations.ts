import { qfunc } from "../core/qfunc.ts";

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
    value: (x) => (x < -40 ? 0 : x * qfunc(-x)),
    slope: (x) => (Math.abs(x) > 40 ? Number(x > 0) : qfunc(-x) + x * density(x)),
  },
  tanh: { value: Math.tanh, slope: (x) => 1 / Math.cosh(x) ** 2 },
};

function density(x: number): number {
  return Math.exp(-0.5 * x * x) / sqrtTwoPi;
}
