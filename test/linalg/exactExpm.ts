import { type ComplexMatrix, zeros } from "../../src/linalg/index.ts";

/** Fixed point: integers over 2^BITS. */
const BITS = 420;

/**
 * e^A to some 100 digits, rounded to doubles: the Taylor series of A / 2^s in fixed-point integers and s squarings.
 * For norms up to a few hundred.
 */
export function exactExpm(a: ComplexMatrix): ComplexMatrix {
  const n = a.rows;
  let size = 0;
  for (const x of a.data) size += Math.abs(x);
  const squarings = size > 0 ? Math.max(0, Math.ceil(Math.log2(size)) + 4) : 0;
  const scaled = Array.from(a.data, (x) => toFixed(x) >> BigInt(squarings));
  let result = identityOf(n);
  let term = identityOf(n);
  for (let k = 1n; term.some((x) => x !== 0n && x !== -1n); k++) {
    term = product(term, scaled, n).map((x) => x / k);
    result = result.map((x, i) => x + term[i]!);
  }
  for (let k = 0; k < squarings; k++) result = product(result, result, n);
  const out = zeros(n, n);
  for (let i = 0; i < result.length; i++) out.data[i] = toDouble(result[i]!);
  return out;
}

function product(a: readonly bigint[], b: readonly bigint[], n: number): bigint[] {
  const out: bigint[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let re = 0n;
      let im = 0n;
      for (let k = 0; k < n; k++) {
        const p = 2 * (i * n + k);
        const q = 2 * (k * n + j);
        re += a[p]! * b[q]! - a[p + 1]! * b[q + 1]!;
        im += a[p]! * b[q + 1]! + a[p + 1]! * b[q]!;
      }
      out.push(re >> BigInt(BITS), im >> BigInt(BITS));
    }
  }
  return out;
}

function identityOf(n: number): bigint[] {
  const out = new Array<bigint>(2 * n * n).fill(0n);
  for (let i = 0; i < n; i++) out[2 * i * (n + 1)] = 1n << BigInt(BITS);
  return out;
}

function toFixed(x: number): bigint {
  if (x === 0) return 0n;
  const exponent = Math.floor(Math.log2(Math.abs(x))) - 52;
  const mantissa = BigInt(Math.trunc(x * 2 ** -exponent));
  const shift = BITS + exponent;
  return shift >= 0 ? mantissa << BigInt(shift) : mantissa >> BigInt(-shift);
}

function toDouble(x: bigint): number {
  const digits = (x < 0n ? -x : x).toString(2).length;
  const drop = Math.max(0, digits - 64);
  return Number(x >> BigInt(drop)) * 2 ** (drop - BITS);
}
