import {
  checkChoice,
  checkInteger,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import type { Spectrum } from "./spectrum.ts";

/** A weight matrix dOut x dIn that gets LoRA factors, `count` times in the model. */
export interface LoraLayer {
  readonly dOut: number;
  readonly dIn: number;
  /** How many such matrices there are. Default 1. */
  readonly count?: number;
  /** Its own spectrum of Delta W*, where it differs from the common one. */
  readonly spectrum?: Spectrum;
}

/**
 * What of the model is sent in a round. The rest is private: trained and kept on the devices, it enters neither the payload
 * nor the residual (docs/personalisation.md).
 */
export interface PayloadPlan {
  /** Indices into `lora.layers` of the layers whose factors are shared, in any order; the others are private. Default: all. */
  readonly layers?: readonly number[];
  /** What is shared besides these factors: adapters, heads, biases. Default: nothing. */
  readonly tensors?: readonly SharedTensor[];
}

/** Shared entries outside of the LoRA factors: count (entries + r entriesPerRank). */
export interface SharedTensor {
  /** For the reader; airfold does not use it. */
  readonly name?: string;
  /** Whatever the rank. Default 0. */
  readonly entries?: number;
  /** Per unit of rank, for example biases of the bottleneck of an adapter. Default 0. */
  readonly entriesPerRank?: number;
  /** How many such tensors there are. Default 1. */
  readonly count?: number;
}

/** Most rows or columns of a layer, and the largest rank: 2^20. */
export const largestSize: number = 2 ** 20;

/**
 * Which factors are trained and sent: `both` loraB and loraA, `loraB` alone (loraA frozen or drawn anew), or the two in
 * turn, `alternating`, one per round.
 */
export type TrainedFactors = "both" | "loraB" | "alternating";

/**
 * Q(r): how many real numbers a device sends per round. Sum over layers of r (dOut + dIn), of r dOut with loraB alone,
 * or the larger of the two rounds where they alternate, max(sum r dOut, sum r dIn); a layer uses min(r, dOut, dIn). With a
 * plan over its layers only, and plus the other tensors that it shares.
 *
 * @throws InputError on sizes or ranks that are not whole numbers >= 1, and on a plan that names no layer of these.
 */
export function payloadEntries(
  layers: readonly LoraLayer[],
  rank: number,
  trained: TrainedFactors,
  plan: PayloadPlan = {},
): number {
  checkInteger(rank, "rank", 1);
  checkChoice(trained, "trained", ["both", "loraB", "alternating"]);
  const shared = sharedLayers(checkLayers(layers), plan);
  const { fixed, perRank } = tensorEntries(plan);
  let left = 0;
  let right = 0;
  for (const { dOut, dIn, count } of shared) {
    left += count * Math.min(rank, dOut, dIn) * dOut;
    right += count * Math.min(rank, dOut, dIn) * dIn;
  }
  const factors = trained === "both" ? left + right : trained === "loraB" ? left : Math.max(left, right);
  const entries = factors + fixed + perRank * rank;
  if (!Number.isSafeInteger(entries)) throw new InputError("layers", `${entries} entries`, "fewer than 2^53");
  return entries;
}

/** The layers that a plan shares, in their order. @throws InputError on an index that is none, or twice there. */
export function sharedLayers<T>(layers: readonly T[], plan: PayloadPlan): readonly T[] {
  checkOptions(plan, "payload", ["layers", "tensors"]);
  const { layers: indices } = plan;
  if (indices === undefined) return layers;
  if (!Array.isArray(indices))
    throw new InputError("payload.layers", describe(indices), "an array of indices");
  for (const [i, index] of indices.entries()) {
    checkInteger(index, `payload.layers[${i}]`, 0, layers.length - 1);
    if (indices.indexOf(index) < i) {
      throw new InputError(`payload.layers[${i}]`, `${index} again`, "every layer once");
    }
  }
  return layers.filter((_, i) => indices.includes(i));
}

/** Names a layer among those that a plan shares as it is called among all ("layers[0].spectrum"). */
export function sharedField({ layers }: PayloadPlan, field: string): string {
  if (layers === undefined) return field;
  const ascending = [...layers].sort((a, b) => a - b);
  return field.replace(/^layers\[(\d+)\]/, (all, i: string) => {
    const index = ascending[Number(i)];
    return index === undefined ? all : `layers[${index}]`;
  });
}

/** Entries of the other shared tensors: Q gains fixed + r perRank. @throws InputError naming the tensor. */
export function tensorEntries({ tensors = [] }: PayloadPlan): {
  readonly fixed: number;
  readonly perRank: number;
} {
  if (!Array.isArray(tensors)) throw new InputError("payload.tensors", describe(tensors), "an array");
  let fixed = 0;
  let perRank = 0;
  for (const [i, tensor] of (tensors as readonly SharedTensor[]).entries()) {
    const field = `payload.tensors[${i}]`;
    checkOptions(tensor, field, ["name", "entries", "entriesPerRank", "count"]);
    const count = checkInteger(tensor.count ?? 1, `${field}.count`, 1, largestSize);
    fixed += count * checkInteger(tensor.entries ?? 0, `${field}.entries`, 0);
    perRank += count * checkInteger(tensor.entriesPerRank ?? 0, `${field}.entriesPerRank`, 0);
  }
  for (const entries of [fixed, perRank]) {
    if (!Number.isSafeInteger(entries)) {
      throw new InputError("payload.tensors", `${entries} entries`, "fewer than 2^53");
    }
  }
  return { fixed, perRank };
}

/** The layers with their defaults. @throws InputError on sizes that are not whole numbers >= 1. */
export function checkLayers(
  layers: readonly LoraLayer[],
): (Required<Omit<LoraLayer, "spectrum">> & Pick<LoraLayer, "spectrum">)[] {
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new InputError("layers", describe(layers), "at least one layer");
  }
  return Array.from(layers, (layer: LoraLayer, i: number) => {
    checkOptions(layer, `layers[${i}]`, ["dOut", "dIn", "count", "spectrum"]);
    const dOut = checkInteger(layer.dOut, `layers[${i}].dOut`, 1, largestSize);
    const dIn = checkInteger(layer.dIn, `layers[${i}].dIn`, 1, largestSize);
    const count = checkInteger(layer.count ?? 1, `layers[${i}].count`, 1, largestSize);
    return { dOut, dIn, count, ...(layer.spectrum === undefined ? {} : { spectrum: layer.spectrum }) };
  });
}

/** N_sym = ceil(Q / (2 S M)): OFDM symbols per round. */
export function ofdmSymbols(entries: number, streams: number, subcarriers: number): number {
  checkInteger(entries, "entries", 0);
  checkInteger(streams, "streams", 1);
  checkInteger(subcarriers, "subcarriers", 1);
  return Math.ceil(entries / (2 * streams * subcarriers));
}

/**
 * P_k(r) = min(Pmax_k, E_k / (N_sym T_s)): what is left for one OFDM symbol of an energy budget per round.
 *
 * @param power Pmax_k, in units of the noise variance
 * @param energy E_k per round in units of the noise variance times seconds, or null for no budget
 * @param airTime N_sym T_s in seconds, > 0
 */
export function symbolPower(power: number, energy: number | null, airTime: number): number {
  if (energy === null) return power;
  return Math.min(power, checkPositive(energy, "energyPerRound") / checkPositive(airTime, "airTime"));
}
