import { Matrix } from "ml-matrix";
import { checkInteger, checkNumber, checkOptions, describe, InputError, renameField } from "../core/index.ts";
import {
  type AggregatedAdapter,
  checkAdapterList,
  checkRankedAdapter,
  checkShapes,
  type LoraAdapter,
  type LoraFactors,
  type LoraShape,
  type LowRankFactors,
  largestSize,
  shares,
} from "./adapters.ts";
import { type FactorSplit, matrixOf, splitProduct } from "./low-rank.ts";
import { resized } from "./ranks.ts";
import type { Estimate, Link } from "./sender.ts";

interface ExactAggregate {
  readonly adapter: AggregatedAdapter;
  readonly residuals: readonly LowRankFactors[];
  readonly entries: number;
}

export interface ResidualOptions {
  readonly layers: readonly LoraShape[];
  /** One per device; ranks at most those of the layers, missing slots count as zeros. */
  readonly adapters: readonly LoraAdapter[];
  /** w_k >= 0, scaled to sum 1. Default 1/K. */
  readonly weights?: ArrayLike<number>;
}

/**
 * What separate averaging of the factors leaves out, per layer as factors:
 *
 *   sum_k w_k loraB_k loraA_k - Bbar Abar = sum_k w_k (loraB_k - Bbar)(loraA_k - Abar),
 *
 * of rank at most min(sum_k r_k, dOut, dIn); 0 where the devices agree in one factor (docs/lora-aggregation.md).
 *
 * @throws InputError on factors of other lengths, ranks beyond those of the layers, or entries that are not finite.
 */
export function averagingResidual(options: ResidualOptions): readonly LowRankFactors[] {
  checkOptions(options, "averagingResidual", ["layers", "adapters", "weights"]);
  const shapes = checkShapes(options.layers);
  const adapters = checkAdapterList(options.adapters);
  const weights = shares(options.weights, adapters.length);
  const devices = adapters.map((adapter, k) => checkRankedAdapter(adapter, `adapters[${k}]`, shapes, true));
  return shapes.map((shape, i) => {
    const padded = devices.map((layers) =>
      resized(layers[i]!, shape.dOut, shape.dIn, layers[i]!.rank, shape.rank),
    );
    return centredProducts(shape, padded, weights).residual;
  });
}

/** The sum of the products from the factors of all devices put side by side. */
export function aggregateStacked(
  shapes: readonly LoraShape[],
  adapters: readonly LoraAdapter[],
  weights: Float64Array,
  options: { readonly keep: "truncated" | "mean"; readonly split: FactorSplit; readonly perRank: boolean },
): ExactAggregate {
  const { keep, split, perRank } = options;
  const devices = adapters.map((adapter, k) =>
    checkRankedAdapter(adapter, `adapters[${k}]`, shapes, keep === "mean"),
  );
  const layers = shapes.map((shape, i) => {
    const own = devices.map((list) => list[i]!);
    const factor = own.map(({ rank }) => (perRank ? shape.rank / rank : 1));
    if (keep === "truncated") {
      const [left, right] = stacked(
        shape,
        own,
        own.map((_, k) => weights[k]! * factor[k]!),
      );
      const { head, tail } = splitProduct(left, right, shape.rank, split);
      return { factors: head, residual: tail };
    }
    const padded = own.map((factors, k) => {
      const full = resized(factors, shape.dOut, shape.dIn, factors.rank, shape.rank);
      return factor[k] === 1 ? full : { ...full, loraB: full.loraB.map((x) => x * factor[k]!) };
    });
    const { mean, residual } = centredProducts(shape, padded, weights);
    return { factors: mean, residual };
  });
  const perDevice = devices.map((list) =>
    list.reduce((sum, { loraB, loraA }) => sum + loraB.length + loraA.length, 0),
  );
  return {
    adapter: { layers: layers.map(({ factors }) => factors) },
    residuals: layers.map(({ residual }) => residual),
    entries: Math.max(...perDevice),
  };
}

/** The sum of the products, sent as they are: dOut dIn entries per layer. */
export function aggregateProducts<T extends Estimate>(
  shapes: readonly LoraShape[],
  adapters: readonly LoraAdapter[],
  link: Link<T>,
  { split, perRank }: { readonly split: FactorSplit; readonly perRank: boolean },
): ExactAggregate {
  const entries = shapes.reduce((sum, { dOut, dIn }) => sum + dOut * dIn, 0);
  const vectors = adapters.map((adapter, k) => {
    const vector = new Float64Array(entries);
    let offset = 0;
    checkRankedAdapter(adapter, `adapters[${k}]`, shapes, false).forEach((factors, i) => {
      const { dOut, dIn, rank } = shapes[i]!;
      const scale = perRank ? rank / factors.rank : 1;
      addProduct(vector.subarray(offset, offset + dOut * dIn), factors, dOut, dIn, factors.rank, scale);
      offset += dOut * dIn;
    });
    return vector;
  });
  const estimate = link.sum(vectors, "product");
  let offset = 0;
  const layers = shapes.map(({ dOut, dIn, rank }) => {
    const dense = matrixOf(estimate.subarray(offset, offset + dOut * dIn), dOut, dIn);
    offset += dOut * dIn;
    return splitProduct(dense, undefined, rank, split);
  });
  return {
    adapter: { layers: layers.map(({ head }) => head) },
    residuals: layers.map(({ tail }) => tail),
    entries,
  };
}

