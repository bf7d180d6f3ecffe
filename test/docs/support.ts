import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** README.md, if there is one, and every page of docs/. */
export function pages(): readonly { readonly path: string; readonly text: string }[] {
  const docs = readdirSync("docs").filter((name) => name.endsWith(".md"));
  return [
    ...(existsSync("README.md") ? ["README.md"] : []),
    ...docs.sort().map((name) => join("docs", name)),
  ].map((path) => ({ path, text: readFileSync(path, "utf8") }));
}

/** Fenced blocks of a page with their language and the line they start on. */
export function fences(
  text: string,
): readonly { readonly language: string; readonly code: string; readonly line: number }[] {
  return [...text.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```\s*$/gm)].map((match) => ({
    language: match[1]!,
    code: match[2]!,
    line: text.slice(0, match.index).split("\n").length,
  }));
}

/** A page without its fenced blocks and code spans. */
export function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```\s*$/gm, "").replace(/`[^`\n]*`/g, "code");
}
