import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { estimateConstants, type TrainingRecord } from "../../src/bounds/index.ts";
import { airfold, smallScenario, temporaryFolder } from "./command.ts";

const log = "examples/training-log.ndjson";
const text = readFileSync(log, "utf8");
const records = text
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as TrainingRecord);

interface Learning {
  readonly [name: string]: unknown;
  readonly smoothness: number;
  readonly plConstant: number;
  readonly rounds: number;
}

describe("airfold estimate", () => {
  it("prints what the library finds, from a file and from standard input", () => {
    const { code, stdout, stderr } = airfold(["estimate", log]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toEqual({
      airfold: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      schemaVersion: 1,
      seed: 1,
      ...estimateConstants(records),
    });
    const crlf = `\uFEFF${text.replaceAll("\n", "\r\n")}\r\n\r\n`;
    expect(airfold(["estimate", "-"], crlf).stdout).toBe(stdout);
    expect(airfold(["estimate", "-"], text.trimEnd()).stdout).toBe(stdout);
  });

  it("passes options on", () => {
    const flags = ["--optimum", "0.05", "--confidence", "0.8", "--seed", "4", "--conservative"];
    const { stdout } = airfold(["estimate", log, ...flags]);
    const options = { optimum: 0.05, confidence: 0.8, seed: 4, use: "conservative" } as const;
    expect(JSON.parse(stdout)).toMatchObject({ seed: 4, ...estimateConstants(records, options) });
  });

  it.each([[[]], [["--conservative"]]])("log to scenario to solve (%j)", (flags) => {
    const folder = temporaryFolder();
    const out = join(folder, "scenario.json");
    const base = join(folder, "base.json");
    writeFileSync(base, JSON.stringify(smallScenario()));
    const { code, stdout, stderr } = airfold(["estimate", log, "--scenario", base, "--out", out, ...flags]);
    expect([code, stdout]).toEqual([0, ""]);
    const told = stderr.trimEnd().split("\n");
    const { notes } = estimateConstants(records);
    expect(told.slice(0, notes.length)).toEqual(notes.map((note) => `airfold: ${note}`));
    expect(told.slice(notes.length)).toEqual([
      "airfold: the log has 5 devices, the scenario 3",
      "airfold: the log has 8 parameters, as many as no rank of the scenario sends (lora.layers)",
      expect.stringMatching(/^airfold: learning\.smoothness changes from 1 to .*, and the residual with it/),
    ]);
    expect(readdirSync(folder).sort()).toEqual(["base.json", "scenario.json"]);
    const scenario = JSON.parse(readFileSync(out, "utf8")) as { learning: Learning };
    const use = flags.length > 0 ? "conservative" : "value";
    const { rounds: _, ...learning } = estimateConstants(records, { use }).learning;
    expect(scenario).toEqual({ ...smallScenario(), learning: { ...learning, rounds: 100 } });
    const solved = airfold(["solve", out]);
    expect(solved.code).toBe(0);
    expect(JSON.parse(solved.stdout)).toMatchObject({ gap: expect.any(Number), rank: expect.any(Number) });
  });

  it("the example log and the example scenario go together", () => {
    const { code, stdout, stderr } = airfold(["estimate", log, "--scenario", "examples/scenario.json"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/the log has 5 devices, the scenario 10/);
    const solved = airfold(["solve", "-"], stdout);
    expect(solved.code).toBe(0);
    expect(Number.isFinite((JSON.parse(solved.stdout) as { gap: number }).gap)).toBe(true);
  });

  it("what the log cannot tell stays as the scenario has it, and is told", () => {
    const one = `${text.split("\n")[0]}\n`;
    const folder = temporaryFolder();
    const base = join(folder, "base.json");
    const scenario = smallScenario();
    scenario.learning["participation"] = { missingWeight: 0.1, heterogeneityFloor: 1 };
    writeFileSync(base, JSON.stringify(scenario));
    const kept = airfold(["estimate", "-", "--scenario", base], one);
    expect(kept.code).toBe(0);
    expect(kept.stderr).toMatch(/learning\.smoothness stays as it was: fewer than 3 rounds/);
    expect(JSON.parse(kept.stdout)).toEqual(scenario);
    const full = JSON.parse(airfold(["estimate", log, "--scenario", base]).stdout) as { learning: Learning };
    const { heterogeneityFloor, heterogeneitySlope } = estimateConstants(records).constants;
    expect(full.learning["participation"]).toEqual({
      missingWeight: 0.1,
      heterogeneityFloor: heterogeneityFloor!.value,
      heterogeneitySlope: heterogeneitySlope!.value,
    });
  });

  it("a scenario without what the log provides is filled in; of the same training nothing is doubted", () => {
    const folder = temporaryFolder();
    const base = join(folder, "base.json");
    const scenario = smallScenario();
    const { learning: _, ...rest } = scenario;
    scenario.channel["devices"] = 5;
    scenario.lora["trained"] = "loraB";
    scenario.lora.layers = [{ dOut: 4, dIn: 6 }];
    scenario.lora.residual["smoothness"] = 2;
    writeFileSync(base, JSON.stringify(rest));
    const { code, stdout, stderr } = airfold(["estimate", log, "--scenario", base]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ ...rest, learning: estimateConstants(records).learning });
    expect(stderr).not.toMatch(/residual|no rank|devices, the scenario/);
    const one = airfold(["estimate", "-", "--scenario", base], `${text.split("\n")[0]}\n`);
    expect([one.code, one.stdout]).toEqual([2, ""]);
    expect(one.stderr).toMatch(/^airfold: learning\.smoothness: found nothing .*fewer than 3 rounds/);
  });

  it("the example log is what its script makes", () => {
    const made = execFileSync("node", ["scripts/training-log.mjs"], { encoding: "utf8" });
    expect(made).toBe(text);
    expect(text.length).toBeLessThan(60_000);
  });

  it("the schema of a record accepts every line of the example", () => {
    const schema = JSON.parse(airfold(["schema", "training-record"]).stdout) as {
      required: string[];
      properties: object;
    };
    expect(schema.required).toEqual(["parameters", "gradient", "loss"]);
    for (const record of records) {
      for (const name of Object.keys(record)) expect(schema.properties).toHaveProperty(name);
    }
  });
});

describe("bad logs and flags are refused in one line, with exit code 2", () => {
  const line = (edit: object): string =>
    `${JSON.stringify({ round: 0, parameters: [1, 2], gradient: [1, 2], loss: 1, ...edit })}\n`;
  const refuses = (args: readonly string[], input: string, start: string, message: RegExp): void => {
    const { code, stdout, stderr } = airfold(args, input);
    expect(stderr.startsWith(`airfold: ${start}: found `)).toBe(true);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect([code, stdout]).toEqual([2, ""]);
  };

  it.each<[string, string, RegExp]>([
    [
      "standard input line 3, gradient",
      `${line({})}\n${line({ gradient: [1] })}`,
      /1 numbers, expected 2 as in parameters/,
    ],
    ["standard input line 2, gradient[1]", line({}) + line({ gradient: [1, "NaN"] }), /"NaN"/],
    [
      "standard input line 2",
      `${line({})}{"parameters": [NaN], "gradient": [1], "loss": 1}`,
      /not JSON .*no NaN/,
    ],
    ["standard input line 1", "[1, 2]\n", /an array of 2 entries, expected an object/],
    ["standard input line 2", `${line({})}${line({}).slice(0, 30)}`, /not JSON/],
    ["standard input line 2, round", line({ round: 2 }) + line({ round: 1 }), /1 after 2/],
    ["standard input", "", /no records/],
    ["standard input", "\n \n", /no records/],
  ])("%s", (start, input, message) => refuses(["estimate", "-"], input, start, message));

  it("files and flags", () => {
    refuses(["estimate", "nowhere.ndjson"], "", "log", /no such file/);
    refuses(["estimate", "examples"], "", "log", /a folder/);
    refuses(["estimate", log, "--scenario", "nowhere.json"], "", "--scenario", /no such file/);
    refuses(["estimate", "-", "--scenario", "-"], "", "--scenario", /only one/);
    refuses(["estimate", log, "--confidence", "2"], "", "--confidence", /0\.5 to 0\.999/);
    refuses(["estimate", log, "--optimum", "low"], "", "--optimum", /"low"/);
    refuses(
      ["estimate", log, "--optimum", "1e6"],
      "",
      "--optimum",
      /1000000, expected at most .* least loss/,
    );
    refuses(["estimate", log, "--seed", "-1"], "", "--seed", /-1/);
    refuses(["estimate", log, "--out", ""], "", "--out", /file name/);
    const folder = temporaryFolder();
    const base = join(folder, "base.json");
    const scenario = smallScenario();
    scenario.learning["rounds"] = -1;
    writeFileSync(base, JSON.stringify(scenario));
    refuses(["estimate", log, "--scenario", base], "", "learning.rounds", /-1/);
    scenario.learning["rounds"] = 1;
    scenario.learning["smoothness"] = 100;
    scenario.learning["plConstant"] = 50;
    writeFileSync(base, JSON.stringify(scenario));
    const noOptimum = records.slice(0, 60).map((record) => JSON.stringify({ ...record, loss: 1 }));
    refuses(
      ["estimate", "-", "--scenario", base],
      noOptimum.join("\n"),
      "learning.plConstant",
      /50, of the scenario, expected at most the smoothness .* of the log/,
    );
  });
});
