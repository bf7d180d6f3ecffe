import { squaredNorm } from "./vector.ts";

const MAX_SWEEPS = 60;
/** Rows are expected to be scaled so that the largest entry is near 2^500; below this norm a row counts as zero. */
const ZERO_NORM = 1e-152;

/**
 * Rotates the `count` contiguous rows of `rows` (each `length` complex entries) until they are orthogonal to
 * working precision, applying the same rotations to the rows of `rotations` (each `width` entries). `order`, on
 * entry any permutation, lists the rows by descending norm on return; `norms` are their norms. Returns the
 * number of sweeps or -1.
 */
export function orthogonaliseRows(
  rows: Float64Array,
  length: number,
  rotations: Float64Array,
  width: number,
  count: number,
  norms: Float64Array,
  order: Int32Array,
): number {
  const tolerance = 2 ** -52 * Math.max(1, Math.sqrt(length));
  let sweep = 0;
  let rotated = true;
  while (rotated && sweep < MAX_SWEEPS) {
    rotated = false;
    sweep++;
    for (let j = 0; j < count; j++) {
      const norm = Math.sqrt(squaredNorm(rows, 2 * j * length, length));
      norms[j] = norm < ZERO_NORM ? 0 : norm;
    }
    for (let i = 0; i < count; i++) {
      // de Rijk: bring the largest of the remaining rows to position i.
      let best = i;
      for (let j = i + 1; j < count; j++) if (norms[order[j]!]! > norms[order[best]!]!) best = j;
      const swapped = order[i]!;
      order[i] = order[best]!;
      order[best] = swapped;
      if (norms[order[i]!] === 0) break;
      for (let j = i + 1; j < count; j++) {
        if (rotatePair(rows, length, rotations, width, norms, order[i]!, order[j]!, tolerance))
          rotated = true;
      }
    }
  }
  for (let i = 1; i < count; i++) {
    const moving = order[i]!;
    let j = i - 1;
    for (; j >= 0 && norms[order[j]!]! < norms[moving]!; j--) order[j + 1] = order[j]!;
    order[j + 1] = moving;
  }
  return rotated ? -1 : sweep;
}

/** Makes two rows orthogonal; false if they already are. */
function rotatePair(
  rows: Float64Array,
  length: number,
  rotations: Float64Array,
  width: number,
  norms: Float64Array,
  first: number,
  second: number,
  tolerance: number,
): boolean {
  const na = norms[first]!;
  const nb = norms[second]!;
  if (na === 0 || nb === 0) return false;
  const pStart = 2 * first * length;
  const qStart = 2 * second * length;
  const pEnd = pStart + 2 * length;
  let gr = 0;
  let gi = 0;
  for (let p = pStart, q = qStart; p < pEnd; p += 2, q += 2) {
    const x = rows[p]!;
    const y = rows[p + 1]!;
    const z = rows[q]!;
    const w = rows[q + 1]!;
    gr += x * z + y * w;
    gi += x * w - y * z;
  }
  const inverse = 1 / (na * nb);
  gr *= inverse;
  gi *= inverse;
  const cosine = Math.sqrt(gr * gr + gi * gi);
  if (!(cosine > tolerance)) return false;
  const zeta = (nb / na - na / nb) / (2 * cosine);
  const size = Math.abs(zeta);
  const root = size > 1e8 ? size : Math.sqrt(1 + size * size);
  const t = (zeta >= 0 ? 1 : -1) / (size + root);
  const c = 1 / Math.sqrt(1 + t * t);
  const sr = (c * t * gr) / cosine;
  const si = (c * t * gi) / cosine;
  // a <- c a - conj(s) b, b <- s a + c b
  let aa = 0;
  let bb = 0;
  for (let p = pStart, q = qStart; p < pEnd; p += 2, q += 2) {
    const x = rows[p]!;
    const y = rows[p + 1]!;
    const z = rows[q]!;
    const w = rows[q + 1]!;
    const ar = c * x - (sr * z + si * w);
    const ai = c * y - (sr * w - si * z);
    const br = sr * x - si * y + c * z;
    const bi = sr * y + si * x + c * w;
    rows[p] = ar;
    rows[p + 1] = ai;
    rows[q] = br;
    rows[q + 1] = bi;
    aa += ar * ar + ai * ai;
    bb += br * br + bi * bi;
  }
  const newA = Math.sqrt(aa);
  const newB = Math.sqrt(bb);
  norms[first] = newA < ZERO_NORM ? 0 : newA;
  norms[second] = newB < ZERO_NORM ? 0 : newB;
  const end = 2 * (first + 1) * width;
  for (let p = 2 * first * width, q = 2 * second * width; p < end; p += 2, q += 2) {
    const x = rotations[p]!;
    const y = rotations[p + 1]!;
    const z = rotations[q]!;
    const w = rotations[q + 1]!;
    rotations[p] = c * x - (sr * z + si * w);
    rotations[p + 1] = c * y - (sr * w - si * z);
    rotations[q] = sr * x - si * y + c * z;
    rotations[q + 1] = sr * y + si * x + c * w;
  }
  return true;
}
