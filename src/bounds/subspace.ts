import { checkChoice, checkInteger, checkNumber, checkOptions, describe, InputError } from "../core/index.ts";
import type { ErrorSource } from "./error-split.ts";
import { checkLayers, type LoraLayer, largestSize } from "./payload.ts";

/** Weight matrices with a Gaussian loraA of `rank` rows and `columns` = dIn columns. */
export interface SketchLayer {
  readonly rank: number;
  readonly columns: number;
  /** How many such matrices there are. Default 1. */
  readonly count?: number;
}

/**
 * loraA is drawn anew in every round, loraB starts at 0 and is merged after it. `projection`: the rows of loraA are
 * a uniformly random orthonormal system; `captured` = kappa = r/dIn, the smallest over the layers. `sketch`: the
 * entries of loraA are independent N(0, 1/r). L and mu are then those of F in the weights, L_W and mu_W.
 */
export type Subspace =
  | { readonly kind: "projection"; readonly captured: number }
  | { readonly kind: "sketch"; readonly layers: readonly SketchLayer[] };

/**
 * How the subspace changes a round (docs/theory.md, section 2). With E||e||^2 <= b1 + b2 ||G loraA^T||^2 given
 * loraA, any reserve tau in (0, 1) (tau = 0 where cross = 0 or e = 0) and the step 1/(L step), the expected descent is
 *
 *   captured/(2 L step) [ (1 - tau - (cross/tau + slope) b2) ||G||^2 - (cross/tau + floor) b1 ]   (captured = 1 or cross = 0)
 */
export interface SubspaceFactors {
  /** kappa: part of ||G||^2 that a round sees. */
  readonly captured: number;
  /** c: the step is 1/(L c). */
  readonly step: number;
  /** gamma = E||(U/c - G) loraA^T||^2 / ||G||^2 with U = G loraA^T loraA. */
  readonly cross: number;
  /** c1/c: amplification of the floor of an error. */
  readonly floor: number;
  /** c2/c: amplification of the slope of an error. */
  readonly slope: number;
}

const plain: SubspaceFactors = { captured: 1, step: 1, cross: 0, floor: 1, slope: 1 };

/** @throws InputError on an unknown kind, `captured` outside (0, 1], or sizes that are not whole numbers >= 1. */
export function subspaceFactors(subspace: Subspace | undefined): SubspaceFactors {
  if (subspace === undefined) return plain;
  checkOptions(subspace, "subspace", ["kind", "captured", "layers"]);
  checkChoice(subspace.kind, "subspace.kind", ["projection", "sketch"]);
  if (subspace.kind === "projection") {
    checkOptions(subspace, "subspace", ["kind", "captured"]);
    const captured = checkNumber(subspace.captured, "subspace.captured", 0, 1);
    if (captured === 0)
      throw new InputError("subspace.captured", "0", "a number > 0: some of the gradient is seen");
    return { ...plain, captured };
  }
  checkOptions(subspace, "subspace", ["kind", "layers"]);
  return sketchFactors(checkSketchLayers(subspace.layers));
}

/** The subspace of the layers of a model at rank r; a layer uses min(r, dOut, dIn). */
export function subspaceAt(kind: Subspace["kind"], layers: readonly LoraLayer[], rank: number): Subspace {
  const sizes = checkLayers(layers).map(({ dOut, dIn, count }) => {
    return { rank: Math.min(rank, dOut, dIn), columns: dIn, count };
  });
  if (kind === "sketch") return { kind, layers: sizes };
  return { kind, captured: Math.min(...sizes.map((size) => size.rank / size.columns)) };
}

/**
 * Moments of the Wishart matrices loraA loraA^T. The largest eigenvalue over n layers is bounded in the mean by the
 * smaller of moment bounds, (sum E tr (loraA loraA^T)^k)^(1/k), and of Gordon's inequality with concentration,
 * (max m + sqrt(2 ln n / r))^2 + 1/r, m = 1 + sqrt(dIn/r).
 */
function sketchFactors(layers: readonly Required<SketchLayer>[]): SubspaceFactors {
  let step = 0;
  let leastRank = Number.POSITIVE_INFINITY;
  let leastEntries = Number.POSITIVE_INFINITY;
  let matrices = 0;
  let mean = 0;
  const traces = [0, 0, 0];
  for (const { rank: r, columns: p, count } of layers) {
    step = Math.max(step, secondMoment(r, p));
    leastRank = Math.min(leastRank, r);
    leastEntries = Math.min(leastEntries, r * p);
    matrices += count;
    mean = Math.max(mean, 1 + Math.sqrt(p / r));
    [1, secondMoment(r, p), thirdMoment(r, p)].forEach((moment, k) => {
      traces[k]! += count * p * moment;
    });
  }
  let cross = 0;
  for (const { rank: r, columns: p } of layers) {
    const excess = secondMoment(r, p) / step - 1;
    // E||G loraA^T (loraA loraA^T / c - I)||^2 / ||G||^2 = m3/c^2 - 2 m2/c + 1, written without cancellation
    const variance = (p * r + p + r + 3) / r ** 2 / step ** 2;
    cross = Math.max(cross, variance + excess ** 2);
  }
  const gordon = (mean + Math.sqrt((2 * Math.log(matrices)) / leastRank)) ** 2 + 1 / leastRank;
  const largest = Math.min(gordon, ...traces.map((trace, k) => trace ** (1 / (k + 1))));
  return {
    captured: 1,
    step,
    cross,
    floor: largest / step,
    slope: (largest * (1 + 2 / leastEntries)) / step,
  };
}

