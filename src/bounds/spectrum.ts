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
 * s_i = scale i^-exponent; `geometric`: s_i = scale ratio^(i-1); `values`: as given (sorted), and beyond them what
 * `tail` leaves, zero by default. All end at min(dOut, dIn).
 */
export type Spectrum =
  | { readonly kind: "power-law"; readonly scale: number; readonly exponent: number }
  | { readonly kind: "geometric"; readonly scale: number; readonly ratio: number }
  | {
      readonly kind: "values";
      readonly values: readonly number[];
      /** Energy of what is not listed: the sum of squares of the other singular values. Default 0. */
      readonly tail?: number;
    };

/**
 * The `count` = min(dOut, dIn) singular values of a spectrum, descending. Of a `tail` only the sum of squares is known:
 * it is spread evenly over the values that are not listed, which no descending spectrum exceeds in any partial tail
 * (docs/theory.md, section 2).
 *
 * @throws InputError on an unknown kind, a negative scale, value or tail, a negative exponent, a ratio outside [0, 1],
 *   or a tail that would make an unlisted value larger than the least listed one.
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
      checkOptions(spectrum, field, ["kind", "values", "tail"]);
      const given = Float64Array.from(checkNumbers(spectrum.values, `${field}.values`, undefined, 0));
      given.sort().reverse();
      if (given.length > count && given[count]! > 0) {
        throw new InputError(`${field}.values`, `${given.length} values`, `at most ${count}, min(dOut, dIn)`);
      }
      values.set(given.subarray(0, count));
      fillTail(values, given.length, checkNumber(spectrum.tail ?? 0, `${field}.tail`, 0), `${field}.tail`);
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

/** Rounding of sums of squares that a tail may be inconsistent by. */
const ROUNDING = 1e-9;

function fillTail(values: Float64Array, listed: number, tail: number, field: string): void {
  const others = values.length - listed;
  if (others > 0) {
    const each = Math.sqrt(tail / others);
    const least = listed === 0 ? Number.POSITIVE_INFINITY : values[listed - 1]!;
    if (each > least * (1 + ROUNDING)) {
      const most = `at most ${others * least ** 2}: none of the ${others} values that are not listed exceeds the least listed one, ${least}`;
      throw new InputError(field, `${tail}`, most);
    }
    values.fill(Math.min(each, least), listed);
  } else if (tail > ROUNDING * values.reduce((sum, s) => sum + s * s, 0)) {
    throw new InputError(field, `${tail}`, `0: all ${values.length} singular values are listed`);
  }
}
