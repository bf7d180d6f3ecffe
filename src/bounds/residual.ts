import { checkChoice, checkInteger, checkOptions, checkPositive, InputError } from "../core/index.ts";
import { checkLayers, type LoraLayer, largestSize } from "./payload.ts";
import { type Spectrum, singularValues } from "./spectrum.ts";

export interface ResidualInput {
  /** Only `spectral` so far: both factors trained, or row(A) contains the top-r right singular space. */
  readonly kind?: "spectral";
  /** L_W > 0: smoothness of the loss in the full weight matrices. */
  readonly smoothness: number;
  readonly layers: readonly LoraLayer[];
  /** Of every layer that has none of its own. */
  readonly spectrum?: Spectrum;
  /** r >= 0; a layer uses min(r, dOut, dIn). */
  readonly rank: number;
}

/**
 * Rank residual eps(r) = (L_W/2) sum over layers and i > r of s_i^2: how far the best weights that rank r can
 * reach stay above the optimum. Smoothness at W*, where the gradient vanishes, and Eckart-Young; docs/theory.md,
 * section 2.
 *
 * @returns in the unit of the loss
 * @throws InputError on unknown kinds, missing spectra or values out of range.
 */
export function rankResidual(input: ResidualInput): number {
  checkOptions(input, "rankResidual", ["kind", "smoothness", "layers", "spectrum", "rank"]);
  checkChoice(input.kind ?? "spectral", "kind", ["spectral"]);
  const smoothness = checkPositive(input.smoothness, "smoothness");
  const rank = checkInteger(input.rank, "rank", 0, largestSize);
  return (smoothness / 2) * tailEnergies(input.layers, input.spectrum, rank)[rank]!;
}

/**
 * The tail energies of the ranks 0..maxRank: sum over layers and i > r of s_i^2, smallest terms first.
 *
 * @throws InputError on layers or spectra that are missing or out of range.
 */
export function tailEnergies(
  layers: readonly LoraLayer[],
  common: Spectrum | undefined,
  maxRank: number,
): Float64Array {
  const tails = new Float64Array(maxRank + 1);
  checkLayers(layers).forEach((layer, index) => {
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
