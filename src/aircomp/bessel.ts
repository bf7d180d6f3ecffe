import { checkNumber } from "../core/index.ts";

/** Beyond it the expansion for large arguments is as exact as rounding lets it be. */
const LARGE = 25;

/**
 * Bessel function J0(z) of real z, to about 1e-15 absolute for |z| <= 1e6 (beyond, rounding of z itself counts:
 * |z| 1e-16).
 *
 * Up to 25: J0(z) = (1/n) sum_j cos(z cos(pi (j + 1/2)/n)), j < n, with n = 40 nodes, whose error is
 * 2 |J_2n(z)| + 2 |J_4n(z)| + ... (Jacobi-Anger expansion, DLMF 10.12.3). Above: Hankel's expansion (DLMF 10.17.3).
 *
 * @throws InputError unless z is a finite number.
 */
export function besselJ0(z: number): number {
  const x = Math.abs(checkNumber(z, "z"));
  return x <= LARGE ? midpointRule(x, 40) : hankel(x);
}

/** Mean of cos(x cos theta) over n angles on the half circle, symmetric about its middle. */
function midpointRule(x: number, n: number): number {
  let sum = 0;
  for (let j = 0; j < n / 2; j++) sum += Math.cos(x * Math.cos((Math.PI * (j + 0.5)) / n));
  return sum / (n / 2);
}

function hankel(x: number): number {
  // a_k(0)/x^k by recursion: the signs go + - - + + ... for P (even k) and Q (odd k)
  let term = 1;
  let p = 1;
  let q = 0;
  for (let k = 1; k <= 24; k++) {
    term *= -((2 * k - 1) ** 2) / (8 * k * x);
    if (k % 2 === 0) p += (k % 4 === 0 ? 1 : -1) * term;
    else q += (k % 4 === 1 ? 1 : -1) * term;
  }
  // cos(x - pi/4) and sin(x - pi/4) without rounding the difference
  const cosine = (Math.cos(x) + Math.sin(x)) * Math.SQRT1_2;
  const sine = (Math.sin(x) - Math.cos(x)) * Math.SQRT1_2;
  return Math.sqrt(2 / (Math.PI * x)) * (p * cosine - q * sine);
}
