import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const rows = readFileSync("docs/symbols.md", "utf8")
  .split("\n")
  .filter((line) => /^\|.*\|$/.test(line) && !/^\|[-|]+\|$/.test(line) && !line.startsWith("| symbol |"))
  .map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const names = rows.flatMap((cells) => [...cells[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!));

/** Code without comments: a name counts only where it is used. */
function code(path: string): string {
  return readFileSync(path, "utf8")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "");
}

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => code(join("src", name)))
  .join("\n");

describe("docs/symbols.md", () => {
  it("has five cells in every row, and no name twice", () => {
    expect(rows.length).toBeGreaterThan(40);
    for (const cells of rows) expect(cells).toHaveLength(5);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it.each(names)("%s occurs in src", (name) => {
    expect(new RegExp(`\\b${name}\\b`).test(sources)).toBe(true);
  });

  it("every row's file uses the name", () => {
    const missing: string[] = [];
    for (const cells of rows) {
      const file = /\]\(\.\.\/(src\/[^)]+)\)/.exec(cells[4]!)![1]!;
      const text = readFileSync(file, "utf8");
      for (const match of cells[1]!.matchAll(/`(\w+)`/g)) {
        if (!new RegExp(`\\b${match[1]}\\b`).test(text)) missing.push(`${match[1]} in ${file}`);
      }
    }
    expect(missing).toEqual([]);
  });
});
