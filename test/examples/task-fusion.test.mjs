import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { startBackend } from "../../examples/federated-lora/backend.mjs";
import { accuracy, initialParameters, logits, lossAndGradient } from "../../examples/task-fusion/network.mjs";
import { radio } from "../../examples/task-fusion/plan.mjs";
import { channelsOf, receive } from "../../examples/task-fusion/radio.mjs";
import { train } from "../../examples/task-fusion/training.mjs";
import { randomStream } from "../../src/core/index.ts";

const study = "examples/task-fusion/run.mjs";
const architecture = { inputs: 7, hidden: [6, 5], classes: [4, 3] };

/** Samples with labels that the inputs tell. */
function samplesFor(task, count) {
  const stream = randomStream(3, "samples", task);
  const inputs = Float32Array.from({ length: count * architecture.inputs }, () => stream.normal());
  const labels = Int32Array.from({ length: count }, (_, s) => {
    const own = inputs.subarray(
      s * architecture.inputs,
      s * architecture.inputs + architecture.classes[task],
    );
    return own.indexOf(Math.max(...own));
  });
  return { task, inputs, labels, count };
}

/** The network in double precision, written anew. */
function plainLogits(parameters, input, task) {
  const layer = (x, name) => {
    const bias = parameters[`${name}.bias`];
    return Array.from(bias, (b, j) =>
      x.reduce((sum, value, i) => sum + value * parameters[`${name}.weight`][i * bias.length + j], b),
    );
  };
  const silu = (z) => z.map((value) => value / (1 + Math.exp(-value)));
  return layer(silu(layer(silu(layer([...input], "layer1")), "layer2")), `head${task}`);
}

function plainLoss(parameters, batches) {
  let loss = 0;
  for (const { task, inputs, labels, count } of batches) {
    for (let s = 0; s < count; s++) {
      const row = plainLogits(parameters, inputs.subarray(7 * s, 7 * s + 7), task);
      const sum = row.reduce((total, value) => total + Math.exp(value), 0);
      loss += (Math.log(sum) - row[labels[s]]) / count / batches.length;
    }
  }
  return loss;
}

describe("examples/task-fusion: network and training", () => {
  const batches = [samplesFor(0, 5), samplesFor(1, 8)];
  let parameters;
  beforeAll(async () => {
    await startBackend();
    const stream = randomStream(4, "biases");
    parameters = initialParameters(architecture, 1);
    for (const [name, tensor] of Object.entries(parameters)) {
      if (name.endsWith("bias")) parameters[name] = tensor.map(() => 0.3 * stream.normal());
    }
  });

  test("logits and accuracy as in plain double precision", () => {
    for (const batch of batches) {
      const rows = logits(architecture, parameters, batch, batch.task);
      const plain = rows.map((_, s) =>
        plainLogits(parameters, batch.inputs.subarray(7 * s, 7 * s + 7), batch.task),
      );
      rows.forEach((row, s) => {
        row.forEach((value, c) => {
          expect(Math.abs(value - plain[s][c])).toBeLessThan(1e-5);
        });
      });
      const right = plain.filter((row, s) => row.indexOf(Math.max(...row)) === batch.labels[s]).length;
      expect(accuracy(architecture, parameters, batch, batch.task)).toBe(right / batch.count);
    }
  });

  test("loss, and every entry of its gradient against differences in double precision", () => {
    for (const some of [batches, [batches[1]]]) {
      const { loss, gradient } = lossAndGradient(architecture, parameters, some);
      expect(loss).toBeCloseTo(plainLoss(parameters, some), 5);
      const double = Object.fromEntries(
        Object.entries(parameters).map(([name, tensor]) => [name, Float64Array.from(tensor)]),
      );
      for (const [name, tensor] of Object.entries(double)) {
        if (
          !some.some(({ task }) => name === `head${task}.weight`) &&
          name.startsWith("head0") &&
          some.length === 1
        ) {
          expect(gradient[name]).toBeUndefined();
          continue;
        }
        tensor.forEach((value, i) => {
          const at = (shifted) => {
            tensor[i] = shifted;
            return plainLoss(double, some);
          };
          const difference = (at(value + 1e-5) - at(value - 1e-5)) / 2e-5;
          tensor[i] = value;
          expect(Math.abs(gradient[name][i] - difference)).toBeLessThan(2e-6);
        });
      }
    }
  });

  test("training: the first step is Adam's, what is not trained stays bit for bit, the loss falls", () => {
    const samples = [samplesFor(0, 40), samplesFor(1, 40)];
    const options = { architecture, start: parameters, samples, batch: 40, learningRate: 0.01 };
    const trains = (name) => name.startsWith("layer2") || name.startsWith("head");
    const before = JSON.stringify(parameters);
    const once = train({ ...options, steps: 1, trains });
    const { gradient } = lossAndGradient(architecture, parameters, samples);
    for (const [name, tensor] of Object.entries(parameters)) {
      tensor.forEach((value, i) => {
        const g = gradient[name][i];
        const step = trains(name) ? (0.01 * g) / (Math.abs(g) + 1e-8) : 0;
        expect(Math.abs(once[name][i] - (value - step))).toBeLessThan(trains(name) ? 1e-5 : 1e-30);
      });
    }
    const much = train({ ...options, steps: 60, batch: 20, trains });
    expect(lossAndGradient(architecture, much, samples).loss).toBeLessThan(
      0.8 * lossAndGradient(architecture, parameters, samples).loss,
    );
    expect(train({ ...options, steps: 60, batch: 20, trains })).toEqual(much);
    expect(JSON.stringify(parameters)).toBe(before);
    expect(() => train({ ...options, steps: 1, batch: 7, trains })).toThrow(/divisor of 40/);
  });

  test("radio: white noise and that of other objectives are milder than the worst case; shrunk symbols hide noise", () => {
    const channels = channelsOf(radio, 5);
    const rate = (kind, db) => receive(channels, kind, db);
    const thermal = rate("thermal");
    let last = thermal.sumRate;
    for (const db of [0, 10, 20]) {
      const [white, worst, mse] = ["white", "sum-rate", "mse"].map((kind) => rate(kind, db));
      expect(worst.sumRate).toBeLessThan(white.sumRate);
      expect(worst.sumRate).toBeLessThanOrEqual(mse.sumRate * (1 + 1e-9));
      expect(white.sumRate).toBeLessThan(last);
      expect(Math.abs(worst.dualityGap)).toBeLessThan(1e-6);
      expect(worst.rates.reduce((a, b) => a + b, 0)).toBeCloseTo(worst.sumRate, 8);
      worst.mse.forEach((value, user) => {
        expect(value).toBeLessThan(1);
        expect(worst.unbiased[user]).toBeGreaterThanOrEqual((value / (1 - value)) * (1 - 1e-12));
      });
      last = white.sumRate;
    }
  });
});

