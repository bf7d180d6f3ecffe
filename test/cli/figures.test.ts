import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { airfold, startAirfold, temporaryFolder } from "./command.ts";

const readAll = (folder: string): Map<string, string> =>
  new Map(
    readdirSync(folder)
      .sort()
      .map((file) => [file, readFileSync(join(folder, file)).toString("base64")]),
  );

describe("airfold figures", () => {
  it("gives the same bytes for any number of jobs, and again from its JSON file", () => {
    const folders = [temporaryFolder(), temporaryFolder(), temporaryFolder()] as const;
    const draw = (...flags: string[]): void => {
      const { code, stdout } = airfold(["figures", ...flags]);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ figures: [{ name: "gap-versus-rank" }] });
    };
    draw("--only", "gap-versus-rank", "--quick", "--jobs", "1", "--out", folders[0]);
    draw("--only", "gap-versus-rank", "--quick", "--jobs", "3", "--out", folders[1]);
    draw("--from", join(folders[0], "gap-versus-rank.json"), "--out", folders[2]);
    const first = readAll(folders[0]);
    expect([...first.keys()]).toEqual(["csv", "json", "png", "svg"].map((end) => `gap-versus-rank.${end}`));
    expect(readAll(folders[1])).toEqual(first);
    expect(readAll(folders[2])).toEqual(first);
  });

  it("refuses --from together with a choice, and a file that is no figure", () => {
    expect(airfold(["figures", "--from", "x.json", "--quick"])).toMatchObject({ code: 2, stderr: /--from/ });
    const { code, stderr } = airfold(["figures", "--from", "package.json", "--out", temporaryFolder()]);
    expect([code, stderr.trimEnd().split("\n").length]).toEqual([2, 1]);
  });

  it("says what to install where the plotting packages are missing, and still solves", () => {
    const bare = temporaryFolder();
    cpSync("dist", join(bare, "dist"), { recursive: true });
    cpSync("assets", join(bare, "assets"), { recursive: true });
    cpSync("package.json", join(bare, "package.json"));
    mkdirSync(join(bare, "node_modules"));
    for (const name of readdirSync("node_modules")) {
      if (name.startsWith("vega") || name === "@resvg" || name.startsWith(".")) continue;
      symlinkSync(resolve("node_modules", name), join(bare, "node_modules", name));
    }
    const node = (...args: string[]): string =>
      execFileSync("node", ["--preserve-symlinks-main", join(bare, "dist/cli/main.js"), ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    expect(() => node("figures", "--out", join(bare, "out"))).toThrow(
      expect.objectContaining({ status: 2, stderr: expect.stringMatching(/npm install .*vega/) }),
    );
    expect(readdirSync(bare)).not.toContain("out");
    expect(node("schema", "beamform")).toContain("airfold beamform");
  });

  it("stops at once on Ctrl-C and leaves no half-written file", async () => {
    const folder = temporaryFolder();
    const child = startAirfold(["figures", "--only", "gap-versus-rank", "--jobs", "2", "--out", folder]);
    const ended = new Promise<number | null>((done) => child.on("exit", done));
    let stderr = "";
    const working = new Promise<void>((done) => {
      child.stderr?.on("data", (chunk) => {
        stderr += chunk;
        if (stderr.includes("drawing")) done();
      });
    });
    await working;
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(stderr).toContain("interrupted");
    expect(readdirSync(folder)).toEqual([]);
  });
});
