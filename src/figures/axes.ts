import { checkNumber, checkNumbers, describe, InputError } from "../core/index.ts";
import { signed } from "./style.ts";
import type { Spec } from "./types.ts";

/** A scale with the ticks that belong on it. */
export interface Axis {
  readonly title: string;
  readonly log: boolean;
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  /** Text of a tick; ticks that are missing here are minor. */
  readonly labels: ReadonlyMap<number, string>;
  /** Values are the numbers of categories: marks side by side instead of lines. */
  readonly categorical?: boolean;
}

/**
 * A logarithmic axis that holds the given positive values, with room for marks at both ends; long axes end on
 * ticks unless `snap` is false.
 *
 * @throws InputError without a value, or on values outside 1e-100 to 1e100.
 */
export function logAxis(title: string, values: readonly number[], snap = true): Axis {
  checkValues(values, true);
  const room = Math.max(Math.max(...values) / Math.min(...values), 1.05) ** 0.04;
  let bottom = Math.min(...values) / room;
  let top = Math.max(...values) * room;
  if (snap && top / bottom > 16) {
    const ends = decadeTicks(bottom, top, [1, 2, 5]);
    bottom = Math.max(...ends.filter((tick) => tick <= bottom));
    top = Math.min(...ends.filter((tick) => tick >= top));
  }
  const inside = (tick: number): boolean => tick >= bottom * (1 - 1e-12) && tick <= top * (1 + 1e-12);
  const span = Math.log10(top / bottom);
  const ticks = decadeTicks(bottom, top, [1, 2, 3, 4, 5, 6, 7, 8, 9]).filter(inside);
  const named = span > 1.6 ? [1] : span > 0.7 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
  const every = span > 8 ? 2 : 1;
  const usual = decadeTicks(bottom, top, named)
    .filter(inside)
    .filter((tick) => span <= 1.6 || Math.round(Math.log10(tick)) % every === 0);
  // two decades may hold only two powers of ten
  const labelled = usual.length < 3 ? decadeTicks(bottom, top, [1, 2, 5]).filter(inside) : usual;
  // less than a third of a decade may hold none of these: there the round numbers of a linear axis
  if (labelled.length < 3) {
    const round = roundTicks(bottom, top, top - bottom).filter(inside);
    return { title, log: true, domain: [bottom, top], ticks: round, labels: textOf(round) };
  }
  const powers = labelled === usual && span > 1.6 && (bottom < 0.009 || top > 9999);
  const labels = new Map(labelled.map((tick) => [tick, powers ? powerLabel(tick) : String(tick)]));
  const all = [...new Set([...ticks, ...labelled])].sort((a, b) => a - b);
  return { title, log: true, domain: [bottom, top], ticks: all, labels };
}

/** The axis above `bottom`. */
export function above(bottom: number, axis: Axis): Axis {
  return { ...axis, domain: [bottom, axis.domain[1]], ticks: axis.ticks.filter((tick) => tick >= bottom) };
}

/** Ticks at the given values, all of them named. */
export function labelled(ticks: readonly number[]): Pick<Axis, "ticks" | "labels"> {
  return { ticks, labels: textOf(ticks) };
}

const textOf = (ticks: readonly number[]): Map<number, string> =>
  new Map(ticks.map((tick) => [tick, signed(tick)]));

/**
 * Ticks at the given values of a swept quantity; on a log axis they are the only ones.
 *
 * @param margin room at both ends, as a share of the axis, 0 to 10
 * @throws InputError without a value, on values that are not finite or beyond 1e100, on a log axis also below 1e-100.
 */
export function sweepAxis(title: string, values: readonly number[], log: boolean, margin = 0.04): Axis {
  checkValues(values, log);
  checkNumber(margin, "margin", 0, 10);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const domain: [number, number] = log
    ? [low * (low / high) ** margin, high * (high / low) ** margin]
    : [low - margin * (high - low), high + margin * (high - low)];
  return { title, log, domain, ...labelled(values) };
}

/**
 * A linear axis that holds the given values, with ticks at multiples of 1, 2, 5 or 10 times a power of ten.
 *
 * @throws InputError without a value, or on values that are not finite or beyond 1e100.
 */
export function linearAxis(title: string, values: readonly number[]): Axis {
  checkValues(values, false);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = Math.max(high - low, 1e-9);
  const domain: [number, number] = [low - 0.04 * span, high + 0.04 * span];
  return { title, log: false, domain, ...labelled(roundTicks(...domain, span)) };
}

/**
 * An x axis of categories (tasks, clients): category i is at x = i + 1. Rows are drawn as marks, those of several series side
 * by side, with a bar from `low` to `high`.
 *
 * @throws InputError without a name, or on names that are not texts.
 */
export function categoryAxis(title: string, names: readonly string[]): Axis {
  const expected = "an array of at least one text";
  if (!Array.isArray(names) || names.length === 0) throw new InputError("names", describe(names), expected);
  for (const [i, name] of names.entries()) {
    if (typeof name !== "string") throw new InputError(`names[${i}]`, describe(name), "a string");
  }
  const ticks = names.map((_, i) => i + 1);
  const labels = new Map(names.map((name, i) => [i + 1, name]));
  return { title, log: false, domain: [0.5, names.length + 0.5], ticks, labels, categorical: true };
}

/** Multiples of 1, 2, 5 or 10 times a power of ten between two numbers, at least about three in a span. */
function roundTicks(from: number, to: number, span: number): number[] {
  const unit = 10 ** Math.floor(Math.log10(span / 3));
  const step = [5, 2, 1].map((factor) => factor * unit).find((width) => span / width >= 3) ?? unit;
  const first = Math.ceil(from / step);
  const last = Math.floor(to / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
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
    ...(axis.categorical === true ? { labelAngle: -30, labelAlign: "right", tickSize: 0 } : {}),
    ...options,
  };
}

/** Largest size of what an axis can hold; on a log axis its reciprocal is the smallest. */
const LIMIT = 1e100;

function checkValues(values: readonly number[], log: boolean): void {
  checkNumbers(values, "values", undefined, log ? 1 / LIMIT : -LIMIT, LIMIT);
  if (values.length === 0) throw new InputError("values", "no value", "at least one");
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

/** A positive number for a sentence, with two digits. */
export function scientific(value: number): string {
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${digits}·${powerLabel(Number(`1e${exponent}`))}`;
}
