/** Level-1 kernels. `count` is a number of complex entries; offsets are positions in the Float64Array. */

/** out = a. */
export function copy(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  count: number,
): void {
  const length = 2 * count;
  for (let i = 0; i < length; i++) out[outOffset + i] = a[aOffset + i]!;
}

/** out = factor a, with a real factor; `out` may be `a`. */
export function scale(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  count: number,
  factor: number,
): void {
  const length = 2 * count;
  for (let i = 0; i < length; i++) out[outOffset + i] = factor * a[aOffset + i]!;
}

/** out += factor a, with a real factor. */
export function axpy(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  count: number,
  factor: number,
): void {
  const length = 2 * count;
  for (let i = 0; i < length; i++) out[outOffset + i] = out[outOffset + i]! + factor * a[aOffset + i]!;
}

/** out += (re + i im) a. */
export function axpyComplex(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  count: number,
  re: number,
  im: number,
): void {
  for (let p = outOffset, q = aOffset, end = aOffset + 2 * count; q < end; p += 2, q += 2) {
    const x = a[q]!;
    const y = a[q + 1]!;
    out[p] = out[p]! + re * x - im * y;
    out[p + 1] = out[p + 1]! + re * y + im * x;
  }
}

/** Sum of squared moduli (squared Frobenius norm). No protection against overflow. */
export function squaredNorm(a: Float64Array, aOffset: number, count: number): number {
  let even = 0;
  let odd = 0;
  for (let p = aOffset, end = aOffset + 2 * count; p < end; p += 2) {
    const x = a[p]!;
    const y = a[p + 1]!;
    even += x * x;
    odd += y * y;
  }
  return even + odd;
}

/** The real inner product Re<a, b> = Re tr(a^H b). */
export function realInner(
  a: Float64Array,
  aOffset: number,
  b: Float64Array,
  bOffset: number,
  count: number,
): number {
  let even = 0;
  let odd = 0;
  for (let p = aOffset, q = bOffset, end = aOffset + 2 * count; p < end; p += 2, q += 2) {
    even += a[p]! * b[q]!;
    odd += a[p + 1]! * b[q + 1]!;
  }
  return even + odd;
}

/** Largest |re| or |im|; 0 when there are none. NaN entries are passed over. */
export function largestPart(a: Float64Array, aOffset: number, count: number): number {
  let largest = 0;
  for (let i = aOffset, end = aOffset + 2 * count; i < end; i++) {
    const x = Math.abs(a[i]!);
    if (x > largest) largest = x;
  }
  return largest;
}

/** out (cols x rows) = A^H, A rows x cols; `out` must not overlap `a`. */
export function conjugateTranspose(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  rows: number,
  cols: number,
): void {
  for (let i = 0, p = aOffset; i < rows; i++) {
    for (let j = 0, q = outOffset + 2 * i; j < cols; j++, p += 2, q += 2 * rows) {
      out[q] = a[p]!;
      out[q + 1] = -a[p + 1]!;
    }
  }
}

/** A <- (A + A^H) / 2 in place, A n x n; the diagonal becomes real. */
export function makeHermitian(a: Float64Array, aOffset: number, n: number): void {
  for (let i = 0; i < n; i++) {
    a[aOffset + 2 * (i * n + i) + 1] = 0;
    for (let j = 0; j < i; j++) {
      const p = aOffset + 2 * (i * n + j);
      const q = aOffset + 2 * (j * n + i);
      const re = 0.5 * a[p]! + 0.5 * a[q]!;
      const im = 0.5 * a[p + 1]! - 0.5 * a[q + 1]!;
      a[p] = a[q] = re;
      a[p + 1] = im;
      a[q + 1] = -im;
    }
  }
}

/**
 * The power of two that takes `largest` into [2^target, 2^(target + 1)), give or take the rounding of the
 * logarithm, so that scaling by it is exact; 1 for zero. The exponent is kept within +-1022: the factor and its
 * reciprocal are normal numbers.
 */
export function powerOfTwoScale(largest: number, target: number): number {
  if (!(largest > 0) || largest === Number.POSITIVE_INFINITY) return 1;
  let exponent = Math.floor(Math.log2(largest));
  exponent = Math.max(-1022, Math.min(1022, target - exponent));
  return 2 ** exponent;
}
