/** examples/personalised: the model that both parts use, and the study of tasks. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { startBackend } from "../../examples/federated-lora/backend.mjs";
import { decode, pretrainingText } from "../../examples/federated-lora/tasks.mjs";
import {
  adapterTargets,
  architecture,
  createModel,
  initialWeights,
} from "../../examples/federated-lora/transformer.mjs";
import { loadWeights } from "../../examples/federated-lora/weights.mjs";
import {
  createPersonalModel,
  initialParameters,
  parameterShapes,
} from "../../examples/personalised/model.mjs";
import { limits, loadClients, populations } from "../../examples/personalised/tasks/clients.mjs";
import { createClient, localSteps } from "../../examples/personalised/tasks/local.mjs";
import {
  plan,
  plans,
  privateRanks,
  ranksOf,
  tuningTrialsOf,
} from "../../examples/personalised/tasks/plan.mjs";
import { delays, openLink, payload, train } from "../../examples/personalised/tasks/training.mjs";
import work from "../../examples/personalised/tasks/worker.mjs";
import { randomStream } from "../../src/core/index.ts";

/** Nothing is a multiple of four. */
const small = { context: 5, width: 6, layers: 2, heads: 2, hidden: 7, vocabulary: 9 };

let tf;
beforeAll(async () => {
  tf = await startBackend();
}, 60_000);

/** Weights and parameters large enough that nothing is close to linear or uniform. */
function strong(sizes, { rank, bottleneck, seed }, deviation = 0.3) {
  const weights = initialWeights(sizes, seed);
  const stream = randomStream(seed, "strong");
  for (const [name, { data }] of weights) {
    for (let i = 0; i < data.length; i++) {
      if (!name.includes("norm")) data[i] *= 15;
      else data[i] += 0.2 * stream.normal();
    }
  }
  const parameters = initialParameters(weights, sizes, { rank, bottleneck, seed });
  for (const { data } of Object.values(parameters)) {
    for (let i = 0; i < data.length; i++) data[i] += deviation * stream.normal();
  }
  return { weights, parameters };
}

function randomBatch(sizes, seed, count, length) {
  const stream = randomStream(seed, "batch");
  const draw = () => Int32Array.from({ length: count * length }, () => stream.integer(sizes.vocabulary));
  return { inputs: draw(), targets: draw(), count, length };
}

