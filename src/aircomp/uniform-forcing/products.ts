import * as kernel from "../../linalg/kernels/index.ts";
import type { ScaledProblem } from "./scaled.ts";

/** Products of the scaled channels with buffers of the shape of A ([M, Nr, S]) and of G ([M, devices, Nt, S]). */
export interface Products {
  /** G_km = Hhat_km^H A_m for all devices. */
  forward(g: Float64Array, a: Float64Array): void;
  /** The same for device k alone, at its places in g. */
  forwardDevice(g: Float64Array, a: Float64Array, k: number): void;
  /** out_m += sum_k Hhat_km G_km over all devices. */
  addAllBackward(out: Float64Array, g: Float64Array): void;
  /** out_m += factor Hhat_km G_km for device k, all m. */
  addBackward(out: Float64Array, outOffset: number, g: Float64Array, k: number, factor: number): void;
}

export function createProducts(problem: ScaledProblem): Products {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams: s, adjoint } = problem;
  const block = 2 * nt * s;
  const beam = 2 * nr * s;
  const channel = 2 * nt * nr;

  function rows(g: Float64Array, a: Float64Array, m: number, first: number, count: number): void {
    const at = m * devices + first;
    if (s === 1) matrixVector(g, at * block, adjoint, at * channel, a, m * beam, count * nt, nr);
    else kernel.multiply(g, at * block, adjoint, at * channel, a, m * beam, count * nt, nr, s);
  }

  return {
    forward(g, a) {
      for (let m = 0; m < subcarriers; m++) rows(g, a, m, 0, devices);
    },
    forwardDevice(g, a, k) {
      for (let m = 0; m < subcarriers; m++) rows(g, a, m, k, 1);
    },
    addAllBackward(out, g) {
      for (let m = 0; m < subcarriers; m++) {
        const at = m * devices;
        const h = at * channel;
        const rowCount = devices * nt;
        kernel.multiplyConjugateLeft(out, m * beam, adjoint, h, g, at * block, nr, rowCount, s, 1, true);
      }
    },
    addBackward(out, outOffset, g, k, factor) {
      for (let m = 0; m < subcarriers; m++) {
        const at = m * devices + k;
        const to = outOffset + m * beam;
        if (s === 1) addAdjointVector(out, to, adjoint, at * channel, g, at * block, nt, nr, factor);
        else {
          const h = at * channel;
          kernel.multiplyConjugateLeft(out, to, adjoint, h, g, at * block, nr, nt, s, factor, true);
        }
      }
    },
  };
}

/** out (rows) = A x, A rows x cols, row-major; two rows at a time. */
function matrixVector(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  x: Float64Array,
  xOffset: number,
  rows: number,
  cols: number,
): void {
  const stride = 2 * cols;
  let i = 0;
  for (; i + 1 < rows; i += 2) {
    let c0 = 0;
    let d0 = 0;
    let c1 = 0;
    let d1 = 0;
    let p = aOffset + i * stride;
    let q = xOffset;
    for (let l = 0; l < cols; l++, p += 2, q += 2) {
      const u = x[q]!;
      const v = x[q + 1]!;
      const x0 = a[p]!;
      const y0 = a[p + 1]!;
      const x1 = a[p + stride]!;
      const y1 = a[p + stride + 1]!;
      c0 += x0 * u - y0 * v;
      d0 += x0 * v + y0 * u;
      c1 += x1 * u - y1 * v;
      d1 += x1 * v + y1 * u;
    }
    out[outOffset + 2 * i] = c0;
    out[outOffset + 2 * i + 1] = d0;
    out[outOffset + 2 * i + 2] = c1;
    out[outOffset + 2 * i + 3] = d1;
  }
  if (i < rows) {
    let c = 0;
    let d = 0;
    for (let l = 0, p = aOffset + i * stride, q = xOffset; l < cols; l++, p += 2, q += 2) {
      c += a[p]! * x[q]! - a[p + 1]! * x[q + 1]!;
      d += a[p]! * x[q + 1]! + a[p + 1]! * x[q]!;
    }
    out[outOffset + 2 * i] = c;
    out[outOffset + 2 * i + 1] = d;
  }
}

/** out (cols) += factor A^H x, A rows x cols, row-major. */
function addAdjointVector(
  out: Float64Array,
  outOffset: number,
  a: Float64Array,
  aOffset: number,
  x: Float64Array,
  xOffset: number,
  rows: number,
  cols: number,
  factor: number,
): void {
  for (let i = 0, p = aOffset; i < rows; i++) {
    const u = factor * x[xOffset + 2 * i]!;
    const v = factor * x[xOffset + 2 * i + 1]!;
    for (let l = 0, q = outOffset; l < cols; l++, p += 2, q += 2) {
      const re = a[p]!;
      const im = a[p + 1]!;
      out[q]! += re * u + im * v;
      out[q + 1]! += re * v - im * u;
    }
  }
}
