import type { Spec } from "./types.ts";

/** A scale with the ticks that belong on it. */
export interface Axis {
  readonly title: string;
  readonly log: boolean;
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  /** Text of a tick; ticks that are missing here are minor. */
  readonly labels: ReadonlyMap<number, string>;
}

/** A logarithmic axis that holds the given positive values. */
export function logAxis(title: string, values: readonly number[]): Axis {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const decades = Math.log10(high / low);
  // the ends lie on ticks: 1-9 of a decade, or decades alone where there are many
  const steps = decades > 5 ? [1] : decades > 1.5 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
  const ends = decadeTicks(low, high, steps);
  const bottom = Math.max(...ends.filter((tick) => tick <= low * (1 + 1e-12)));
  const top = Math.min(...ends.filter((tick) => tick >= high * (1 - 1e-12)));
  const inside = (tick: number): boolean => tick >= bottom * (1 - 1e-12) && tick <= top * (1 + 1e-12);
  const span = Math.log10(top / bottom);
  const ticks = decadeTicks(bottom, top, [1, 2, 3, 4, 5, 6, 7, 8, 9]).filter(inside);
  const named = span > 1.9 ? [1] : span > 0.9 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
  const every = span > 8 ? 2 : 1;
  const labelled = decadeTicks(bottom, top, named)
    .filter(inside)
    .filter((tick) => span <= 1.9 || Math.round(Math.log10(tick)) % every === 0);
  const powers = span > 1.9 && (bottom < 0.009 || top > 9999);
  const labels = new Map(labelled.map((tick) => [tick, powers ? powerLabel(tick) : String(tick)]));
  const all = [...new Set([...ticks, ...labelled])].sort((a, b) => a - b);
  return { title, log: true, domain: [bottom, top], ticks: all, labels };
}

/** A linear axis over exactly the given range. */
export function linearAxis(title: string, domain: readonly [number, number], ticks: readonly number[]): Axis {
  return { title, log: false, domain, ticks, labels: new Map(ticks.map((tick) => [tick, minus(tick)])) };
}

/** Ticks at the given values of a swept quantity; on a log axis they are the only ones. */
export function sweepAxis(title: string, values: readonly number[], log: boolean, margin = 0.04): Axis {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const domain: [number, number] = log
    ? [low * (low / high) ** margin, high * (high / low) ** margin]
    : [low - margin * (high - low), high + margin * (high - low)];
  return { title, log, domain, ticks: values, labels: new Map(values.map((value) => [value, minus(value)])) };
}

/** The axis as Vega-Lite has it. */
export function scaleSpec(axis: Axis): Spec {
  return {
    type: axis.log ? "log" : "linear",
    domain: axis.domain,
    nice: false,
    ...(axis.log ? {} : { zero: false }),
  };
}

/** @param options more options of the Vega-Lite axis */
export function axisSpec(axis: Axis, options: Spec = {}): Spec {
  const labels = Object.fromEntries([...axis.labels].map(([value, label]) => [String(value), label]));
  const table = JSON.stringify(labels);
  const isMajor = `${table}[datum.value] != null`;
  const when = (major: number, minor: number): Spec => ({
    condition: { test: isMajor, value: major },
    value: minor,
  });
  return {
    title: axis.title,
    values: axis.ticks,
    labelExpr: `${table}[datum.value] || ''`,
    tickSize: when(5, 2.5),
    gridOpacity: when(1, 0),
    grid: true,
    ...options,
  };
}

function decadeTicks(low: number, high: number, steps: readonly number[]): number[] {
  const first = Math.floor(Math.log10(low)) - 1;
  const last = Math.ceil(Math.log10(high)) + 1;
  const ticks: number[] = [];
  for (let e = first; e <= last; e++) for (const step of steps) ticks.push(Number(`${step}e${e}`));
  return ticks;
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function powerLabel(tick: number): string {
  const exponent = Math.round(Math.log10(tick));
  if (exponent === 0) return "1";
  if (exponent === 1) return "10";
  const digits = [...String(Math.abs(exponent))].map((digit) => superscripts[Number(digit)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

function minus(value: number): string {
  return String(value).replace("-", "−");
}
