import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import type { LoraLayer } from "./payload.ts";

/**
 * Singular values s_1 >= s_2 >= ... of the weight change Delta W* of one layer. `power-law`:
 * s_i = scale i^-exponent; `geometric`: s_i = scale ratio^(i-1); `values`: as given (sorted), zero beyond.
 * All end at min(dOut, dIn).
 */
export type Spectrum =
  | { readonly kind: "power-law"; readonly scale: number; readonly exponent: number }
  | { readonly kind: "geometric"; readonly scale: number; readonly ratio: number }
  | { readonly kind: "values"; readonly values: readonly number[] };

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
  if (!Array.isArray(input.layers))
    throw new InputError("layers", describe(input.layers), "an array of layers");
  let tail = 0;
  input.layers.forEach((layer: LoraLayer, index: number) => {
    const spectrum = layer.spectrum ?? input.spectrum;
    if (spectrum === undefined) {
      throw new InputError("spectrum", "undefined", `a spectrum, or one in layers[${index}]`);
    }
    tail += (layer.count ?? 1) * tailEnergy(spectrum, Math.min(layer.dOut, layer.dIn), rank);
  });
  return (smoothness / 2) * tail;
}

/** sum_{rank < i <= count} s_i^2, smallest terms first. */
function tailEnergy(spectrum: Spectrum, count: number, rank: number): number {
  const values = singularValues(spectrum, count);
  let sum = 0;
  for (let i = count - 1; i >= rank; i--) sum += values[i]! ** 2;
  return sum;
}

/**
 * The first `count` singular values of a spectrum, descending.
 *
 * @throws InputError on an unknown kind, a negative scale or value, a negative exponent, or a ratio outside [0, 1].
 */
export function singularValues(spectrum: Spectrum, count: number): Float64Array {
  const field = "spectrum";
  const values = new Float64Array(checkInteger(count, "count", 0));
  switch (spectrum?.kind) {
    case "power-law": {
      checkOptions(spectrum, field, ["kind", "scale", "exponent"]);
      const scale = checkNumber(spectrum.scale, `${field}.scale`, 0);
      const exponent = checkNumber(spectrum.exponent, `${field}.exponent`, 0);
      return values.map((_, i) => scale * (i + 1) ** -exponent);
    }
    case "geometric": {
      checkOptions(spectrum, field, ["kind", "scale", "ratio"]);
      const scale = checkNumber(spectrum.scale, `${field}.scale`, 0);
      const ratio = checkNumber(spectrum.ratio, `${field}.ratio`, 0, 1);
      return values.map((_, i) => scale * ratio ** i);
    }
    case "values": {
      checkOptions(spectrum, field, ["kind", "values"]);
      const given = Float64Array.from(checkNumbers(spectrum.values, `${field}.values`, undefined, 0));
      if (given.length > count && given.some((s, i) => i >= count && s > 0)) {
        throw new InputError(`${field}.values`, `${given.length} values`, `at most ${count}, min(dOut, dIn)`);
      }
      values.set(given.sort().reverse().subarray(0, count));
      return values;
    }
    default:
      throw new InputError(
        `${field}.kind`,
        describe((spectrum as { kind?: unknown } | undefined)?.kind),
        `one of "power-law", "geometric", "values"`,
      );
  }
}
