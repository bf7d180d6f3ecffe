import { describe, expect, it } from "vitest";
import { schemes } from "../../src/aircomp/index.ts";
import {
  axisSpec,
  categoryAxis,
  linearAxis,
  logAxis,
  scientific,
  sweepAxis,
} from "../../src/figures/axes.ts";
import { type Chart, chartSpec, wrap } from "../../src/figures/chart.ts";
import { checkChart } from "../../src/figures/check-chart.ts";
import { toCsv } from "../../src/figures/csv.ts";
import { createMeasure } from "../../src/figures/font.ts";
import { renderChart } from "../../src/figures/index.ts";
import { comparedSchemes, schemeSeries } from "../../src/figures/schemes.ts";
import { seriesOf } from "../../src/figures/style.ts";

describe("axes", () => {
  it("hold their values and name decades on long logarithmic axes", () => {
    const axis = logAxis("y", [0.0005, 3]);
    expect(axis.domain[0]).toBeLessThan(0.0005);
    expect(axis.domain[1]).toBeGreaterThan(3);
    expect([...axis.labels.values()]).toEqual(["10⁻³", "10⁻²", "10⁻¹", "1"]);
    expect(axis.ticks).toContain(0.002);
  });

  it("name single steps on short ones", () => {
    expect([...logAxis("y", [1, 3]).labels.values()]).toEqual(["1", "1.5", "2", "3"]);
    expect([...logAxis("y", [0.03, 0.3]).labels.values()]).toEqual(["0.05", "0.1", "0.2"]);
    // about two decades with only two powers of ten
    expect([...logAxis("y", [0.6, 40], false).labels.values()]).toEqual(["1", "2", "5", "10", "20"]);
    // a short axis that none of the usual ticks is on
    expect([...logAxis("y", [1.78, 1.9], false).labels.values()]).toEqual([
      "1.78",
      "1.8",
      "1.82",
      "1.84",
      "1.86",
      "1.88",
      "1.9",
    ]);
    expect([...logAxis("y", [6.58, 7.62], false).labels.values()]).toEqual([
      "6.6",
      "6.8",
      "7",
      "7.2",
      "7.4",
      "7.6",
    ]);
  });

  it("name categories, with the series side by side", async () => {
    const axis = categoryAxis("Task", ["upright", "rotated", "negative"]);
    expect(axis.domain).toEqual([0.5, 3.5]);
    expect([...axis.labels]).toEqual([
      [1, "upright"],
      [2, "rotated"],
      [3, "negative"],
    ]);
    const series = seriesOf([
      { key: "a", label: "first" },
      { key: "b", label: "second" },
      { key: "base", label: "base", reference: true },
    ]);
    const rows = series.flatMap(({ key }, i) =>
      [1, 2, 3].map((x) => ({ series: key, x, y: i, low: i - 0.1, high: i })),
    );
    const chart: Chart = {
      x: axis,
      series,
      panels: [{ height: 90, y: linearAxis("Accuracy", [-1, 3]), rows }],
      note: "",
      description: "categories",
    };
    const spec = JSON.stringify(chartSpec(chart));
    const drawn = JSON.parse(spec).vconcat[1].data.values as { series: string; x: number }[];
    const offsets = (key: string): number[] =>
      drawn.filter((row) => row.series === key).map((row, i) => Number((row.x - i - 1).toFixed(12)));
    expect(offsets("a")).toEqual([-0.175, -0.175, -0.175]);
    expect(offsets("b")).toEqual([0.175, 0.175, 0.175]);
    expect(offsets("base")).toEqual([0, 0, 0]);
    expect(spec).not.toContain('"line"');
    const { svg } = await renderChart(chart);
    expect(svg).toContain("negative");
    expect(() => checkChart({ ...chart, panels: [{ ...chart.panels[0]!, y: axis }] })).toThrow("panels[0].y");
    expect(() => categoryAxis("Task", [])).toThrow("names");
    expect(() => categoryAxis("Task", [1 as never])).toThrow("names[0]");
  });

  it("stand a single value, and name the ticks that they are given", () => {
    const { domain } = logAxis("y", [2, 2]);
    expect(domain[0]).toBeLessThan(domain[1]);
    const axis = sweepAxis("SNR", [-10, 0], false);
    expect([...axis.labels.values()]).toEqual(["−10", "0"]);
    expect(axisSpec(axis).values).toEqual([-10, 0]);
    expect(scientific(0.0000304)).toBe("3.0·10⁻⁵");
  });
});

