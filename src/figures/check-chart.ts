import {
  checkChoice,
  checkNumber,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import type { Axis } from "./axes.ts";
import type { Chart, Corner, Panel, PanelRow } from "./chart.ts";
import type { Series } from "./style.ts";

const chartNames = ["x", "series", "legendTitle", "ringLabel", "panels", "note", "description"] as const;
const panelNames = ["height", "x", "y", "rows", "rings", "level", "label"] as const;
const corners: readonly Corner[] = ["top-left", "top-right", "bottom-left", "bottom-right"];

/**
 * Refuses charts that would be drawn with holes or not at all.
 *
 * @throws InputError on missing parts, rows of unknown series, and coordinates that are not finite (on a logarithmic
 * axis: not > 0).
 */
export function checkChart(chart: Chart): void {
  checkOptions(chart, "chart", chartNames);
  checkAxis(chart.x, "chart.x");
  const keys = checkSeries(chart.series, "chart.series");
  for (const name of ["legendTitle", "ringLabel"] as const) {
    if (chart[name] !== undefined) checkText(chart[name], `chart.${name}`);
  }
  checkText(chart.note, "chart.note");
  checkText(chart.description, "chart.description");
  checkFilledList(chart.panels, "chart.panels", "an array of at least one panel");
  for (const [i, panel] of chart.panels.entries()) checkPanel(panel, chart.x, keys, `chart.panels[${i}]`);
}

function checkPanel(panel: Panel, shared: Axis, keys: ReadonlySet<string>, field: string): void {
  checkOptions(panel, field, panelNames);
  const { height, x, y, rows, rings, level, label } = panel;
  checkPositive(height, `${field}.height`);
  if (x !== undefined) checkAxis(x, `${field}.x`);
  checkAxis(y, `${field}.y`);
  if (y.categorical === true) throw new InputError(`${field}.y`, "a categorical axis", "an axis of numbers");
  checkRows(rows, x ?? shared, y, keys, `${field}.rows`);
  if (rings !== undefined) checkRows(rings, x ?? shared, y, keys, `${field}.rings`);
  if (level !== undefined) checkCoordinate(level, y, `${field}.level`);
  if (label !== undefined) {
    checkOptions(label, `${field}.label`, ["text", "corner"]);
    checkText(label.text, `${field}.label.text`);
    checkChoice(label.corner, `${field}.label.corner`, corners);
  }
}

function checkRows(
  rows: readonly PanelRow[],
  x: Axis,
  y: Axis,
  keys: ReadonlySet<string>,
  field: string,
): void {
  checkList(rows, field, "an array of rows");
  for (const [i, row] of rows.entries()) {
    const place = `${field}[${i}]`;
    if (row === null || typeof row !== "object") throw new InputError(place, describe(row), "an object");
    if (!keys.has(row.series)) {
      const known = [...keys].map((key) => `"${key}"`).join(", ");
      throw new InputError(`${place}.series`, describe(row.series), `a key of chart.series: ${known}`);
    }
    checkCoordinate(row.x, x, `${place}.x`);
    checkCoordinate(row.y, y, `${place}.y`);
    for (const end of ["low", "high"] as const) {
      if (row[end] !== undefined) checkCoordinate(row[end], y, `${place}.${end}`);
    }
  }
}

function checkCoordinate(value: number, { log }: Axis, field: string): void {
  if (Number.isFinite(value) && (!log || value > 0)) return;
  const expected = log ? "a finite number > 0 on a logarithmic axis" : "a finite number";
  throw new InputError(field, describe(value), `${expected}; leave out what cannot be drawn`);
}

function checkAxis(axis: Axis, field: string): void {
  if (axis === null || typeof axis !== "object") {
    throw new InputError(field, describe(axis), "an axis (see linearAxis, logAxis, sweepAxis)");
  }
  checkText(axis.title, `${field}.title`);
  if (typeof axis.log !== "boolean") throw new InputError(`${field}.log`, describe(axis.log), "a boolean");
  if (axis.categorical !== undefined && typeof axis.categorical !== "boolean") {
    throw new InputError(`${field}.categorical`, describe(axis.categorical), "a boolean");
  }
  const { domain } = axis;
  checkList(domain, `${field}.domain`, "[lowest, highest]");
  if (domain.length !== 2) throw new InputError(`${field}.domain`, describe(domain), "[lowest, highest]");
  checkNumber(domain[0], `${field}.domain[0]`, axis.log ? Number.MIN_VALUE : undefined);
  checkNumber(domain[1], `${field}.domain[1]`, domain[0]);
  checkList(axis.ticks, `${field}.ticks`, "an array of numbers");
  for (const [i, tick] of axis.ticks.entries()) checkNumber(tick, `${field}.ticks[${i}]`);
  if (!(axis.labels instanceof Map)) {
    throw new InputError(`${field}.labels`, describe(axis.labels), "a Map from ticks to texts");
  }
}

/** @returns the keys */
function checkSeries(series: readonly Series[], field: string): ReadonlySet<string> {
  checkFilledList(series, field, "an array of at least one series (see seriesOf)");
  const keys = new Set<string>();
  for (const [i, one] of series.entries()) {
    const place = `${field}[${i}]`;
    checkOptions(one, place, ["key", "label", "style"]);
    checkText(one.key, `${place}.key`);
    checkText(one.label, `${place}.label`);
    if (keys.has(one.key)) throw new InputError(`${place}.key`, `"${one.key}" again`, "another key");
    keys.add(one.key);
    checkOptions(one.style, `${place}.style`, ["color", "dash", "shape"]);
    checkText(one.style.color, `${place}.style.color`);
    checkText(one.style.shape, `${place}.style.shape`);
    checkList(one.style.dash, `${place}.style.dash`, "an array of lengths");
    for (const [j, length] of one.style.dash.entries())
      checkNumber(length, `${place}.style.dash[${j}]`, 0, 1000);
  }
  return keys;
}

function checkText(value: unknown, field: string): void {
  if (typeof value !== "string") throw new InputError(field, describe(value), "a string");
}

function checkList(value: unknown, field: string, expected: string): void {
  if (!Array.isArray(value)) throw new InputError(field, describe(value), expected);
}

function checkFilledList(value: unknown, field: string, expected: string): void {
  checkList(value, field, expected);
  if ((value as readonly unknown[]).length === 0) throw new InputError(field, "an empty array", expected);
}