describe("examples/task-fusion: the study", () => {
  test("the quick study, killed in the middle and started again: the bits of a run without a break", async () => {
    const folder = mkdtempSync(join(tmpdir(), "task-fusion-"));
    const out = join(folder, "broken");
    const child = spawn("node", [study, "--quick", "--jobs", "1", "--out", out]);
    await new Promise((resolve) => {
      let said = "";
      child.stderr.on("data", (text) => {
        said += text;
        if (/trained single 2/.test(said)) child.kill("SIGKILL");
      });
      child.on("close", resolve);
    });
    expect(readdirSync(join(out, "models"))).toContain("models-1.bin");
    const second = spawnSync("node", [study, "--quick", "--jobs", "2", "--out", out], { encoding: "utf8" });
    expect(second.status, second.stderr).toBe(0);
    // what was trained is read
    expect(second.stderr).not.toMatch(/trained (base|single [012])\n/);
    expect(second.stderr).toMatch(/trained frozen 7/);
    const whole = join(folder, "whole");
    const third = spawnSync("node", [study, "--quick", "--jobs", "2", "--out", whole], { encoding: "utf8" });
    expect(third.status, third.stderr).toBe(0);
    for (const name of readdirSync(whole)) {
      expect(readFileSync(join(out, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
    }
    expect(existsSync(join(out, "models"))).toBe(false);
    expect(readdirSync(out).filter((name) => name.endsWith(".new"))).toEqual([]);

    const read = (name) => readFileSync(join(out, name), "utf8");
    const rows = csv(read("trials.csv"));
    const normalised = (arm, noise) =>
      Number(rows.find((row) => row.arm === arm && row.noise === noise)["normalised accuracy"]);
    expect(normalised("single", "")).toBe(1);
    // fusion brings something, noise costs something, and no arm is much below the base that coefficient 0 gives
    const base = normalised("base", "");
    expect(normalised("unprotected", "none")).toBeGreaterThan(base + 0.05);
    expect(normalised("unprotected", "none")).toBeLessThan(1.05);
    for (const row of rows.filter(({ arm, noise }) => noise !== "" && arm !== "unaware")) {
      expect(Number(row["normalised accuracy"])).toBeGreaterThan(base - 0.05);
    }
    const worst = rows.filter(({ noise, "jammer (dB)": db }) => noise === "sum-rate" && db === "20");
    const unaware = Number(worst.find(({ arm }) => arm === "unaware")["normalised accuracy"]);
    expect(unaware).toBeLessThan(normalised("unaware", "none"));
    // predicted from the clean models; few draws and probes, and the first order only
    for (const row of csv(read("disentanglement.csv")).filter(({ predicted }) => predicted !== "")) {
      const ratio = Number(row.predicted) / Number(row["xi, squared"]);
      expect(ratio).toBeGreaterThan(0.8);
      expect(ratio).toBeLessThan(1.25);
    }
    for (const name of ["tasks", "power", "disentanglement", "rate"]) {
      expect(read(`task-fusion-${name}.svg`)).toMatch(/^<svg/);
    }
  }, 300_000);

  test("bad options end with code 2 and one line", () => {
    const file = join(mkdtempSync(join(tmpdir(), "task-fusion-")), "file");
    for (const args of [
      ["--jobs", "0"],
      ["--frobnicate"],
      ["--tasks", "letters"],
      ["--out", `${process.execPath}/x`],
      ["extra", file],
    ]) {
      const { status, stderr } = spawnSync("node", [study, ...args], { encoding: "utf8" });
      expect(status, stderr).toBe(2);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
    const help = spawnSync("node", [study, "--help"], { encoding: "utf8" });
    expect([help.status, help.stdout]).toEqual([
      0,
      expect.stringMatching(/^usage: .*--tasks digits \| mixed/),
    ]);
  });
});

/** Rows of a CSV file whose cells may be quoted. */
function csv(text) {
  const [head, ...lines] = text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) =>
      [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell]) => cell.replace(/^"|"$/g, "")),
    );
  return lines.map((cells) => Object.fromEntries(head.map((name, i) => [name, cells[i]])));
}
