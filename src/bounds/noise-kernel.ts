/**
 * How gradient noise of earlier rounds adds up in a quadratic: sums over the age l of an error of
 *
 *   k_l = max over u in [low, high] of u (1 - u)^(2 l) / least,   k_0 = 1,
 *
 * u = curvature times step. Curved directions forget at once, flat ones feel little, so the sums grow with the
 * logarithm of the condition number only (docs/theory.md, section 2, quadratic form).
 */
export interface NoiseKernel {
  /** Smallest u: gain mu / L. */
  readonly low: number;
  /** Largest |1 - u|: what is left of an error after a round, at most. */
  readonly memory: number;
  /** sum_l k_l p^-l for memory^2 < p <= 1. */
  sum(p: number): number;
  /** sum_l sqrt(k_l) p^-l for memory < p <= 1. */
  rootSum(p: number): number;
}

/** So many terms are summed one by one; beyond, blocks of doubling length count with their largest terms. */
const SINGLE_TERMS = 4096;

/**
 * @param ratio mu / L in (0, 1]
 * @param gain of the common gradient, in (0, 2)
 */
export function noiseKernel(ratio: number, gain: number): NoiseKernel {
  const least = Math.min(gain, 1);
  const excess = Math.max(gain, 1) - 1;
  const low = least * ratio;
  const slow = 1 - low;
  // u = 1/(2 l + 1) is the worst curvature of age l, as long as there is one
  const lastInside = Math.floor((1 / low - 1) / 2);

  const total = (power: number, p: number): number => {
    const inside = (l: number): number =>
      (Math.exp(2 * l * Math.log1p(-1 / (2 * l + 1))) / (2 * l + 1) / least) ** power;
    const age = -Math.log(p);
    let sum = 1;
    const single = Math.min(lastInside, SINGLE_TERMS);
    for (let l = 1; l <= single; l++) sum += inside(l) * Math.exp(l * age);
    for (let l = single + 1; l <= lastInside; ) {
      const end = Math.min(2 * l - 1, lastInside);
      sum += (end - l + 1) * inside(l) * Math.exp(end * age);
      l = end + 1;
    }
    // beyond, the flattest direction is the worst: a geometric series
    const first = lastInside + 1;
    const factor = slow ** (2 * power) / p;
    if (slow > 0) {
      sum += (low / least) ** power * ((Math.exp(first * age) * slow ** (2 * power * first)) / (1 - factor));
    }
    if (excess > 0) {
      const ratioOfExcess = excess ** (2 * power) / p;
      sum += ((1 + excess) / least) ** power * (ratioOfExcess / (1 - ratioOfExcess));
    }
    return sum;
  };
  return {
    low,
    memory: Math.max(slow, excess),
    sum: (p) => total(1, p),
    rootSum: (p) => total(0.5, p),
  };
}
