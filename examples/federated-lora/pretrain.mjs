/**
 * Trains the base of the study once: node examples/federated-lora/pretrain.mjs [--steps n] [--out folder]. Adam on
 * random windows of `pretrainingText`, seeded by step, so that a killed run goes on from its checkpoint with the same
 * bits. Writes base.bin (float16) and base.json (settings, losses) next to this file, or into the folder.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { randomStream } from "airfold/core";
import { startBackend } from "./backend.mjs";
import { heldOutBatches, loadTask, pretrainingText, taskNames, windows } from "./tasks.mjs";
import { architecture, createModel, initialWeights } from "./transformer.mjs";
import { loadWeights, saveWeights } from "./weights.mjs";

const { values: flags } = parseArgs({ options: { steps: { type: "string" }, out: { type: "string" } } });

/** Everything the weights depend on. */
const settings = {
  seed: 6,
  steps: Number(flags.steps ?? 6000),
  /** windows in a step, each as long as the context */
  batch: 8,
  /** Adam; the rate rises linearly over the warm-up and falls as a cosine to zero */
  peakRate: 4e-3,
  warmUp: 200,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  /** Euclidean norm of the whole gradient, at most */
  clip: 1,
};

/** Windows a held-out loss is the mean of. */
const evaluation = { count: 32, length: architecture.context, batches: 8 };

const folder = flags.out ?? fileURLToPath(new URL(".", import.meta.url));
const scratch = join("out", "federated-lora-base");
const checkpoint = join(scratch, `checkpoint-${settings.steps}.bin`);
const checkpointEvery = 100;

mkdirSync(folder, { recursive: true });
mkdirSync(scratch, { recursive: true });
await startBackend();
const text = pretrainingText();
const state = restore() ?? fresh();
const began = performance.now();
const first = state.step;
const model = createModel(state.weights, architecture);
while (state.step < settings.steps) {
  advance(state, text.train);
  if (state.step % checkpointEvery === 0 || state.step === settings.steps) {
    store(state);
    progress(state);
  }
}
finish(state);

function fresh() {
  const weights = initialWeights(architecture, settings.seed);
  const zeros = () => new Map([...weights].map(([name, { data }]) => [name, new Float32Array(data.length)]));
  return { step: 0, weights, first: zeros(), second: zeros(), losses: [], recent: 0 };
}

/** One step of Adam (Kingma and Ba 2015, algorithm 1) on a clipped gradient. */
function advance(state, tokens) {
  const { batch, peakRate, warmUp, beta1, beta2, epsilon, clip } = settings;
  const stream = randomStream(settings.seed, "pretraining", state.step);
  const { loss, gradients } = model.lossAndWeightGradient(
    windows(tokens, { count: batch, length: architecture.context, stream }),
  );
  let squares = 0;
  for (const gradient of gradients.values()) for (const value of gradient) squares += value * value;
  const scale = Math.min(1, clip / Math.sqrt(squares));
  const t = ++state.step;
  const rate =
    t <= warmUp
      ? (peakRate * t) / warmUp
      : (peakRate / 2) * (1 + Math.cos((Math.PI * (t - warmUp)) / (settings.steps - warmUp)));
  const correction1 = 1 - beta1 ** t;
  const correction2 = 1 - beta2 ** t;
  for (const [name, { data }] of state.weights) {
    const gradient = gradients.get(name);
    const mean = state.first.get(name);
    const square = state.second.get(name);
    for (let i = 0; i < data.length; i++) {
      const g = gradient[i] * scale;
      mean[i] = beta1 * mean[i] + (1 - beta1) * g;
      square[i] = beta2 * square[i] + (1 - beta2) * g * g;
      data[i] -= (rate * (mean[i] / correction1)) / (Math.sqrt(square[i] / correction2) + epsilon);
    }
    model.update(name, data);
  }
  state.recent += loss;
  if (t % checkpointEvery === 0) {
    state.losses.push(Number((state.recent / checkpointEvery).toFixed(4)));
    state.recent = 0;
  }
}

/** Writes the state beside the old one and then over it, so that a kill leaves one of them whole. */
function store(state) {
  const header = JSON.stringify({ settings, step: state.step, losses: state.losses, recent: state.recent });
  const arrays = [...state.weights.keys()].flatMap((name) => [
    state.weights.get(name).data,
    state.first.get(name),
    state.second.get(name),
  ]);
  const bytes = arrays.map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );
  writeFileSync(`${checkpoint}.new`, Buffer.concat([Buffer.from(`${header}\n`), ...bytes]));
  renameSync(`${checkpoint}.new`, checkpoint);
}

/** The state of an earlier run with the same settings, or undefined. */
function restore() {
  if (!existsSync(checkpoint)) return undefined;
  const bytes = readFileSync(checkpoint);
  const end = bytes.indexOf("\n");
  const { settings: then, ...saved } = JSON.parse(bytes.toString("utf8", 0, end));
  if (JSON.stringify(then) !== JSON.stringify(settings)) return undefined;
  const state = { ...fresh(), ...saved };
  let offset = end + 1;
  for (const name of state.weights.keys()) {
    for (const data of [state.weights.get(name).data, state.first.get(name), state.second.get(name)]) {
      bytes.copy(Buffer.from(data.buffer, data.byteOffset, data.byteLength), 0, offset);
      offset += data.byteLength;
    }
  }
  return state;
}

function progress({ step, losses }) {
  const left = ((performance.now() - began) / 60_000 / (step - first)) * (settings.steps - step);
  process.stderr.write(
    `step ${step} of ${settings.steps}, loss ${losses.at(-1)}, ${left.toFixed(1)} minutes left\n`,
  );
}

/** Writes the weights, and beside them what was done and how well the weights in the file do. */
function finish({ weights, losses }) {
  const bytes = saveWeights(weights);
  const base = createModel(loadWeights(bytes), architecture);
  const texts = { prose: text.heldOut };
  for (const name of taskNames) texts[name] = loadTask(name).heldOut;
  const heldOut = Object.fromEntries(
    Object.entries(texts).map(([name, tokens]) => {
      const batches = heldOutBatches(tokens, evaluation);
      return [name, batches.reduce((sum, batch) => sum + base.loss(batch), 0) / batches.length];
    }),
  );
  base.dispose();
  const header = {
    about: "mean cross entropies in nats per character; trainLoss: means over 100 steps each",
    architecture,
    settings,
    characters: { train: text.train.length, seen: settings.steps * settings.batch * architecture.context },
    trainLoss: losses,
    evaluation,
    heldOut,
    perplexity: Object.fromEntries(Object.entries(heldOut).map(([name, loss]) => [name, Math.exp(loss)])),
  };
  writeFileSync(join(folder, "base.bin"), bytes);
  writeFileSync(join(folder, "base.json"), `${JSON.stringify(header, undefined, 2)}\n`);
  process.stderr.write(`${join(folder, "base.bin")}: ${JSON.stringify(header.perplexity)}\n`);
}
