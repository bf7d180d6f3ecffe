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
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let c = 0;
      let d = 0;
      let p = vOffset + 2 * i * k;
      let q = vOffset + 2 * j * k;
      for (const end = p + 2 * k; p < end; p += 2, q += 2) {
        const x = v[p]!;
        const y = v[p + 1]!;
        const s = v[q]!;
        const t = v[q + 1]!;
        c += x * s + y * t;
        d += y * s - x * t;
      }
      const r = outOffset + 2 * (i * n + j);
      out[r] = out[r]! + alpha * c;
      if (i === j) continue;
      out[r + 1] = out[r + 1]! + alpha * d;
      const t = outOffset + 2 * (j * n + i);
      out[t] = out[t]! + alpha * c;
      out[t + 1] = out[t + 1]! - alpha * d;
    }
  }
}
