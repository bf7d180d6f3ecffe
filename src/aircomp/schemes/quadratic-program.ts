import quadprog from "quadprog";

/**
 * The shortest vector x with rows[k] . x >= bounds[k] for all k: a convex quadratic program, solved by the dual
 * active-set method of Goldfarb and Idnani (quadprog). undefined where the constraints contradict each other.
 *
 * The solution lies in the span of the rows, so that the program has as many unknowns as there are independent rows,
 * not as many as they are long. Bounds should be around 1 or below, so that the solution is too.
 */
export function shortestVector(
  rows: readonly Float64Array[],
  bounds: readonly number[],
): Float64Array | undefined {
  const length = rows[0]!.length;
  const count = rows.length;
  const norms = rows.map((row) => Math.sqrt(inner(row, row)));
  if (!norms.every((norm) => norm > 0 && Number.isFinite(norm)) || !bounds.every(Number.isFinite))
    return undefined;
  const units = rows.map((row, k) => row.map((x) => x / norms[k]!));
  const basis = orthonormalBasis(units);
  const size = basis.length;
  const table = (height: number, width: number, entry: (i: number, j: number) => number): number[][] =>
    Array.from({ length: height + 1 }, (_, i) =>
      i === 0 ? [] : Array.from({ length: width + 1 }, (_, j) => (j === 0 ? 0 : entry(i - 1, j - 1))),
    );
  // equal constraints are told apart, by less than anyone asks for: the active set must not alternate between them
  const apart = bounds.map(
    (bound, k) => bound / norms[k]! - (1e-12 * Math.abs(bound / norms[k]!) * k) / count,
  );
  const { solution, message } = quadprog.solveQP(
    table(size, size, (i, j) => (i === j ? 1 : 0)),
    new Array<number>(size + 1).fill(0),
    table(size, count, (i, k) => inner(basis[i]!, units[k]!)),
    [0, ...apart],
    0,
    [0, 1],
  );
  if (message !== "" || solution === undefined) return undefined;
  const x = new Float64Array(length);
  basis.forEach((direction, i) => {
    const share = solution[i + 1]!;
    for (let l = 0; l < length; l++) x[l]! += share * direction[l]!;
  });
  return x.every(Number.isFinite) ? x : undefined;
}

/** Orthonormal basis of the span, by Gram-Schmidt with one repetition; what is left of a dependent row is dropped. */
function orthonormalBasis(units: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const unit of units) {
    if (basis.length === unit.length) break;
    const rest = unit.slice();
    for (let pass = 0; pass < 2; pass++) {
      for (const direction of basis) {
        const share = inner(direction, rest);
        for (let l = 0; l < rest.length; l++) rest[l]! -= share * direction[l]!;
      }
    }
    const norm = Math.sqrt(inner(rest, rest));
    if (norm > 1e-12) basis.push(rest.map((x) => x / norm));
  }
  return basis;
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let l = 0; l < a.length; l++) sum += a[l]! * b[l]!;
  return sum;
}
