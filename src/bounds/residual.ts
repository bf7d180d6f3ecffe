import { checkChoice, checkInteger, checkOptions, checkPositive, InputError } from "../core/index.ts";
import { checkLayers, type LoraLayer, largestSize } from "./payload.ts";
import { type Spectrum, singularValues } from "./spectrum.ts";

export const residualKinds = ["spectral", "frozen", "projection", "sketch"] as const;

/**
 * What the rows of loraA are. `spectral`: both factors are trained, or the rows of a frozen loraA contain the top-r
 * right singular space. `frozen`: a frozen loraA of random rows, in the mean. `projection`, `sketch`: drawn anew and
 * merged in every round, nothing is out of reach.
 */
export type ResidualKind = (typeof residualKinds)[number];

export interface ResidualInput {
  /** Default "spectral". */
  readonly kind?: ResidualKind;
  /** L_W > 0: smoothness of the loss in the full weight matrices. */
  readonly smoothness: number;
  readonly layers: readonly LoraLayer[];
  /** Of every layer that has none of its own; not needed for `projection` and `sketch`. */
  readonly spectrum?: Spectrum;
  /** r >= 0; a layer uses min(r, dOut, dIn). */
  readonly rank: number;
}

/**
 * Rank residual eps(r): how far the best weights that rank r can reach stay above the optimum. Smoothness at W*, where
 * the gradient vanishes; with s_i the singular values of Delta W*,
 *
 *   spectral (L_W/2) sum over layers and i > r of s_i^2 (Eckart-Young),
 *   frozen   (L_W/2) sum over layers of (1 - r/dIn) sum_i s_i^2, the mean over loraA with a uniformly random row space,
 *   projection, sketch 0.
 *
 * Proof in docs/theory.md, section 2. For a given frozen loraA: `frozenResidual`.
 *
 * @returns in the unit of the loss
 * @throws InputError on unknown kinds, missing spectra or values out of range.
 */
export function rankResidual(input: ResidualInput): number {
  checkOptions(input, "rankResidual", ["kind", "smoothness", "layers", "spectrum", "rank"]);
  const kind = checkChoice(input.kind ?? "spectral", "kind", residualKinds);
  const smoothness = checkPositive(input.smoothness, "smoothness");
  const rank = checkInteger(input.rank, "rank", 0, largestSize);
  return (smoothness / 2) * missedEnergies(kind, input.layers, input.spectrum, rank)[rank]!;
}

/** What the ranks 0..maxRank miss of ||Delta W*||^2, in the mean where loraA is random. @throws InputError */
export function missedEnergies(
  kind: ResidualKind,
  layers: readonly LoraLayer[],
  common: Spectrum | undefined,
  maxRank: number,
): Float64Array {
  switch (kind) {
    case "spectral":
      return tailEnergies(layers, common, maxRank);
    case "frozen": {
      const missed = new Float64Array(maxRank + 1);
      checkLayers(layers).forEach((layer, index) => {
        const { dOut, dIn, count } = layer;
        const energy = tailEnergies([{ ...layer, count: 1 }], common, 0, index)[0]!;
        missed.forEach((_, rank) => {
          missed[rank]! += count * energy * (1 - Math.min(rank, dOut, dIn) / dIn);
        });
      });
      return missed;
    }
    case "projection":
    case "sketch":
      checkLayers(layers);
      return new Float64Array(maxRank + 1);
  }
}

/**
 * The tail energies of the ranks 0..maxRank: sum over layers and i > r of s_i^2, smallest terms first.
 *
 * @param firstIndex number of the first layer in messages
 * @throws InputError on layers or spectra that are missing or out of range.
 */
export function tailEnergies(
  layers: readonly LoraLayer[],
  common: Spectrum | undefined,
  maxRank: number,
  firstIndex = 0,
): Float64Array {
  const tails = new Float64Array(maxRank + 1);
  checkLayers(layers).forEach((layer, i) => {
    const index = firstIndex + i;
    const spectrum = layer.spectrum ?? common;
    if (spectrum === undefined) {
      throw new InputError("spectrum", "nothing", `a spectrum, or one in layers[${index}]`);
    }
    const field = layer.spectrum === undefined ? "spectrum" : `layers[${index}].spectrum`;
    const values = singularValues(spectrum, Math.min(layer.dOut, layer.dIn), field);
    let sum = 0;
    for (let i = values.length - 1; i >= 0; i--) {
      sum += values[i]! ** 2;
      if (i <= maxRank) tails[i]! += layer.count * sum;
    }
  });
  return tails;
}
