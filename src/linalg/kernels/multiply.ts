/**
 * Products of complex matrices, C = A B, A^H B and A B^H, with an optional real factor and accumulation.
 * Every kernel computes 2 x 2 blocks of C in registers; the two operands of a block are read along contiguous
 * pairs or rows. `out` must not overlap the operands.
 */

/** C (m x n) = alpha A B, or C += alpha A B when `accumulate`; A m x k, B k x n, alpha real. */
export function multiply(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  b: Float64Array,
  bOffset: number,
  m: number,
  k: number,
  n: number,
  alpha = 1,
  accumulate = false,
): void {
  const aNext = 2 * k;
  const aStep = 2;
  const bNext = 2;
  const bStep = 2 * n;
  const iEven = m - (m & 1);
  const jEven = n - (n & 1);
  for (let i = 0; i < iEven; i += 2) {
    for (let j = 0; j < jEven; j += 2) {
      let c00 = 0,
        d00 = 0,
        c01 = 0,
        d01 = 0,
        c10 = 0,
        d10 = 0,
        c11 = 0,
        d11 = 0;
      let p = aOffset + 2 * i * k;
      let q = bOffset + 2 * j;
      for (let l = 0; l < k; l++) {
        const x0 = a[p]!;
        const y0 = a[p + 1]!;
        const x1 = a[p + aNext]!;
        const y1 = a[p + aNext + 1]!;
        const u0 = b[q]!;
        const v0 = b[q + 1]!;
        const u1 = b[q + bNext]!;
        const v1 = b[q + bNext + 1]!;
        c00 += x0 * u0 - y0 * v0;
        d00 += x0 * v0 + y0 * u0;
        c01 += x0 * u1 - y0 * v1;
        d01 += x0 * v1 + y0 * u1;
        c10 += x1 * u0 - y1 * v0;
        d10 += x1 * v0 + y1 * u0;
        c11 += x1 * u1 - y1 * v1;
        d11 += x1 * v1 + y1 * u1;

        p += aStep;
        q += bStep;
      }
      const r0 = outOffset + 2 * (i * n + j);
      const r1 = r0 + 2 * n;
      if (accumulate) {
        out[r0] = out[r0]! + alpha * c00;
        out[r0 + 1] = out[r0 + 1]! + alpha * d00;
        out[r0 + 2] = out[r0 + 2]! + alpha * c01;
        out[r0 + 3] = out[r0 + 3]! + alpha * d01;
        out[r1] = out[r1]! + alpha * c10;
        out[r1 + 1] = out[r1 + 1]! + alpha * d10;
        out[r1 + 2] = out[r1 + 2]! + alpha * c11;
        out[r1 + 3] = out[r1 + 3]! + alpha * d11;
      } else {
        out[r0] = alpha * c00;
        out[r0 + 1] = alpha * d00;
        out[r0 + 2] = alpha * c01;
        out[r0 + 3] = alpha * d01;
        out[r1] = alpha * c10;
        out[r1 + 1] = alpha * d10;
        out[r1 + 2] = alpha * c11;
        out[r1 + 3] = alpha * d11;
      }
    }
  }
  // What is left of odd sizes: the last column of the even rows, then the last row.
  for (let i = 0; i < m; i++) {
    for (let j = i < iEven ? jEven : 0; j < n; j++) {
      let c = 0;
      let d = 0;
      let p = aOffset + 2 * i * k;
      let q = bOffset + 2 * j;
      for (let l = 0; l < k; l++) {
        const x = a[p]!;
        const y = a[p + 1]!;
        const u = b[q]!;
        const v = b[q + 1]!;
        c += x * u - y * v;
        d += x * v + y * u;

        p += aStep;
        q += bStep;
      }
      const r = outOffset + 2 * (i * n + j);
      out[r] = accumulate ? out[r]! + alpha * c : alpha * c;
      out[r + 1] = accumulate ? out[r + 1]! + alpha * d : alpha * d;
    }
  }
}

