import { cell } from "./scenario.ts";
import { geometricInterval } from "./statistics.ts";
import type { Row } from "./types.ts";

/** Columns of a mean over channels. Infinite values are counted, and left out of the mean. */
export function geometricColumns(values: readonly number[]): Row {
  const finite = values.filter(Number.isFinite);
  const infinite = values.length - finite.length;
  if (finite.length === 0)
    return { value: cell(Number.POSITIVE_INFINITY), low: null, high: null, channels: 0, infinite };
  const { mean, low, high, count } = geometricInterval(finite);
  return { value: mean, low, high, channels: count, infinite };
}

/** Columns of the mean paired ratio values / references, over the channels where both are finite. */
export function ratioColumns(values: readonly number[], references: readonly number[]): Row {
  const ratios = values.map((value, i) => {
    const base = references[i]!;
    return Number.isFinite(value) && Number.isFinite(base) ? value / base : Number.POSITIVE_INFINITY;
  });
  return geometricColumns(ratios);
}

/** A sentence for the small print, or nothing: infinite values must not vanish silently. */
export function infiniteNote(table: readonly Row[]): string {
  const infinite = table.reduce((sum, row) => sum + Number(row.infinite ?? 0), 0);
  return infinite === 0 ? "" : ` ${infinite} infinite values are left out of the means (column "infinite").`;
}
