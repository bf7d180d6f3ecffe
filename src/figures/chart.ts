import { type Axis, axisSpec, scaleSpec } from "./axes.ts";
import { createMeasure } from "./font.ts";
import { config, fontSize, type Series, smallFontSize, textColor } from "./style.ts";
import type { Row, Spec } from "./types.ts";

/** Curves over one y axis. Rows have `series` (a series key), x, y, and low and high where there is a band. */
export interface Panel {
  readonly height: number;
  /** Where it is not that of the chart. */
  readonly x?: Axis;
  readonly y: Axis;
  readonly rows: readonly PanelRow[];
  /** Rows that are marked by a ring. */
  readonly rings?: readonly PanelRow[];
  /** A horizontal line, for example at the ratio 1. */
  readonly level?: number;
  /** Names the panel, in a corner. */
  readonly label?: { readonly text: string; readonly corner: Corner };
}

export type Corner = "top-left" | "top-right" | "bottom-left" | "bottom-right";

export interface PanelRow {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
  /** False: part of the line, without a mark. */
  readonly marked?: boolean;
}

export interface Chart {
  readonly x: Axis;
  readonly series: readonly Series[];
  readonly legendTitle?: string;
  /** Explains the ring in the legend. */
  readonly ringLabel?: string;
  /** Panels on top of each other; an x axis that the next one shares is named below that one only. */
  readonly panels: readonly Panel[];
  /** Small print below. */
  readonly note: string;
  readonly description: string;
}

const width = 290;
const axisRoom = 44;

/** A chart as a Vega-Lite specification with its data inside. */
export function chartSpec(chart: Chart): Spec {
  const { panels } = chart;
  const note = wrap(chart.note, width + axisRoom, smallFontSize);
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: chart.description,
    config,
    title: {
      text: note,
      orient: "bottom",
      anchor: "start",
      align: "left",
      fontSize: smallFontSize,
      lineHeight: smallFontSize + 2.5,
      offset: 8,
    },
    vconcat: [legendSpec(chart), ...panels.map((panel, i) => panelSpec(chart, panel, panels[i + 1]))],
  };
}

function panelSpec(chart: Chart, panel: Panel, next: Panel | undefined): Spec {
  const own = panel.x ?? chart.x;
  const isShared = next !== undefined && (next.x ?? chart.x) === own;
  const x = {
    field: "x",
    type: "quantitative",
    scale: scaleSpec(own),
    axis: axisSpec(own, isShared ? { title: null, labels: false } : {}),
  };
  const yAxis = axisSpec(panel.y, { minExtent: axisRoom - 18, maxExtent: axisRoom - 18 });
  const y = { field: "y", type: "quantitative", scale: scaleSpec(panel.y), axis: yAxis };
  const look = seriesEncoding(chart.series);
  const marked = new Set(chart.series.filter(({ style }) => style.shape !== "none").map(({ key }) => key));
  const isBand = "isValid(datum.low) && isValid(datum.high)";
  const layers: Spec[] =
    own.categorical === true
      ? markLayers(x, y, look)
      : [
          {
            transform: [{ filter: isBand }],
            mark: { type: "area", opacity: chart.series.length > 6 ? 0.1 : 0.18, clip: true, line: false },
            encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: look.color },
          },
          {
            mark: { type: "line", strokeWidth: 1.4, clip: true },
            encoding: { x, y, color: look.color, strokeDash: look.strokeDash },
          },
          {
            transform: [{ filter: "datum.marked" }],
            mark: { type: "point", filled: true, size: 26, opacity: 1, clip: true },
            encoding: { x, y, color: look.color, shape: look.shape },
          },
        ];
  if (panel.level !== undefined) {
    layers.unshift({
      data: { values: [{ y: panel.level }] },
      mark: { type: "rule", color: "#000000", strokeWidth: 0.75 },
      encoding: { y },
    });
  }
  if (panel.rings !== undefined) {
    layers.push({
      data: { values: panel.rings },
      mark: { type: "point", filled: false, shape: "circle", color: "#000000", size: 110, strokeWidth: 1.2 },
      encoding: { x, y },
    });
  }
  if (panel.label !== undefined) layers.push(labelSpec(panel.label.text, panel.label.corner, panel.height));
  const place =
    own.categorical === true ? sideBySide(chart.series, marked) : (row: PanelRow): number => row.x;
  const values = panel.rows.map((row) => ({
    ...row,
    x: place(row),
    marked: marked.has(row.series) && row.marked !== false,
  }));
  return { width, height: panel.height, data: { values }, layer: layers };
}

