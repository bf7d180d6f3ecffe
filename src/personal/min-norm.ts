import { checkOptions, describe, InputError } from "../core/index.ts";
import { firstNonFinite } from "../core/parameters.ts";
import { readList } from "./batches.ts";
import { nonNegativeLeastSquares } from "./nonnegative-least-squares.ts";

export interface MinNormOptions {
  /** g_i of equal lengths, one per objective: norms up to 1e150 and, but for zeros, from 1e-150. */
  readonly gradients: readonly ArrayLike<number>[];
}

export interface MinNorm {
  /** w_i >= 0, sum 1. */
  readonly weights: Float64Array;
  /** d = sum_i w_i g_i: -d lowers every objective to first order, or none can be lowered without raising another (d = 0). */
  readonly direction: Float64Array;
  /** ||d|| */
  readonly norm: number;
  /** max_i d . (d - g_i) >= 0: the shortest d* has ||d - d*||^2 <= dualityGap. */
  readonly dualityGap: number;
  /** Whether the active-set method came to its end; the gap holds in any case. */
  readonly converged: boolean;
}

const LARGEST_NORM = 1e150;
const SMALLEST_NORM = 1e-150;

/**
 * Weights on the simplex that minimise ||sum_i w_i g_i|| (MGDA: Désidéri, Comptes Rendus Mathématique 350, 2012).
 *
 * Two objectives: w_1 = clip((g_2 - g_1) . g_2/||g_1 - g_2||^2, 0, 1), 1/2 each where they are equal. More: with u_i = w_i
 * ||g_i|| and c_i = min_j ||g_j||/||g_i|| the weights are, up to their sum, the solution of
 *
 *   min ||sum_i u_i g_i/||g_i|| ||^2 + (c . u - 1)^2,   u >= 0
 *
 * (Lawson and Hanson, "Solving least squares problems", chapter 23: the dual of a least-distance problem), by their active-set
 * method, which is finite and does not square the condition number. Gradients of any sizes may be mixed. Where several
 * weights give the same d (equal gradients, say), which of them is returned is not specified.
 *
 * @throws InputError on no gradients, other lengths, entries that are not finite or norms out of range.
 */
export function minNormWeights(options: MinNormOptions): MinNorm {
  checkOptions(options, "minNormWeights", ["gradients"]);
  const { gradients } = options;
  if (!Array.isArray(gradients) || gradients.length === 0) {
    throw new InputError("gradients", describe(gradients), "an array of gradients, one per objective");
  }
  const length = gradients[0]?.length ?? 0;
  if (length === 0) throw new InputError("gradients[0]", describe(gradients[0]), "at least one entry");
  const norms = Array.from(gradients, (gradient, i) => {
    const list = readList(gradient, `gradients[${i}]`, length);
    const at = firstNonFinite(list);
    if (at >= 0) throw new InputError(`gradients[${i}][${at}]`, describe(list[at]), "a finite number");
    const norm = normOf(list);
    if (norm === 0 || (norm >= SMALLEST_NORM && norm <= LARGEST_NORM)) return norm;
    throw new InputError(
      `gradients[${i}]`,
      `a gradient of norm ${norm}`,
      "a norm from 1e-150 to 1e150, or 0",
    );
  });
  const { weights, converged } = solve(gradients, norms);
  return { ...certified(gradients, Float64Array.from(weights)), converged };
}

function solve(
  gradients: readonly ArrayLike<number>[],
  norms: readonly number[],
): { readonly weights: readonly number[]; readonly converged: boolean } {
  const count = gradients.length;
  if (count === 1) return { weights: [1], converged: true };
  if (count === 2) {
    const unit = Math.max(norms[0]!, norms[1]!);
    return { weights: betweenTwo(gradients[0]!, gradients[1]!, unit), converged: true };
  }
  const zero = norms.indexOf(0);
  if (zero >= 0) return { weights: gradients.map((_, i) => Number(i === zero)), converged: true };
  const smallest = Math.min(...norms);
  const length = gradients[0]!.length;
  const columns = gradients.map((gradient, i) => {
    const column = new Float64Array(length + 1);
    for (let l = 0; l < length; l++) column[l] = gradient[l]! / norms[i]!;
    column[length] = smallest / norms[i]!;
    return column;
  });
  const target = new Float64Array(length + 1);
  target[length] = 1;
  const { solution, converged } = nonNegativeLeastSquares(columns, target);
  const parts = Array.from(solution, (u, i) => u * (smallest / norms[i]!));
  const sum = parts.reduce((total, part) => total + part, 0);
  return { weights: parts.map((part) => part / sum), converged };
}

/** In units of the larger norm; each weight from its own sum, so that small ones keep their digits. */
function betweenTwo(first: ArrayLike<number>, second: ArrayLike<number>, unit: number): readonly number[] {
  let ofFirst = 0;
  let ofSecond = 0;
  for (let l = 0; l < first.length && unit > 0; l++) {
    const [a, b] = [first[l]! / unit, second[l]! / unit];
    ofFirst += (b - a) * b;
    ofSecond += (a - b) * a;
  }
  if (ofFirst === 0 && ofSecond === 0) return [0.5, 0.5];
  if (ofFirst <= 0) return [0, 1];
  if (ofSecond <= 0) return [1, 0];
  return [ofFirst / (ofFirst + ofSecond), ofSecond / (ofFirst + ofSecond)];
}

function certified(
  gradients: readonly ArrayLike<number>[],
  weights: Float64Array,
): Omit<MinNorm, "converged"> {
  const direction = new Float64Array(gradients[0]!.length);
  gradients.forEach((gradient, i) => {
    if (weights[i] === 0) return;
    for (let l = 0; l < direction.length; l++) direction[l]! += weights[i]! * gradient[l]!;
  });
  let dualityGap = 0;
  for (const gradient of gradients) {
    let gap = 0;
    for (let l = 0; l < direction.length; l++) gap += direction[l]! * (direction[l]! - gradient[l]!);
    dualityGap = Math.max(dualityGap, gap);
  }
  return { weights, direction, norm: normOf(direction), dualityGap };
}

/** In units of the largest entry, so that squares neither overflow nor vanish. */
function normOf(values: ArrayLike<number>): number {
  let unit = 0;
  for (let l = 0; l < values.length; l++) unit = Math.max(unit, Math.abs(values[l]!));
  if (unit === 0) return 0;
  let sum = 0;
  for (let l = 0; l < values.length; l++) sum += (values[l]! / unit) ** 2;
  return unit * Math.sqrt(sum);
}
