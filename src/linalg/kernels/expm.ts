import { balance } from "./balance.ts";
import { luFactor, luSolve } from "./lu.ts";
import { multiply } from "./multiply.ts";
import { axpy, largestPart, powerOfTwoScale, scale } from "./vector.ts";

/** Buffers for exponentials of n x n matrices; make one per size and reuse it. */
export interface ExpmWorkspace {
  readonly n: number;
  /** The shifted, balanced and scaled A, and its powers 2, 4, 6, 8. */
  readonly powers: readonly Float64Array[];
  readonly u: Float64Array;
  readonly v: Float64Array;
  readonly balance: Float64Array;
  /** Moduli of the entries of A. */
  readonly moduli: Float64Array;
  /** Two real vectors. */
  readonly sums: Float64Array;
  readonly pivots: Int32Array;
  readonly scales: Float64Array;
}

export function createExpmWorkspace(n: number): ExpmWorkspace {
  const size = 2 * n * n;
  return {
    n,
    powers: Array.from({ length: 5 }, () => new Float64Array(size)),
    u: new Float64Array(size),
    v: new Float64Array(size),
    balance: new Float64Array(n),
    moduli: new Float64Array(n * n),
    sums: new Float64Array(2 * n),
    pivots: new Int32Array(n),
    scales: new Float64Array(2 * n),
  };
}

/**
 * Degree m, coefficients of the numerator of the [m/m] Pade approximant, largest |A^k|^(1/k) it serves to unit
 * roundoff, and -log2 of the leading coefficient of its backward error, (m!)^2 / ((2m)! (2m + 1)!).
 */
const APPROXIMANTS: readonly {
  readonly degree: number;
  readonly numerator: readonly number[];
  readonly reach: number;
  readonly error: number;
}[] = [
  { degree: 3, numerator: [120, 60, 12, 1], reach: 1.495585217958292e-2, error: Math.log2(100800) },
  {
    degree: 5,
    numerator: [30240, 15120, 3360, 420, 30, 1],
    reach: 2.53939833006323e-1,
    error: Math.log2(10059033600),
  },
  {
    degree: 7,
    numerator: [17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1],
    reach: 9.504178996162932e-1,
    error: Math.log2(4487938430976000),
  },
  {
    degree: 9,
    numerator: [17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1],
    reach: 2.097847961257068,
    error: Math.log2(5.91438478187741e21),
  },
  {
    degree: 13,
    numerator: [
      64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
      10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
    ],
    reach: 4.25,
    error: Math.log2(1.1325077560602111e35),
  },
];

/** Entries are first brought below this power of two, so that powers of A and of its moduli stay in range. */
const LARGEST_EXPONENT = 20;

/**
 * out = e^A, A n x n, by scaling and squaring with Pade approximants of degree 3 to 13 (Higham, SIAM J. Matrix Anal.
 * Appl. 26, 2005), after subtracting the mean of the diagonal and balancing. Degree and scaling are chosen from
 * |A^k|^(1/k) in the one-norm rather than |A|, which keeps the squarings few for matrices far from normal (Al-Mohy
 * and Higham, SIAM J. Matrix Anal. Appl. 31, 2009). `out` may be A's own buffer.
 * Returns the number of squarings, or -1 if the result, or a power of e^A on the way to it, is beyond the range of
 * doubles (`out` is then useless).
 */
