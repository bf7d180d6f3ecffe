import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { pages, prose } from "./support.ts";

/** Anchors that GitHub makes of the headings of a page. */
function anchors(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#+\s+(.*)$/gm)].map((match) =>
      match[1]!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replace(/\s/g, "-"),
    ),
  );
}

describe.each(pages())("$path", ({ path, text }) => {
  it("has no dead relative link", () => {
    const dead: string[] = [];
    for (const match of prose(text).matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)) {
      const target = match[1]!;
      if (/^[a-z]+:/.test(target)) continue;
      const [file, anchor] = target.split("#") as [string, string | undefined];
      const full = file === "" ? path : join(dirname(path), decodeURI(file));
      const outside = relative(".", full).startsWith("..");
      if (outside || !existsSync(full)) dead.push(target);
      else if (
        anchor !== undefined &&
        full.endsWith(".md") &&
        !anchors(readFileSync(full, "utf8")).has(anchor)
      ) {
        dead.push(target);
      }
    }
    expect(dead).toEqual([]);
  });

  it("mentions no path outside the project", () => {
    const found = text.match(
      /(?<![\w.:/])(?:\/(?:work|home|root|tmp|mnt|usr|Users)\/|~\/)\S*|file:\/\/\S*|\bmodel\.md\b/g,
    );
    expect(found ?? []).toEqual([]);
  });
});

describe("docs/theory.md", () => {
  const text = readFileSync("docs/theory.md", "utf8");

  it("names functions that the linked file has", () => {
    const missing: string[] = [];
    for (const match of text.matchAll(/\[(`[^\]]+`)\]\((\.\.\/src\/[^)]+)\)/g)) {
      const source = readFileSync(join("docs", match[2]!), "utf8");
      for (const name of match[1]!.matchAll(/`(\w+)`/g)) {
        if (!new RegExp(`export function ${name[1]}\\b`).test(source))
          missing.push(`${name[1]} in ${match[2]}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("keeps the sections that the code refers to", () => {
    for (const heading of ["## 1. ", "## 2. ", "## 3. ", "### 3.6 ", "## Numerical checks"]) {
      expect(text).toContain(`\n${heading}`);
    }
  });
});