/**
 * loraB loraA as dOut x dIn, row-major, times `scale`: alpha/rank, or alpha/sqrt(rank) with rank-stabilised LoRA. The
 * rank is read off the lengths.
 *
 * @throws InputError on factors of other lengths, entries or a scale that are not finite, or arguments in another order.
 */
export function loraProduct(
  shape: Pick<LoraShape, "dOut" | "dIn">,
  factors: LoraFactors,
  scale = 1,
): Float64Array {
  checkObject(shape, "shape", "an object with dOut and dIn");
  checkObject(factors, "factors", "an object with loraB and loraA");
  if ("loraB" in shape) {
    throw new InputError("shape", "factors", "an object with dOut and dIn; the factors come second");
  }
  const dOut = checkInteger(shape.dOut, "shape.dOut", 1, largestSize);
  const dIn = checkInteger(shape.dIn, "shape.dIn", 1, largestSize);
  checkNumber(scale, "scale");
  const product = new Float64Array(dOut * dIn);
  // a residual that vanished
  if (factors.loraB?.length === 0 && factors.loraA?.length === 0) return product;
  const [checked] = renameField(
    (field) => field.replace("adapter.layers[0]", "factors"),
    () => checkRankedAdapter({ layers: [factors] }, "adapter", checkShapes([{ dOut, dIn, rank: 1 }]), false),
  );
  addProduct(product, checked!, dOut, dIn, checked!.rank, scale);
  return product;
}

function checkObject(value: unknown, field: string, expected: string): void {
  if (value !== null && typeof value === "object") return;
  throw new InputError(field, describe(value), expected);
}

/** target += scale loraB loraA */
function addProduct(
  target: Float64Array,
  { loraB, loraA }: LoraFactors,
  dOut: number,
  dIn: number,
  rank: number,
  scale: number,
): void {
  for (let i = 0; i < dOut; i++) {
    for (let s = 0; s < rank; s++) {
      const b = scale * loraB[i * rank + s]!;
      for (let j = 0; j < dIn; j++) target[i * dIn + j]! += b * loraA[s * dIn + j]!;
    }
  }
}

/** Mean factors, and sum_k w_k (loraB_k - Bbar)(loraA_k - Abar) as factors. */
function centredProducts(
  shape: LoraShape,
  padded: readonly LowRankFactors[],
  weights: Float64Array,
): { readonly mean: LowRankFactors; readonly residual: LowRankFactors } {
  const mean: LowRankFactors = {
    rank: shape.rank,
    loraB: new Float64Array(shape.dOut * shape.rank),
    loraA: new Float64Array(shape.rank * shape.dIn),
  };
  for (const factor of ["loraB", "loraA"] as const) {
    padded.forEach((own, k) => {
      for (let i = 0; i < mean[factor].length; i++) mean[factor][i]! += weights[k]! * own[factor][i]!;
    });
  }
  const centred = padded.map(({ rank, loraB, loraA }) => ({
    rank,
    loraB: loraB.map((x, i) => x - mean.loraB[i]!),
    loraA: loraA.map((x, i) => x - mean.loraA[i]!),
  }));
  const [left, right] = stacked(shape, centred, weights);
  return { mean, residual: splitProduct(left, right, 0, "balanced").tail };
}

/** [c_1 B_1 ... c_K B_K] and [A_1; ...; A_K] */
function stacked(
  { dOut, dIn }: LoraShape,
  devices: readonly (LoraFactors & { readonly rank: number })[],
  coefficients: ArrayLike<number>,
): [Matrix, Matrix] {
  const columns = devices.reduce((sum, { rank }) => sum + rank, 0);
  const left = Matrix.zeros(dOut, columns);
  const right = Matrix.zeros(columns, dIn);
  let first = 0;
  devices.forEach(({ rank, loraB, loraA }, k) => {
    for (let s = 0; s < rank; s++) {
      for (let i = 0; i < dOut; i++) left.set(i, first + s, coefficients[k]! * loraB[i * rank + s]!);
      for (let j = 0; j < dIn; j++) right.set(first + s, j, loraA[s * dIn + j]!);
    }
    first += rank;
  });
  return [left, right];
}
