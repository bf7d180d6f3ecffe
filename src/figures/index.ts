/**
 * figures: the plots of the project, from parameters to bytes. Every figure is a list of independent tasks (one
 * channel or matrix each) whose results, in whatever order they were computed, are averaged and drawn to SVG,
 * PNG, CSV and JSON. Same parameters, same bytes. Drawing needs the optional packages vega, vega-lite and
 * @resvg/resvg-js; computing does not.
 */

import { z } from "zod";
import { canonicalJson, checkInteger, InputError, parseInput, version } from "../core/index.ts";
import { type Chart, chartSpec } from "./chart.ts";
import { checkChart } from "./check-chart.ts";
import { toCsv } from "./csv.ts";
import { loadPlotPackages } from "./packages.ts";
import { figureNamed } from "./registry.ts";
import { drawSpec } from "./render.ts";
import type { FigureName, FigureParameters, TaskResult } from "./types.ts";

export { type Axis, categoryAxis, linearAxis, logAxis, sweepAxis } from "./axes.ts";
export type { Chart, Corner, Panel, PanelRow } from "./chart.ts";
export { toCsv } from "./csv.ts";
export { figureNames } from "./registry.ts";
export { geometricInterval, type Interval, meanInterval, quantile } from "./statistics.ts";
export { type Series, type SeriesStyle, seriesOf } from "./style.ts";
export type { Cell, CommonParameters, FigureName, FigureParameters, Row, TaskResult } from "./types.ts";

/** Version of the JSON file of a figure. */
const schemaVersion = 1;

/** A figure in every form. */
export interface RenderedFigure {
  readonly svg: string;
  readonly png: Uint8Array;
  /** Everything that is drawn, one row per point. */
  readonly csv: string;
  /** Parameters, results and specification; `parseFigureFile` reads it. */
  readonly json: string;
}

/**
 * Everything a figure depends on, as plain JSON.
 *
 * @param options.quick a shortened version, with fewer channels and points
 * @throws InputError on an unknown name.
 */
export function figureParameters(name: FigureName, options: { readonly quick: boolean }): FigureParameters {
  return figureNamed(name, "figure").parameters(options.quick);
}

/** Number of tasks; each is independent of the others. */
export function figureTaskCount(name: FigureName, parameters: FigureParameters): number {
  return figureNamed(name, "figure").taskCount(parameters);
}

/**
 * Computes one task. Pure and synchronous; the result is plain JSON.
 *
 * @throws InputError on parameters that do not fit, or an index out of range.
 */
export function runFigureTask(name: FigureName, parameters: FigureParameters, index: number): TaskResult {
  return figureNamed(name, "figure").runTask(parameters, index);
}

/**
 * Draws a figure.
 *
 * @param results of all tasks, in the order of their index
 * @throws InputError if a package that draws is missing, or results are.
 */
export async function renderFigure(
  name: FigureName,
  parameters: FigureParameters,
  results: readonly TaskResult[],
): Promise<RenderedFigure> {
  const figure = figureNamed(name, "figure");
  const checked = figure.check(parameters);
  const count = figure.taskCount(checked);
  if (results.length !== count)
    throw new InputError("results", `${results.length} results`, `${count}, one per task`);
  const table = figure.table(checked, results);
  const spec = figure.spec(checked, table);
  const file = { figure: name, schemaVersion, airfold: version, parameters: checked, results, spec };
  return { ...(await drawSpec(spec)), csv: toCsv(table), json: canonicalJson(file) };
}

/**
 * Draws curves of your own in the style of the figures: panels with one x axis, bands, a legend that covers nothing.
 * Same chart, same bytes.
 *
 * @throws InputError on missing parts, rows of unknown series, coordinates that are not finite (leave such rows out) or,
 * on a logarithmic axis, not > 0; and if a package that draws is not installed.
 */
export async function renderChart(chart: Chart): Promise<{ readonly svg: string; readonly png: Uint8Array }> {
  checkChart(chart);
  return drawSpec(chartSpec(chart));
}

/** @throws InputError if a package that draws is not installed. */
export async function checkPlotPackages(): Promise<void> {
  await loadPlotPackages();
}

const fileSchema = z.looseObject({ figure: z.string(), schemaVersion: z.int(), parameters: z.unknown() });

/**
 * What it takes to compute a figure again, from the parsed JSON file that `renderFigure` wrote.
 *
 * @throws InputError on unknown figures, other versions of the file, and parameters that do not fit.
 */
export function parseFigureFile(value: unknown): { name: FigureName; parameters: FigureParameters } {
  const file = parseInput(fileSchema, value);
  const figure = figureNamed(file.figure, "figure");
  checkInteger(file.schemaVersion, "schemaVersion", schemaVersion, schemaVersion);
  return { name: figure.name, parameters: figure.check(file.parameters) };
}
