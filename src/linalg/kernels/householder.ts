import { largestPart, powerOfTwoScale, squaredNorm } from "./vector.ts";

/**
 * An elementary reflector H = I - tau v v^H with v[0] = 1 such that H^H x = beta e1 with beta REAL, as LAPACK's
 * zlarfg: the phase of x[0] goes into tau. x (`count` contiguous entries) is overwritten by v; tau is written
 * to tau[tauOffset], tau[tauOffset + 1]; beta is returned, its sign opposite to Re x[0].
 * tau = 0 (H = I) when x is already a real multiple of e1. Safe against underflow of the squares; x must be
 * small enough for its squared norm not to overflow.
 */
export function makeReflector(
  x: Float64Array,
  xOffset: number,
  count: number,
  tau: Float64Array,
  tauOffset: number,
): number {
  tau[tauOffset] = 0;
  tau[tauOffset + 1] = 0;
  if (count === 0) return 0;
  let tail = squaredNorm(x, xOffset + 2, count - 1);
  let re = x[xOffset]!;
  let im = x[xOffset + 1]!;
  let unscale = 1;
  if (tail + re * re + im * im < 1e-280) {
    const largest = largestPart(x, xOffset, count);
    if (largest === 0) {
      x[xOffset] = 1;
      return 0;
    }
    const factor = powerOfTwoScale(largest, 0);
    for (let p = xOffset, end = xOffset + 2 * count; p < end; p++) x[p] = factor * x[p]!;
    unscale = 1 / factor;
    tail = squaredNorm(x, xOffset + 2, count - 1);
    re = x[xOffset]!;
    im = x[xOffset + 1]!;
  }
  x[xOffset] = 1;
  x[xOffset + 1] = 0;
  if (tail === 0 && im === 0) return re * unscale;
  const norm = Math.sqrt(re * re + im * im + tail);
  const beta = re >= 0 ? -norm : norm;
  tau[tauOffset] = (beta - re) / beta;
  tau[tauOffset + 1] = -im / beta;
  // v = x / (x[0] - beta): the divisor is at least the norm in modulus.
  const dr = re - beta;
  const size = dr * dr + im * im;
  const fr = dr / size;
  const fi = -im / size;
  for (let p = xOffset + 2, end = xOffset + 2 * count; p < end; p += 2) {
    const u = x[p]!;
    const v = x[p + 1]!;
    x[p] = fr * u - fi * v;
    x[p + 1] = fr * v + fi * u;
  }
  return beta * unscale;
}

/**
 * y <- y - (tr + i ti) v (v^H y) for `vectors` vectors of `count` contiguous entries, the first at yOffset, each
 * `stride` numbers after the one before. H is (tau, v), H^H is (conj(tau), v). Two vectors at a time share v.
 */
export function applyReflector(
  v: Float64Array,
  vOffset: number,
  count: number,
  tr: number,
  ti: number,
  y: Float64Array,
  yOffset: number,
  stride: number,
  vectors: number,
): void {
  if (tr === 0 && ti === 0) return;
  const end = vOffset + 2 * count;
  let j = 0;
  for (; j + 1 < vectors; j += 2) {
    const first = yOffset + j * stride;
    let ar = 0;
    let ai = 0;
    let br = 0;
    let bi = 0;
    for (let p = vOffset, q = first, r = first + stride; p < end; p += 2, q += 2, r += 2) {
      const x = v[p]!;
      const z = v[p + 1]!;
      const y0 = y[q]!;
      const y1 = y[q + 1]!;
      const y2 = y[r]!;
      const y3 = y[r + 1]!;
      ar += x * y0 + z * y1;
      ai += x * y1 - z * y0;
      br += x * y2 + z * y3;
      bi += x * y3 - z * y2;
    }
    const fr = tr * ar - ti * ai;
    const fi = tr * ai + ti * ar;
    const gr = tr * br - ti * bi;
    const gi = tr * bi + ti * br;
    for (let p = vOffset, q = first, r = first + stride; p < end; p += 2, q += 2, r += 2) {
      const x = v[p]!;
      const z = v[p + 1]!;
      y[q] = y[q]! - (fr * x - fi * z);
      y[q + 1] = y[q + 1]! - (fr * z + fi * x);
      y[r] = y[r]! - (gr * x - gi * z);
      y[r + 1] = y[r + 1]! - (gr * z + gi * x);
    }
  }
  if (j < vectors) {
    const first = yOffset + j * stride;
    let ar = 0;
    let ai = 0;
    for (let p = vOffset, q = first; p < end; p += 2, q += 2) {
      ar += v[p]! * y[q]! + v[p + 1]! * y[q + 1]!;
      ai += v[p]! * y[q + 1]! - v[p + 1]! * y[q]!;
    }
    const fr = tr * ar - ti * ai;
    const fi = tr * ai + ti * ar;
    for (let p = vOffset, q = first; p < end; p += 2, q += 2) {
      const x = v[p]!;
      const z = v[p + 1]!;
      y[q] = y[q]! - (fr * x - fi * z);
      y[q + 1] = y[q + 1]! - (fr * z + fi * x);
    }
  }
}