describe("axes of users", () => {
  it.each<[string, unknown]>([
    ["values", []],
    ["values", undefined],
    ["values[0]", [Number.NaN]],
    ["values[1]", [1, Number.POSITIVE_INFINITY]],
    ["values[0]", [-1e300, 1]],
  ])("refuse %s: %j", (field, values) => {
    for (const make of [logAxis, linearAxis, (t: string, v: number[]) => sweepAxis(t, v, false)]) {
      expect(() => make("y", values as number[])).toThrow(expect.objectContaining({ field }));
    }
  });

  it("refuse what a logarithmic axis has no place for, at once", () => {
    for (const value of [0, -1, 1e-320]) {
      expect(() => logAxis("y", [1, value])).toThrow(expect.objectContaining({ field: "values[1]" }));
      expect(() => sweepAxis("x", [1, value], true)).toThrow(expect.objectContaining({ field: "values[1]" }));
    }
    expect(logAxis("y", [1e-100, 1e100]).domain.every(Number.isFinite)).toBe(true);
  });
});

describe("charts of users", () => {
  const row = { series: "a", x: 1, y: 2 };
  const good = (): Record<string, unknown> => ({
    x: linearAxis("x", [0, 2]),
    series: seriesOf([{ key: "a", label: "A" }]),
    panels: [{ height: 100, y: logAxis("y", [1, 3]), rows: [row] }],
    note: "",
    description: "",
  });
  const withRow = (change: object): object => ({
    panels: [{ height: 100, y: logAxis("y", [1, 3]), rows: [row, { ...row, ...change }] }],
  });

  it("that are whole pass", () => {
    expect(() => checkChart(good() as unknown as Chart)).not.toThrow();
  });

  it.each<[string, object]>([
    ["chart.panels", { panels: undefined }],
    ["chart.panels", { panels: [] }],
    ["chart.x", { x: undefined }],
    ["chart.note", { note: 3 }],
    ["chart.colour", { colour: "red" }],
    ["chart.series", { series: [] }],
    ["chart.series[1].key", { series: seriesOf([..."aa"].map((key) => ({ key, label: key }))) }],
    ["chart.panels[0].rows[1].y", withRow({ y: Number.NaN })],
    ["chart.panels[0].rows[1].y", withRow({ y: Number.POSITIVE_INFINITY })],
    ["chart.panels[0].rows[1].y", withRow({ y: 0 })],
    ["chart.panels[0].rows[1].x", withRow({ x: undefined })],
    ["chart.panels[0].rows[1].high", withRow({ high: Number.POSITIVE_INFINITY })],
    ["chart.panels[0].rows[1].series", withRow({ series: "b" })],
  ])("refuse %s", async (field, change) => {
    const chart = { ...good(), ...change } as unknown as Chart;
    await expect(renderChart(chart)).rejects.toMatchObject({ name: "InputError", field });
  });

  it("refuse nothing at all", async () => {
    await expect(renderChart(undefined as unknown as Chart)).rejects.toMatchObject({ field: "chart" });
  });
});

describe("series", () => {
  it("differ in dash pattern and in mark, not in colour alone, also with every scheme", () => {
    const list = schemeSeries(comparedSchemes());
    expect(new Set(list.map(({ key }) => key))).toEqual(new Set(schemes.filter((name) => name !== "ideal")));
    for (const part of ["color", "dash", "shape"] as const) {
      expect(new Set(list.map(({ style }) => JSON.stringify(style[part]))).size).toBe(list.length);
    }
  });

  it("of a scheme look the same in every figure", () => {
    const [manifold] = schemeSeries(["manifold", "mrc"]);
    expect(schemeSeries(["mrc", "manifold"])[1]!.style).toEqual(manifold!.style);
    expect(schemeSeries(["ideal"])[0]!.style.shape).toBe("none");
  });
});

describe("text", () => {
  it("has the widths of the bundled font", () => {
    const measure = createMeasure();
    // digits of Source Sans 3 are 497 units of 1000 wide
    expect(measure("0123456789", 1000)).toBeCloseTo(4970, 6);
    expect(measure("", 10)).toBe(0);
    expect(measure("ii", 10)).toBeLessThan(measure("mm", 10));
  });

  it("is wrapped without losing words", () => {
    const text = "one two three four five six seven";
    const lines = wrap(text, 60, 10);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.join(" ")).toBe(text);
    for (const line of lines) expect(createMeasure()(line, 10)).toBeLessThanOrEqual(60);
  });
});

describe("toCsv", () => {
  it("quotes what needs quotes, and keeps full precision", () => {
    const csv = toCsv([
      { a: 0.1 + 0.2, b: 'say "x", y' },
      { a: null, c: true },
    ]);
    expect(csv).toBe('a,b,c\r\n0.30000000000000004,"say ""x"", y",\r\n,,true\r\n');
  });
});
