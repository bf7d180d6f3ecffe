/** exp(x) up to here, its tangent above: finite for any log-ratio, increasing, with a continuous derivative. */
const LIMIT = 20;
const AT_LIMIT: number = Math.exp(LIMIT);

/**
 * exp(x) for log-ratios x up to 20 (a ratio of 4.9e8), e^20 (1 + x - 20) above. Clamping would make the gradient 0 where a
 * policy is furthest off; going on along the tangent keeps values finite and gradients true to them.
 */
export function tamedExp(x: number): number {
  return x <= LIMIT ? Math.exp(x) : AT_LIMIT * (1 + x - LIMIT);
}

/** Derivative of {@link tamedExp}. */
export function tamedExpSlope(x: number): number {
  return x <= LIMIT ? Math.exp(x) : AT_LIMIT;
}

/** tamedExp(x) - 1 - x >= 0, by its series where the terms cancel. */
export function tamedExpExcess(x: number): number {
  if (Math.abs(x) > 0.1) return tamedExp(x) - 1 - x;
  let term = x / 2;
  let sum = 1;
  // x^2/2 (1 + x/3 + x^2/12 + ...)
  let power = 1;
  for (let k = 3; k <= 14; k++) {
    power *= x / k;
    sum += power;
  }
  term *= x;
  return term * sum;
}

/** Derivative of {@link tamedExpExcess}, with the digits of small x. */
export function tamedExpExcessSlope(x: number): number {
  return x <= LIMIT ? Math.expm1(x) : AT_LIMIT - 1;
}
