import type { RandomStream } from "../core/index.ts";
import * as kernel from "../linalg/kernels/index.ts";

/** Small helpers of the manifolds on flat buffers: `size` real numbers from `at`. */

export function allFinite(a: Float64Array, at: number, size: number): boolean {
  // x - x is 0 for a finite x, else NaN
  let sum = 0;
  for (let i = at; i < at + size; i++) sum += a[i]! - a[i]!;
  return sum === 0;
}

/** Fills with standard normals. */
export function fillNormal(a: Float64Array, at: number, size: number, stream: RandomStream): void {
  for (let i = at; i < at + size; i++) a[i] = stream.normal();
}

/**
 * Scales to Euclidean length 1, for every length that is finite and not 0, even where its square is neither; NaN
 * otherwise.
 */
export function normalise(a: Float64Array, at: number, size: number): void {
  let squared = kernel.squaredNorm(a, at, size / 2);
  if (!(squared > 1e-280 && squared < 1e300)) {
    const factor = kernel.powerOfTwoScale(kernel.largestPart(a, at, size / 2), 0);
    for (let i = at; i < at + size; i++) a[i]! *= factor;
    squared = kernel.squaredNorm(a, at, size / 2);
  }
  const length = Math.sqrt(squared);
  for (let i = at; i < at + size; i++) a[i]! /= length;
}
