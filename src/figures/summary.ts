import { cell } from "./scenario.ts";
import { geometricInterval } from "./statistics.ts";
import type { Row } from "./types.ts";

/** Columns of a mean over channels. One infinite value makes the mean infinite; how many there are is counted. */
export function geometricColumns(values: readonly number[]): Row {
  const finite = values.filter(Number.isFinite);
  const infinite = values.length - finite.length;
  if (infinite > 0 || finite.length === 0) {
    return {
      value: cell(Number.POSITIVE_INFINITY),
      low: null,
      high: null,
      channels: finite.length,
      infinite,
    };
  }
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
  const points = table.filter((row) => Number(row.infinite ?? 0) > 0).length;
  return points === 0 ? "" : ` ${points} means are infinite and not drawn (column "infinite").`;
}