/** E loraA^T loraA loraA^T loraA = this times I. */
function secondMoment(r: number, p: number): number {
  return 1 + (p + 1) / r;
}

/** E (loraA^T loraA)^3 = this times I. */
function thirdMoment(r: number, p: number): number {
  return (p * p + r * r + 3 * p * r + 3 * p + 3 * r + 4) / r ** 2;
}

/** The least b2 that counts: the bound applies exactly where this is below 1, whatever the reserve. */
export function effectiveSlope(factors: SubspaceFactors, b2: number): number {
  return factors.slope * b2 + 2 * Math.sqrt(factors.cross * b2);
}

/**
 * The solution at the best reserve tau: for a fixed one the errors are a plain recursion with `sources` scaled by
 * it. The bound is a posynomial of tau and 1/t together, so its minimum over t is convex in log tau, and golden
 * section finds the least.
 *
 * @param b2 the least slope of any split
 */
export function solveReserved<T>(
  sources: readonly ErrorSource[],
  factors: SubspaceFactors,
  b2: number,
  solve: (sources: readonly ErrorSource[], reserve: number) => T | undefined,
  measure: (solution: T) => number,
): T | undefined {
  if (!(effectiveSlope(factors, b2) < 1)) return undefined;
  if (factors.cross === 0 || sources.length === 0) return solve(sources, 0);
  // where tau + (cross/tau + slope) b2 < 1
  const room = 1 - factors.slope * b2;
  const high = (room + Math.sqrt(Math.max(0, room * room - 4 * factors.cross * b2))) / 2;
  const low = Math.max(SMALLEST_RESERVE, (factors.cross * b2) / high);
  let best: T | undefined;
  let bestValue = Number.POSITIVE_INFINITY;
  const at = (logReserve: number): number => {
    const reserve = Math.exp(logReserve);
    const solution = solve(reserved(sources, factors, reserve), reserve);
    if (solution === undefined) return Number.POSITIVE_INFINITY;
    const value = measure(solution);
    if (value < bestValue) {
      best = solution;
      bestValue = value;
    }
    return value;
  };
  let [left, right] = [Math.log(low), Math.log(high)];
  let inner = right - GOLDEN * (right - left);
  let outer = left + GOLDEN * (right - left);
  let [atInner, atOuter] = [at(inner), at(outer)];
  for (let i = 0; i < GOLDEN_STEPS && inner < outer; i++) {
    // as flat as rounding shows: only around the minimum is a convex function so
    if (right - left < 1e-6 && Math.abs(atInner - atOuter) <= 1e-15 * bestValue) break;
    if (atInner <= atOuter) {
      right = outer;
      [outer, atOuter] = [inner, atInner];
      inner = right - GOLDEN * (right - left);
      atInner = at(inner);
    } else {
      left = inner;
      [inner, atInner] = [outer, atOuter];
      outer = left + GOLDEN * (right - left);
      atOuter = at(outer);
    }
  }
  return best;
}

/** Below it the contraction does not notice the reserve any more. */
const SMALLEST_RESERVE = 1e-20;
const GOLDEN = (Math.sqrt(5) - 1) / 2;
const GOLDEN_STEPS = 64;

/** Sources as the recursion with the contraction factor 1 - (mu/(L c))(1 - tau)(1 - b2) sees them. */
function reserved(sources: readonly ErrorSource[], factors: SubspaceFactors, reserve: number): ErrorSource[] {
  const cross = factors.cross / reserve;
  return sources.map((source) => ({
    ...source,
    floor: source.floor * (cross + factors.floor),
    slope: (source.slope * (cross + factors.slope)) / (1 - reserve),
  }));
}

function checkSketchLayers(layers: readonly SketchLayer[]): Required<SketchLayer>[] {
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new InputError("subspace.layers", describe(layers), "at least one layer");
  }
  return layers.map((layer: SketchLayer, i: number) => {
    const field = `subspace.layers[${i}]`;
    checkOptions(layer, field, ["rank", "columns", "count"]);
    return {
      rank: checkInteger(layer.rank, `${field}.rank`, 1, largestSize),
      columns: checkInteger(layer.columns, `${field}.columns`, 1, largestSize),
      count: checkInteger(layer.count ?? 1, `${field}.count`, 1, largestSize),
    };
  });
}
