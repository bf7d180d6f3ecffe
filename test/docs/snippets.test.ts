import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { fences, pages } from "./support.ts";

/** Blocks marked ```ts that import from airfold, each a program of its own. */
const snippets = pages().flatMap(({ path, text }) =>
  fences(text)
    .filter(({ language, code }) => language === "ts" && /from "airfold(?:\/\w+)?"/.test(code))
    .map(({ code, line }) => ({ name: `${path}:${line}`, code })),
);

/** The sources in the place of the package. */
function onSources(code: string): string {
  return code.replace(
    /from "airfold(?:\/(\w+))?"/g,
    (_, room: string | undefined) => `from ${JSON.stringify(resolve("src", room ?? ".", "index.ts"))}`,
  );
}

describe("snippets of README and docs run", () => {
  // inside the project, so that bare imports resolve
  const folder = mkdtempSync(join(resolve("test", "docs"), ".snippets-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(snippets)("$name", async ({ name, code }) => {
    const print = vi.spyOn(console, "log").mockImplementation(() => undefined);
    const file = join(folder, `${name.replace(/\W/g, "-")}.ts`);
    writeFileSync(file, onSources(code));
    try {
      await import(/* @vite-ignore */ file);
      if (code.includes("console.log(")) expect(print).toHaveBeenCalled();
    } finally {
      print.mockRestore();
    }
  });

  it("there are some, once there is a README", () => {
    const hasReadme = pages().some(({ path }) => path === "README.md");
    expect(snippets.length > 0 || !hasReadme).toBe(true);
  });
});
