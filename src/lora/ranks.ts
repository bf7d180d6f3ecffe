import { checkInteger, describe, InputError } from "../core/index.ts";
import {
  type AggregatedAdapter,
  checkAdapter,
  checkShapes,
  type FlatArray,
  type LoraAdapter,
  type LoraFactors,
  type LoraShape,
  shares,
} from "./adapters.ts";

/** Ranks of a device: one number for all layers (a layer of a smaller rank keeps its own), or one per layer. */
export type DeviceRanks = number | readonly number[];

/**
 * The total weight W_s of the devices that hold slot s, per layer: sum of w_k over r_k > s. The server knows it from the
 * ranks alone.
 *
 * @param layers shapes with the largest rank of each layer
 * @param ranks of every device
 * @param weights w_k >= 0, scaled to sum 1; default 1/K
 * @throws InputError on ranks beyond those of the layers, or weights out of range.
 */
export function slotWeights(
  layers: readonly LoraShape[],
  ranks: readonly DeviceRanks[],
  weights?: ArrayLike<number>,
): readonly Float64Array[] {
  const shapes = checkShapes(layers);
  if (!Array.isArray(ranks) || ranks.length === 0) {
    throw new InputError("ranks", describe(ranks), "the ranks of at least one device");
  }
  const w = shares(weights, ranks.length);
  const perDevice = ranks.map((rank, k) => checkRanks(rank, `ranks[${k}]`, shapes));
  return shapes.map((shape, i) =>
    Float64Array.from({ length: shape.rank }, (_, s) =>
      perDevice.reduce((sum, list, k) => (list[i]! > s ? sum + w[k]! : sum), 0),
    ),
  );
}

/**
 * What a device of smaller ranks keeps of an adapter: the first r_k slots, that is columns of loraB and rows of loraA.
 *
 * @throws InputError on ranks beyond those of the layers, or factors that do not have the shapes.
 */
export function truncateAdapter(
  layers: readonly LoraShape[],
  adapter: LoraAdapter,
  ranks: DeviceRanks,
): AggregatedAdapter {
  const shapes = checkShapes(layers);
  const kept = checkRanks(ranks, "ranks", shapes);
  return {
    layers: checkAdapter(adapter, "adapter", shapes).map((factors, i) => {
      const { dOut, dIn, rank } = shapes[i]!;
      return resized(factors, dOut, dIn, rank, kept[i]!);
    }),
  };
}

/** Factors of another rank: slots cut off, or slots of zeros added, which leave the product as it is. */
export function resized(
  { loraB, loraA }: LoraFactors,
  dOut: number,
  dIn: number,
  from: number,
  to: number,
): { readonly rank: number; readonly loraB: Float64Array; readonly loraA: Float64Array } {
  const kept = Math.min(from, to);
  const left = new Float64Array(dOut * to);
  for (let i = 0; i < dOut; i++) for (let s = 0; s < kept; s++) left[i * to + s] = loraB[i * from + s]!;
  const right = new Float64Array(to * dIn);
  copyInto(right, loraA, kept * dIn);
  return { rank: to, loraB: left, loraA: right };
}

/** One rank per layer. */
export function checkRanks(
  ranks: DeviceRanks,
  field: string,
  shapes: readonly LoraShape[],
): readonly number[] {
  if (typeof ranks !== "number" && (!Array.isArray(ranks) || ranks.length !== shapes.length)) {
    throw new InputError(field, describe(ranks), `a rank, or one for each of ${shapes.length} layers`);
  }
  return shapes.map((shape, i) =>
    typeof ranks === "number"
      ? Math.min(checkInteger(ranks, field, 1), shape.rank)
      : checkInteger(ranks[i], `${field}[${i}]`, 1, shape.rank),
  );
}

function copyInto(target: Float64Array, source: FlatArray, count: number): void {
  for (let i = 0; i < count; i++) target[i] = source[i]!;
}
