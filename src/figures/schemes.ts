import { z } from "zod";
import { type Scheme, schemes } from "../aircomp/index.ts";
import type { PanelRow } from "./chart.ts";
import { numberIn, where } from "./scenario.ts";
import { type Series, seriesOf } from "./style.ts";
import { geometricColumns, ratioColumns } from "./summary.ts";
import type { Row } from "./types.ts";

/** The scheme that the others are compared with. */
export const baseScheme = "manifold";

/** How schemes are listed; a place here is also the place of the series style, the same in every figure. */
const order: readonly string[] = [
  "manifold",
  "alternating",
  "uniform-forcing",
  "sca",
  "sdr",
  "centroid",
  "mrc",
  "random",
  "channel-inversion",
  "digital",
];
/** A scheme that is not listed takes a place behind the others. */
const place = (scheme: string): number => (order.includes(scheme) ? order.indexOf(scheme) : order.length);

/** Every scheme but error-free aggregation, whose distortion is 0. */
export function comparedSchemes(): Scheme[] {
  return schemes.filter((scheme) => scheme !== "ideal").sort((a, b) => place(a) - place(b));
}

/** Schemes to compare; the base must be among them. */
export const schemeList: z.ZodType<Scheme[]> = z
  .array(z.enum(schemes))
  .min(1)
  .refine((list) => list.includes(baseScheme), `a list with "${baseScheme}"`);

const labels: Partial<Readonly<Record<Scheme, string>>> = {
  mrc: "MRC",
  sca: "SCA",
  sdr: "SDR",
  "uniform-forcing": "uniform forcing",
  "channel-inversion": "channel inversion",
  ideal: "error-free",
};

export function schemeSeries(list: readonly Scheme[]): Series[] {
  return seriesOf(
    list.map((key) => ({ key, label: schemeLabel(key), reference: key === "ideal", style: place(key) })),
  );
}

export function schemeLabel(scheme: Scheme): string {
  return labels[scheme] ?? scheme;
}

/**
 * Means of `quantity` per scheme and point of the sweep, and means of its ratio to the base scheme on the same
 * channels.
 */
export function compareSchemes(
  rows: readonly Row[],
  list: readonly Scheme[],
  quantity: string,
  sweep: { readonly name: string; readonly values: readonly number[] },
  more: (rows: readonly Row[]) => Row = () => ({}),
): Row[] {
  const table: Row[] = [];
  const rowsAt = (scheme: Scheme, x: number): Row[] =>
    where(rows, { scheme, [sweep.name]: x }).sort((a, b) => numberIn(a, "channel") - numberIn(b, "channel"));
  const values = (at: readonly Row[]): number[] => at.map((row) => numberIn(row, quantity));
  for (const scheme of list) {
    for (const x of sweep.values) {
      const at = rowsAt(scheme, x);
      const columns = geometricColumns(values(at));
      table.push({ quantity, scheme, [sweep.name]: x, ...columns, ...more(at) });
    }
  }
  for (const scheme of list) {
    if (scheme === baseScheme || scheme === "ideal") continue;
    for (const x of sweep.values) {
      const columns = ratioColumns(values(rowsAt(scheme, x)), values(rowsAt(baseScheme, x)));
      table.push({ quantity: `${quantity} ratio to ${baseScheme}`, scheme, [sweep.name]: x, ...columns });
    }
  }
  return table;
}

/** Rows of a table as points of a panel; points without a finite mean are left out (the table counts them). */
export function schemePoints(
  table: readonly Row[],
  quantity: string,
  x: string,
  options: { readonly band: boolean },
): PanelRow[] {
  return where(table, { quantity })
    .filter((row) => typeof row.value === "number")
    .map((row) => ({
      series: String(row.scheme),
      x: numberIn(row, x),
      y: numberIn(row, "value"),
      ...(options.band && row.low !== null ? { low: numberIn(row, "low"), high: numberIn(row, "high") } : {}),
    }));
}

/** All y values that points and bands reach. */
export function reach(points: readonly PanelRow[]): number[] {
  return points.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
}

/** A sentence on the schemes that are better than the base scheme somewhere, or nothing: 0.998 looks like 1. */
export function lostNote(table: readonly Row[], quantity: string): string {
  const ratios = where(table, { quantity: `${quantity} ratio to ${baseScheme}` });
  const lost = ratios.filter((row) => typeof row.value === "number" && row.value < 1);
  const parts = [...new Set(lost.map((row) => row.scheme as Scheme))].map((scheme) => {
    const own = where(lost, { scheme }).map((row) => numberIn(row, "value"));
    return `${schemeLabel(scheme)} at ${own.length} points, lowest ${Math.min(...own).toPrecision(3)}`;
  });
  return parts.length === 0 ? "" : ` Ratios below 1: ${parts.join("; ")}.`;
}

/** A sentence on the runs that ended at their iteration limit, or nothing. */
export function limitNote(table: readonly Row[], channels: number): string {
  const counted = table.filter((row) => typeof row.converged === "number");
  const cases = new Map<number, string[]>();
  for (const scheme of new Set(counted.map((row) => row.scheme as Scheme))) {
    const points = counted.filter((row) => row.scheme === scheme);
    const runs = points.length * channels;
    const short = runs - points.reduce((sum, row) => sum + numberIn(row, "converged"), 0);
    if (short > 0) cases.set(runs, [...(cases.get(runs) ?? []), `${schemeLabel(scheme)} in ${short}`]);
  }
  const parts = [...cases].map(([runs, counts]) => `${counts.join(", ")} of ${runs} cases`);
  return parts.length === 0 ? "" : ` Stopped before convergence: ${parts.join("; ")}.`;
}
