import { createMeasure, fontFamily, fontFile } from "./font.ts";
import { loadPlotPackages } from "./packages.ts";
import type { Spec } from "./types.ts";

/** PNG pixels per SVG pixel: 340 SVG pixels at a column width of 88 mm make 300 dots per inch. */
const zoom = 3;

let queue: Promise<unknown> = Promise.resolve();

/** Draws a Vega-Lite specification. Same specification, same bytes: no font or canvas of the machine is used. */
export async function drawSpec(spec: Spec): Promise<{ svg: string; png: Uint8Array }> {
  const { vega, vegaLite, resvg } = await loadPlotPackages();
  const compiled = vegaLite.compile(spec).spec;
  const draw = async (): Promise<string> => {
    // Vega's text measure belongs to the process: ours replaces it while we draw, one figure at a time
    const { width } = vega.textMetrics;
    const measure = createMeasure();
    vega.textMetrics.width = (item, text = item.text) =>
      measure(text === null || text === undefined ? "" : String(text), item.fontSize ?? 11);
    try {
      const view = new vega.View(vega.parse(compiled), { renderer: "none", logLevel: 0 });
      const svg = await view.initialize().toSVG();
      view.finalize();
      return svg;
    } finally {
      vega.textMetrics.width = width;
    }
  };
  const turn = queue.then(draw);
  queue = turn.catch(() => undefined);
  const svg = `${renumber(await turn)}\n`;
  const font = { loadSystemFonts: false, fontFiles: [fontFile()], defaultFontFamily: fontFamily };
  const png = new resvg.Resvg(svg, { font, fitTo: { mode: "zoom", value: zoom }, background: "white" });
  return { svg, png: new Uint8Array(png.render().asPng()) };
}

/** Vega numbers clip paths through the life of the process; here they count from 0 in every file. */
function renumber(svg: string): string {
  const names = new Map<string, string>();
  return svg.replaceAll(/(?<=id="|url\(#)clip\d+/g, (id) => {
    const name = names.get(id) ?? `clip${names.size}`;
    names.set(id, name);
    return name;
  });
}
