import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { startBackend } from "../../examples/federated-lora/backend.mjs";
import { pilotDirections, startAdapters } from "../../examples/federated-lora/pilot.mjs";
import { loadTask } from "../../examples/federated-lora/tasks.mjs";
import {
  batchOf,
  energyOf,
  openLink,
  pick,
  powerAt,
  symbolsAt,
  train,
  trainedEntries,
} from "../../examples/federated-lora/training.mjs";
import { adapterEntries, architecture, createModel } from "../../examples/federated-lora/transformer.mjs";
import { loadWeights } from "../../examples/federated-lora/weights.mjs";

const study = "examples/federated-lora/run.mjs";
const batch = { count: 1, length: 24 };

describe("examples/federated-lora: training", () => {
  let model;
  let task;
  let directions;
  beforeAll(async () => {
    await startBackend();
    model = createModel(loadWeights(), architecture);
    task = loadTask("facts");
    directions = pilotDirections(model, architecture, task, batch);
  }, 120_000);

  const trainFor = (rounds, state, options = {}) => {
    const { link } = openLink({ architecture, beam: "mrc", rank: 2, trained: "loraB", snrDb: 0, seed: 5 });
    return train({
      model,
      architecture,
      task,
      rank: 2,
      trained: "loraB",
      link,
      step: 0.2,
      rounds,
      seed: 5,
      batch,
      every: 100,
      evaluate: () => 0,
      state,
      ...options,
    });
  };
  const fresh = () => ({ round: 0, parameters: startAdapters(architecture, directions, 2), rows: [] });

  test("rounds in two parts are the rounds in one", () => {
    const whole = trainFor(4, fresh());
    const half = trainFor(2, fresh());
    const saved = JSON.parse(JSON.stringify({ ...half, parameters: Array.from(half.parameters) }));
    const resumed = trainFor(4, { ...saved, parameters: Float64Array.from(saved.parameters) });
    expect(resumed.parameters).toEqual(whole.parameters);
    // the end of the first part was looked at, as every end is
    const without = (rows) => rows.map(({ heldOut, ...row }) => row);
    expect(without(resumed.rows)).toEqual(without(whole.rows));
  });

  test("over the air loraA stays, loraB moves, and the error is the one predicted", () => {
    const start = fresh();
    const entries = trainedEntries(architecture, 2, "loraB");
    const before = start.parameters.slice();
    const { parameters, rows } = trainFor(3, start);
    const isTrained = new Set(entries);
    before.forEach((value, i) => {
      if (!isTrained.has(i)) expect(parameters[i]).toBe(value);
    });
    expect(energyOf(pick(parameters, entries))).toBeGreaterThan(0);
    const happened = rows.slice(0, 3).reduce((sum, { errorEnergy }) => sum + errorEnergy, 0);
    const expected = rows.slice(0, 3).reduce((sum, { expectedErrorEnergy }) => sum + expectedErrorEnergy, 0);
    // 3 x 1024 numbers: the relative standard deviation of the sum of their squares is below 0.03 sqrt(10)
    expect(Math.abs(happened / expected - 1)).toBeLessThan(0.3);
  });

  test("without a link it is centralised training on all batches together", () => {
    const step = 0.2;
    const { parameters } = trainFor(3, fresh(), { link: undefined, step });
    const central = startAdapters(architecture, directions, 2);
    const entries = trainedEntries(architecture, 2, "loraB");
    for (let round = 0; round < 3; round++) {
      const batches = task.train.map((_, device) => batchOf(task, device, round, 5, batch));
      const pooled = {
        inputs: Int32Array.from(batches.flatMap(({ inputs }) => Array.from(inputs))),
        targets: Int32Array.from(batches.flatMap(({ targets }) => Array.from(targets))),
        count: batches.length * batch.count,
        length: batch.length,
      };
      const { gradient } = model.lossAndGradient(pooled, { rank: 2, scale: 1, parameters: central });
      for (const i of entries) central[i] -= step * gradient[i];
    }
    const moved = energyOf(pick(central, entries));
    expect(energyOf(parameters.map((value, i) => value - central[i])) / moved).toBeLessThan(3e-6 ** 2);
  });

  test("all ranks have the same energy per round", () => {
    const energies = [1, 3, 8, 32].flatMap((rank) =>
      ["loraB", "both"].map(
        (trained) =>
          powerAt({ architecture, rank, trained, snrDb: 7 }) * symbolsAt(architecture, rank, trained),
      ),
    );
    for (const energy of energies) expect(energy / energies[0]).toBeCloseTo(1, 12);
    expect(trainedEntries(architecture, 3, "both")).toHaveLength(adapterEntries(architecture, 3));
  });
});

describe("examples/federated-lora: the study", () => {
  test("the quick study, killed in the middle and started again", async () => {
    const out = join(mkdtempSync(join(tmpdir(), "federated-lora-")), "quick");
    const child = spawn("node", [study, "--quick", "--jobs", "1", "--out", out]);
    await new Promise((resolve) => {
      let said = "";
      child.stderr.on("data", (text) => {
        said += text;
        if (/tuning .* done/.test(said)) child.kill("SIGKILL");
      });
      child.on("close", resolve);
    });
    const read = (name) => readFileSync(join(out, name), "utf8");
    const before = read("study.ndjson").trimEnd().split("\n");
    expect(
      before.some((line) => line.includes('"tuning ')),
      child.exitCode,
    ).toBe(true);
    const second = spawnSync("node", [study, "--quick", "--jobs", "2", "--out", out], { encoding: "utf8" });
    expect(second.status, second.stderr).toBe(0);
    const after = read("study.ndjson").trimEnd().split("\n");
    for (const line of before) expect(after).toContain(line);
    expect(second.stderr).not.toMatch(/pilot/);
    const summary = JSON.parse(read("summary.json"));
    expect(summary.diverged).toEqual([]);
    expect(Math.abs(summary["predicted error energy / happened, all rounds of all trials"] - 1)).toBeLessThan(
      0.2,
    );
    expect(summary["perplexity of the base"].facts).toBeLessThan(10);
    for (const { perplexity } of JSON.parse(read("table.json"))) {
      expect(perplexity).toBeGreaterThan(1);
      expect(perplexity).toBeLessThan(summary["perplexity of the base"].facts);
    }
    for (const name of ["perplexity-versus-rounds", "perplexity-versus-air-time", "loss-versus-rounds"]) {
      expect(read(`${name}.svg`)).toMatch(/^<svg/);
    }
    expect(existsSync(join(out, "checkpoints"))).toBe(false);
    expect(readdirSync(out).filter((name) => name.endsWith(".new"))).toEqual([]);
  }, 300_000);

  test("bad options end with code 2 and one line", () => {
    for (const args of [["--jobs", "0"], ["--frobnicate"]]) {
      const { status, stderr } = spawnSync("node", [study, ...args], { encoding: "utf8" });
      expect(status).toBe(2);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});
