import { describe, expect, it } from "vitest";
import { schemes } from "../../src/aircomp/index.ts";
import { axisSpec, logAxis, scientific, sweepAxis } from "../../src/figures/axes.ts";
import { wrap } from "../../src/figures/chart.ts";
import { toCsv } from "../../src/figures/csv.ts";
import { createMeasure } from "../../src/figures/font.ts";
import { comparedSchemes, schemeSeries } from "../../src/figures/schemes.ts";

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
