import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { startBackend } from "../../examples/federated-lora/backend.mjs";
import { loadWeights } from "../../examples/federated-lora/weights.mjs";
import { plan, plans } from "../../examples/personalised/instructions/plan.mjs";
import { loadQuestions } from "../../examples/personalised/instructions/questions.mjs";
import {
  costOf,
  createTraining,
  openLink,
  tempered,
  train,
} from "../../examples/personalised/instructions/training.mjs";

const study = "examples/personalised/instructions/run.mjs";
const warmed = new URL("../../examples/personalised/instructions/warm.bin", import.meta.url);

describe("examples/personalised/instructions: training", () => {
  let weights;
  let questions;
  const settings = plan(true);
  beforeAll(async () => {
    await startBackend();
    weights = tempered(loadWeights(warmed));
    questions = loadQuestions();
  }, 120_000);

  test("after a round shared tensors are the same on all clients, private ones are not, frozen ones never moved", () => {
    const seed = 5;
    const state = createTraining({ weights, planName: "pfit", seed, questions, settings });
    const { link } = openLink(settings.snrDb, seed);
    train(state, { settings, rounds: 1, link, seed, rate: 4e-3, beta: 0.05, look: false });
    const { groups, clients, start, rows } = state;
    const tensors = (name) => clients.map(({ parameters }) => parameters.get(name));
    for (const name of groups.shared) {
      for (const tensor of tensors(name)) expect(tensor).toEqual(clients[0].parameters.get(name));
      expect(clients[0].parameters.get(name)).not.toEqual(start.get(name));
    }
    for (const name of groups.frozen)
      for (const tensor of tensors(name)) expect(tensor).toBe(start.get(name));
    for (const name of ["layer1.query.loraB", "norm.bias", "value.weight"]) {
      expect(groups.private).toContain(name);
      expect(new Set(tensors(name).map(String)).size).toBe(clients.length);
    }
    expect(rows[0].errorEnergy).toBeGreaterThan(0);
    expect(rows[0].errorEnergy).toBeLessThan(0.1 * rows[0].changeEnergy);
  }, 120_000);

  test("what the plans send", () => {
    const entries = Object.fromEntries(plans.map(({ name }) => [name, costOf(name).entries]));
    expect(entries).toEqual({ vanilla: 109_249, "lora-shared": 2048, "local-only": 0, pfit: 49_152 });
  });
});

describe("examples/personalised/instructions: the study", () => {
  test("the quick study, killed in the middle and started again", async () => {
    const out = join(mkdtempSync(join(tmpdir(), "personalised-instructions-")), "quick");
    const child = spawn("node", [study, "--quick", "--jobs", "1", "--out", out]);
    let said = "";
    await new Promise((resolve) => {
      child.stderr.on("data", (text) => {
        said += text;
        if (/tuning .* done/.test(said)) child.kill("SIGKILL");
      });
      child.on("close", resolve);
    });
    expect(existsSync(join(out, "study.ndjson")), said).toBe(true);
    const read = (name) => readFileSync(join(out, name), "utf8");
    const before = read("study.ndjson").trimEnd().split("\n");
    expect(before.length, child.exitCode).toBeGreaterThan(1);
    const second = spawnSync("node", [study, "--quick", "--jobs", "2", "--out", out], { encoding: "utf8" });
    expect(second.status, second.stderr).toBe(0);
    const after = read("study.ndjson").trimEnd().split("\n");
    for (const line of before) expect(after).toContain(line);
    const { table, comparisons } = JSON.parse(read("summary.json"));
    expect(table.map(({ plan: label }) => label)).toEqual(["vanilla", "PFIT"]);
    for (const row of table) {
      expect(row["before, mean own score"]).toBeGreaterThan(0);
      expect(row["before, mean own score"]).toBeLessThan(1);
    }
    expect(comparisons.map((one) => one["PFIT minus"])).toEqual(["vanilla"]);
    for (const name of ["score-by-client", "score-versus-payload", "score-versus-delay", "help-and-safety"]) {
      expect(read(`${name}.svg`)).toMatch(/^<svg/);
    }
    expect(existsSync(join(out, "checkpoints"))).toBe(false);
    expect(readdirSync(out).filter((name) => name.endsWith(".new"))).toEqual([]);
  }, 600_000);

  test("bad options end with code 2 and one line", () => {
    for (const args of [["--jobs", "0"], ["--frobnicate"]]) {
      const { status, stderr } = spawnSync("node", [study, ...args], { encoding: "utf8" });
      expect(status).toBe(2);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});
