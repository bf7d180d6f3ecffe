import { checkInteger, checkNumber } from "../core/index.ts";

const EULER = 0.577_215_664_901_532_9;

/**
 * e^x E_n(x) for x > 0 and n from 1 to 2^24, E_n(x) = int_1^inf e^(-x t)/t^n dt, to a few 1e-16 relative: between 1/(x + n) and
 * 1/(x + n - 1), where E_n itself would underflow. From x = 1 on by the continued fraction (DLMF 8.19.17), below by the series
 * of E_1 (DLMF 6.6.2) and the recursion upwards (DLMF 8.19.12), which shrinks errors there.
 *
 * @throws InputError on x or n out of range.
 */
export function scaledExponentialIntegral(x: number, n = 1): number {
  checkNumber(x, "x", Number.MIN_VALUE);
  checkInteger(n, "n", 1, 2 ** 24);
  if (x >= 1) return fraction(x, n);
  let value = Math.exp(x) * series(x);
  for (let m = 1; m < n; m++) value = (1 - x * value) / m;
  return value;
}

/** -gamma - log x - sum_k (-x)^k/(k k!) */
function series(x: number): number {
  let power = 1;
  let sum = 0;
  for (let k = 1; k <= 20; k++) {
    power *= -x / k;
    sum -= power / k;
  }
  return sum - EULER - Math.log(x);
}

/**
 * 1/(x + n - 1 n/(x + n + 2 - 2 (n + 1)/(x + n + 4 - ...))), from the end: no rounding adds up. What k terms leave out is of
 * the order of e^(-4 sqrt(k x)).
 */
function fraction(x: number, n: number): number {
  const terms = 8 + Math.ceil(100 / x);
  let value = x + n + 2 * terms;
  for (let k = terms; k >= 1; k--) value = x + n + 2 * (k - 1) - (k * (n - 1 + k)) / value;
  return 1 / value;
}
