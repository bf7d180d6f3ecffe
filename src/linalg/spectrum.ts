import { zeros } from "./construct.ts";
import type { ComplexMatrix } from "./types.ts";

/** m diag(factors): column j times factors[j]. */
export function scaleColumns(m: ComplexMatrix, factors: ArrayLike<number>): ComplexMatrix {
  const out = zeros(m.rows, m.cols);
  for (let i = 0, p = 0; i < m.rows; i++) {
    for (let j = 0; j < m.cols; j++, p += 2) {
      out.data[p] = factors[j]! * m.data[p]!;
      out.data[p + 1] = factors[j]! * m.data[p + 1]!;
    }
  }
  return out;
}
