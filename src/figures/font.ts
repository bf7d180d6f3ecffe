import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The family that all figures are set in; bundled, so that they look the same on every machine. */
export const fontFamily = "Source Sans 3";

/** Width of a text in pixels. */
export type Measure = (text: string, size: number) => number;

/** The bundled font file: assets/fonts of the nearest folder above this module that has it, in dist/ as in src/. */
export function fontFile(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(folder, "assets", "fonts", "SourceSans3-Regular.ttf");
    if (existsSync(candidate)) return candidate;
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the package is damaged: assets/fonts is missing");
    folder = parent;
  }
}

let measure: Measure | undefined;

/** Widths from the bundled font itself: Vega alone guesses them, or asks whatever canvas it finds. */
export function createMeasure(): Measure {
  if (measure === undefined) {
    const advance = advances(readFileSync(fontFile()));
    measure = (text, size) => {
      let width = 0;
      for (const character of text) width += advance(character.codePointAt(0)!);
      return width * size;
    };
  }
  return measure;
}

/** Advance widths, in units of the font size, by code point: tables head, hhea, hmtx and cmap (format 4). */
function advances(file: Uint8Array): (codePoint: number) => number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tables = new Map<string, number>();
  for (let i = 0; i < view.getUint16(4); i++) {
    const entry = 12 + 16 * i;
    tables.set(String.fromCharCode(...file.subarray(entry, entry + 4)), view.getUint32(entry + 8));
  }
  const at = (name: string): number => {
    const offset = tables.get(name);
    if (offset === undefined) throw new Error(`the bundled font has no table ${name}`);
    return offset;
  };
  const unitsPerEm = view.getUint16(at("head") + 18);
  const metrics = view.getUint16(at("hhea") + 34);
  const widths = at("hmtx");
  const glyphOf = characterMap(view, at("cmap"));
  return (codePoint) => {
    const index = Math.min(glyphOf(codePoint), metrics - 1);
    return view.getUint16(widths + 4 * index) / unitsPerEm;
  };
}

function characterMap(view: DataView, cmap: number): (codePoint: number) => number {
  let table: number | undefined;
  for (let i = 0; i < view.getUint16(cmap + 2); i++) {
    const candidate = cmap + view.getUint32(cmap + 4 + 8 * i + 4);
    if (view.getUint16(candidate) === 4) table = candidate;
  }
  if (table === undefined) throw new Error("the bundled font has no character map of format 4");
  const start = table;
  const size = view.getUint16(start + 6);
  return (codePoint) => {
    for (let i = 0; i < size; i += 2) {
      if (codePoint > view.getUint16(start + 14 + i)) continue;
      const first = view.getUint16(start + 16 + size + i);
      if (codePoint < first) return 0;
      const delta = view.getUint16(start + 16 + 2 * size + i);
      const place = start + 16 + 3 * size + i;
      const range = view.getUint16(place);
      if (range === 0) return (codePoint + delta) & 0xffff;
      const glyph = view.getUint16(place + range + 2 * (codePoint - first));
      return glyph === 0 ? 0 : (glyph + delta) & 0xffff;
    }
    return 0;
  };
}
