import {
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  describe,
  InputError,
} from "../core/index.ts";

/**
 * Singular values s_1 >= s_2 >= ... of the weight change Delta W* of one layer. `power-law`:
 * s_i = scale i^-exponent; `geometric`: s_i = scale ratio^(i-1); `values`: as given (sorted), zero beyond.
 * All end at min(dOut, dIn).
 */
export type Spectrum =
  | { readonly kind: "power-law"; readonly scale: number; readonly exponent: number }
  | { readonly kind: "geometric"; readonly scale: number; readonly ratio: number }
  | { readonly kind: "values"; readonly values: readonly number[] };

/**
 * The first `count` singular values of a spectrum, descending.
 *
 * @throws InputError on an unknown kind, a negative scale or value, a negative exponent, or a ratio outside [0, 1].
 */
export function singularValues(spectrum: Spectrum, count: number, field = "spectrum"): Float64Array {
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
      given.sort().reverse();
      if (given.length > count && given[count]! > 0) {
        throw new InputError(`${field}.values`, `${given.length} values`, `at most ${count}, min(dOut, dIn)`);
      }
      values.set(given.subarray(0, count));
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
