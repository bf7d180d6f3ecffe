/** tr((G^H G)^{-1}) of one block and its gradient -2 G (G^H G)^{-2}, in two passes. */
export interface Factorisation {
  /** Returns tr((G^H G)^{-1}), +Infinity without full rank; leaves what `differentiate` needs in `work` and `inverse`. */
  invert(
    work: Float64Array,
    offset: number,
    g: Float64Array,
    gOffset: number,
    inverse: Float64Array,
    j: number,
  ): number;
  /** Overwrites `work` with the gradient. */
  differentiate(work: Float64Array, offset: number, inverse: Float64Array, j: number): void;
}

/**
 * G = Q R by modified Gram-Schmidt, T = R^{-1}: tr((G^H G)^{-1}) = ||T||^2, whose relative error grows with the
 * condition number of G and not with its square, as that of the Gram matrix would. The gradient is
 * -2 G (G^H G)^{-2} = -2 Q (T^H T T^H). One stream: 1 / ||g||^2 and -2 g / ||g||^4.
 */
export function createFactorisation(nt: number, s: number, relaxed = false): Factorisation {
  if (relaxed) return createFactorisation(nt * s, 1);
  if (s === 1) {
    return {
      invert(work, offset, g, gOffset, inverse, j) {
        let sum = 0;
        for (let i = 0; i < 2 * nt; i++) {
          const x = g[gOffset + i]!;
          work[offset + i] = x;
          sum += x * x;
        }
        return (inverse[j] = 1 / sum);
      },
      differentiate(work, offset, inverse, j) {
        const factor = -2 * inverse[j]! * inverse[j]!;
        for (let i = 0; i < 2 * nt; i++) work[offset + i]! *= factor;
      },
    };
  }
  const r = new Float64Array(2 * s * s);
  const gram = new Float64Array(2 * s * s);
  const middle = new Float64Array(2 * s * s);
  const row = new Float64Array(2 * s);
  const size = 2 * nt * s;
  return {
    invert(q, offset, g, gOffset, t, place) {
      const tOffset = place * 2 * s * s;
      for (let i = 0; i < size; i++) q[offset + i] = g[gOffset + i]!;
      for (let j = 0; j < s; j++) {
        for (let i = 0; i < j; i++) {
          let re = 0;
          let im = 0;
          for (let l = 0, a = offset + 2 * i, b = offset + 2 * j; l < nt; l++, a += 2 * s, b += 2 * s) {
            re += q[a]! * q[b]! + q[a + 1]! * q[b + 1]!;
            im += q[a]! * q[b + 1]! - q[a + 1]! * q[b]!;
          }
          r[2 * (i * s + j)] = re;
          r[2 * (i * s + j) + 1] = im;
          for (let l = 0, a = offset + 2 * i, b = offset + 2 * j; l < nt; l++, a += 2 * s, b += 2 * s) {
            q[b]! -= re * q[a]! - im * q[a + 1]!;
            q[b + 1]! -= re * q[a + 1]! + im * q[a]!;
          }
        }
        let sum = 0;
        for (let l = 0, b = offset + 2 * j; l < nt; l++, b += 2 * s) sum += q[b]! ** 2 + q[b + 1]! ** 2;
        const scale = 1 / Math.sqrt(sum);
        r[2 * (j * s + j)] = scale;
        for (let l = 0, b = offset + 2 * j; l < nt; l++, b += 2 * s) {
          q[b]! *= scale;
          q[b + 1]! *= scale;
        }
      }
      // T upper triangular, column by column: T_ij = -sum_{l=i}^{j-1} T_il R_lj / R_jj; 1/R_jj is in r
      let total = 0;
      for (let j = 0; j < s; j++) {
        const scale = r[2 * (j * s + j)]!;
        const diagonal = tOffset + 2 * (j * s + j);
        t[diagonal] = scale;
        t[diagonal + 1] = 0;
        total += scale * scale;
        for (let i = 0; i < j; i++) {
          let re = 0;
          let im = 0;
          for (let l = i; l < j; l++) {
            const a = tOffset + 2 * (i * s + l);
            const b = 2 * (l * s + j);
            re += t[a]! * r[b]! - t[a + 1]! * r[b + 1]!;
            im += t[a]! * r[b + 1]! + t[a + 1]! * r[b]!;
          }
          re *= -scale;
          im *= -scale;
          const out = tOffset + 2 * (i * s + j);
          t[out] = re;
          t[out + 1] = im;
          total += re * re + im * im;
        }
      }
      return total;
    },
    differentiate(q, offset, t, place) {
      const tOffset = place * 2 * s * s;
      // gram = T T^H, Hermitian; T is upper triangular
      for (let i = 0; i < s; i++) {
        for (let j = i; j < s; j++) {
          let re = 0;
          let im = 0;
          for (let l = j; l < s; l++) {
            const a = tOffset + 2 * (i * s + l);
            const b = tOffset + 2 * (j * s + l);
            re += t[a]! * t[b]! + t[a + 1]! * t[b + 1]!;
            im += t[a + 1]! * t[b]! - t[a]! * t[b + 1]!;
          }
          gram[2 * (i * s + j)] = re;
          gram[2 * (i * s + j) + 1] = im;
          gram[2 * (j * s + i)] = re;
          gram[2 * (j * s + i) + 1] = -im;
        }
      }
      // middle = -2 T^H gram
      for (let i = 0; i < s; i++) {
        for (let j = 0; j < s; j++) {
          let re = 0;
          let im = 0;
          for (let l = 0; l <= i; l++) {
            const a = tOffset + 2 * (l * s + i);
            const b = 2 * (l * s + j);
            re += t[a]! * gram[b]! + t[a + 1]! * gram[b + 1]!;
            im += t[a]! * gram[b + 1]! - t[a + 1]! * gram[b]!;
          }
          middle[2 * (i * s + j)] = -2 * re;
          middle[2 * (i * s + j) + 1] = -2 * im;
        }
      }
      for (let l = 0, a = offset; l < nt; l++, a += 2 * s) {
        for (let i = 0; i < 2 * s; i++) row[i] = q[a + i]!;
        for (let j = 0; j < s; j++) {
          let re = 0;
          let im = 0;
          for (let i = 0; i < s; i++) {
            const b = 2 * (i * s + j);
            re += row[2 * i]! * middle[b]! - row[2 * i + 1]! * middle[b + 1]!;
            im += row[2 * i]! * middle[b + 1]! + row[2 * i + 1]! * middle[b]!;
          }
          q[a + 2 * j] = re;
          q[a + 2 * j + 1] = im;
        }
      }
    },
  };
}
