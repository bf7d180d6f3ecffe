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

/** Most rows or columns of a layer, and the largest rank: 2^20. */
export const largestSize: number = 2 ** 20;

/**
 * Which factors are trained and sent: `both` loraB and loraA, `loraB` alone (loraA frozen or drawn anew), or the two in
 * turn, `alternating`, one per round.
 */
export type TrainedFactors = "both" | "loraB" | "alternating";

/**
 * Q(r): how many real numbers a device sends per round. Sum over layers of r (dOut + dIn), of r dOut with loraB alone,
 * or the larger of the two rounds where they alternate, max(sum r dOut, sum r dIn); a layer uses min(r, dOut, dIn).
 *
 * @throws InputError on sizes or ranks that are not whole numbers >= 1.
 */
export function payloadEntries(layers: readonly LoraLayer[], rank: number, trained: TrainedFactors): number {
  checkInteger(rank, "rank", 1);
  checkChoice(trained, "trained", ["both", "loraB", "alternating"]);
  let left = 0;
  let right = 0;
  for (const { dOut, dIn, count } of checkLayers(layers)) {
    left += count * Math.min(rank, dOut, dIn) * dOut;
    right += count * Math.min(rank, dOut, dIn) * dIn;
  }
  const entries = trained === "both" ? left + right : trained === "loraB" ? left : Math.max(left, right);
  if (!Number.isSafeInteger(entries)) throw new InputError("layers", `${entries} entries`, "fewer than 2^53");
  return entries;
}

/** The layers with their defaults. @throws InputError on sizes that are not whole numbers >= 1. */
export function checkLayers(
  layers: readonly LoraLayer[],
): (Required<Omit<LoraLayer, "spectrum">> & Pick<LoraLayer, "spectrum">)[] {
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new InputError("layers", describe(layers), "at least one layer");
  }
  return layers.map((layer: LoraLayer, i: number) => {
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