export function expm(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  work: ExpmWorkspace,
): number {
  const { n, powers, u, v } = work;
  if (n === 0) return 0;
  const count = n * n;
  const first = powers[0]!;
  let shiftRe = 0;
  let shiftIm = 0;
  for (let i = 0; i < n; i++) {
    shiftRe += a[aOffset + 2 * i * (n + 1)]! / n;
    shiftIm += a[aOffset + 2 * i * (n + 1) + 1]! / n;
  }
  for (let i = 0; i < 2 * count; i++) first[i] = a[aOffset + i]!;
  for (let i = 0; i < n; i++) {
    first[2 * i * (n + 1)] = first[2 * i * (n + 1)]! - shiftRe;
    first[2 * i * (n + 1) + 1] = first[2 * i * (n + 1) + 1]! - shiftIm;
  }
  balance(first, 0, n, work.balance);
  const largest = largestPart(first, 0, count);
  const before = largest > 2 ** LARGEST_EXPONENT ? powerOfTwoScale(largest, LARGEST_EXPONENT) : 1;
  scale(first, 0, first, 0, count, before);
  multiply(powers[1]!, 0, first, 0, first, 0, n, n, n);
  multiply(powers[2]!, 0, powers[1]!, 0, powers[1]!, 0, n, n, n);
  multiply(powers[3]!, 0, powers[1]!, 0, powers[2]!, 0, n, n, n);

  const started = -Math.log2(before);
  const choice = chooseApproximant(work, started);
  const squarings = started + choice.scaling;
  const { numerator, degree } = APPROXIMANTS[choice.index]!;
  for (let k = 0; k < 4; k++) {
    scale(powers[k]!, 0, powers[k]!, 0, count, 2 ** (-choice.scaling * Math.max(1, 2 * k)));
  }
  evaluate(work, numerator, degree);
  // (V - U) X = V + U
  for (let i = 0; i < 2 * count; i++) {
    const x = u[i]!;
    u[i] = v[i]! + x;
    v[i] = v[i]! - x;
  }
  if (luFactor(v, 0, n, work.pivots, work.scales, 0) >= 0) return -1;
  luSolve(v, 0, n, work.pivots, work.scales, u, 0, n);
  multiplyByExponential(u, count, 2 ** -squarings * shiftRe, 2 ** -squarings * shiftIm);
  let from = u;
  let to = v;
  for (let i = 0; i < squarings; i++) {
    multiply(to, 0, from, 0, from, 0, n, n, n);
    const swapped = from;
    from = to;
    to = swapped;
  }
  let probe = 0;
  for (let i = 0, p = 0; i < n; i++) {
    for (let j = 0; j < n; j++, p += 2) {
      // e^A = D e^B D^-1; the powers of two one after the other, for their quotient may be out of range.
      const large = Math.max(work.balance[i]!, 1 / work.balance[j]!);
      const small = Math.min(work.balance[i]!, 1 / work.balance[j]!);
      const re = from[p]! * small * large;
      const im = from[p + 1]! * small * large;
      out[outOffset + p] = re;
      out[outOffset + p + 1] = im;
      probe += 0 * re + 0 * im;
    }
  }
  return probe === 0 ? squarings : -1;
}

/**
 * The cheapest approximant, and the exponent of the power of two to divide A by for it, on top of the 2^started it
 * was divided by on the way in. Where that is not zero, only the last approximant is of use.
 */
function chooseApproximant(work: ExpmWorkspace, started: number): { index: number; scaling: number } {
  const { n, powers, moduli } = work;
  const small = started === 0;
  const first = powers[0]!;
  for (let i = 0; i < n * n; i++) {
    const x = first[2 * i]!;
    const y = first[2 * i + 1]!;
    moduli[i] = Math.sqrt(x * x + y * y);
  }
  const norm = powerNorm(work, 1);
  const d4 = oneNorm(powers[2]!, work) ** (1 / 4);
  const d6 = oneNorm(powers[3]!, work) ** (1 / 6);
  const last = APPROXIMANTS.length - 1;
  const extra = (index: number, scaling: number): number => {
    const { degree, error } = APPROXIMANTS[index]!;
    const power = powerNorm(work, 2 * degree + 1);
    if (power === 0) return 0;
    const excess = Math.log2(power) - Math.log2(norm) - error + 53 - 2 * degree * scaling;
    return Math.max(0, Math.ceil(excess / (2 * degree)));
  };
  const near = Math.max(d4, d6);
  for (let index = 0; small && index < 2; index++) {
    if (near <= APPROXIMANTS[index]!.reach && extra(index, 0) === 0) return { index, scaling: 0 };
  }
  multiply(powers[4]!, 0, powers[2]!, 0, powers[2]!, 0, n, n, n);
  const d8 = oneNorm(powers[4]!, work) ** (1 / 8);
  const middle = Math.max(d6, d8);
  for (let index = 2; small && index < 4; index++) {
    if (middle <= APPROXIMANTS[index]!.reach && extra(index, 0) === 0) return { index, scaling: 0 };
  }
  // A^10 is needed for its norm only.
  multiply(work.u, 0, powers[2]!, 0, powers[3]!, 0, n, n, n);
  const d10 = oneNorm(work.u, work) ** (1 / 10);
  const size = Math.min(middle, Math.max(d8, d10));
  const least = -Math.min(started, LARGEST_EXPONENT);
  const wanted = size === 0 ? least : Math.max(least, Math.ceil(Math.log2(size / APPROXIMANTS[last]!.reach)));
  return { index: last, scaling: wanted + extra(last, wanted) };
}

