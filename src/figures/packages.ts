import { InputError } from "../core/index.ts";
import type { Spec } from "./types.ts";

/** What is used of vega's view; typed here, because its own types ask for the browser's. */
interface View {
  initialize(): View;
  runAsync(): Promise<View>;
  toSVG(): Promise<string>;
  finalize(): unknown;
}
interface TextItem {
  readonly font?: string;
  readonly fontSize?: number;
  readonly text?: unknown;
}
interface Vega {
  readonly View: new (runtime: unknown, options: { renderer: "none"; logLevel: number }) => View;
  readonly parse: (spec: unknown) => unknown;
  readonly textMetrics: { width: (item: TextItem, text?: unknown) => number };
}
interface VegaLite {
  readonly compile: (spec: Spec) => { readonly spec: unknown };
}
interface Resvg {
  readonly Resvg: new (svg: string, options: object) => { render(): { asPng(): Uint8Array } };
}

/** The packages that draw: optional dependencies, loaded when something is drawn. */
export interface PlotPackages {
  readonly vega: Vega;
  readonly vegaLite: VegaLite;
  readonly resvg: Resvg;
}

/**
 * Loads the packages that draw.
 *
 * @throws InputError if one of them is not installed.
 */
export async function loadPlotPackages(): Promise<PlotPackages> {
  const vega = await load("vega", () => import("vega"));
  const vegaLite = await load("vega-lite", () => import("vega-lite"));
  const resvg = await load("@resvg/resvg-js", () => import("@resvg/resvg-js"));
  return {
    vega: vega as unknown as Vega,
    vegaLite: vegaLite as unknown as VegaLite,
    resvg: resvg as unknown as Resvg,
  };
}

async function load(name: string, load: () => Promise<unknown>): Promise<unknown> {
  try {
    return await load();
  } catch {
    throw new InputError(
      "figures",
      `the package ${name} is not installed`,
      "npm install vega vega-lite @resvg/resvg-js",
    );
  }
}
