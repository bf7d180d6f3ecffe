import { checkNumber } from "../core/index.ts";
import { poissonLogMass } from "./poisson.ts";

/** Half the square of b - a from which on the smaller of Q1 and 1 - Q1 is no double. */
const GONE = 760;
/** Largest a: the sum has 20 a terms or so. */
const LARGEST = 1e6;

/** Q1 and 1 - Q1; the smaller one keeps its digits. */
export interface MarcumQ {
  /** Q1(a, b) */
  readonly q: number;
  /** 1 - Q1(a, b) */
  readonly complement: number;
}

/**
 * Marcum's Q1(a, b) = P(R > b) for R of the Rice distribution |a + n|, n circular complex normal of variance 2, and its
 * complement, to about 1e-12 relative each (above 1e-280).
 *
 * With independent X ~ Poisson(a^2/2) and Y ~ Poisson(b^2/2) it is P(Y <= X) (the Poisson mixture of central
 * chi-squares): a sum of positive terms around ab/2.
 *
 * @throws InputError unless 0 <= a <= 1e6 and b >= 0 are finite.
 */
export function marcumQ(a: number, b: number): MarcumQ {
  checkNumber(a, "a", 0, LARGEST);
  checkNumber(b, "b", 0);
  if (b === 0) return { q: 1, complement: 0 };
  if ((b - a) ** 2 / 2 > GONE && a > 0) return b > a ? { q: 0, complement: 1 } : { q: 1, complement: 0 };
  const [x, y] = [(a * a) / 2, (b * b) / 2];
  if (x === 0) return { q: Math.exp(-y), complement: -Math.expm1(-y) };
  // y may have vanished: b^2/2 < 1e-308
  if (y === 0) return { q: 1, complement: 0 };
  if (y > x) {
    const q = sumBelow(x, y, 0);
    return { q, complement: 1 - q };
  }
  const complement = sumBelow(y, x, 1);
  return { q: 1 - complement, complement };
}

/**
 * P(V <= U - offset) for U ~ Poisson(u), V ~ Poisson(v), u <= v: sum_j P(U = j) P(V <= j - offset). The masses are taken
 * relative to those at the first j, so that they underflow only where the result does.
 */
function sumBelow(u: number, v: number, offset: number): number {
  const peak = Math.sqrt(u) * Math.sqrt(v);
  const width = 10 * Math.sqrt(peak) + 40;
  const first = Math.max(offset, Math.floor(peak - width));
  const last = Math.ceil(peak + width);
  const logScale = poissonLogMass(first, u) + poissonLogMass(first - offset, v);
  // P(V <= first - offset) relative to P(V = first - offset)
  let lower = 0;
  for (let term = 1, n = first - offset; term > 1e-20 * lower; n--) {
    lower += term;
    term *= n / v;
  }
  let massU = 1;
  let massV = 1;
  let sum = 0;
  for (let j = first; j <= last; j++) {
    sum += massU * lower;
    massU *= u / (j + 1);
    massV *= v / (j + 1 - offset);
    lower += massV;
  }
  return Math.min(1, sum * Math.exp(logScale));
}
