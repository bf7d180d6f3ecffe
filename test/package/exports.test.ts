import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
  version: string;
  exports: Record<string, { types: string; default: string } | string>;
};
const modules = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string" ? [] : [{ specifier: subpath.replace(".", "airfold"), ...target }],
);

describe("the built package", () => {
  it.each(modules)("offers $specifier by its own name", async ({ specifier, types }) => {
    const module = (await import(/* @vite-ignore */ specifier)) as Record<string, unknown>;
    expect(Object.keys(module)).not.toHaveLength(0);
    expect(readFileSync(types, "utf8")).toContain("export");
  });

  it("throws the same InputError from every module", async () => {
    const core = await import(/* @vite-ignore */ "airfold/core" as string);
    const linalg = await import(/* @vite-ignore */ "airfold/linalg" as string);
    expect(() => linalg.fromParts(0.5, 1, [], [])).toThrow(core.InputError);
  });

  it("tells its version on the command line", () => {
    const printed = execFileSync("node", ["dist/cli/main.js", "--version"], { encoding: "utf8" });
    expect(printed.trim()).toBe(manifest.version);
  });
});
