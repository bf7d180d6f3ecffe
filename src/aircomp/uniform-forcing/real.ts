/** Level-1 kernels on buffers taken as vectors of reals of even length; Re<a, b> of complex buffers is their dot product. */

/** The sum of a_i b_i. */
export function dot(
  a: Float64Array,
  aOffset: number,
  b: Float64Array,
  bOffset: number,
  size: number,
): number {
  let even = 0;
  let odd = 0;
  for (let i = 0; i < size; i += 2) {
    even += a[aOffset + i]! * b[bOffset + i]!;
    odd += a[aOffset + i + 1]! * b[bOffset + i + 1]!;
  }
  return even + odd;
}

/** out += factor a. */
export function axpy(out: Float64Array, a: Float64Array, offset: number, factor: number, size: number): void {
  for (let i = 0; i < size; i++) out[i]! += factor * a[offset + i]!;
}
