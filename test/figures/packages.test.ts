import { describe, expect, it, vi } from "vitest";
import { checkPlotPackages, renderFigure } from "../../src/figures/index.ts";
import { runAll, tinyParameters } from "./support.ts";

vi.mock("vega", () => {
  throw Object.assign(new Error("Cannot find package 'vega'"), { code: "ERR_MODULE_NOT_FOUND" });
});

describe("without the packages that draw", () => {
  const message =
    "figures: found the package vega is not installed, expected npm install vega vega-lite @resvg/resvg-js";

  it("computing works, drawing says what to install", async () => {
    const parameters = tinyParameters("convergence");
    const results = runAll("convergence", parameters);
    await expect(renderFigure("convergence", parameters, results)).rejects.toThrow(message);
    await expect(checkPlotPackages()).rejects.toThrow(message);
  });
});
