export interface NonNegativeSolution {
  /** u_i >= 0 */
  readonly solution: Float64Array;
  /** false after so many changes of the active set that rounding must be what drives them. */
  readonly converged: boolean;
}

/** What is left of a unit column after projection, below which it depends on the others. */
const DEPENDENT = 1e-14;

/**
 * min ||sum_i u_i columns_i - target||, u >= 0, by the active-set method of Lawson and Hanson ("Solving least squares
 * problems", 1974, chapter 23). Columns and target should be of norm around 1. The free columns are orthonormalised anew in
 * every step: condition numbers are not squared, and there are few columns.
 */
export function nonNegativeLeastSquares(
  columns: readonly Float64Array[],
  target: Float64Array,
): NonNegativeSolution {
  const { columns: short, target: goal } = coordinates(columns, target);
  const count = short.length;
  const solution = new Float64Array(count);
  const isFree = new Uint8Array(count);
  const slopes = new Float64Array(count);
  const residual = goal.slice();
  for (let change = 0; change < 20 * count + 100; change++) {
    residual.set(goal);
    short.forEach((column, i) => {
      if (isFree[i] === 1) subtract(residual, column, solution[i]!);
    });
    const size = Math.sqrt(inner(residual, residual));
    for (let i = 0; i < count; i++) slopes[i] = isFree[i] === 1 ? 0 : inner(residual, short[i]!);
    const next = freed(short, goal, isFree, slopes, DEPENDENT * size + Number.EPSILON);
    if (next === undefined) return { solution, converged: true };
    let wanted = next;
    for (;;) {
      // towards the solution without bounds, until the first bound
      let step = 1;
      let blocking = -1;
      for (let i = 0; i < count; i++) {
        if (isFree[i] === 0 || wanted[i]! > 0) continue;
        const own = solution[i]! / (solution[i]! - wanted[i]!);
        if (blocking < 0 || own < step) [step, blocking] = [own, i];
      }
      for (let i = 0; i < count; i++) {
        if (isFree[i] === 1) solution[i] = Math.max(0, solution[i]! + step * (wanted[i]! - solution[i]!));
      }
      if (blocking < 0) break;
      solution[blocking] = 0;
      for (let i = 0; i < count; i++) if (solution[i] === 0) isFree[i] = 0;
      wanted = leastSquares(short, goal, isFree);
    }
  }
  return { solution, converged: false };
}

/**
 * Frees the variable of the steepest descent that really grows from 0, and returns the solution without bounds for the free
 * ones; undefined if there is none: the optimum.
 */
function freed(
  columns: readonly Float64Array[],
  target: Float64Array,
  isFree: Uint8Array,
  slopes: Float64Array,
  tolerance: number,
): Float64Array | undefined {
  for (;;) {
    let best = -1;
    for (let i = 0; i < slopes.length; i++) {
      if (slopes[i]! > tolerance && (best < 0 || slopes[i]! > slopes[best]!)) best = i;
    }
    if (best < 0) return undefined;
    isFree[best] = 1;
    const wanted = leastSquares(columns, target, isFree);
    if (wanted[best]! > 0) return wanted;
    isFree[best] = 0;
    slopes[best] = 0;
  }
}

/** Least squares over the free columns, 0 for the others and for those that depend on free ones before them. */
function leastSquares(
  columns: readonly Float64Array[],
  target: Float64Array,
  isFree: Uint8Array,
): Float64Array {
  const used: number[] = [];
  const basis: Float64Array[] = [];
  const upper: number[][] = [];
  columns.forEach((column, i) => {
    if (isFree[i] === 0) return;
    const known = basis.length;
    const shares = orthogonalise(column, basis);
    if (basis.length === known) return;
    used.push(i);
    upper.push(shares);
  });
  const out = new Float64Array(columns.length);
  for (let k = used.length - 1; k >= 0; k--) {
    let value = inner(basis[k]!, target);
    for (let j = k + 1; j < used.length; j++) value -= upper[j]![k]! * out[used[j]!]!;
    out[used[k]!] = value / upper[k]![k]!;
  }
  return out;
}

/** The same problem in an orthonormal basis of the columns: as many numbers as there are independent columns. */
function coordinates(
  columns: readonly Float64Array[],
  target: Float64Array,
): { readonly columns: readonly Float64Array[]; readonly target: Float64Array } {
  const basis: Float64Array[] = [];
  const shares = columns.map((column) => orthogonalise(column, basis));
  const filled = (own: readonly number[]): Float64Array =>
    Float64Array.from({ length: basis.length }, (_, k) => own[k] ?? 0);
  return { columns: shares.map(filled), target: Float64Array.from(basis, (b) => inner(b, target)) };
}

/**
 * Adds what of the column is outside the basis to it, by Gram-Schmidt with one repetition, unless that is nothing.
 *
 * @returns the coordinates of the column in the basis as it is then
 */
function orthogonalise(column: Float64Array, basis: Float64Array[]): number[] {
  const rest = column.slice();
  const shares = new Array<number>(basis.length).fill(0);
  for (let pass = 0; pass < 2; pass++) {
    basis.forEach((direction, k) => {
      const share = inner(direction, rest);
      shares[k]! += share;
      subtract(rest, direction, share);
    });
  }
  const norm = Math.sqrt(inner(rest, rest));
  if (norm <= DEPENDENT) return shares;
  for (let l = 0; l < rest.length; l++) rest[l]! /= norm;
  basis.push(rest);
  return [...shares, norm];
}

/** a -= factor b */
function subtract(a: Float64Array, b: Float64Array, factor: number): void {
  for (let l = 0; l < a.length; l++) a[l]! -= factor * b[l]!;
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let l = 0; l < a.length; l++) sum += a[l]! * b[l]!;
  return sum;
}
