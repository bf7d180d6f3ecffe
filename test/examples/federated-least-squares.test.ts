import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../cli/command.ts";

const study = "examples/federated-least-squares/run.mjs";
const run = (...args: string[]): { status: number | null; stderr: string } =>
  spawnSync("node", [study, ...args], { encoding: "utf8" });

describe("examples/federated-least-squares", () => {
  test("the quick study: gaps below their bounds, all files there, and a second run goes on from the first", () => {
    const out = temporaryFolder();
    const first = run("--quick", "--jobs", "2", "--out", out);
    expect(first.status, first.stderr).toBe(0);
    const read = (name: string): string => readFileSync(join(out, name), "utf8");
    const bounds = JSON.parse(read("bound-check.json"));
    for (const name of ["measured", "quadratic", "cap"]) {
      expect(bounds[name]["points whose mean gap is above the mean bound"]).toBe(0);
    }
    const ranks = JSON.parse(read("rank-choice.json"));
    expect(ranks.problems).toBe(2);
    expect(read("bound-check-rounds.csv").split("\n").length).toBeGreaterThan(5 * 11);
    for (const name of ["gap-versus-rank", "gap-versus-rounds", "rank-choice"]) {
      expect(read(`${name}.svg`)).toMatch(/^<svg/);
    }
    // a line that was cut off is done again, and the rest is not
    const log = read("rank-choice.ndjson");
    const lines = log.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    appendFileSync(join(out, "rank-choice.ndjson"), lines[1]!.slice(0, 20));
    const second = run("--quick", "--only", "rank-choice", "--out", out);
    expect(second.status, second.stderr).toBe(0);
    expect(second.stderr).not.toMatch(/minutes left/);
    expect(read("rank-choice.ndjson")).toBe(log);
    expect(JSON.parse(read("rank-choice.json"))).toEqual(ranks);
  }, 180_000);

  test("bad options end with code 2 and one line", () => {
    for (const args of [["--only", "nothing"], ["--jobs", "0"], ["--frobnicate"]]) {
      const { status, stderr } = run(...args);
      expect(status).toBe(2);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});
