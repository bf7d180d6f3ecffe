import type { TrainedFactors } from "../bounds/index.ts";
import { checkChoice, checkInteger, checkOptions, describe, InputError } from "../core/index.ts";
import { checkFactor, checkShapes, type FlatArray, type LoraShape } from "./adapters.ts";

/** One factor of a layer by name. */
export type FactorName = "loraB" | "loraA";

export interface LayoutOptions {
  readonly layers: readonly LoraShape[];
  /** Default "both". */
  readonly trained?: TrainedFactors;
  /** The round, from 0; for "alternating" only, which sends loraB in even rounds and loraA in odd ones. */
  readonly round?: number;
}

/** Where a factor lies in the vector that is sent. */
export interface LayoutSegment {
  readonly layer: number;
  readonly factor: FactorName;
  /** Index of its first entry. */
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
}

/** Factors of the layers, as far as they are sent. */
export interface PartialAdapter<T extends FlatArray = FlatArray> {
  readonly layers: readonly { readonly loraB?: T; readonly loraA?: T }[];
}

/** The order of the entries of an adapter on the air: layer by layer, loraB before loraA, each row-major. */
export interface LoraLayout {
  readonly segments: readonly LayoutSegment[];
  /** Q: reals that a device sends in this round. */
  readonly entries: number;
  /** One vector of Q entries. @throws InputError naming the factor that is missing, of another length, or not finite. */
  pack(adapter: PartialAdapter): Float64Array;
  /** The factors, as copies; those that are not sent are left out. @throws InputError on another length. */
  unpack(vector: ArrayLike<number>): PartialAdapter<Float64Array>;
}

/**
 * The layout of what a device sends: factors or gradients of them, of all layers, as one vector.
 *
 * @throws InputError on sizes that are not whole numbers, or a round that does not belong to `trained`.
 */
export function loraLayout(options: LayoutOptions): LoraLayout {
  checkOptions(options, "loraLayout", ["layers", "trained", "round"]);
  const shapes = checkShapes(options.layers);
  const sent = sentFactors(options.trained ?? "both", options.round);
  const segments: LayoutSegment[] = [];
  let entries = 0;
  shapes.forEach(({ dOut, dIn, rank }, layer) => {
    for (const factor of sent) {
      const [rows, columns] = factor === "loraB" ? [dOut, rank] : [rank, dIn];
      segments.push({ layer, factor, offset: entries, rows, columns });
      entries += rows * columns;
    }
  });
  if (!Number.isSafeInteger(entries)) throw new InputError("layers", `${entries} entries`, "fewer than 2^53");

  return {
    segments,
    entries,
    pack(adapter) {
      if (!Array.isArray(adapter?.layers) || adapter.layers.length !== shapes.length) {
        const found = describe(adapter?.layers);
        throw new InputError("adapter.layers", found, `factors of ${shapes.length} layers`);
      }
      const vector = new Float64Array(entries);
      for (const { layer, factor, offset, rows, columns } of segments) {
        const field = `adapter.layers[${layer}].${factor}`;
        vector.set(checkFactor(adapter.layers[layer]?.[factor] as FlatArray, field, rows, columns), offset);
      }
      return vector;
    },
    unpack(vector) {
      if (vector?.length !== entries) {
        throw new InputError("vector", describe(vector), `an array of ${entries} numbers`);
      }
      const layers: { loraB?: Float64Array; loraA?: Float64Array }[] = shapes.map(() => ({}));
      for (const { layer, factor, offset, rows, columns } of segments) {
        layers[layer]![factor] = Float64Array.from({ length: rows * columns }, (_, i) => vector[offset + i]!);
      }
      return { layers };
    },
  };
}

/**
 * The factors that are sent in a round. Alternating rounds begin with loraB: it starts at 0, where the gradient of loraA
 * vanishes.
 *
 * @throws InputError on a missing round with "alternating", or one without.
 */
export function sentFactors(trained: TrainedFactors, round?: number): readonly FactorName[] {
  checkChoice(trained, "trained", ["both", "loraB", "alternating"]);
  if (trained === "alternating") return checkInteger(round, "round", 0) % 2 === 0 ? ["loraB"] : ["loraA"];
  if (round !== undefined) {
    throw new InputError("round", describe(round), `nothing: it decides the factor of "alternating" alone`);
  }
  return trained === "both" ? ["loraB", "loraA"] : ["loraB"];
}
