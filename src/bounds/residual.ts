import { checkChoice, checkInteger, checkOptions, checkPositive, InputError } from "../core/index.ts";
import { checkLayers, type LoraLayer } from "./payload.ts";
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
  const rank = checkInteger(input.rank, "rank", 0);
  let tail = 0;
  checkLayers(input.layers).forEach((layer, index) => {
    const spectrum = layer.spectrum ?? input.spectrum;
    if (spectrum === undefined) {
      throw new InputError("spectrum", "nothing", `a spectrum, or one in layers[${index}]`);
    }
    const field = layer.spectrum === undefined ? "spectrum" : `layers[${index}].spectrum`;
    tail += layer.count * tailEnergy(spectrum, Math.min(layer.dOut, layer.dIn), rank, field);
  });
  return (smoothness / 2) * tail;
}

/** sum_{rank < i <= count} s_i^2, smallest terms first. */
function tailEnergy(spectrum: Spectrum, count: number, rank: number, field: string): number {
  const values = singularValues(spectrum, count, field);
  let sum = 0;
  for (let i = count - 1; i >= rank; i--) sum += values[i]! ** 2;
  return sum;
}