/** Layers over a categorical axis: a bar from low to high and a mark; a short line where the series has no mark. */
function markLayers(x: Spec, y: Spec, look: Look): Spec[] {
  const isBand = "isValid(datum.low) && isValid(datum.high)";
  return [
    {
      transform: [{ filter: isBand }],
      mark: { type: "rule", strokeWidth: 1.4, clip: true },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: look.color },
    },
    {
      transform: [{ filter: "!datum.marked" }],
      mark: { type: "tick", orient: "horizontal", size: 22, thickness: 1.4, clip: true },
      encoding: { x, y, color: look.color },
    },
    {
      transform: [{ filter: "datum.marked" }],
      mark: { type: "point", filled: true, size: 26, opacity: 1, clip: true },
      encoding: { x, y, color: look.color, shape: look.shape },
    },
  ];
}

/** Where a row is drawn in its category, so that series do not cover each other; those without marks in the middle. */
function sideBySide(series: readonly Series[], marked: ReadonlySet<string>): (row: PanelRow) => number {
  const keys = series.map(({ key }) => key).filter((key) => marked.has(key));
  return (row) => {
    const at = keys.indexOf(row.series);
    return at < 0 ? row.x : row.x + (0.7 * (at - (keys.length - 1) / 2)) / keys.length;
  };
}

function labelSpec(text: string, corner: Corner, height: number): Spec {
  const isLeft = corner.endsWith("left");
  const isTop = corner.startsWith("top");
  return {
    data: { values: [{}] },
    mark: {
      type: "text",
      text,
      fontSize,
      color: textColor,
      align: isLeft ? "left" : "right",
      baseline: isTop ? "top" : "bottom",
      x: isLeft ? 6 : width - 6,
      y: isTop ? 5 : height - 5,
    },
  };
}

interface Look {
  readonly color: Spec;
  readonly strokeDash: Spec;
  readonly shape: Spec;
}

function seriesEncoding(series: readonly Series[]): Look {
  const domain = series.map(({ key }) => key);
  const channel = (range: readonly unknown[]): Spec => ({
    field: "series",
    type: "nominal",
    scale: { domain, range },
    legend: null,
  });
  return {
    color: channel(series.map(({ style }) => style.color)),
    strokeDash: channel(series.map(({ style }) => style.dash)),
    shape: channel(series.map(({ style }) => (style.shape === "none" ? "circle" : style.shape))),
  };
}

const lineLength = 26;
const lineHeight = 15;

/** The legend above the panels, laid out with the widths of the bundled font: Vega's own does not show dashes. */
function legendSpec(chart: Chart): Spec {
  const measure = createMeasure();
  const texts: Row[] = [];
  const keys: (Row & { readonly y: number })[] = [];
  const rings: Row[] = [];
  let x = -axisRoom;
  let y = lineHeight / 2;
  const place = (label: string, symbol: number): number => {
    const needed = symbol + measure(label, fontSize);
    if (x > -axisRoom && x + needed > width) {
      x = -axisRoom;
      y += lineHeight;
    }
    const left = x;
    texts.push({ x: left + symbol, y, label });
    x += needed + 12;
    return left;
  };
  if (chart.legendTitle !== undefined) {
    place(chart.legendTitle, 0);
    x -= 4;
  }
  for (const { key, label, style } of chart.series) {
    const left = place(label, lineLength + 5);
    const end = left + lineLength;
    keys.push({
      series: key,
      x: left,
      x2: end,
      middle: left + lineLength / 2,
      y,
      marked: style.shape !== "none",
    });
  }
  if (chart.ringLabel !== undefined) {
    const left = place(chart.ringLabel, 14);
    rings.push({ x: left + 5, y });
  }
  const isCategorical = chart.panels.every((panel) => (panel.x ?? chart.x).categorical === true);
  const lines = keys.filter(({ marked }) => !(isCategorical && marked === true));
  const pixels = (field: string): Spec => ({ field, type: "quantitative", scale: null, axis: null });
  const look = seriesEncoding(chart.series);
  return {
    width,
    height: y + lineHeight / 2,
    view: { stroke: null },
    layer: [
      {
        data: { values: lines },
        mark: { type: "rule", strokeWidth: 1.4 },
        encoding: {
          x: pixels("x"),
          x2: { field: "x2" },
          y: pixels("y"),
          color: look.color,
          strokeDash: look.strokeDash,
        },
      },
      {
        data: { values: keys.filter(({ marked }) => marked === true) },
        mark: { type: "point", filled: true, size: 26, opacity: 1 },
        encoding: { x: pixels("middle"), y: pixels("y"), color: look.color, shape: look.shape },
      },
      {
        data: { values: rings },
        mark: {
          type: "point",
          filled: false,
          shape: "circle",
          color: "#000000",
          size: 110,
          strokeWidth: 1.2,
        },
        encoding: { x: pixels("x"), y: pixels("y") },
      },
      {
        data: { values: texts },
        mark: { type: "text", align: "left", baseline: "middle", fontSize, color: textColor },
        encoding: { x: pixels("x"), y: pixels("y"), text: { field: "label" } },
      },
    ],
  };
}

/** Breaks a text into lines that fit. */
export function wrap(text: string, limit: number, size: number): string[] {
  const measure = createMeasure();
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && measure(`${last} ${word}`, size) <= limit)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
