import { dot } from "./real.ts";

/** The second derivative of tr((G^H G)^{-1}) applied to a block E: -2 E C^2 + 2 G (C Z' C^2 + C^2 Z' C). */
export interface SecondDerivative {
  /** Overwrites E. */
  apply(
    e: Float64Array,
    eOffset: number,
    g: Float64Array,
    gOffset: number,
    inverse: Float64Array,
    j: number,
  ): void;
}

export function createSecondDerivative(nt: number, s: number): SecondDerivative {
  if (s === 1) {
    return {
      apply(e, eOffset, g, gOffset, inverse, j) {
        const c = inverse[j]!;
        const change = 8 * c * c * c * dot(g, gOffset, e, eOffset, 2 * nt);
        const own = -2 * c * c;
        for (let i = 0; i < 2 * nt; i++) e[eOffset + i] = own * e[eOffset + i]! + change * g[gOffset + i]!;
      },
    };
  }
  const square = (): Float64Array => new Float64Array(2 * s * s);
  const c = square();
  const c2 = square();
  const z = square();
  const cz = square();
  const sum = square();
  const result = new Float64Array(2 * nt * s);
  return {
    apply(e, eOffset, g, gOffset, inverse, j) {
      gramRight(c, inverse, 2 * j * s * s, s);
      small(c2, c, c, s);
      // Z' = E^H G + G^H E
      for (let a = 0; a < s; a++) {
        for (let b = 0; b < s; b++) {
          let re = 0;
          let im = 0;
          for (let l = 0; l < nt; l++) {
            const ea = eOffset + 2 * (l * s + a);
            const gb = gOffset + 2 * (l * s + b);
            re += e[ea]! * g[gb]! + e[ea + 1]! * g[gb + 1]!;
            im += e[ea]! * g[gb + 1]! - e[ea + 1]! * g[gb]!;
          }
          cz[2 * (a * s + b)] = re;
          cz[2 * (a * s + b) + 1] = im;
        }
      }
      for (let a = 0; a < s; a++) {
        for (let b = 0; b < s; b++) {
          z[2 * (a * s + b)] = cz[2 * (a * s + b)]! + cz[2 * (b * s + a)]!;
          z[2 * (a * s + b) + 1] = cz[2 * (a * s + b) + 1]! - cz[2 * (b * s + a) + 1]!;
        }
      }
      small(cz, c, z, s);
      small(sum, cz, c2, s);
      // C^2 Z' C is the conjugate transpose of C Z' C^2
      for (let a = 0; a < s; a++) {
        for (let b = 0; b < s; b++) {
          z[2 * (a * s + b)] = 2 * (sum[2 * (a * s + b)]! + sum[2 * (b * s + a)]!);
          z[2 * (a * s + b) + 1] = 2 * (sum[2 * (a * s + b) + 1]! - sum[2 * (b * s + a) + 1]!);
        }
      }
      for (let l = 0; l < nt; l++) {
        for (let b = 0; b < s; b++) {
          let re = 0;
          let im = 0;
          for (let a = 0; a < s; a++) {
            const x = eOffset + 2 * (l * s + a);
            const w = gOffset + 2 * (l * s + a);
            const q = 2 * (a * s + b);
            re += g[w]! * z[q]! - g[w + 1]! * z[q + 1]! - 2 * (e[x]! * c2[q]! - e[x + 1]! * c2[q + 1]!);
            im += g[w]! * z[q + 1]! + g[w + 1]! * z[q]! - 2 * (e[x]! * c2[q + 1]! + e[x + 1]! * c2[q]!);
          }
          result[2 * (l * s + b)] = re;
          result[2 * (l * s + b) + 1] = im;
        }
      }
      for (let i = 0; i < result.length; i++) e[eOffset + i] = result[i]!;
    },
  };
}

/** out = T T^H */
function gramRight(out: Float64Array, t: Float64Array, offset: number, s: number): void {
  for (let i = 0; i < s; i++) {
    for (let j = 0; j < s; j++) {
      let re = 0;
      let im = 0;
      for (let l = Math.max(i, j); l < s; l++) {
        const a = offset + 2 * (i * s + l);
        const b = offset + 2 * (j * s + l);
        re += t[a]! * t[b]! + t[a + 1]! * t[b + 1]!;
        im += t[a + 1]! * t[b]! - t[a]! * t[b + 1]!;
      }
      out[2 * (i * s + j)] = re;
      out[2 * (i * s + j) + 1] = im;
    }
  }
}

/** out = A B, all s x s. */
function small(out: Float64Array, a: Float64Array, b: Float64Array, s: number): void {
  for (let i = 0; i < s; i++) {
    for (let j = 0; j < s; j++) {
      let re = 0;
      let im = 0;
      for (let l = 0; l < s; l++) {
        const p = 2 * (i * s + l);
        const q = 2 * (l * s + j);
        re += a[p]! * b[q]! - a[p + 1]! * b[q + 1]!;
        im += a[p]! * b[q + 1]! + a[p + 1]! * b[q]!;
      }
      out[2 * (i * s + j)] = re;
      out[2 * (i * s + j) + 1] = im;
    }
  }
}