/** C (m x n) = alpha A^H B, or C += alpha A^H B when `accumulate`; A k x m, B k x n, alpha real. */
export function multiplyConjugateLeft(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  b: Float64Array,
  bOffset: number,
  m: number,
  k: number,
  n: number,
  alpha = 1,
  accumulate = false,
): void {
  const aNext = 2;
  const aStep = 2 * m;
  const bNext = 2;
  const bStep = 2 * n;
  const iEven = m - (m & 1);
  const jEven = n - (n & 1);
  for (let i = 0; i < iEven; i += 2) {
    for (let j = 0; j < jEven; j += 2) {
      let c00 = 0,
        d00 = 0,
        c01 = 0,
        d01 = 0,
        c10 = 0,
        d10 = 0,
        c11 = 0,
        d11 = 0;
      let p = aOffset + 2 * i;
      let q = bOffset + 2 * j;
      for (let l = 0; l < k; l++) {
        const x0 = a[p]!;
        const y0 = a[p + 1]!;
        const x1 = a[p + aNext]!;
        const y1 = a[p + aNext + 1]!;
        const u0 = b[q]!;
        const v0 = b[q + 1]!;
        const u1 = b[q + bNext]!;
        const v1 = b[q + bNext + 1]!;
        c00 += x0 * u0 + y0 * v0;
        d00 += x0 * v0 - y0 * u0;
        c01 += x0 * u1 + y0 * v1;
        d01 += x0 * v1 - y0 * u1;
        c10 += x1 * u0 + y1 * v0;
        d10 += x1 * v0 - y1 * u0;
        c11 += x1 * u1 + y1 * v1;
        d11 += x1 * v1 - y1 * u1;

        p += aStep;
        q += bStep;
      }
      const r0 = outOffset + 2 * (i * n + j);
      const r1 = r0 + 2 * n;
      if (accumulate) {
        out[r0] = out[r0]! + alpha * c00;
        out[r0 + 1] = out[r0 + 1]! + alpha * d00;
        out[r0 + 2] = out[r0 + 2]! + alpha * c01;
        out[r0 + 3] = out[r0 + 3]! + alpha * d01;
        out[r1] = out[r1]! + alpha * c10;
        out[r1 + 1] = out[r1 + 1]! + alpha * d10;
        out[r1 + 2] = out[r1 + 2]! + alpha * c11;
        out[r1 + 3] = out[r1 + 3]! + alpha * d11;
      } else {
        out[r0] = alpha * c00;
        out[r0 + 1] = alpha * d00;
        out[r0 + 2] = alpha * c01;
        out[r0 + 3] = alpha * d01;
        out[r1] = alpha * c10;
        out[r1 + 1] = alpha * d10;
        out[r1 + 2] = alpha * c11;
        out[r1 + 3] = alpha * d11;
      }
    }
  }
  // What is left of odd sizes: the last column of the even rows, then the last row.
  for (let i = 0; i < m; i++) {
    for (let j = i < iEven ? jEven : 0; j < n; j++) {
      let c = 0;
      let d = 0;
      let p = aOffset + 2 * i;
      let q = bOffset + 2 * j;
      for (let l = 0; l < k; l++) {
        const x = a[p]!;
        const y = a[p + 1]!;
        const u = b[q]!;
        const v = b[q + 1]!;
        c += x * u + y * v;
        d += x * v - y * u;

        p += aStep;
        q += bStep;
      }
      const r = outOffset + 2 * (i * n + j);
      out[r] = accumulate ? out[r]! + alpha * c : alpha * c;
      out[r + 1] = accumulate ? out[r + 1]! + alpha * d : alpha * d;
    }
  }
}

/** C (m x n) = alpha A B^H, or C += alpha A B^H when `accumulate`; A m x k, B n x k, alpha real. */
export function multiplyConjugateRight(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  b: Float64Array,
  bOffset: number,
  m: number,
  k: number,
  n: number,
  alpha = 1,
  accumulate = false,
): void {
  const aNext = 2 * k;
  const aStep = 2;
  const bNext = 2 * k;
  const bStep = 2;
  const iEven = m - (m & 1);
  const jEven = n - (n & 1);
  for (let i = 0; i < iEven; i += 2) {
    for (let j = 0; j < jEven; j += 2) {
      let c00 = 0,
        d00 = 0,
        c01 = 0,
        d01 = 0,
        c10 = 0,
        d10 = 0,
        c11 = 0,
        d11 = 0;
      let p = aOffset + 2 * i * k;
      let q = bOffset + 2 * j * k;
      for (let l = 0; l < k; l++) {
        const x0 = a[p]!;
        const y0 = a[p + 1]!;
        const x1 = a[p + aNext]!;
        const y1 = a[p + aNext + 1]!;
        const u0 = b[q]!;
        const v0 = b[q + 1]!;
        const u1 = b[q + bNext]!;
        const v1 = b[q + bNext + 1]!;
        c00 += x0 * u0 + y0 * v0;
        d00 += y0 * u0 - x0 * v0;
        c01 += x0 * u1 + y0 * v1;
        d01 += y0 * u1 - x0 * v1;
        c10 += x1 * u0 + y1 * v0;
        d10 += y1 * u0 - x1 * v0;
        c11 += x1 * u1 + y1 * v1;
        d11 += y1 * u1 - x1 * v1;

        p += aStep;
        q += bStep;
      }
      const r0 = outOffset + 2 * (i * n + j);
      const r1 = r0 + 2 * n;
      if (accumulate) {
        out[r0] = out[r0]! + alpha * c00;
        out[r0 + 1] = out[r0 + 1]! + alpha * d00;
        out[r0 + 2] = out[r0 + 2]! + alpha * c01;
        out[r0 + 3] = out[r0 + 3]! + alpha * d01;
        out[r1] = out[r1]! + alpha * c10;
        out[r1 + 1] = out[r1 + 1]! + alpha * d10;
        out[r1 + 2] = out[r1 + 2]! + alpha * c11;
        out[r1 + 3] = out[r1 + 3]! + alpha * d11;
      } else {
        out[r0] = alpha * c00;
        out[r0 + 1] = alpha * d00;
        out[r0 + 2] = alpha * c01;
        out[r0 + 3] = alpha * d01;
        out[r1] = alpha * c10;
        out[r1 + 1] = alpha * d10;
        out[r1 + 2] = alpha * c11;
        out[r1 + 3] = alpha * d11;
      }
    }
  }
  // What is left of odd sizes: the last column of the even rows, then the last row.
  for (let i = 0; i < m; i++) {
    for (let j = i < iEven ? jEven : 0; j < n; j++) {
      let c = 0;
      let d = 0;
      let p = aOffset + 2 * i * k;
      let q = bOffset + 2 * j * k;
      for (let l = 0; l < k; l++) {
        const x = a[p]!;
        const y = a[p + 1]!;
        const u = b[q]!;
        const v = b[q + 1]!;
        c += x * u + y * v;
        d += y * u - x * v;

        p += aStep;
        q += bStep;
      }
      const r = outOffset + 2 * (i * n + j);
      out[r] = accumulate ? out[r]! + alpha * c : alpha * c;
      out[r + 1] = accumulate ? out[r + 1]! + alpha * d : alpha * d;
    }
  }
}

