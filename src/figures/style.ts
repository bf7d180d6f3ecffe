import { fontFamily } from "./font.ts";
import type { Spec } from "./types.ts";

/** How a series looks: told apart by colour (Okabe and Ito), by dash pattern and by mark, so also in grey. */
export interface SeriesStyle {
  readonly color: string;
  readonly dash: readonly number[];
  readonly shape: string;
}

/** Marks that Vega has no name for, as SVG paths in a square from -1 to 1. */
const saltire =
  "M-0.95,-0.65L-0.65,-0.95L0,-0.3L0.65,-0.95L0.95,-0.65L0.3,0L0.95,0.65L0.65,0.95L0,0.3L-0.65,0.95L-0.95,0.65L-0.3,0Z";
const star =
  "M0,-1.1L0.26,-0.36L1.05,-0.34L0.42,0.14L0.65,0.89L0,0.44L-0.65,0.89L-0.42,0.14L-1.05,-0.34L-0.26,-0.36Z";

const styles: readonly SeriesStyle[] = [
  { color: "#0072B2", dash: [1, 0], shape: "circle" },
  { color: "#D55E00", dash: [7, 2.5], shape: "square" },
  { color: "#009E73", dash: [2, 2], shape: "triangle-up" },
  { color: "#CC79A7", dash: [7, 2, 1.5, 2], shape: "diamond" },
  { color: "#56B4E9", dash: [4, 1.5], shape: "triangle-down" },
  { color: "#E69F00", dash: [10, 3], shape: "cross" },
  { color: "#555555", dash: [3, 3, 1, 3], shape: "triangle-right" },
  { color: "#882255", dash: [1.5, 1.5], shape: saltire },
  { color: "#7A5C00", dash: [12, 2, 2, 2, 2, 2], shape: star },
  { color: "#332288", dash: [5, 5], shape: "triangle-left" },
];
/** Error-free aggregation and other references: black, thin, without marks. */
const reference: SeriesStyle = { color: "#000000", dash: [1, 2.5], shape: "none" };

/** A curve with its name in the legend. */
export interface Series {
  /** Value of the series in the data. */
  readonly key: string;
  readonly label: string;
  readonly style: SeriesStyle;
}

/** Series in the order of the legend. Those without a number of their own (their place in `styles`) take the next. */
export function seriesOf(
  names: readonly { key: string; label: string; reference?: boolean; style?: number }[],
): Series[] {
  let next = 0;
  return names.map(({ key, label, reference: isReference, style }) => ({
    key,
    label,
    style: isReference === true ? reference : styles[(style ?? next++) % styles.length]!,
  }));
}

/** A number with the minus sign of text. */
export function signed(value: number): string {
  return String(value).replace("-", "−");
}

/** A y axis title that figures share; the loss has the unit that the user gives it. */
export const gapTitle = "Optimality gap bound (units of the loss)";

export const textColor = "#222222";
export const fontSize = 11;
export const smallFontSize = 9;

/** Vega-Lite configuration of all figures. */
export const config: Spec = {
  font: `${fontFamily}, "Helvetica Neue", Arial, sans-serif`,
  background: "white",
  padding: 4,
  view: { stroke: "#666666", strokeWidth: 0.75 },
  axis: {
    labelFontSize: 10,
    titleFontSize: fontSize,
    titleFontWeight: "normal",
    labelColor: textColor,
    titleColor: textColor,
    titlePadding: 6,
    labelPadding: 3,
    domain: false,
    tickColor: "#666666",
    tickWidth: 0.75,
    gridColor: "#e4e4e4",
    gridWidth: 0.75,
    labelFlush: false,
    labelOverlap: false,
  },
  title: { fontWeight: "normal", color: textColor },
  concat: { spacing: 8 },
};