/** U (odd terms) and V (even terms) of the numerator, from the scaled powers. */
function evaluate(work: ExpmWorkspace, b: readonly number[], degree: number): void {
  const { n, powers, u, v } = work;
  const count = n * n;
  const odd = powers[4]!;
  if (degree === 13) {
    // U = A (A^6 (b13 A^6 + b11 A^4 + b9 A^2) + b7 A^6 + ... + b1), V = A^6 (b12 A^6 + b10 A^4 + b8 A^2) + b6 A^6 + ... + b0
    for (const [target, top, bottom] of [
      [odd, 9, 1],
      [v, 8, 0],
    ] as const) {
      u.fill(0);
      for (let k = 1; k <= 3; k++) axpy(u, 0, powers[k]!, 0, count, b[top + 2 * (k - 1)]!);
      multiply(target, 0, powers[3]!, 0, u, 0, n, n, n);
      for (let k = 1; k <= 3; k++) axpy(target, 0, powers[k]!, 0, count, b[bottom + 2 * k]!);
      for (let i = 0; i < n; i++) target[2 * i * (n + 1)] = target[2 * i * (n + 1)]! + b[bottom]!;
    }
    multiply(u, 0, powers[0]!, 0, odd, 0, n, n, n);
    return;
  }
  // `odd` still holds A^8, the last power used, until U needs it no more.
  v.fill(0);
  u.fill(0);
  for (let i = 0; i < n; i++) {
    v[2 * i * (n + 1)] = b[0]!;
    u[2 * i * (n + 1)] = b[1]!;
  }
  for (let k = 1; 2 * k < degree; k++) {
    axpy(v, 0, powers[k]!, 0, count, b[2 * k]!);
    axpy(u, 0, powers[k]!, 0, count, b[2 * k + 1]!);
  }
  multiply(odd, 0, powers[0]!, 0, u, 0, n, n, n);
  u.set(odd);
}

/** x <- e^(re + i im) x. */
function multiplyByExponential(x: Float64Array, count: number, re: number, im: number): void {
  const size = Math.exp(re);
  const c = size * Math.cos(im);
  const s = size * Math.sin(im);
  for (let p = 0; p < 2 * count; p += 2) {
    const y = x[p]!;
    const z = x[p + 1]!;
    x[p] = c * y - s * z;
    x[p + 1] = c * z + s * y;
  }
}

/** Largest sum of moduli of a column. */
function oneNorm(m: Float64Array, work: ExpmWorkspace): number {
  const { n, sums } = work;
  sums.fill(0, 0, n);
  for (let i = 0, p = 0; i < n; i++) {
    for (let j = 0; j < n; j++, p += 2) {
      const x = m[p]!;
      const y = m[p + 1]!;
      sums[j] = sums[j]! + Math.sqrt(x * x + y * y);
    }
  }
  let norm = 0;
  for (let j = 0; j < n; j++) norm = Math.max(norm, sums[j]!);
  return norm;
}

/** One-norm of |A|^power, |A| the moduli of the entries. */
function powerNorm(work: ExpmWorkspace, power: number): number {
  const { n, moduli, sums } = work;
  sums.fill(1, 0, n);
  for (let k = 0; k < power; k++) {
    sums.fill(0, n);
    for (let i = 0, p = 0; i < n; i++) {
      for (let j = 0; j < n; j++, p++) sums[n + j] = sums[n + j]! + sums[i]! * moduli[p]!;
    }
    sums.copyWithin(0, n);
  }
  let norm = 0;
  for (let j = 0; j < n; j++) norm = Math.max(norm, sums[j]!);
  return norm;
}
