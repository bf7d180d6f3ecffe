import type { Aggregate } from "../aircomp/index.ts";
import {
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import {
  checkAdapter,
  checkShapes,
  type LoraAdapter,
  type LoraFactors,
  type LoraShape,
  shares,
} from "./adapters.ts";

/** Errors of the two factors: gains and variances per entry. */
export interface FactorErrors {
  /** e_B >= 0: variance of the error of an entry of loraB; 0 if it is not sent. */
  readonly varianceB: number;
  /** e_A >= 0, of loraA. */
  readonly varianceA: number;
  /** g_B: what is left of loraB in the mean; default 1. */
  readonly gainB?: number;
  /** g_A, of loraA; default 1. */
  readonly gainA?: number;
}

export interface ProductErrorInput extends FactorErrors {
  readonly dOut: number;
  readonly dIn: number;
  readonly rank: number;
  /** ||loraB||^2, sum of the squares of the entries. */
  readonly energyB: number;
  /** ||loraA||^2 */
  readonly energyA: number;
  /** ||loraB loraA||^2; needed with gains other than 1. */
  readonly energyProduct?: number;
  /** alpha/rank, which multiplies the product; default 1. */
  readonly scale?: number;
}

/** Parts of E||scale (factors as received) - scale loraB loraA||^2; they add up to `total`. */
export interface ProductError {
  readonly total: number;
  /** (1 - g_B g_A)^2 ||loraB loraA||^2: what shrinkage takes. */
  readonly shrinkage: number;
  /** e_B dOut g_A^2 ||loraA||^2: the error of loraB, carried by loraA. */
  readonly loraB: number;
  /** e_A dIn g_B^2 ||loraB||^2 */
  readonly loraA: number;
  /** e_B e_A dOut dIn rank: both errors. */
  readonly both: number;
}

export interface AdapterErrorInput extends FactorErrors {
  readonly layers: readonly LoraShape[];
  /** The aggregate without errors. */
  readonly adapter: LoraAdapter;
  /** alpha, so that layer l counts (alpha/rank_l)^2; without it the bare products are compared. */
  readonly alpha?: number;
  /** What multiplies the product, of all layers or per layer, in the place of alpha/rank: alpha/sqrt(rank), say. */
  readonly scale?: number | ArrayLike<number>;
  /** W_s per layer, where slots are renormalised: the errors of slot s are those of the link over W_s. */
  readonly slotWeights?: readonly ArrayLike<number>[];
}

/** Of gains, variances, alpha and 1/W_s, so that no product leaves double precision. */
const largest = 1e25;
const errorNames = ["varianceB", "varianceA", "gainB", "gainA"] as const;

/**
 * E||(g_B loraB + E_B)(g_A loraA + E_A) - loraB loraA||^2 scale^2 for errors of mean zero, uncorrelated entries of variance
 * e_B and e_A, and E_B independent of E_A:
 *
 *   (1 - g_B g_A)^2 ||loraB loraA||^2 + e_B dOut g_A^2 ||loraA||^2 + e_A dIn g_B^2 ||loraB||^2 + e_B e_A dOut dIn rank.
 *
 * Exact; derivation and what a link fulfils of it: docs/lora-aggregation.md, section 2.
 *
 * @throws InputError on values out of range, or gains without `energyProduct`.
 */
export function productError(input: ProductErrorInput): ProductError {
  checkOptions(input, "productError", [
    ...errorNames,
    "dOut",
    "dIn",
    "rank",
    "energyB",
    "energyA",
    "energyProduct",
    "scale",
  ]);
  const { varianceB, varianceA, gainB, gainA } = checkErrors(input);
  const dOut = checkInteger(input.dOut, "dOut", 1);
  const dIn = checkInteger(input.dIn, "dIn", 1);
  const rank = checkInteger(input.rank, "rank", 1);
  const lost = (1 - gainB * gainA) ** 2;
  if (lost > 0 && input.energyProduct === undefined) {
    throw new InputError("energyProduct", "nothing", "||loraB loraA||^2, which gains other than 1 shrink");
  }
  const scale2 = checkNumber(input.scale ?? 1, "scale", -largest, largest) ** 2;
  return withTotal(
    scale2 * lost * checkNumber(input.energyProduct ?? 0, "energyProduct", 0),
    scale2 * varianceB * dOut * gainA ** 2 * checkNumber(input.energyA, "energyA", 0),
    scale2 * varianceA * dIn * gainB ** 2 * checkNumber(input.energyB, "energyB", 0),
    scale2 * varianceB * varianceA * dOut * dIn * rank,
  );
}

/**
 * {@link productError} summed over the layers of an adapter, and slot by slot where slots are renormalised.
 *
 * @throws InputError on factors that do not have the shapes, or values out of range.
 */
export function adapterError(input: AdapterErrorInput): ProductError {
  checkOptions(input, "adapterError", [...errorNames, "layers", "adapter", "alpha", "scale", "slotWeights"]);
  const { varianceB, varianceA, gainB, gainA } = checkErrors(input);
  const shapes = checkShapes(input.layers);
  const factors = checkAdapter(input.adapter, "adapter", shapes);
  const held = input.slotWeights;
  if (held !== undefined && (!Array.isArray(held) || held.length !== shapes.length)) {
    throw new InputError("slotWeights", "another number of lists", `${shapes.length}, one per layer`);
  }
  const scales = checkScales(input, shapes);
  const parts = [0, 0, 0, 0];
  shapes.forEach((shape, i) => {
    const { dOut, dIn, rank } = shape;
    const scale2 = scales[i]! ** 2;
    const weights = held && checkNumbers(held[i], `slotWeights[${i}]`, rank, 0, 1 + 1e-9);
    const energies = slotEnergies(shape, factors[i]!);
    parts[0]! += scale2 * (1 - gainB * gainA) ** 2 * productEnergy(shape, factors[i]!);
    for (let s = 0; s < rank; s++) {
      const weight = weights?.[s] ?? 1;
      if (weight > 0) checkNumber(weight, `slotWeights[${i}][${s}]`, 1 / largest);
      // a slot that nobody holds is set to 0 by the server
      const amplified = weight > 0 ? 1 / weight ** 2 : 0;
      const [b, a] = energies[s]!;
      parts[1]! += scale2 * varianceB * amplified * dOut * gainA ** 2 * a;
      parts[2]! += scale2 * varianceA * amplified * dIn * gainB ** 2 * b;
      parts[3]! += scale2 * varianceB * varianceA * amplified ** 2 * dOut * dIn;
    }
  });
  return withTotal(parts[0]!, parts[1]!, parts[2]!, parts[3]!);
}

/**
 * Variance of the error of an entry of an estimate that came over the air, from what the link told:
 * packScale^2 omega for the gradients that were sent. With the gain g of the design (`errorParts`) the mean error
 * (g - 1)(v - packMean) is taken off, v = sum_k w_k v_k: packScale^2 (omega - (1 - g)^2 w^T R w).
 *
 * @param aggregate of the link
 * @param options gain and the weights of the link (default: those that the aggregate tells, else 1/K)
 * @throws InputError on weights or a gain out of range, or no aggregate.
 */
export function entryVariance(
  aggregate: Pick<Aggregate, "packScale" | "correlation" | "distortion"> & {
    readonly weights?: ArrayLike<number>;
  },
  options: { readonly gain?: number; readonly weights?: ArrayLike<number> } = {},
): number {
  checkOptions(options, "entryVariance", ["gain", "weights"]);
  const lost = (1 - checkNumber(options.gain ?? 1, "gain")) ** 2;
  if (aggregate === null || typeof aggregate !== "object") {
    throw new InputError("aggregate", describe(aggregate), "an aggregate of a link");
  }
  const packScale = checkNumber(aggregate.packScale, "aggregate.packScale", 0);
  const measured = checkNumber(aggregate.distortion?.measured, "aggregate.distortion.measured");
  const { correlation } = aggregate;
  if (!Array.isArray(correlation)) {
    throw new InputError("aggregate.correlation", describe(correlation), "K rows of K numbers");
  }
  const w = shares(options.weights ?? aggregate.weights, correlation.length);
  let common = 0;
  if (lost > 0) {
    correlation.forEach((list: unknown, k) => {
      const row = checkNumbers(list, `aggregate.correlation[${k}]`, correlation.length);
      for (let j = 0; j < row.length; j++) common += w[k]! * w[j]! * row[j]!;
    });
  }
  return Math.max(0, packScale ** 2 * (measured - lost * common));
}

/**
 * The factor c by which loraB should be sent larger than loraA when both go in one vector with one packScale: the smallest
 * first-order error of the products, c^4 = (sum dOut ||A||^2/r^2)(sum ||A'||^2) / ((sum dIn ||B||^2/r^2)(sum ||B'||^2)),
 * A, B the factors and A', B' what is sent of them (derivation: docs/lora-aggregation.md, section 2).
 *
 * @param layers shapes
 * @param adapter the factors that the errors meet
 * @param sent what is sent, where that is not the factors but changes or gradients
 * @throws InputError where one of the factors is zero in all layers: then no c is best.
 */
export function balancedScale(
  layers: readonly LoraShape[],
  adapter: LoraAdapter,
  sent: LoraAdapter = adapter,
): number {
  const shapes = checkShapes(layers);
  const sums = [0, 0, 0, 0];
  const factors = checkAdapter(adapter, "adapter", shapes);
  const moved = checkAdapter(sent, "sent", shapes);
  shapes.forEach(({ dOut, dIn, rank }, i) => {
    sums[0]! += (dOut * energyOf(factors[i]!.loraA)) / rank ** 2;
    sums[1]! += energyOf(moved[i]!.loraA);
    sums[2]! += (dIn * energyOf(factors[i]!.loraB)) / rank ** 2;
    sums[3]! += energyOf(moved[i]!.loraB);
  });
  ["adapter: loraA", "sent: loraA", "adapter: loraB", "sent: loraB"].forEach((field, i) => {
    checkPositive(sums[i], field);
  });
  return ((sums[0]! / sums[2]!) * (sums[1]! / sums[3]!)) ** 0.25;
}

function checkErrors(input: FactorErrors): Required<FactorErrors> {
  return {
    varianceB: checkNumber(input.varianceB, "varianceB", 0, largest),
    varianceA: checkNumber(input.varianceA, "varianceA", 0, largest),
    gainB: checkNumber(input.gainB ?? 1, "gainB", -largest, largest),
    gainA: checkNumber(input.gainA ?? 1, "gainA", -largest, largest),
  };
}

/** What multiplies the product of every layer. */
function checkScales({ alpha, scale }: AdapterErrorInput, shapes: readonly LoraShape[]): ArrayLike<number> {
  if (alpha !== undefined) {
    if (scale !== undefined) throw new InputError("scale", "a scale beside alpha", "one of the two");
    const value = checkNumber(alpha, "alpha", -largest, largest);
    return shapes.map(({ rank }) => value / rank);
  }
  if (typeof scale === "object") return checkNumbers(scale, "scale", shapes.length, -largest, largest);
  const common = checkNumber(scale ?? 1, "scale", -largest, largest);
  return shapes.map(() => common);
}

function withTotal(shrinkage: number, loraB: number, loraA: number, both: number): ProductError {
  return { total: shrinkage + loraB + loraA + both, shrinkage, loraB, loraA, both };
}

function energyOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return sum;
}

/** Squared norms of the columns of loraB and of the rows of loraA. */
function slotEnergies({ dOut, dIn, rank }: LoraShape, { loraB, loraA }: LoraFactors): [number, number][] {
  return Array.from({ length: rank }, (_, s) => {
    let b = 0;
    let a = 0;
    for (let i = 0; i < dOut; i++) b += loraB[i * rank + s]! ** 2;
    for (let j = 0; j < dIn; j++) a += loraA[s * dIn + j]! ** 2;
    return [b, a];
  });
}

/** ||loraB loraA||^2 = tr((loraB^T loraB)(loraA loraA^T)), without the product. */
function productEnergy({ dOut, dIn, rank }: LoraShape, { loraB, loraA }: LoraFactors): number {
  let sum = 0;
  for (let s = 0; s < rank; s++) {
    for (let t = 0; t <= s; t++) {
      let b = 0;
      let a = 0;
      for (let i = 0; i < dOut; i++) b += loraB[i * rank + s]! * loraB[i * rank + t]!;
      for (let j = 0; j < dIn; j++) a += loraA[s * dIn + j]! * loraA[t * dIn + j]!;
      sum += (s === t ? 1 : 2) * b * a;
    }
  }
  return Math.max(0, sum);
}