/** Losses of all characters in double precision, one character at a time, from the formulas. */
function oracle(weights, parameters, sizes, batch) {
  const { width, layers, heads, vocabulary } = sizes;
  const size = width / heads;
  const matrices = new Map();
  const matrix = (name) => {
    if (!matrices.has(name)) matrices.set(name, merged(name));
    return matrices.get(name);
  };
  const merged = (name) => {
    const base = weights.get(name);
    const lora = parameters[`${name}.loraB`];
    if (lora === undefined) return base?.data ?? parameters[name].data;
    const [b, a, rank] = [lora.data, parameters[`${name}.loraA`].data, lora.shape[1]];
    return Float64Array.from(base.data, (value, at) => {
      const [i, j] = [Math.floor(at / width), at % width];
      let sum = value;
      for (let k = 0; k < rank; k++) sum += b[i * rank + k] * a[k * width + j];
      return sum;
    });
  };
  const apply = (name, x) => {
    const data = matrix(name);
    return Array.from({ length: data.length / x.length }, (_, i) =>
      x.reduce((sum, v, j) => sum + data[i * x.length + j] * v, 0),
    );
  };
  const norm = (name, x) => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    const [gain, bias] = ["gain", "bias"].map((part) => weights.get(`${name}.${part}`).data);
    return x.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * gain[i] + bias[i]);
  };
  const gelu = (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
  const adapt = (name, h) => {
    const up = apply(`${name}.adapter.up`, apply(`${name}.adapter.down`, h).map(gelu));
    return h.map((v, i) => v + up[i]);
  };
  const losses = [];
  for (let b = 0; b < batch.count; b++) {
    const keys = Array.from({ length: layers }, () => []);
    const values = Array.from({ length: layers }, () => []);
    for (let t = 0; t < batch.length; t++) {
      const at = b * batch.length + t;
      let x = Array.from(
        { length: width },
        (_, i) =>
          weights.get("embedding").data[batch.inputs[at] * width + i] +
          weights.get("position").data[t * width + i],
      );
      for (let l = 0; l < layers; l++) {
        const normed = norm(`layer${l}.norm1`, x);
        const query = apply(`layer${l}.query`, normed);
        keys[l].push(apply(`layer${l}.key`, normed));
        values[l].push(apply(`layer${l}.value`, normed));
        const mixed = new Array(width).fill(0);
        for (let h = 0; h < heads; h++) {
          const range = Array.from({ length: size }, (_, d) => h * size + d);
          const scores = keys[l].map((key) =>
            Math.exp(range.reduce((sum, d) => sum + query[d] * key[d], 0) / Math.sqrt(size)),
          );
          const all = scores.reduce((a, c) => a + c, 0);
          for (const d of range)
            mixed[d] = scores.reduce((sum, s, u) => sum + (s / all) * values[l][u][d], 0);
        }
        const attended = adapt(`layer${l}.attention`, apply(`layer${l}.output`, mixed));
        x = x.map((v, i) => v + attended[i]);
        const inner = apply(`layer${l}.expand`, norm(`layer${l}.norm2`, x)).map(gelu);
        const contracted = adapt(`layer${l}.mlp`, apply(`layer${l}.contract`, inner));
        x = x.map((v, i) => v + contracted[i]);
      }
      const logits = apply("head.weight", norm("norm", x));
      expect(logits).toHaveLength(vocabulary);
      losses.push(Math.log(logits.reduce((sum, v) => sum + Math.exp(v), 0)) - logits[batch.targets[at]]);
    }
  }
  return losses;
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const energy = (values) => values.reduce((sum, v) => sum + v * v, 0);
const relativeError = (found, expected) =>
  Math.sqrt(energy(Array.from(expected, (v, i) => v - found[i])) / energy(Array.from(expected)));

describe("examples/personalised: the model", () => {
  test("losses and gradients of all tuned tensors agree with double precision", () => {
    const { weights, parameters } = strong(small, { rank: 3, bottleneck: 2, seed: 4 });
    const model = createPersonalModel(weights, small);
    const batch = randomBatch(small, 2, 2, 5);
    const shares = Float32Array.from({ length: 10 }, (_, i) => (i % 3 === 0 ? -0.2 : 0.1 * i));
    /** the mean and the weighted sum */
    const values = () => {
      const losses = oracle(weights, parameters, small, batch);
      return [mean(losses), losses.reduce((sum, v, i) => sum + shares[i] * v, 0)];
    };
    const losses = oracle(weights, parameters, small, batch);
    expect(relativeError(model.score(batch, parameters).losses, losses)).toBeLessThan(1e-5);
    const answers = [undefined, shares].map((one) => model.lossAndGradients(batch, parameters, one));
    answers.forEach(({ loss, gradients }, i) => {
      expect(Math.abs(loss - values()[i])).toBeLessThan(1e-5);
      expect(Object.keys(gradients).sort()).toEqual(Object.keys(parameters).sort());
    });
    for (const [name, { data }] of Object.entries(parameters)) {
      const slopes = Array.from(data, (kept, i) => {
        const at = (step) => {
          data[i] = kept + step;
          return values();
        };
        const [above, below] = [at(1e-4), at(-1e-4)];
        data[i] = kept;
        return above.map((v, n) => (v - below[n]) / 2e-4);
      });
      answers.forEach(({ gradients }, n) => {
        const expected = slopes.map((slope) => slope[n]);
        expect(relativeError(gradients[name], expected), name).toBeLessThan(2e-5);
        const smaller = gradients[name].map((v) => 0.99 * v);
        expect(relativeError(smaller, expected), name).toBeGreaterThan(5e-3);
      });
    }
    model.dispose();
  }, 300_000);

  test("starts at the base, is the LoRA of federated-lora without the adapters, and keeps no tensors", () => {
    const weights = loadWeights();
    const base = createModel(weights, architecture);
    const before = tf.memory().numTensors;
    const model = createPersonalModel(weights, architecture);
    const batch = randomBatch(architecture, 3, 2, 40);
    const parameters = initialParameters(weights, architecture, { rank: 4, bottleneck: 8, seed: 3 });
    expect(Math.abs(mean(model.score(batch, parameters).losses) - base.loss(batch))).toBeLessThan(1e-6);
    const stream = randomStream(3, "lora");
    const vector = [];
    for (const { name } of adapterTargets(architecture)) {
      for (const factor of ["loraB", "loraA"]) {
        const { data } = parameters[`${name}.${factor}`];
        for (let i = 0; i < data.length; i++) data[i] += 0.1 * stream.normal();
        vector.push(...data);
      }
    }
    const adapters = { rank: 4, scale: 1, parameters: Float64Array.from(vector) };
    expect(Math.abs(base.loss(batch, adapters) - base.loss(batch))).toBeGreaterThan(0.01);
    expect(Math.abs(mean(model.score(batch, parameters).losses) - base.loss(batch, adapters))).toBeLessThan(
      1e-5,
    );
    const held = tf.memory().numTensors;
    const first = model.lossAndGradients(batch, parameters);
    expect(model.lossAndGradients(batch, parameters)).toEqual(first);
    expect(tf.memory().numTensors).toBe(held);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
    base.dispose();
  });

  test("only loraA depends on the rank", () => {
    const weights = initialWeights(small, 1);
    const [two, three] = [2, 3].map((rank) =>
      initialParameters(weights, small, { rank, bottleneck: 2, seed: 1 }),
    );
    for (const [name, { shape, data }] of Object.entries(two)) {
      expect(shape).toEqual(parameterShapes(small, { rank: 2, bottleneck: 2 }).get(name));
      if (!/lora/.test(name)) expect(three[name].data).toEqual(data);
    }
  });
});

describe("examples/personalised/tasks: clients", () => {
  test("no entry is in two parts, and training text alone depends on the seed", () => {
    for (const population of Object.keys(populations)) {
      const [one, two] = [11, 12].map((seed) => loadClients(population, seed, 1_500));
      // words, countries and passages of all clients by part
      const parts = { train: new Set(), validation: new Set(), test: new Set() };
      one.forEach((client, k) => {
        expect(two[k].validation).toEqual(client.validation);
        expect(two[k].test).toEqual(client.test);
        expect(two[k].train).not.toEqual(client.train);
        for (const [part, keys] of Object.entries(parts)) {
          expect(client[part]).toHaveLength(limits[part] ?? 1_500);
          // the last line is cut
          for (const line of decode(client[part]).split("\n").slice(0, -1)) keys.add(line);
        }
      });
      for (const line of parts.train)
        expect(parts.test.has(line) || parts.validation.has(line), line).toBe(false);
      for (const line of parts.validation) expect(parts.test.has(line), line).toBe(false);
    }
    const spelled = (tokens) =>
      decode(tokens)
        .split("\n")
        .slice(0, -1)
        .map((line) => line.match(/^\d? ?(.*?)(: | = | \[| \/ | -> |, )/)?.[1] ?? line.split(" < ")[1])
        .map((word) => word.toLowerCase().replace(/'s?$/, ""));
    const clients = loadClients("dictionaries", 13, 1_500);
    const tested = new Set(clients.flatMap(({ test: tokens }) => spelled(tokens)));
    const trained = clients.flatMap(({ train: tokens }) => spelled(tokens));
    expect(trained.length).toBeGreaterThan(300);
    for (const word of trained) expect(tested.has(word), word).toBe(false);
  }, 300_000);

  test("the prose is not in the text of the base", () => {
    const base = decode(pretrainingText().train);
    for (const { name, train: text, test: held } of loadClients("tasks", 11, 1_500).slice(6)) {
      const lines = decode(held).split("\n").slice(0, -1).concat(decode(text).split("\n").slice(0, -1));
      expect(lines.length).toBeGreaterThan(10);
      for (const line of lines) expect(base.includes(line.slice(20, 70)), `${name}: ${line}`).toBe(false);
    }
  }, 300_000);
});

describe("examples/personalised/tasks: rounds", () => {
  let model;
  let weights;
  let texts;
  const local = { steps: 1, count: 1, length: 12 };
  beforeAll(() => {
    weights = loadWeights();
    model = createPersonalModel(weights, architecture);
    texts = loadClients("dictionaries", 5, 1_500).map(({ train: text }) => text);
  }, 300_000);
  const find = (name) => plans.find((one) => one.name === name);
  const start = (one) =>
    ranksOf(one).map((rank) => createClient({ weights, architecture, rank, bottleneck: 4, seed: 5 }));
  const run = (one, link, rounds = 2) => {
    const state = { round: 0, clients: start(one), rows: [] };
    const options = { model, texts, patterns: one.patterns, link, rate: 0.01, local, rounds, seed: 5, state };
    return train(options);
  };
  const arrays = ({ parameters }) => Object.entries(parameters).map(([name, { data }]) => [name, data]);

  test("nothing shared is local training; what is shared is alike on all clients, and the rest is not", () => {
    const alone = start(find("local-only"));
    for (let round = 0; round < 2; round++) {
      for (const [number, client] of alone.entries()) {
        localSteps({ model, text: texts[number], client, number, round, seed: 5, rate: 0.01, local });
      }
    }
    expect(run(find("local-only")).clients).toEqual(alone);
    const { link } = openLink({ snrDb: 0, seed: 5 });
    for (const [name, pattern] of [
      ["adapters-shared", /adapter/],
      ["lora-shared", /lora/],
      ["split", /lora|adapter/],
      ["last-layers-shared", /^layer1|head/],
      ["vanilla", /./],
    ]) {
      const { clients, rows } = run(find(name), link, 1);
      const [own] = start(find(name));
      localSteps({ model, text: texts[0], client: own, number: 0, round: 0, seed: 5, rate: 0.01, local });
      for (const [tensor, data] of arrays(clients[0])) {
        if (pattern.test(tensor))
          for (const other of clients) expect(other.parameters[tensor].data).toEqual(data);
        else {
          // its own local steps, bit for bit
          expect(data).toEqual(own.parameters[tensor].data);
          // behind a matrix of zeros the first gradient is zero
          if (!/loraA|down/.test(tensor)) expect(clients[1].parameters[tensor].data).not.toEqual(data);
        }
      }
      expect(rows[0].errorEnergy).toBeGreaterThan(0);
      expect(Math.abs(rows[0].errorEnergy / rows[0].expectedErrorEnergy - 1)).toBeLessThan(0.3);
    }
  }, 300_000);

  test("exact sums of everything are federated averaging", () => {
    const { clients } = run(find("vanilla"), undefined, 1);
    const own = start(find("vanilla"));
    for (const [number, client] of own.entries()) {
      localSteps({ model, text: texts[number], client, number, round: 0, seed: 5, rate: 0.01, local });
    }
    for (const [name, data] of arrays(clients[3])) {
      const average = data.map((_, i) => mean(own.map(({ parameters }) => parameters[name].data[i])));
      expect(Math.max(...data.map((v, i) => Math.abs(v - average[i])))).toBeLessThan(1e-12);
    }
  });

  test("payloads and delays", () => {
    const sizes = Object.fromEntries(
      plans.map((one) => {
        const client = createClient({ weights, architecture, rank: ranksOf(one)[0], bottleneck: 8, seed: 1 });
        return [one.name, payload(one.patterns, client)];
      }),
    );
    const entries = Object.fromEntries(Object.entries(sizes).map(([name, one]) => [name, one.entries]));
    const [lora, adapters, head] = [8 * 4 * 128, 4 * 2 * 8 * 64, 96 * 64];
    expect(entries).toEqual({
      vanilla: lora + adapters + head,
      split: lora + adapters,
      "last-layers-shared": lora / 2 + adapters / 2 + head,
      "lora-shared": lora,
      "adapters-shared": adapters,
      "local-only": 0,
    });
    expect(mean(privateRanks)).toBe(4);
    const { air, digital } = delays(sizes.vanilla, { snrDb: 0, seed: 1 });
    expect(air).toBeCloseTo((14336 / 32) * 7.1e-5, 12);
    // no more than all of the power in the best of 4 streams at 16 antennas could carry, no less than one stream at 0 dB
    const seconds = (efficiency) => (8 * 32 * 14336 * 7.1e-5) / 4 / efficiency;
    expect(digital).toBeGreaterThan(seconds(4 * Math.log2(1 + 64)));
    expect(digital).toBeLessThan(seconds(1));
    expect(delays(sizes["local-only"], { snrDb: 0, seed: 1 })).toEqual({ air: 0, digital: 0 });
  });

  test("all plans try the same rates", () => {
    const settings = plan(false);
    const rates = new Map();
    for (const { population, plan: name, rate } of tuningTrialsOf(settings)) {
      const key = `${population} ${name}`;
      rates.set(key, [...(rates.get(key) ?? []), rate]);
    }
    for (const list of rates.values()) expect(list).toEqual(settings.tuning.rates);
    expect(settings.seeds).not.toContain(settings.tuning.seed);
  });
});

describe("examples/personalised/tasks: the study", () => {
  const study = "examples/personalised/tasks/run.mjs";
  test("the quick study, killed in the middle and started again", async () => {
    const out = join(mkdtempSync(join(tmpdir(), "personalised-tasks-")), "quick");
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
    expect(before.some((line) => line.includes('"tuning '))).toBe(true);
    const second = spawnSync("node", [study, "--quick", "--jobs", "2", "--out", out], { encoding: "utf8" });
    expect(second.status, second.stderr).toBe(0);
    const after = read("study.ndjson").trimEnd().split("\n");
    for (const line of before) expect(after).toContain(line);
    const { table, comparisons } = JSON.parse(read("summary.json"));
    expect(table).toHaveLength(4);
    for (const { perplexity } of table) {
      expect(perplexity).toBeGreaterThan(1);
      expect(perplexity).toBeLessThan(96);
    }
    expect(comparisons.map(({ against }) => against)).toEqual(["vanilla", "local-only"]);
    expect(comparisons[0]["payload, ratio"]).toBeCloseTo(4096 / 14336, 3);
    for (const name of ["score-per-client", "score-versus-bytes", "score-versus-delay"]) {
      expect(read(`${name}.svg`)).toMatch(/^<svg/);
    }
    expect(existsSync(join(out, "checkpoints"))).toBe(false);
    expect(readdirSync(out).filter((name) => name.endsWith(".new"))).toEqual([]);
  }, 300_000);

  test("a training that was killed goes on to the same bits", async () => {
    const settings = { ...plan(true), rounds: 3 };
    const [trial] = tuningTrialsOf(settings);
    const folder = mkdtempSync(join(tmpdir(), "personalised-tasks-"));
    const job = { trial, rate: 0.01, settings, checkpoint: join(folder, "checkpoint.json") };
    const worker = join(process.cwd(), "examples/personalised/tasks/worker.mjs");
    const script = `import work from ${JSON.stringify(worker)}; await work(${JSON.stringify(job)});`;
    const child = spawn("node", ["--input-type=module", "-e", script]);
    const timer = setInterval(() => existsSync(job.checkpoint) && child.kill("SIGKILL"), 5);
    await new Promise((resolve) => child.on("close", resolve));
    clearInterval(timer);
    expect(child.signalCode).toBe("SIGKILL");
    expect(JSON.parse(readFileSync(job.checkpoint, "utf8")).round).toBeGreaterThan(0);
    const resumed = await work(job);
    expect(existsSync(job.checkpoint)).toBe(false);
    expect(resumed).toEqual(await work(job));
  }, 300_000);

  test("bad options end with code 2 and one line", () => {
    for (const args of [["--jobs", "0"], ["--frobnicate"]]) {
      const { status, stderr } = spawnSync("node", [study, ...args], { encoding: "utf8" });
      expect(status).toBe(2);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
    const help = spawnSync("node", [study, "--help"], { encoding: "utf8" });
    expect([help.status, help.stdout]).toEqual([0, "usage: run.mjs [--quick] [--jobs n] [--out folder]\n"]);
  });
});