/** C (n x n, Hermitian) += alpha V V^H, V n x k, alpha real; both triangles, exactly Hermitian if C was. */
export function addHermitianOuter(
  out: Float64Array,
  outOffset: number,
  v: Float64Array,
  vOffset: number,
  n: number,
  k: number,
  alpha: number,
): void {
  const stride = 2 * k;
  const even = n - (n & 1);
  for (let i = 0; i < even; i += 2) {
    for (let j = 0; j < i; j += 2) {
      let c00 = 0;
      let d00 = 0;
      let c01 = 0;
      let d01 = 0;
      let c10 = 0;
      let d10 = 0;
      let c11 = 0;
      let d11 = 0;
      let p = vOffset + i * stride;
      let q = vOffset + j * stride;
      for (const end = p + stride; p < end; p += 2, q += 2) {
        const x0 = v[p]!;
        const y0 = v[p + 1]!;
        const x1 = v[p + stride]!;
        const y1 = v[p + stride + 1]!;
        const s0 = v[q]!;
        const t0 = v[q + 1]!;
        const s1 = v[q + stride]!;
        const t1 = v[q + stride + 1]!;
        c00 += x0 * s0 + y0 * t0;
        d00 += y0 * s0 - x0 * t0;
        c01 += x0 * s1 + y0 * t1;
        d01 += y0 * s1 - x0 * t1;
        c10 += x1 * s0 + y1 * t0;
        d10 += y1 * s0 - x1 * t0;
        c11 += x1 * s1 + y1 * t1;
        d11 += y1 * s1 - x1 * t1;
      }
      addPair(out, outOffset, n, i, j, alpha * c00, alpha * d00);
      addPair(out, outOffset, n, i, j + 1, alpha * c01, alpha * d01);
      addPair(out, outOffset, n, i + 1, j, alpha * c10, alpha * d10);
      addPair(out, outOffset, n, i + 1, j + 1, alpha * c11, alpha * d11);
    }
  }
  // what the blocks left: the diagonal with its neighbour below, and the last row of an odd n
  for (let i = 0; i < n; i++) {
    for (let j = i < even ? i - (i & 1) : 0; j <= i; j++) {
      let c = 0;
      let d = 0;
      let p = vOffset + i * stride;
      let q = vOffset + j * stride;
      for (const end = p + stride; p < end; p += 2, q += 2) {
        const x = v[p]!;
        const y = v[p + 1]!;
        const s = v[q]!;
        const t = v[q + 1]!;
        c += x * s + y * t;
        d += y * s - x * t;
      }
      if (i === j) out[outOffset + 2 * (i * n + i)]! += alpha * c;
      else addPair(out, outOffset, n, i, j, alpha * c, alpha * d);
    }
  }
}

/** Adds (re, im) to the entry (i, j) and its conjugate to (j, i). */
function addPair(
  out: Float64Array,
  outOffset: number,
  n: number,
  i: number,
  j: number,
  re: number,
  im: number,
): void {
  const below = outOffset + 2 * (i * n + j);
  const above = outOffset + 2 * (j * n + i);
  out[below]! += re;
  out[below + 1]! += im;
  out[above]! += re;
  out[above + 1]! -= im;
}
